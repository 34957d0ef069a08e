"""What both tracks share: where a file of the layout belongs, its name, and its audio."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import LANGUAGES, Dialogue, Split
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.recording import read_recording
from duologue.errors import UserError
from duologue.formats.folder import language_of
from duologue.formats.format import ImportOptions, Problem
from duologue.formats.landing import Landing

_SPLITS: dict[str, Split] = {"train": "train", "dev": "dev", "test": "test", "unassigned": "unassigned"}


class Importing:
    """One import under way: where from, where to, and what went wrong so far."""

    def __init__(self, src: Path, landing: Landing, options: ImportOptions, *, split: str) -> None:
        self.src, self.landing, self.options, self.split = src, landing, options, split
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.dialogues = 0

    def name(self, path: Path) -> str:
        return path.relative_to(self.src).as_posix()

    def problem(self, where: str, error: UserError | str) -> None:
        self.problems.append(Problem(where=where, what=error if isinstance(error, str) else error.message))

    def split_of(self, path: Path) -> Split:
        """By the nearest folder named for a split ("test", "HD-Track1-Test"); else what was asked for."""
        for part in reversed(path.relative_to(self.src).parts[:-1]):
            for word in reversed(re.split(r"[^a-z]+", part.casefold())):
                if word in _SPLITS:
                    return _SPLITS[word]
        return _SPLITS.get(self.split, "unassigned")

    def language_of(self, path: Path, id: str = "") -> str:
        """By the nearest folder named for a language, else the id's first part, else what was asked for."""
        for part in reversed(path.relative_to(self.src).parts[:-1]):
            for word in reversed(re.split(r"[^a-z]+", part.casefold())):
                if word in LANGUAGES:
                    return word
        first = id.split("_")[0]
        return first if first in LANGUAGES else language_of("", self.options.language)

    def samples(self, path: Path) -> tuple[npt.NDArray[np.int16], int, str]:
        """Mono samples, their rate and the file's hash; several channels are mixed."""
        r = read_recording(path, rate=self.options.rate, channels="mix", keep_clipped=self.options.keep_clipped)
        self.notes += [f"{self.name(path)}: {note}" for note in r.notes]
        return r.samples[:, 0], r.sample_rate, r.sha256

    def id_of(self, place: str, sha256: str) -> str:
        return f"rec-{hashlib.sha256(f'{place} {sha256}'.encode()).hexdigest()[:12]}"

    def provenance(self, sha256: str, **parameters: Any) -> Provenance:
        step = Step(step="import", part="humdial", version=version("duologue"), sha256=sha256, parameters=parameters)
        return Provenance(steps=(step,))


def official(d: Dialogue, field: str) -> str:
    """What the import that made this dialogue read as ``field``, or ""."""
    for step in d.provenance.steps:
        if step.step == "import" and step.part == "humdial":
            return str(step.parameters.get(field, ""))
    return ""


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def write_wav(path: Path, samples: npt.NDArray[np.int16], rate: int) -> None:
    import soundfile

    soundfile.write(path, samples, rate, subtype="PCM_16", format="WAV")


def read_text(path: Path) -> str:
    """UTF-8 with or without a byte order mark; UserError names the line that is not."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError("not UTF-8", where=f"{path.name}:{line}") from None


def parse_object(text: str, where: str) -> dict[str, Any]:
    """The JSON object in ``text``; UserError names place and column where it is broken."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        line = f" (line {error.lineno})" if error.lineno > 1 else ""
        raise UserError(f"broken JSON: {error.msg} at column {error.colno}{line}", where=where) from None
    if not isinstance(value, dict):
        raise UserError("not a JSON object", where=where, value=text[:40])
    return value


def seconds(samples: int, rate: int) -> float:
    """Exact to the sample for any rate up to 1 MHz."""
    return round(samples / rate, 7)
