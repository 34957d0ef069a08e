"""A dialogue as a made-up system is given it: the user's channel, and what the reference system said in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import SaidWord
from duologue.corpus.read import OpenDialogue
from duologue.corpus.turn import Turn
from duologue.errors import UserError
from duologue.systems.degenerate.tape import RATE, Said, Samples, shifted

Take = Literal["main", "twin"]


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody's turn in the user's channel, samples [start, end) at 16 kHz; ``words`` are on the dialogue's clock.

    ``asks`` says that the user speaks to the system and takes the floor, rather than signalling that they listen.
    """

    index: int
    start: int
    end: int
    asks: bool
    words: tuple[SaidWord, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Turn ``index``: what the reference system said from sample ``at`` on, and to which turn (None: to none).

    ``whole`` is what it would have said without an interruption, where the twin has it; else ``said`` itself.
    """

    index: int
    at: int
    said: Said
    whole: Said
    to: Heard | None

    @property
    def broke_off(self) -> bool:
        return len(self.whole) > len(self.said)

    @property
    def end(self) -> int:
        return self.at + len(self.said)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the dialogue, samples [start, end); ``stop`` says that a system should fall silent, ``halts`` that
    the user does, inside a turn."""

    kind: str
    start: int
    end: int
    stop: bool
    halts: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """One take of a dialogue: ``user`` and ``reference``, float32 [length] at 16 kHz; the rest is in order of time."""

    id: str
    language: str
    families: frozenset[str]
    user: Samples
    reference: Samples
    heard: tuple[Heard, ...]
    answers: tuple[Answer, ...]
    events: tuple[Happening, ...]

    @property
    def length(self) -> int:
        return len(self.user)

    @property
    def asks(self) -> tuple[Heard, ...]:
        return tuple(h for h in self.heard if h.asks)

    def next_ask(self, after: int) -> int:
        """Where the user next begins to ask something, after sample ``after``; the end if never."""
        return next((h.start for h in self.asks if h.start > after), self.length)


def scene(item: OpenDialogue, take: Take = "main") -> Scene:
    """The scene of ``item``, or of its twin. UserError for a dialogue without a reference system of its own channel.

    In a twin the events are gone: asides, signals and bystanders are left out, pauses are closed up, and after what
    would have been interrupted nobody speaks again. Its interrupted answer runs on; the words that the corpus has no
    times for are spread evenly over the rest.
    """
    d = item.dialogue
    main, entry = item.file("main"), item.file(take)
    kinds = [c.kind for c in entry.channels]
    if d.track != "duplex" or "system" not in kinds or "user-mic" not in kinds:
        raise UserError(
            "no reference system to take answers from", where=f"dialogue {d.id}", allowed="track 2 with two channels"
        )
    x, _ = item.audio(which=take)
    user, reference = (at_rate(x[:, kinds.index(k)], entry.sample_rate) for k in ("user-mic", "system"))

    def clock(t: int) -> int:
        return min(round(t * RATE / main.sample_rate), len(user))

    rows = [
        _Row(
            t,
            tuple((clock(s.start), clock(s.end)) for s in t.segments if s.audio == main.id),
            tuple(SaidWord(w.text, clock(w.start), clock(w.end)) for w in t.words),
        )
        for t in d.turns
    ]
    rows = [r for r in rows if r.segments]
    events = tuple(
        Happening(e.kind, clock(r.start), clock(r.end), e.interrupts, e.halts)
        for e in d.events
        for r in d.realised
        if r.event == e.id
    )
    if take == "twin":
        spoken = reference
        if any(e.halts for e in events):
            spoken = at_rate(item.audio(kinds.index("system"))[0], main.sample_rate)
        rows, events = _without_events(d, rows, events, spoken, reference), ()
    heard = tuple(sorted((_heard(r, d) for r in rows if r.turn.role != "system"), key=lambda h: (h.start, h.index)))
    answers = sorted((_answer(r, reference, heard) for r in rows if r.turn.role == "system"), key=lambda a: a.at)
    if any(e.stop for e in events) and any(a.twin is not None for a in d.audio):
        wholes = {a.index: a.said for a in scene(item, "twin").answers}
        answers = [replace(a, whole=wholes.get(a.index, a.said)) for a in answers]
    families = frozenset(d.groups.get("script_family", ()))
    return Scene(d.id, d.languages[0], families, user, reference, heard, tuple(answers), events)


@dataclass(frozen=True, slots=True)
class _Row:
    turn: Turn
    segments: tuple[tuple[int, int], ...]
    words: tuple[SaidWord, ...]

    @property
    def start(self) -> int:
        return self.segments[0][0]

    @property
    def end(self) -> int:
        return self.segments[-1][1]


def _heard(r: _Row, d: Dialogue) -> Heard:
    system = {s.id for s in d.speakers if s.role == "system"}
    t = r.turn
    asks = t.role == "user" and t.kind in ("turn", "interruption") and (not t.addressee or t.addressee in system)
    return Heard(t.index, r.start, r.end, asks, r.words)


def _answer(r: _Row, reference: Samples, heard: Sequence[Heard]) -> Answer:
    asked = [h for h in heard if h.asks and h.index < r.turn.index]
    words = shifted(r.words, -r.start, r.end - r.start)
    said = Said(reference[r.start : r.end], words)
    return Answer(r.turn.index, r.start, said, said, asked[-1] if asked else None)


def _without_events(
    d: Dialogue, rows: Sequence[_Row], events: Sequence[Happening], spoken: Samples, reference: Samples
) -> list[_Row]:
    """The turns of the twin, whose system channel is ``reference``; that of the main take is ``spoken``."""
    targets = {e.target_turn for e in d.events if not (e.halts or e.interrupts)}
    closed = _closed(rows, events, spoken, reference)
    begin = min((e.start for e in events if e.stop), default=None)
    kept: list[_Row] = []
    for r in rows:
        if r.turn.index in targets or (begin is not None and r.start >= begin):
            continue
        segments = [(_earlier(a, closed), _earlier(b, closed)) for a, b in r.segments]
        joined = ((segments[0][0], segments[-1][1]),)
        words = tuple(SaidWord(w.text, _earlier(w.start, closed), _earlier(w.end, closed)) for w in r.words)
        kept.append(_Row(r.turn, joined, words))
    if begin is not None:
        hosts = [i for i, r in enumerate(kept) if r.turn.role == "system" and r.turn.intended_text]
        if hosts:
            kept[hosts[-1]] = _run_on(kept[hosts[-1]], reference)
    return kept


def _closed(
    rows: Sequence[_Row], events: Sequence[Happening], spoken: Samples, reference: Samples
) -> list[tuple[int, int]]:
    """After each pause: its end, and by how much all that follows comes earlier in the twin.

    A pause as heard is a little longer or shorter than what the twin leaves out; the next answer tells, as its samples
    are the same in both takes.
    """
    found: list[tuple[int, int]] = []
    pauses = sorted((e.start, e.end) for e in events if e.halts)
    total = 0
    for i, (start, end) in enumerate(pauses):
        total += end - start
        until = pauses[i + 1][0] if i + 1 < len(pauses) else len(spoken)
        answer = next((r.start for r in rows if r.turn.role == "system" and end <= r.start < until), None)
        if answer is not None:
            total = answer - _find(spoken[answer : answer + RATE // 2], reference, answer - total)
        found.append((end, total))
    return found


def _find(part: Samples, x: Samples, near: int) -> int:
    """Where ``part`` lies in ``x``, looked for up to 0.2 s around ``near``; ``near`` where it is nowhere."""
    for off in sorted(range(-RATE // 5, RATE // 5), key=abs):
        if near + off >= 0 and np.array_equal(x[near + off : near + off + len(part)], part):
            return near + off
    return near


def _earlier(t: int, closed: Sequence[tuple[int, int]]) -> int:
    return t - next((by for end, by in reversed(closed) if end <= t), 0)


def _run_on(r: _Row, reference: Samples) -> _Row:
    """The broken-off answer to its end, which is the last sound of the system."""
    sound = np.flatnonzero(np.abs(reference) > 1e-4)
    end = max(r.end, int(sound[-1]) + 1) if len(sound) else r.end
    whole, said = r.turn.intended_text, r.turn.text
    rest = whole[len(said) :] if whole.startswith(said) else ""
    texts = [c for c in rest if c.isalnum()] if r.turn.language == "zh" else rest.split()
    edges = np.linspace(r.end, end, len(texts) + 1).round().astype(int).tolist()
    more = tuple(SaidWord(t, a, b) for t, a, b in zip(texts, edges[:-1], edges[1:], strict=True))
    return _Row(r.turn, (*r.segments[:-1], (r.segments[-1][0], end)), r.words + more)


def at_rate(x: Samples, rate: int) -> Samples:
    """``x`` [frames] at 16 kHz."""
    x = np.ascontiguousarray(x)
    if rate == RATE:
        return x
    import soxr

    y: Samples = soxr.resample(x, rate, RATE, quality="VHQ").astype(np.float32)
    return y
