"""What a corpus holds: counts and hours on every axis, timing, and where coverage is thin.

One pass, a dialogue at a time; what is kept grows with the number of distinct values, not of dialogues.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Literal

import msgspec

from duologue.corpus.annotation import CauseAnnotation
from duologue.corpus.dialogue import SPLITS, TASKS, Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.truth import emotions, shifts
from duologue.corpus.turn import Turn
from duologue.corpus.write import is_main

Unit = Literal["dialogues", "turns", "shifts", "causes", "speakers"]


class Tally(msgspec.Struct, kw_only=True):
    """``count`` in the axis's unit; ``hours`` of main audio (dialogues) or of speech (turns, speakers)."""

    count: int = 0
    hours: float = 0.0


class Axis(msgspec.Struct, kw_only=True):
    """One way to divide a corpus: value -> tally, biggest first. A dialogue may count under several values."""

    unit: Unit
    rows: dict[str, Tally]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A measure over many places: moments exact, quantiles to its bin (``resolution``).

    ``histogram`` counts values in steps of ``bin_width`` from ``bin_start`` on, the tails beyond p1 and p99 folded
    into its first and last bin. All values are in ``unit``.
    """

    unit: str
    n: int
    mean: float
    sd: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    resolution: float
    bin_start: float
    bin_width: float
    histogram: tuple[int, ...]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How one language's conversations run.

    ``offset``: floor-transfer offset, from the end of a turn to the start of the next one by another speaker,
    negative where they overlap (user and system, backchannels and bystanders left out). ``overlap``: share of the
    transfers with a negative offset. ``overlap_share``: time with two or more speaking over time with any.
    ``pause``: silence between the segments of a turn. ``turn``: start to end of a turn. ``interruption``: share of
    the answer's characters said when an interruption begins (0..1).
    """

    offset: Distribution | None
    overlap: float | None
    overlap_share: float | None
    pause: Distribution | None
    turn: Distribution | None
    interruption: Distribution | None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One task in one language and split."""

    task: str
    language: str
    split: str
    dialogues: int
    hours: float


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Where coverage is thin. ``kind``: "empty" (task x language x split), "unseen" (shift), "thin" (axis value)."""

    kind: Literal["empty", "unseen", "thin"]
    where: str
    value: str
    count: int = 0
    typical: float = 0.0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a corpus.

    ``axes`` has the keys language, track, task, scenario, split, source, emotion, intensity, emotion_intensity
    ("sad 2"), shift, cause, speaker, sex, age, relationship, setting, register, domain, noise, room (those that
    occur). ``shifts`` is language -> from -> to -> count. ``timing`` is by language. ``seconds`` counts main audio,
    ``audio_seconds`` twins and stems too.
    """

    name: str
    corpus_sha256: str
    dialogues: int
    seconds: float
    audio_seconds: float
    audio_files: int
    turns: int
    words: int
    labels: tuple[str, ...]
    axes: dict[str, Axis]
    cells: tuple[Cell, ...]
    shifts: dict[str, dict[str, dict[str, int]]]
    timing: dict[str, Timing]
    gaps: tuple[Gap, ...]


class _Sketch:
    """A distribution in bounded memory: exact moments, counts in bins of ``resolution``."""

    def __init__(self, unit: str, resolution: float, bin_width: float) -> None:
        self.unit, self.resolution, self.bin_width = unit, resolution, bin_width
        self.n, self.total, self.squares = 0, 0.0, 0.0
        self.bins: Counter[int] = Counter()

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value
        self.bins[round(value / self.resolution)] += 1

    def quantile(self, q: float) -> float:
        wanted, seen = q * self.n, 0
        for b in sorted(self.bins):
            seen += self.bins[b]
            if seen >= wanted:
                return round(b * self.resolution, 6)
        return 0.0

    def done(self) -> Distribution | None:
        if not self.n:
            return None
        mean = self.total / self.n
        first = math.floor(self.quantile(0.01) / self.bin_width)
        last = max(first, math.floor(self.quantile(0.99) / self.bin_width))
        histogram = [0] * (last - first + 1)
        for b, count in self.bins.items():
            place = math.floor(round(b * self.resolution / self.bin_width, 9))
            histogram[min(max(place, first), last) - first] += count
        p5, p25, p50, p75, p95 = (self.quantile(q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
        return Distribution(
            unit=self.unit,
            n=self.n,
            mean=round(mean, 4),
            sd=round(math.sqrt(max(self.squares / self.n - mean * mean, 0.0)), 4),
            p5=p5,
            p25=p25,
            p50=p50,
            p75=p75,
            p95=p95,
            resolution=self.resolution,
            bin_start=round(first * self.bin_width, 6),
            bin_width=self.bin_width,
            histogram=tuple(histogram),
        )


class _Clock:
    """The timing of one language, as it is gathered."""

    def __init__(self) -> None:
        self.offset, self.pause = _Sketch("s", 0.01, 0.1), _Sketch("s", 0.01, 0.1)
        self.turn, self.interruption = _Sketch("s", 0.01, 0.5), _Sketch("share", 0.01, 0.05)
        self.overlapped_transfers = 0
        self.speech = self.overlap = 0.0

    def done(self) -> Timing:
        return Timing(
            offset=self.offset.done(),
            overlap=round(self.overlapped_transfers / self.offset.n, 4) if self.offset.n else None,
            overlap_share=round(self.overlap / self.speech, 4) if self.speech else None,
            pause=self.pause.done(),
            turn=self.turn.done(),
            interruption=self.interruption.done(),
        )


def speech_seconds(turn: Turn, rates: dict[str, int]) -> float:
    """Seconds of speech in a turn's segments; ``rates`` is audio id -> sample rate."""
    return sum((s.end - s.start) / rates[s.audio] for s in turn.segments if s.audio in rates)


