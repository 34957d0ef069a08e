"""A run of a system on disk: a folder of its outputs, read as hostile until checked.

    RUN/run.json               which system, which mode (optional)
    RUN/observations.jsonl     an Observation a line (optional; what a harness writes)
    RUN/<id>.wav               the system's audio for dialogue <id>, on the clock of the dialogue's main audio
    RUN/<id>.json              its words: {"text", "chunks": [{"text", "timestamp": [start, end]}]} (optional)
    RUN/clean/<id>.wav         its audio for the dialogue's twin (optional)

``<id>_output.wav`` and ``clean_<id>_output.wav`` are read too, in any folder of the run and any audio format. Every
problem belongs to one dialogue and is told in its observation; no file changes another dialogue's. Names are compared
in Unicode NFC, since file systems differ in how they keep them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.bounds import Name
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.event import RealisedEvent
from duologue.corpus.observation import Observation, RunManifest, SaidWord, SentTurn
from duologue.corpus.read import OpenDialogue
from duologue.corpus.recording import SUFFIXES, Recording, read_recording
from duologue.corpus.write import is_main
from duologue.errors import UserError

MANIFEST = "run.json"
OBSERVATIONS = "observations.jsonl"
RATE = 16_000
# Samples of all channels: two hours of mono at 16 kHz, 23 minutes of stereo at 48 kHz. More is no reply.
MOST_SAMPLES = 2**27
LARGEST_AUDIO = 4 * MOST_SAMPLES
LARGEST_TEXT = 16 * 2**20
LARGEST_OBSERVATIONS = 2**30
# Audio beyond the dialogue's end by more than this is left unread.
TAIL = 30.0
# A channel is the user's own audio, up to gain, where its correlation with it is at least this.
SAME = 0.99

Samples = npt.NDArray[np.float32]


class Run:
    """An open run. ``extra`` are the files that belong to no dialogue seen so far; ask after :meth:`observe`."""

    def __init__(self, folder: str | Path) -> None:
        self.root = os.path.realpath(folder)
        if not Path(self.root).is_dir():
            raise UserError("no run here", where=str(folder), mend="a run is a folder of a system's outputs")
        self.manifest = self._manifest()
        self._files, self._broken = _index(self.root)
        self._declared = self._observations()
        self._used: set[str] = set()

    def __repr__(self) -> str:
        return f"<Run {self.manifest.system or self.root} ({self.manifest.mode})>"

    @property
    def extra(self) -> list[str]:
        """Audio and transcripts that no observed dialogue took, relative to the run."""
        return sorted(_shown(p) for p in {p for paths in self._files.values() for p in paths} - self._used)

    @property
    def broken(self) -> list[str]:
        """What is wrong with the run's folder and, line by line, with ``observations.jsonl``."""
        return list(self._broken)

    @property
    def observed(self) -> frozenset[str]:
        """The dialogues that ``observations.jsonl`` tells of."""
        return frozenset(self._declared)

    @property
    def looking_ahead(self) -> list[str]:
        """The dialogues in which the system was found to depend on what had not yet been said."""
        return sorted(id for id, seen in self._declared.items() if seen.looks_ahead)

    def know(self, ids: Iterable[str]) -> None:
        """Files named for ``ids`` are no strangers, whether these dialogues are looked at or not."""
        for id in ids:
            for name in (*_names(id, twin=False), *_names(id, twin=True)):
                self._used.update(self._files.get(("audio", *name), ()), self._files.get(("text", *name), ()))

    def observe(self, dialogue: Dialogue, *, twin: bool = False) -> Observation:
        """What the run left of ``dialogue`` (or of its ``twin``); its audio is looked at by :meth:`system` only."""
        key = dialogue.id
        if not twin and (declared := self._declared.get(key)) is not None:
            self._used.update(p for p in (declared.audio, declared.protocol) if p)
            return declared
        names = _names(key, twin=twin)
        audio = [p for name in names for p in self._files.get(("audio", *name), ())]
        texts = [p for name in names for p in self._files.get(("text", *name), ())]
        self._used.update(audio, texts)
        if not audio:
            return Observation(id=key, status="missing", why="no output")
        if len(audio) > 1:
            return Observation(id=key, status="failed", why=f"several outputs: {', '.join(map(_shown, sorted(audio)))}")
        seen = Observation(id=key, status="ok", audio=audio[0], sample_rate=RATE)
        if len(texts) > 1:
            several = ", ".join(map(_shown, sorted(texts)))
            return msgspec.structs.replace(seen, notes=(f"several transcripts, none read: {several}",))
        if texts:
            try:
                words = read_words(self._inside(texts[0]), RATE)
                seen = msgspec.structs.replace(seen, words=words, words_from="run")
            except UserError as error:
                seen = msgspec.structs.replace(seen, notes=(f"transcript not read: {error.message}",))
        return seen

    def system(
        self, seen: Observation, dialogue: Dialogue, item: OpenDialogue | None = None
    ) -> tuple[Samples, Observation]:
        """The system's channel, float32 [frames] at 16 kHz, as long as what was sent, and the observation it leaves.

        Audio that cannot be used gives silence and the status "failed"; what was changed (rate, channels, length) is
        in ``notes``. With ``item``, the dialogue opened in its corpus, an output of two channels of which one is the
        user's own audio gives the other channel; any other output of several channels is mixed to one.
        """
        planned = self._planned(dialogue)
        if seen.status != "ok":
            return np.zeros(planned, np.float32), seen
        notes = list(seen.notes)
        try:
            length = self._length(seen) or planned
            x = self._samples(seen, item, notes)
        except UserError as error:
            return np.zeros(planned, np.float32), msgspec.structs.replace(seen, status="failed", why=error.message)
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

    def _planned(self, dialogue: Dialogue) -> int:
        main = next((a for a in dialogue.audio if is_main(a)), None)
        return math.ceil(main.length * RATE / main.sample_rate) if main else 0

    def _length(self, seen: Observation) -> int:
        length = math.ceil(seen.length * RATE / seen.sample_rate)
        if length > MOST_SAMPLES:
            most = f"up to {MOST_SAMPLES / RATE / 60:.0f} min"
            raise UserError("too long a run", where=seen.id, field="length", value=seen.length, allowed=most)
        return length

    def _samples(self, seen: Observation, item: OpenDialogue | None, notes: list[str]) -> Samples:
        r = self._recording(seen)
        notes += r.notes
        if r.source_rate != RATE:
            notes.append(f"resampled from {r.source_rate} Hz")
        if (
            seen.pcm_sha256
            and r.lossless
            and hashlib.sha256(r.samples.astype("<i2").data).hexdigest() != seen.pcm_sha256
        ):
            raise UserError("not the samples that the run recorded", where=seen.audio, field="pcm_sha256")
        x = r.samples.astype(np.float32) / np.float32(32_768)
        width = x.shape[1]
        if seen.length or seen.channel or seen.user_channel is not None:
            if seen.channel >= width:
                raise UserError("no such channel", where=seen.audio, value=seen.channel, allowed=f"0..{width - 1}")
            return x[:, seen.channel]
        if width == 2 and item is not None:
            users = [_is_user(x[:, k], item) for k in (0, 1)]
            if users[0] != users[1]:
                system = users.index(False)
                notes.append(f"channel {1 - system} is the user's own audio: channel {system} taken")
                return x[:, system]
        if width > 1:
            notes.append(f"{width} channels mixed to one")
        return np.asarray(x.mean(axis=1), np.float32)

    def _recording(self, seen: Observation) -> Recording:
        import soundfile

        path = self._inside(seen.audio)
        where, size = _shown(seen.audio), path.stat().st_size
        if size > LARGEST_AUDIO:
            raise UserError("too large an output", where=where, value=size, allowed=f"up to {LARGEST_AUDIO} bytes")
        try:
            # A header may claim any length; it is not believed before memory is asked for.
            with path.open("rb") as raw, soundfile.SoundFile(raw) as f:
                claimed = f.frames * f.channels * max(1.0, RATE / max(1, f.samplerate))
            if claimed > MOST_SAMPLES:
                most = f"up to {MOST_SAMPLES} samples at {RATE} Hz"
                raise UserError("too long an output", where=where, value=f"{claimed:.3g} samples", allowed=most)
        except (OSError, soundfile.LibsndfileError):
            pass  # What is wrong with it is told below.
        try:
            return read_recording(path, rate=RATE, keep_clipped=True)
        except UserError as error:
            # The path on this machine is nobody's business.
            raise UserError(
                error.what, where=where, value=error.value, allowed=error.allowed, mend=error.mend
            ) from None
        except (ValueError, RuntimeError, MemoryError) as error:
            raise UserError(f"not audio that can be read: {str(error)[:100]}", where=where) from None

    def _inside(self, path: str) -> Path:
        """The regular file ``path`` of this run; refuses what leads out of it."""
        outside = UserError("not a path inside the run", where=_shown(path) or "audio")
        if any(p in ("", ".", "..") for p in path.split("/")) or "\0" in path:
            raise outside
        real = os.path.realpath(f"{self.root}/{path}")
        if not real.startswith(self.root.rstrip(os.sep) + os.sep):
            raise outside
        try:
            mode = Path(real).stat().st_mode
        except OSError:
            raise UserError("missing file", where=_shown(path)) from None
        if not stat.S_ISREG(mode):
            raise UserError("not a regular file", where=_shown(path))
        return Path(real)

    def _manifest(self) -> RunManifest:
        if not os.path.lexists(f"{self.root}/{MANIFEST}"):
            return RunManifest()
        path = self._inside(MANIFEST)
        try:
            if path.stat().st_size > LARGEST_TEXT:
                raise UserError("too large a run manifest", where=MANIFEST, allowed=f"up to {LARGEST_TEXT} bytes")
            return msgspec.json.decode(path.read_bytes(), type=RunManifest)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=MANIFEST) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"broken run manifest: {error}", where=MANIFEST) from None

    def _observations(self) -> dict[str, Observation]:
        """The declared observations; what is wrong goes to ``broken``, and to the dialogue that it names."""
        found: dict[str, Observation] = {}
        if not os.path.lexists(f"{self.root}/{OBSERVATIONS}"):
            return found
        try:
            path = self._inside(OBSERVATIONS)
            if path.stat().st_size > LARGEST_OBSERVATIONS:
                raise UserError("too large", where=OBSERVATIONS, allowed=f"up to {LARGEST_OBSERVATIONS} bytes")
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        self._declare(found, line.removeprefix(b"\xef\xbb\xbf"), f"{OBSERVATIONS}:{number}")
        except UserError as error:
            self._broken.append(error.message)
        except OSError as error:
            self._broken.append(f"{OBSERVATIONS}: cannot be read: {error.strerror}")
        return found

    def _declare(self, found: dict[str, Observation], line: bytes, where: str) -> None:
        try:
            seen = _OBSERVATION.decode(line)
            _refuse_impossible(seen)
        except (msgspec.MsgspecError, UserError, UnicodeDecodeError, RecursionError) as error:
            why = f"{where}: {str(error)[:200]}"
            self._broken.append(why)
            try:
                id = _ID.decode(line).id
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return
            found.setdefault(id, Observation(id=id, status="failed", why=why))
            return
        if seen.id in found:
            self._broken.append(f"{where}: {seen.id!r} comes twice; the first counts")
        else:
            found[seen.id] = seen


