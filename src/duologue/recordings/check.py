"""Will the recordings do: every line of a manifest is there, says its words, and sounds as a recording should.

Bounds are constants here; docs/recordings.md lists them.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import soxr

from duologue.errors import MissingPartError, UserError
from duologue.listen.readback import compare, tokens
from duologue.listen.transcribe import Listener
from duologue.listen.voiceprint import VoicePrint, voiceprint
from duologue.recordings.manifest import ScriptedLine
from duologue.recordings.sound import Measured, measure
from duologue.recordings.take import Folder, Take, read_take

Severity = Literal["error", "warning", "suspicion"]
Kind = Literal[
    "missing", "unreadable", "silent", "short", "duplicate", "clipped", "noise", "quiet", "lead", "trail", "cut",
    "channel", "words", "speaker",
]  # fmt: skip

SHORTEST = 0.08  # s of speech
SILENT_DB, QUIET_DB = -60.0, -50.0  # peak; level of the speech
LEAST_SNR = 20.0  # dB
LONGEST_LEAD = LONGEST_TRAIL = 2.0  # s
CUT = 0.01  # s: speech that begins or ends nearer to the file's edge may be cut off
MOST_PER_SECOND = 9.0  # words or hanzi; nobody reads faster
OTHER_WORDS, WRONG_WORDS = 0.75, 0.25  # of words (hanzi) wrong: an error, a warning
LEAST_WORDS = 3  # of what is shorter a recogniser tells too little
LEAST_LINES = 4  # of a reader, before one of them can stand out
STRANGE, NEARER, STRANGE_ALONE = 4.0, 1.0, 6.0  # distances of voice prints


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one line. An error has to be mended, a warning to be heard; a suspicion may well be false."""

    key: str
    speaker: str
    kind: Kind
    severity: Severity
    what: str


class CheckedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the manifest; ``file`` is "" where nothing is recorded. ``error_rate`` is of words (hanzi), None
    where nothing was heard."""

    key: str
    speaker: str
    language: str
    text: str
    file: str = ""
    rate: int = 0
    channels: int = 0
    sound: Measured | None = None
    heard: str = ""
    error_rate: float | None = None
    voice_distance: float | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """``lines`` are all of the manifest, in its order; ``strangers`` are audio files that no line asks for.

    ``recogniser`` is "" where it heard the lines, else why it did not. ``error_rates`` are pooled, by language.
    """

    manifest: str
    folder: str
    recorded: int
    missing: int
    seconds: float
    recogniser: str
    error_rates: dict[str, float]
    flaws: tuple[Flaw, ...]
    lines: tuple[CheckedLine, ...]
    strangers: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing has to be mended."""
        return not any(f.severity == "error" for f in self.flaws)

    @property
    def again(self) -> tuple[str, ...]:
        """Keys of the lines that have to be read, or read again, in the manifest's order."""
        wrong = {f.key for f in self.flaws if f.severity == "error"}
        return tuple(x.key for x in self.lines if x.key in wrong)

    def missing_by_speaker(self) -> dict[str, int]:
        return dict(Counter(f.speaker for f in self.flaws if f.kind == "missing"))


def check(
    manifest: str | Path,
    lines: Mapping[str, ScriptedLine],
    folder: Folder,
    listener: Listener | None,
    *,
    silent_because: str = "not asked for",
    advance: Callable[[int], object] = lambda n: None,
) -> Checked:
    """Check the recordings of ``lines`` in ``folder``; ``listener`` None checks no words, and
    ``silent_because`` says why."""
    run = _Run(folder, listener, silent_because)
    for line in lines.values():
        run.line(line)
        advance(1)
    run.voices()
    return Checked(
        manifest=str(manifest),
        folder=str(folder.path),
        recorded=sum(bool(x.file) for x in run.lines),
        missing=sum(f.kind == "missing" for f in run.flaws),
        seconds=sum(x.sound.seconds for x in run.lines if x.sound),
        recogniser=run.unheard,
        error_rates={language: wrong / max(n, 1) for language, (wrong, n) in sorted(run.pooled.items())},
        flaws=tuple(run.flaws),
        lines=tuple(run.lines),
        strangers=folder.strangers(dict(lines)),
    )