def _spans(d: Dialogue, rates: dict[str, int]) -> list[tuple[Turn, float, float]]:
    """Turns with speech and their start and end in seconds, in order of their start."""
    timed = [t for t in d.turns if t.segments and all(s.audio in rates for s in t.segments)]
    spans = [
        (t, min(s.start / rates[s.audio] for s in t.segments), max(s.end / rates[s.audio] for s in t.segments))
        for t in timed
    ]
    return sorted(spans, key=lambda x: (x[1], x[0].index))


def _overlap(d: Dialogue, rates: dict[str, int]) -> tuple[float, float]:
    """Seconds with any speech, and with two or more speakers at once."""
    edges = sorted(
        edge
        for t in d.turns
        for s in t.segments
        if s.audio in rates
        for edge in ((s.start / rates[s.audio], 1), (s.end / rates[s.audio], -1))
    )
    any_, both, depth, before = 0.0, 0.0, 0, 0.0
    for at, change in edges:
        any_ += (at - before) * (depth > 0)
        both += (at - before) * (depth > 1)
        depth, before = depth + change, at
    return any_, both


def _position(d: Dialogue, turn: Turn, at: int) -> float | None:
    """Share of the characters of ``turn`` (of the whole intended text) begun before sample ``at``."""
    whole = len(turn.intended_text or turn.text)
    said = max((w.char_end for w in turn.words if w.start < at), default=0)
    return said / whole if whole and turn.words else None


def _time(d: Dialogue, clock: _Clock, rates: dict[str, int]) -> None:
    spans = _spans(d, rates)
    for t, start, end in spans:
        if t.kind == "turn":
            clock.turn.add(end - start)
        for left, right in pairwise(sorted(t.segments, key=lambda s: s.start)):
            if left.audio == right.audio:
                clock.pause.add((right.start - left.end) / rates[left.audio])
    floor = [x for x in spans if x[0].kind in ("turn", "interruption") and x[0].role in ("user", "system")]
    for (a, _, end), (b, start, _) in pairwise(floor):
        if a.speaker != b.speaker:
            clock.offset.add(start - end)
            clock.overlapped_transfers += start < end
    any_, both = _overlap(d, rates)
    clock.speech, clock.overlap = clock.speech + any_, clock.overlap + both
    turns, events = {t.index: t for t in d.turns}, {e.id: e for e in d.events}
    for r in d.realised:
        event = events.get(r.event)
        if event is not None and event.interrupts and event.trigger.reference_turn in turns:
            position = _position(d, turns[event.trigger.reference_turn], r.start)
            if position is not None:
                clock.interruption.add(position)


# Axes whose values should be about equally filled, so that a thin one is worth a line.
_EVEN = ("emotion", "scenario", "domain", "relationship", "setting", "register", "sex", "age")


