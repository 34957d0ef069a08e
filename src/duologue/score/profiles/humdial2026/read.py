"""Read one recording of the challenge's layout: speech by a detector or from transcripts, words, sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from duologue.corpus.recording import read_recording
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.intervals import SYSTEM_GAP, USER_GAP, Interval
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialWord
from duologue.score.profiles.humdial2026.layout import OfficialFiles, OfficialFolder, read_text, shown

RATE = 16_000
LARGEST_TRANSCRIPT = 16 * 2**20
LARGEST_AUDIO = 512 * 2**20
LONGEST = 3600.0
MOST_CHUNKS = 100_000
# Outputs that differ more than this from the user's audio in length are noted, seconds.
SAME_LENGTH = 0.5

Samples = npt.NDArray[np.float32]
Transcribe = Callable[[Samples, str], Sequence[tuple[str, float, float]]]


class Detector(Protocol):
    """What hears speech: ``duologue.listen.speech.SpeechDetector`` and anything alike."""

    def segments(self, samples: Samples, *, merge_gap: float = ...) -> npt.NDArray[np.int64]:
        """Samples [k, 2] of speech in mono ``samples`` at 16 kHz, pauses of up to ``merge_gap`` seconds filled."""
        ...


def read_items(
    folder: OfficialFolder, detector: Detector | None = None, *, transcribe: Transcribe | None = None
) -> Iterator[OfficialItem]:
    """Every recording of ``folder``, one at a time; see :func:`read_item`."""
    for files in folder.files:
        yield read_item(files, detector, transcribe=transcribe)


def read_item(
    files: OfficialFiles, detector: Detector | None = None, *, transcribe: Transcribe | None = None
) -> OfficialItem:
    """One recording as the scoring reads it. Nothing about its files raises: every problem is in ``notes``.

    With a ``detector`` speech is heard in the audio, as officially; without one, and in a folder whose outputs have no
    audio at all, the user's comes from the sentences and the system's from the words of ``_output.json``.
    ``transcribe(samples, language)`` gives (text, start, end) in seconds for outputs that come without words.
    """
    if files.by_words:
        detector = None
    reading = _Reading(files)
    speech = reading.sentences()
    words = reading.words("system_words") if files.system_words is not None else None
    user = reading.speech_of("user", files.user, detector, USER_GAP)
    if user is None:
        user = speech or reading.user_words()
    system: tuple[Interval, ...] | None = None
    samples = reading.samples(files.system, "output") if files.system is not None else None
    if files.system is None and (detector is not None or words is None):
        reading.note("output missing")
    if samples is not None and detector is not None:
        system = reading.heard(samples, detector, SYSTEM_GAP)
        reading.compare_lengths(len(samples))
    elif detector is None and words is not None:
        system = tuple((w.start, w.end) for w in words)
    elif detector is None and samples is not None:
        reading.note("output not listened to: there is neither a speech detector nor a transcript")
    if words is None and files.system_words is None and samples is not None and transcribe is not None:
        words = tuple(OfficialWord(*w) for w in transcribe(samples, files.language))
    return OfficialItem(
        id=files.id,
        language=files.language,
        scenario=files.scenario,
        position=files.position,
        user_segments=user,
        system_segments=system,
        speech_segments=speech,
        system_words=words,
        tags=files.tags,
        notes=(*files.notes, *reading.notes),
    )


class _Reading:
    def __init__(self, files: OfficialFiles) -> None:
        self.files = files
        self.notes: list[str] = []
        self._seconds: float | None = None
        self._text: dict[str, Any] | None = None
        self._opened = False

    def note(self, text: str) -> None:
        self.notes.append(text)

    def samples(self, path: Path, whose: str) -> Samples | None:
        """Mono float32 at 16 kHz, or None with the reason noted."""
        try:
            x, changed = _samples(path)
        except UserError as error:
            self.note(f"{whose} not read: {error.message}")
            return None
        self.notes += [f"{whose}: {c}" for c in changed]
        return x

    def speech_of(
        self, whose: str, path: Path | None, detector: Detector | None, gap: float
    ) -> tuple[Interval, ...] | None:
        if detector is None:
            return None
        if path is None:
            self.note(f"{whose}'s audio missing: speech taken from the transcript")
            return None
        samples = self.samples(path, whose)
        if samples is None:
            return None
        self._seconds = len(samples) / RATE
        return self.heard(samples, detector, gap)

    def heard(self, samples: Samples, detector: Detector, gap: float) -> tuple[Interval, ...]:
        found = detector.segments(samples, merge_gap=gap)
        return tuple((int(s) / RATE, int(e) / RATE) for s, e in found)

    def compare_lengths(self, length: int) -> None:
        if self._seconds is not None and abs(length / RATE - self._seconds) > SAME_LENGTH:
            self.note(f"output lasts {length / RATE:.2f} s, the user's audio {self._seconds:.2f} s")

    def sentences(self) -> tuple[Interval, ...]:
        """(xmin, xmax) of ``speech_segments``; rows that say that they are of one turn are one."""
        value = self.files.known
        if self.files.sentence is not None:
            value = self._json(self.files.sentence, "sentences")
        elif value is None and (value := self._base()) is not None and "speech_segments" not in value:
            value = None
        if value is None:
            if self.files.sentence is None:
                self.note("sentences missing")
            return ()
        try:
            return _speech_segments(value)
        except UserError as error:
            self.note(f"sentences not read: {error.message}")
            return ()

    def user_words(self) -> tuple[Interval, ...]:
        """The user's words as intervals, where neither audio nor sentences tell when they spoke."""
        value = self.files.known_words or self._base()
        words: tuple[OfficialWord, ...] = ()
        if self.files.user_words is not None:
            words = self.words("user_words") or ()
        elif value is not None and "chunks" in value:
            words = self._chunks(value, "user's words") or ()
        return tuple((w.start, w.end) for w in words)

    def words(self, part: str) -> tuple[OfficialWord, ...] | None:
        path: Path = getattr(self.files, part)
        value = self._json(path, shown(path.name))
        return None if value is None else self._chunks(value, shown(path.name))

    def _chunks(self, value: dict[str, Any], name: str) -> tuple[OfficialWord, ...] | None:
        try:
            words, dropped = _words(value)
        except UserError as error:
            self.note(f"{name} not read: {error.message}")
            return None
        if dropped:
            self.note(f"{name}: {dropped} chunks without times left out")
        return words

    def _base(self) -> dict[str, Any] | None:
        if not self._opened and self.files.text is not None:
            self._opened = True
            self._text = self._json(self.files.text, shown(self.files.text.name))
        return self._text

    def _json(self, path: Path, name: str) -> dict[str, Any] | None:
        try:
            value = json.loads(read_text(path, LARGEST_TRANSCRIPT))
        except UserError as error:
            self.note(f"{name} not read: {error.what}")
            return None
        except (ValueError, RecursionError) as error:
            self.note(f"{name} not read: no JSON ({str(error)[:100]})")
            return None
        if not isinstance(value, dict):
            self.note(f"{name} not read: no JSON object")
            return None
        return value