class _Run:
    def __init__(self, folder: Folder, listener: Listener | None, unheard: str) -> None:
        self.folder, self.listener, self.unheard = folder, listener, "" if listener else unheard
        self.lines: list[CheckedLine] = []
        self.flaws: list[Flaw] = []
        self.pooled: dict[str, tuple[int, int]] = {}
        self._same: dict[str, str] = {}
        self._prints: dict[str, list[tuple[int, VoicePrint]]] = defaultdict(list)

    def _flaw(self, line: ScriptedLine, kind: Kind, severity: Severity, what: str) -> None:
        self.flaws.append(Flaw(key=line.key, speaker=line.speaker, kind=kind, severity=severity, what=what))

    def line(self, line: ScriptedLine) -> None:
        row = CheckedLine(key=line.key, speaker=line.speaker, language=line.language, text=line.text)
        self.lines.append(row)
        try:
            path = self.folder.find(line)
            if path is None:
                self._flaw(line, "missing", "error", f"{line.speaker} has to read it: {line.text}")
                return
            self.lines[-1] = row = msgspec.structs.replace(row, file=path.name)
            take = read_take(path)
        except UserError as error:
            self._flaw(line, "unreadable", "error", error.message)
            return
        found = measure(take.samples, take.rate)
        row = msgspec.structs.replace(row, rate=take.rate, channels=take.channels, sound=found)
        self.lines[-1] = row
        if first := self._same.get(take.sha256):
            self._flaw(line, "duplicate", "error", f"the same samples as {first}")
        self._same.setdefault(take.sha256, line.key)
        if found.peak_db < SILENT_DB or found.offset <= found.onset:
            self._flaw(line, "silent", "error", f"no speech: the peak is {found.peak_db:.0f} dBFS")
            return
        spoken = (found.offset - found.onset) / take.rate
        words = len(tokens(line.text, line.language))
        if spoken < SHORTEST or words > MOST_PER_SECOND * (spoken + 0.3):
            self._flaw(line, "short", "error", f"{spoken:.2f} s are too short for {words} words")
        self._sound(line, take, found)
        if self.listener is not None and words:
            self.lines[-1] = row = self._words(line, take, row, words)
        speech = take.samples[found.onset : found.offset]
        heard = voiceprint(soxr.resample(speech, take.rate, 16_000) if take.rate != 16_000 else speech)
        if heard is not None:
            self._prints[line.speaker].append((len(self.lines) - 1, heard))

    def _sound(self, line: ScriptedLine, take: Take, m: Measured) -> None:
        if m.clipped:
            self._flaw(line, "clipped", "error", f"{m.clipped} samples are clipped")
        if m.level_db < QUIET_DB:
            self._flaw(line, "quiet", "warning", f"speech at {m.level_db:.0f} dBFS")
        if m.level_db - m.noise_db < LEAST_SNR:
            self._flaw(line, "noise", "warning", f"noise {m.level_db - m.noise_db:.0f} dB below the speech")
        if m.lead > LONGEST_LEAD:
            self._flaw(line, "lead", "warning", f"{m.lead:.1f} s before the speech")
        if m.trail > LONGEST_TRAIL:
            self._flaw(line, "trail", "warning", f"{m.trail:.1f} s after the speech")
        if min(m.lead, m.trail) < CUT:
            side = "begins" if m.lead <= m.trail else "ends"
            self._flaw(line, "cut", "warning", f"speech {side} at the file's edge: it may be cut off")
        if take.dead:
            self._flaw(line, "channel", "warning", f"of {take.channels} channels {len(take.dead)} without sound")
        if take.differ:
            self._flaw(line, "channel", "warning", "the channels differ: the loudest is taken, which may lack somebody")

    def _words(self, line: ScriptedLine, take: Take, row: CheckedLine, words: int) -> CheckedLine:
        assert self.listener is not None
        try:
            said = self.listener.hear(take.samples, take.rate, language=line.language, times=False).text
            found = compare([line.text], [said], line.language)
        except MissingPartError as error:
            self.listener, self.unheard = None, error.message
            return row
        wrong, n = self.pooled.get(line.language, (0, 0))
        self.pooled[line.language] = (wrong + found.errors, n + found.length)
        if words >= LEAST_WORDS and found.rate > WRONG_WORDS:
            severity: Severity = "error" if found.rate >= OTHER_WORDS else "warning"
            self._flaw(line, "words", severity, f"{found.rate:.0%} of the words differ; heard: {said or 'nothing'}")
        return msgspec.structs.replace(row, heard=said, error_rate=found.rate)

    def voices(self) -> None:
        """Each line's voice against its reader's other lines and against the other readers."""
        middle = {s: _middle([p for _, p in prints]) for s, prints in self._prints.items()}
        for speaker, prints in sorted(self._prints.items()):
            if len(prints) < LEAST_LINES:
                continue
            for n, (place, own) in enumerate(prints):
                distance = own.distance(_middle([p for k, (_, p) in enumerate(prints) if k != n]))
                row = self.lines[place] = msgspec.structs.replace(self.lines[place], voice_distance=round(distance, 2))
                others = [(own.distance(m), s) for s, m in middle.items() if s != speaker]
                near, who = min(others, default=(np.inf, ""))
                if (distance > STRANGE and near < distance - NEARER) or distance > STRANGE_ALONE:
                    like = f", nearer to {who}" if near < distance - NEARER else ""
                    what = f"may be another voice: distance {distance:.1f} from the other lines of {speaker}{like}"
                    flaw = Flaw(key=row.key, speaker=speaker, kind="speaker", severity="suspicion", what=what)
                    self.flaws.append(flaw)


def _middle(prints: list[VoicePrint]) -> VoicePrint:
    shape = np.median([p.shape for p in prints], axis=0)
    return VoicePrint(statistics.median(p.pitch for p in prints), tuple(map(float, shape)), 0.0, 1.0)
