"""A voice of somebody else's, behind a server or in a program: its sound is checked, kept and brought to our level.

Seeds do not pin such voices. What came back is kept under what was asked, as a file named by its SHA-256, and a line
that was spoken once is never asked for again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from duologue.corpus.recording import read_recording
from duologue.corpus.speaker import Age, Sex
from duologue.corpus.write import write_atomic
from duologue.errors import MissingPartError, UserError
from duologue.generate.prosody import NEUTRAL, Prosody
from duologue.generate.voices import instructions
from duologue.generate.voices.align import align, spread
from duologue.generate.voices.level import NEUTRAL_DB, mean_level
from duologue.generate.voices.normalise import normalise
from duologue.generate.voices.voice import Samples, Speech, SpokenWord, VoiceSpeaker
from duologue.listen.readback import compare, tokens
from duologue.listen.words import Heard, Recogniser, can_hear
from duologue.remote.cache import Cache, digest

RATE = 24_000
_FRAME = RATE // 40
_SILENT_DB = -60.0
_SOUND_DB = -40.0  # below the peak: where an utterance begins and ends
_CLIPPED = 0.002  # share of samples at full scale
_SURE = 0.6  # probability from which a recogniser's other language counts
_RECOGNISER = "pip install 'duologue[asr]', duologue models fetch whisper"
_SHORTEST_READ = 3  # tokens


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a voice is asked to say; ``text`` is as spoken, numbers written out."""

    text: str
    language: str
    speaker: str
    instructions: str
    speed: float
    seed: int


class SpeakerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A speaker of the voice. ``voice`` is the name that the server or program knows it by ("": its id)."""

    sex: Sex
    age: Age
    languages: tuple[str, ...]
    voice: str = ""
    accent: str = ""
    parent: str = ""


class BorrowedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``limits``: highest WER (en) or CER (zh) of a line. ``readback`` "auto" reads back where a recogniser is."""

    speakers: dict[str, SpeakerOptions]
    cache: str = ""
    offline: bool = False
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 120.0
    attempts: Annotated[int, msgspec.Meta(ge=1)] = 3
    limits: dict[str, float] = msgspec.field(default_factory=lambda: {"en": 0.35, "zh": 0.35})
    readback: Literal["auto", "always", "never"] = "auto"

    def __post_init__(self) -> None:
        if not self.speakers:
            raise ValueError("no speakers")

    @property
    def folder(self) -> Path:
        """The cache folder: ``cache``, else ``duologue/voices`` in the user's cache folder (XDG)."""
        if self.cache:
            return Path(self.cache).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "duologue" / "voices"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was accepted: the SHA-256 of the sound that came, its words in samples at 24 kHz, and what was heard
    in it (None: not read back)."""

    sound: str
    words: tuple[SpokenWord, ...]
    heard: str | None
    attempts: int


class BorrowedVoice(ABC):
    """What all such voices share; a subclass says a line (:meth:`say`) and names what it depends on (:meth:`part`)."""

    name = ""
    remote = True
    # Told the feeling of a line besides its prosody.
    told_feeling = True
    local_options = frozenset({"cache", "offline", "timeout", "attempts"})
    sample_rate = RATE
    version = ""
    form = "wav"

    def __init__(self, options: BorrowedOptions) -> None:
        self._options = options
        self._folder = options.folder
        self._cache = Cache(self._folder / "lines")

    @abstractmethod
    def say(self, line: Line) -> bytes:
        """The sound file for ``line``, as it came."""

    @abstractmethod
    def part(self, line: Line) -> dict[str, Any]:
        """What shapes the sound besides the line."""

    def read(self, path: Path) -> Samples:
        """The sound in a file that came, mono at 24 kHz; UserError where it is none or broken."""
        return read_sound(path)

    def weights_sha256(self) -> str:
        return ""

    @cached_property
    def _listens(self) -> bool:
        """Whether what comes back is read; MissingPartError where it must be and cannot."""
        if self._options.readback == "never":
            return False
        if (can := can_hear()) or self._options.readback == "auto":
            return can
        raise MissingPartError(
            f"voice {self.name!r} is to be read back, and the recogniser is missing", mend=_RECOGNISER
        )

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know before a build: that nobody listens to what comes back."""
        if self._options.offline or self._options.readback != "auto" or self._listens:
            return ()
        return (
            f"what voice {self.name!r} says is not read back and its word times are shares of the time by length: the "
            f"recogniser is missing ({_RECOGNISER})",
        )

    def ready(self) -> None:
        """UserError for what would stop a build at its first line and can be told without a request."""
        if not self._options.offline:
            _ = self._listens

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        found = tuple(
            VoiceSpeaker(
                id=id, languages=s.languages, sex=s.sex, age=s.age, parent=f"{self.name}:{s.parent or id}",
                accent=s.accent,
            )
            for id, s in self._options.speakers.items()
            if language in s.languages
        )  # fmt: skip
        if not found:
            raise UserError(f"no speaker of voice {self.name!r} speaks it", field="speakers", value=language)
        return found

    def synthesise(
        self,
        text: str,
        *,
        language: str,
        speaker: str,
        prosody: Prosody = NEUTRAL,
        seed: int = 0,
        feeling: str = "",
    ) -> Speech:
        """Speak ``text`` with ``feeling`` (a label of the taxonomy), from the cache where it holds it.

        Word times are estimates.

        UserError names voice, speaker, text and finding where no attempt was acceptable, or where ``offline`` and
        the cache has no such line.
        """
        if speaker not in {s.id for s in self.speakers(language)}:
            raise UserError(f"unknown speaker of voice {self.name!r} for {language}", field="speaker", value=speaker)
        spoken = normalise(text, language)
        if not spoken.spans:
            return Speech(
                samples=np.zeros(0, np.float32), sample_rate=RATE, words=(), source="estimated", onset=0, offset=0
            )
        line = Line(
            text=spoken.text.strip(),
            language=language,
            speaker=self._options.speakers[speaker].voice or speaker,
            instructions=instructions.instructions(prosody, feeling),
            speed=instructions.speed(prosody),
            seed=seed,
        )
        asked: dict[str, Any] = {
            "kind": "speech",
            "text_sha256": digest(text),
            "line_sha256": digest(line.text),
            "format": self.form,
        }
        asked |= {"language": language, "voice": line.speaker, "speed": line.speed}
        asked |= {"instructions": line.instructions, **self.part(line)}
        with self._locked(digest(asked)):
            found = self._known(asked)
            if found is None:
                if self._options.offline:
                    raise UserError(
                        f"voice {self.name!r} is offline and its cache lacks a line of speaker {speaker!r}",
                        where=str(self._folder),
                        value=text,
                        mend="give the cache folder of the build, or build with offline: false",
                    )
                found = self._ask(text, speaker, line, asked)
        kept, samples = found
        onset, offset = _edges(samples)
        gain = 10 ** ((NEUTRAL_DB - mean_level(samples, _FRAME) + prosody.gain) / 20)
        return Speech(
            samples=samples * np.float32(gain),
            sample_rate=RATE,
            words=kept.words,
            source="estimated",
            onset=onset,
            offset=offset,
        )

    def _known(self, asked: dict[str, Any]) -> tuple[_Kept, Samples] | None:
        """The kept line; a sound file that is gone or is not the one named counts as none."""
        answer = self._cache.get(asked)
        if answer is None:
            return None
        try:
            kept = msgspec.convert(answer, _Kept)
        except msgspec.ValidationError:
            return None
        path = self._sound(kept.sound)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != kept.sound:
            return None
        return kept, self.read(path)

    def _ask(self, text: str, speaker: str, line: Line, asked: dict[str, Any]) -> tuple[_Kept, Samples]:
        finding = heard = ""
        for attempt in range(1, self._options.attempts + 1):
            # Where a program takes a seed, the same one would say the same again.
            try:
                data = self.say(msgspec.structs.replace(line, seed=line.seed + attempt - 1))
            except UserError as error:
                raise UserError(
                    f"voice {self.name!r}, speaker {speaker!r}: {error.what}",
                    where=error.where,
                    field="text",
                    value=text,
                    mend=error.mend,
                ) from error
            with tempfile.TemporaryDirectory(prefix="duologue-") as folder:
                path = Path(folder, f"answer.{self.form}")
                path.write_bytes(data)
                try:
                    samples = self.read(path)
                except UserError as error:
                    finding, heard = f"its sound is no good: {error.what}", ""
                    continue
            finding, heard = fault(samples, line), ""
            if finding:
                continue
            read = self._hear(samples, line)
            if read is not None:
                heard = read.text
                if finding := self._misread(read, line):
                    continue
            onset, offset = _edges(samples)
            words = (
                spread(text, line.language, onset=onset, offset=offset)
                if read is None
                else align(text, line.language, read.words, onset=onset, offset=offset, rate=RATE)
            )
            sha = hashlib.sha256(data).hexdigest()
            kept = _Kept(sound=sha, words=words, heard=None if read is None else heard, attempts=attempt)
            write_atomic(self._sound(sha), data, sync=False)
            self._cache.put(asked, msgspec.to_builtins(kept))
            return kept, samples
        raise UserError(
            f"voice {self.name!r}, speaker {speaker!r}: {finding} ({self._options.attempts} attempts)"
            + (f"; heard: {heard!r}" if heard else ""),
            field="text",
            value=text,
            mend="check the speaker's voice and language at the server, or raise limits or attempts",
        )

    def _hear(self, samples: Samples, line: Line) -> Heard | None:
        if len(tokens(line.text, line.language)) < _SHORTEST_READ or not self._listens:
            return None
        read = _recogniser().hear(samples, RATE)
        if read.language != line.language and read.language_probability < _SURE:
            read = _recogniser().hear(samples, RATE, language=line.language)
        return read

    def _misread(self, read: Heard, line: Line) -> str:
        if read.language != line.language:
            return f"it spoke another language ({read.language}, not {line.language})"
        rate, limit = compare([line.text], [read.text], line.language).rate, self._options.limits.get(line.language, 1)
        return f"it said other words (error rate {rate:.2f}, limit {limit:.2f})" if rate > limit else ""

    def _sound(self, sha: str) -> Path:
        return self._folder / "sounds" / sha[:2] / f"{sha}.{self.form}"

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """One process at a time asks for a line, so that all use the answer that is kept."""
        if self._options.offline:
            yield
            return
        path = self._folder / "locks" / key[:2]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except OSError as error:
            raise UserError(f"the cache cannot be written: {error.strerror}", where=str(path), field="cache") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def fault(samples: Samples, line: Line) -> str:
    """What is wrong with the sound by itself, "" for nothing: silent, clipped, or too short or long for its text."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 10 ** (_SILENT_DB / 20):
        return "its sound is silent"
    if float((np.abs(samples) >= 0.999).mean()) > _CLIPPED:
        return "its sound is clipped"
    seconds = len(samples) / RATE
    shortest, longest = 0.02 * len(line.text) / line.speed, 3.0 + 0.8 * len(line.text) / line.speed
    if not shortest <= seconds <= longest:
        return f"its sound lasts {seconds:.2f} s, expected {shortest:.2f} to {longest:.2f} s"
    return ""


def _edges(samples: Samples) -> tuple[int, int]:
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (_SOUND_DB / 20))
    return int(loud[0]), int(loud[-1]) + 1


def read_sound(path: Path) -> Samples:
    """Any file that :func:`read_recording` reads, mixed to mono at 24 kHz; clipping is for :func:`fault` to find."""
    recording = read_recording(path, rate=RATE, channels="mix", keep_clipped=True)
    samples: Samples = recording.samples[:, 0].astype(np.float32) / np.float32(32768)
    return samples


@lru_cache(maxsize=1)
def _recogniser() -> Recogniser:
    return Recogniser(threads=1)