class _Id(msgspec.Struct):
    id: Name


_OBSERVATION = msgspec.json.Decoder(Observation)
_ID = msgspec.json.Decoder(_Id)


def _refuse_impossible(seen: Observation) -> None:
    """UserError for times that no run can have; their types are right."""
    times: dict[str, tuple[SaidWord | SentTurn | RealisedEvent, ...]]
    times = {"words": seen.words, "sent": seen.sent, "realised": seen.realised}
    for field, spans in times.items():
        for i, span in enumerate(spans):
            if span.end < span.start:
                raise UserError("ends before it starts", field=f"{field}[{i}]", value=(span.start, span.end))
    for name, value in seen.latency.items():
        if not math.isfinite(value):
            raise UserError("not a number", field=f"latency.{name}", value=value)


def _pcm_sha256(r: Recording) -> str:
    return hashlib.sha256(r.samples.astype("<i2").data).hexdigest()


def _is_user(x: Samples, item: OpenDialogue) -> bool:
    """Whether ``x`` [frames] at 16 kHz is the user's channel of the dialogue or its twin, whatever the gain."""
    for entry in item.dialogue.audio:
        kinds = [c.kind for c in entry.channels]
        if "user-mic" not in kinds:
            continue
        user, rate = item.audio(kinds.index("user-mic"), which=entry.id)
        if rate != RATE:
            import soxr

            user = soxr.resample(user, rate, RATE, quality="HQ")
        n = min(len(x), len(user))
        a, b = x[:n].astype(np.float64), user[:n].astype(np.float64)
        if float(a @ b) >= SAME * math.sqrt(float(a @ a) * float(b @ b)) > 0:
            return True
    return False