def _samples(path: Path) -> tuple[Samples, list[str]]:
    import soundfile

    name = shown(path.name)
    try:
        if not path.is_file():
            raise UserError("not a regular file", where=name)
        if (size := path.stat().st_size) > LARGEST_AUDIO:
            raise UserError("too large", where=name, value=size, allowed=f"up to {LARGEST_AUDIO} bytes")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=name) from None
    try:
        with path.open("rb") as raw:  # libsndfile takes no name that is no text
            info = soundfile.info(raw)
    except (soundfile.LibsndfileError, OSError):
        info = None  # read_recording says what is wrong with it.
    if info is not None and not (1_000 <= info.samplerate <= 384_000 and info.frames <= LONGEST * info.samplerate):
        length = info.frames / info.samplerate
        allowed = f"1-384 kHz, up to {LONGEST:g} s"
        raise UserError(
            "no such recording is read", where=name, value=f"{length:.0f} s at {info.samplerate} Hz", allowed=allowed
        )
    if info is not None and info.channels > 64:
        raise UserError("too many channels", where=name, value=info.channels, allowed="1-64")
    try:
        r = read_recording(path, rate=RATE, channels="mix", keep_clipped=True)
    except UserError as error:
        raise UserError(error.what, where=name, value=error.value, allowed=error.allowed) from None
    changed = list(r.notes)
    if r.source_rate != RATE:
        changed.append(f"resampled from {r.source_rate} Hz")
    if info is not None and info.channels > 1:
        changed.append(f"{info.channels} channels mixed to one")
    return r.samples[:, 0].astype(np.float32) / np.float32(32_768), changed


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e6:
        return None
    return float(value)


def _speech_segments(value: dict[str, Any]) -> tuple[Interval, ...]:
    rows = value.get("speech_segments")
    if not isinstance(rows, list) or len(rows) > MOST_CHUNKS:
        raise UserError("no list of segments", field="speech_segments")
    found: list[Interval] = []
    turns: list[object] = []
    for i, row in enumerate(rows):
        start, end = (_time(row.get(k)) if isinstance(row, dict) else None for k in ("xmin", "xmax"))
        if start is None or end is None or start > end:
            raise UserError("no interval in seconds", field=f"speech_segments[{i}]", value=row)
        turn = row.get("turn")
        if turns and turn is not None and turn == turns[-1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
            turns.append(turn)
    return tuple(found)


def _words(value: dict[str, Any]) -> tuple[tuple[OfficialWord, ...], int]:
    """Words in the file's order, and how many had no times. UserError where the first, which counts, has none."""
    chunks = value.get("chunks")
    if chunks is None:
        return (), 0
    if not isinstance(chunks, list) or len(chunks) > MOST_CHUNKS:
        raise UserError("no list of chunks", field="chunks")
    words: list[OfficialWord] = []
    for i, chunk in enumerate(chunks):
        span = chunk.get("timestamp") if isinstance(chunk, dict) else None
        start = _time(span[0]) if isinstance(span, list) and span else None
        end = _time(span[1]) if isinstance(span, list) and len(span) > 1 else None
        if start is None and i == 0:
            raise UserError("the first chunk has no start", field="chunks[0].timestamp", value=span)
        if start is not None:
            words.append(
                OfficialWord(str(chunk.get("text") or ""), start, max(start, end if end is not None else start))
            )
    return tuple(words), len(chunks) - len(words)