class _Gatherer:
    def __init__(self) -> None:
        self.axes: dict[str, tuple[Unit, dict[str, Tally]]] = {}
        self.cells: dict[tuple[str, str, str], Tally] = defaultdict(Tally)
        self.shifts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self.clocks: dict[str, _Clock] = defaultdict(_Clock)
        self.dialogues = self.turns = self.words = self.audio_files = 0
        self.seconds = self.audio_seconds = 0.0
        self.tracks: set[str] = set()
        self.people: set[str] = set()

    def count(self, axis: str, unit: Unit, value: str, seconds: float, times: int = 1) -> None:
        if value:
            tally = self.axes.setdefault(axis, (unit, defaultdict(Tally)))[1][value]
            tally.count += times
            tally.hours += seconds / 3600

    def add(self, d: Dialogue) -> None:
        language = d.languages[0] if d.languages else ""
        # Speech is timed on main audio alone, so that stems and twins do not count it again.
        rates = {a.id: a.sample_rate for a in d.audio if is_main(a)}
        main = sum(a.length / a.sample_rate for a in d.audio if is_main(a))
        self.dialogues, self.seconds, self.turns = self.dialogues + 1, self.seconds + main, self.turns + len(d.turns)
        self.audio_files += len(d.audio)
        self.audio_seconds += sum(a.length / a.sample_rate for a in d.audio)
        self.tracks.add(d.track)
        s, c = d.situation, d.acoustics
        for axis, values in {
            "language": d.languages,
            "track": (d.track,),
            "task": d.tasks,
            "scenario": (d.scenario,),
            "split": (d.split,),
            "source": (d.source,),
            "domain": (s.domain,),
            "relationship": (s.relationship,),
            "setting": (s.setting,),
            "register": (s.register,),
            "noise": (c.noise,),
            "room": (c.room,),
        }.items():
            for value in values:
                self.count(axis, "dialogues", value, main)
        for task in d.tasks:
            cell = self.cells[task, language, d.split]
            cell.count, cell.hours = cell.count + 1, cell.hours + main / 3600
        self._people(d, rates)
        self._feelings(d, rates, language)
        _time(d, self.clocks[language], rates)

    def _people(self, d: Dialogue, rates: dict[str, int]) -> None:
        spoken: dict[str, float] = defaultdict(float)
        for t in d.turns:
            self.words += len(t.words)
            spoken[t.speaker] += speech_seconds(t, rates)
        for p in d.speakers:
            self.count("speaker", "dialogues", p.id, spoken[p.id])
            # A person counts once under sex and age, however many dialogues they speak in.
            new = p.id not in self.people
            self.people.add(p.id)
            self.count("sex", "speakers", p.sex, spoken[p.id], times=new)
            self.count("age", "speakers", p.age, spoken[p.id], times=new)

    def _feelings(self, d: Dialogue, rates: dict[str, int], language: str) -> None:
        felt = emotions(d)
        for t in d.turns:
            if t.index in felt:
                seconds = speech_seconds(t, rates)
                self.count("emotion", "turns", felt[t.index].label, seconds)
                self.count("intensity", "turns", str(felt[t.index].intensity), seconds)
                self.count("emotion_intensity", "turns", f"{felt[t.index].label} {felt[t.index].intensity}", seconds)
        for shift in shifts(d):
            self.count("shift", "shifts", f"{shift.from_label} > {shift.to_label}", 0.0)
            self.shifts[language][shift.from_label][shift.to_label] += 1
        for a in d.annotations:
            if isinstance(a, CauseAnnotation):
                how = "explicit" if a.value.explicit else "implicit"
                self.count("cause", "causes", f"{a.value.cause_kind}, {how}", 0.0)

    def gaps(self, labels: tuple[str, ...]) -> list[Gap]:
        languages = sorted(self.clocks)
        found = [
            Gap(kind="empty", where=f"{language} {split}", value=task)
            for track in sorted(self.tracks)
            for task in TASKS[track]
            for language in languages
            for split in SPLITS[:3]
            if not self.cells.get((task, language, split))
        ]
        if "emotion" in self.tracks:
            found += [
                Gap(kind="unseen", where=language, value=f"{a} > {b}")
                for language in languages
                for a in labels
                for b in labels
                if a != b and not self.shifts[language][a][b]
            ]
        for axis in _EVEN:
            counts = {value: t.count for value, t in self.axes[axis][1].items()} if axis in self.axes else {}
            typical = median(counts.values()) if counts else 0
            found += [
                Gap(kind="thin", where=axis, value=value, count=count, typical=typical)
                for value, count in sorted(counts.items())
                if count < typical / 2 and value not in ("none", "unknown")
            ]
        return found


def describe(corpus: Corpus, progress: Callable[[], object] = lambda: None) -> Stats:
    """All figures of an open corpus (or of the part that its filters leave); ``progress`` is called per dialogue."""
    g = _Gatherer()
    for item in corpus:
        g.add(item.dialogue)
        progress()
    labels = corpus.manifest.taxonomy.labels
    return Stats(
        name=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        dialogues=g.dialogues,
        seconds=round(g.seconds, 3),
        audio_seconds=round(g.audio_seconds, 3),
        audio_files=g.audio_files,
        turns=g.turns,
        words=g.words,
        labels=labels,
        axes={
            name: Axis(
                unit=unit,
                rows={
                    value: Tally(count=t.count, hours=round(t.hours, 6))
                    for value, t in sorted(rows.items(), key=lambda x: (-x[1].count, x[0]))
                },
            )
            for name, (unit, rows) in g.axes.items()
        },
        cells=tuple(
            Cell(task=k[0], language=k[1], split=k[2], dialogues=t.count, hours=round(t.hours, 6))
            for k, t in sorted(g.cells.items())
        ),
        shifts={a: {b: dict(c) for b, c in rows.items() if c} for a, rows in sorted(g.shifts.items())},
        timing={language: clock.done() for language, clock in sorted(g.clocks.items())},
        gaps=tuple(g.gaps(labels)),
    )