def _names(id: str, *, twin: bool) -> list[tuple[bool, str]]:
    """(in a folder "clean", name without suffix) of the files that belong to dialogue ``id`` or its twin."""
    stem = unicodedata.normalize("NFC", id)
    return [(twin, stem), (twin, f"{stem}_output"), *([(False, f"clean_{stem}_output")] if twin else [])]


def _shown(path: str) -> str:
    """A file name that can be printed and written as JSON, whatever bytes it is made of."""
    return path.encode("utf-8", "backslashreplace").decode()


def read_words(path: Path, rate: int) -> tuple[SaidWord, ...]:
    """Words of an official transcript {"text", "chunks": [{"text", "timestamp": [s, e]}]}, in samples at ``rate``.

    Chunks without text are left out. UserError for anything else: times that are missing, negative, not finite or
    reversed, or a file that is no such JSON.
    """
    name = _shown(path.name)
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError("too large a transcript", where=name, allowed=f"up to {LARGEST_TEXT} bytes")
        # UTF-8, 16 or 32, with a byte order mark or without.
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=name) from None
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
        if not isinstance(text, str) or any("\ud800" <= c <= "\udfff" for c in text):
            raise UserError("no text", where=name, field=field, allowed="Unicode characters")
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
    start, end = span
    return (float(start), float(end)) if 0 <= start <= end < 1e5 else None


