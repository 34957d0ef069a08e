"""A run of a system on disk: a folder of its outputs, read as hostile until checked.

    RUN/run.json               which system, which mode (optional)
    RUN/observations.jsonl     an Observation a line (optional; what a harness writes)
    RUN/<id>.wav               the system's audio for dialogue <id>, on the clock of the dialogue's main audio
    RUN/<id>.json              its words: {"text", "chunks": [{"text", "timestamp": [start, end]}]} (optional)
    RUN/clean/<id>.wav         its audio for the dialogue's twin (optional)

``<id>_output.wav`` and ``clean_<id>_output.wav`` are read too, in any folder of the run and any audio format. Every
problem belongs to one dialogue and is told in its observation; no file changes another dialogue's.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import Observation, RunManifest, SaidWord
from duologue.corpus.recording import SUFFIXES, read_recording
from duologue.corpus.write import is_main
from duologue.errors import UserError

MANIFEST = "run.json"
OBSERVATIONS = "observations.jsonl"
RATE = 16_000
# A quarter of an hour of 8 channels at 96 kHz and 32 bit is smaller.
LARGEST_AUDIO = 2**31
LARGEST_TEXT = 16 * 2**20
# Audio beyond the dialogue's end by more than this is left unread.
TAIL = 30.0

Samples = npt.NDArray[np.float32]


class Run:
    """An open run. ``extra`` are the files that belong to no dialogue seen so far; ask after :meth:`observe`."""

    def __init__(self, folder: str | Path) -> None:
        self.root = os.path.realpath(folder)
        if not Path(self.root).is_dir():
            raise UserError("no run here", where=str(folder), mend="a run is a folder of a system's outputs")
        self.manifest = _manifest(Path(self.root) / MANIFEST)
        self._files = _index(self.root)
        self._declared, self._broken = _observations(Path(self.root) / OBSERVATIONS)
        self._used: set[str] = set()

    def __repr__(self) -> str:
        return f"<Run {self.manifest.system or self.root} ({self.manifest.mode})>"

    @property
    def extra(self) -> list[str]:
        """Audio and transcripts that no observed dialogue took, relative to the run."""
        return sorted({p for paths in self._files.values() for p in paths} - self._used)

    @property
    def broken(self) -> list[str]:
        """What is wrong with ``observations.jsonl``, line by line."""
        return list(self._broken)

    def observe(self, dialogue: Dialogue, *, twin: bool = False) -> Observation:
        """What the run left of ``dialogue`` (or of its ``twin``); its audio is looked at by :meth:`system` only."""
        key = dialogue.id
        if not twin and (declared := self._declared.get(key)) is not None:
            self._used.update(p for p in (declared.audio, declared.protocol) if p)
            return declared
        names = (f"clean/{key}", f"clean_{key}_output", f"clean/{key}_output") if twin else (key, f"{key}_output")
        audio = [p for name in names for p in self._files.get(("audio", name), ())]
        texts = [p for name in names for p in self._files.get(("text", name), ())]
        self._used.update(audio, texts)
        if not audio:
            return Observation(id=key, status="missing", why="no output")
        if len(audio) > 1:
            return Observation(id=key, status="failed", why=f"several outputs: {', '.join(sorted(audio))}")
        seen = Observation(id=key, status="ok", audio=audio[0], sample_rate=RATE)
        if len(texts) > 1:
            return msgspec.structs.replace(seen, notes=(f"several transcripts, none read: {', '.join(sorted(texts))}",))
        if texts:
            try:
                words = read_words(self._inside(texts[0]), RATE)
                seen = msgspec.structs.replace(seen, words=words, words_from="run")
            except UserError as error:
                seen = msgspec.structs.replace(seen, notes=(f"transcript not read: {error.message}",))
        return seen

    def system(self, seen: Observation, dialogue: Dialogue) -> tuple[Samples, Observation]:
        """The system's channel, float32 [frames] at 16 kHz, as long as what was sent, and the observation it leaves.

        Audio that cannot be used gives silence and the status "failed"; what was changed (rate, channels, length) is
        in ``notes``.
        """
        length = self._length(seen, dialogue)
        silence = np.zeros(length, np.float32)
        if seen.status != "ok":
            return silence, seen
        notes = list(seen.notes)
        try:
            x = self._samples(seen, notes)
        except UserError as error:
            return silence, msgspec.structs.replace(seen, status="failed", why=error.message)
        if len(x) > length:
            # A live run ends when its clock does; ready files may run on after the user's audio, within reason.
            keep = length if seen.length else min(len(x), length + int(TAIL * RATE))
            if keep < len(x):
                notes.append(f"{(len(x) - keep) / RATE:.2f} s after the dialogue's end left out")
            x = x[:keep]
        elif len(x) < length:
            if len(x) < length - RATE // 10:
                notes.append(f"{(length - len(x)) / RATE:.2f} s shorter than the dialogue: silence from there on")
            x = np.pad(x, (0, length - len(x)))
        return x, msgspec.structs.replace(seen, notes=tuple(notes))

    def _length(self, seen: Observation, dialogue: Dialogue) -> int:
        if seen.length:
            return math.ceil(seen.length * RATE / seen.sample_rate)
        main = next((a for a in dialogue.audio if is_main(a)), None)
        return math.ceil(main.length * RATE / main.sample_rate) if main else 0

    def _samples(self, seen: Observation, notes: list[str]) -> Samples:
        path = self._inside(seen.audio)
        size = path.stat().st_size
        if size > LARGEST_AUDIO:
            raise UserError("too large an output", where=seen.audio, value=size, allowed=f"up to {LARGEST_AUDIO} bytes")
        try:
            r = read_recording(path, rate=RATE, keep_clipped=True)
        except UserError as error:
            # The path on this machine is nobody's business.
            raise UserError(
                error.what, where=seen.audio, value=error.value, allowed=error.allowed, mend=error.mend
            ) from None
        notes += r.notes
        if r.source_rate != RATE:
            notes.append(f"resampled from {r.source_rate} Hz")
        x = r.samples
        width = x.shape[1]
        if seen.length or seen.user_channel is not None:
            if seen.channel >= width:
                raise UserError("no such channel", where=seen.audio, value=seen.channel, allowed=f"0..{width - 1}")
            return x[:, seen.channel].astype(np.float32) / 32_768
        if width > 1:
            notes.append(f"{width} channels mixed to one")
        mono = (x.mean(axis=1, dtype=np.float32) / 32_768).astype(np.float32)
        return mono

    def _inside(self, path: str) -> Path:
        """The regular file ``path`` of this run; refuses what leads out of it."""
        parts = path.split("/")
        real = os.path.realpath(f"{self.root}/{path}")
        if any(p in ("", ".", "..") for p in parts) or "\0" in path or not real.startswith(self.root + os.sep):
            raise UserError("not a path inside the run", where=path)
        try:
            mode = Path(real).stat().st_mode
        except OSError:
            raise UserError("missing file", where=path) from None
        if not stat.S_ISREG(mode):
            raise UserError("not a regular file", where=path)
        return Path(real)


def read_words(path: Path, rate: int) -> tuple[SaidWord, ...]:
    """Words of an official transcript {"text", "chunks": [{"text", "timestamp": [s, e]}]}, in samples at ``rate``.

    Chunks without text are left out. UserError for anything else: times that are missing, negative, not finite or
    reversed, or a file that is no such JSON.
    """
    name = path.name
    if path.stat().st_size > LARGEST_TEXT:
        raise UserError("too large a transcript", where=name, allowed=f"up to {LARGEST_TEXT} bytes")
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {str(error)[:100]}", where=name) from None
    chunks = value.get("chunks") if isinstance(value, dict) else None
    if not isinstance(chunks, list):
        raise UserError("no list of chunks", where=name, field="chunks", allowed='[{"text", "timestamp": [s, e]}]')
    words = []
    for i, chunk in enumerate(chunks):
        field = f"chunks[{i}]"
        text = chunk.get("text") if isinstance(chunk, dict) else None
        span = chunk.get("timestamp") if isinstance(chunk, dict) else None
        if not isinstance(text, str):
            raise UserError("no text", where=name, field=field)
        if not text.strip():
            continue
        times = _times(span)
        if times is None:
            raise UserError("no times", where=name, field=f"{field}.timestamp", value=span, allowed="[start, end] in s")
        words.append(SaidWord(text.strip(), round(times[0] * rate), round(times[1] * rate)))
    return tuple(sorted(words, key=lambda w: (w.start, w.end)))


def _times(span: object) -> tuple[float, float] | None:
    if not isinstance(span, list) or len(span) != 2 or not all(type(t) in (int, float) for t in span):
        return None
    start, end = float(span[0]), float(span[1])
    return (start, end) if math.isfinite(end) and 0 <= start <= end < 1e5 else None


def _manifest(path: Path) -> RunManifest:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return RunManifest()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    try:
        return msgspec.json.decode(data, type=RunManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"broken run manifest: {error}", where=str(path)) from None


def _index(root: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """("audio" or "text", name without suffix) -> paths in the run. ``clean/x`` keeps its folder's name."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in _walk(root, ""):
        folder, _, name = path.rpartition("/")
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - names may hold what Path would fold
        kind = "audio" if suffix.lower() in SUFFIXES else "text" if suffix.lower() == ".json" else ""
        if kind and name != MANIFEST:
            clean = folder.rpartition("/")[2] == "clean"
            found[kind, f"clean/{stem}" if clean else stem].append(path)
    return {key: tuple(sorted(paths)) for key, paths in found.items()}


def _walk(root: str, inside: str) -> Iterator[str]:
    with os.scandir(f"{root}/{inside}" if inside else root) as entries:
        for e in sorted(entries, key=lambda e: e.name):
            path = f"{inside}/{e.name}" if inside else e.name
            if e.name.startswith("."):
                continue
            # Links are kept as names and refused, if they lead out, when they are opened; folders are not followed.
            if e.is_dir(follow_symlinks=False):
                yield from _walk(root, path)
            else:
                yield path


def _observations(path: Path) -> tuple[dict[str, Observation], list[str]]:
    found: dict[str, Observation] = {}
    broken: list[str] = []
    if not path.is_file():
        return found, broken
    decode = msgspec.json.Decoder(Observation).decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                seen = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                broken.append(f"{OBSERVATIONS}:{number}: {error}")
                continue
            if seen.id in found:
                broken.append(f"{OBSERVATIONS}:{number}: {seen.id!r} comes twice; the first counts")
                continue
            found[seen.id] = seen
    return found, broken