def _index(root: str) -> tuple[dict[tuple[str, bool, str], tuple[str, ...]], list[str]]:
    """("audio" or "text", in a folder "clean", name without suffix in NFC) -> paths; and what could not be listed."""
    found: dict[tuple[str, bool, str], list[str]] = defaultdict(list)
    broken: list[str] = []
    for path in _walk(root, broken):
        folder, _, name = path.rpartition("/")
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - names may hold what Path would fold
        kind = "audio" if suffix.lower() in SUFFIXES else "text" if suffix.lower() == ".json" else ""
        if kind and path != MANIFEST:
            clean = folder.rpartition("/")[2] == "clean"
            found[kind, clean, unicodedata.normalize("NFC", stem)].append(path)
    return {key: tuple(sorted(paths)) for key, paths in found.items()}, broken


def _walk(root: str, broken: list[str]) -> Iterator[str]:
    """Every file, link and folder of the run by its path, but for hidden ones; links to folders are not followed."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(f"{root}/{inside}") as entries:
                rows = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if e.name[0] != ".")
        except OSError as error:
            broken.append(f"{_shown(inside) or '.'}: cannot be listed: {error.strerror}")
            continue
        for name, is_folder in rows:
            path = f"{inside}/{name}" if inside else name
            if is_folder:
                waiting.append(path)
            yield path
