"""Logged calls without a script: who spoke when, how fast the system answered, who spoke into whom, who gave way.

All that is known are two channels. *Talk* is speech with silences of up to 0.2 s filled; a listener's signal cannot be
told from a short turn without words, so talk under 1 s is counted apart as short. Times are seconds of the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec
import numpy as np

from duologue.corpus.interval import Intervals, intersect, merge_gaps, total

RATE = 16_000
BREATH, SHORT = 0.2, 1.0
# A reply begins from half a second before the turn's end up to 8 s after it, as in the corrected profile.
EARLY, LATEST = 0.5, 8.0
# Silences of the user's that are pauses of a turn rather than breaths, where the system does not speak either.
PAUSE = (0.3, 3.0)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The user fell silent at ``end``; the system began ``offset`` s later (negative: before), None if it did not."""

    end: float
    offset: float | None


class Interruption(msgspec.Struct, frozen=True, kw_only=True):
    """At ``start`` side ``by`` began to talk into the other's talk, for ``length`` s. ``stop`` is how long the other
    went on from there, None where it outlasted what was said into it. ``short``: under 1 s, perhaps a signal."""

    start: float
    by: str
    length: float
    stop: float | None
    short: bool


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """The user was silent from ``start`` to ``end`` and went on; ``taken`` where the system began to talk meanwhile."""

    start: float
    end: float
    taken: bool


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of ``seconds``; ``user`` and ``system`` are stretches of talk, ``overlap`` s are of both. ``why`` tells
    why a file could not be heard."""

    name: str
    seconds: float = 0.0
    user: tuple[tuple[float, float], ...] = ()
    system: tuple[tuple[float, float], ...] = ()
    overlap: float = 0.0
    responses: tuple[Response, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    pauses: tuple[Pause, ...] = ()
    why: str = ""


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """All calls and what they have in common. Medians are of what was there, None of nothing; ``unanswered`` turns and
    ``unyielded`` interruptions (longer than short, by the user) stand beside them, since they are in no median."""

    calls: tuple[Call, ...]
    seconds: float = 0.0
    turns: int = 0
    unanswered: int = 0
    offset_median: float | None = None
    offset_p90: float | None = None
    overlap: float = 0.0
    interruptions: int = 0
    unyielded: int = 0
    stop_median: float | None = None
    system_interrupts: int = 0
    pauses: int = 0
    pauses_taken: int = 0


def diagnose(name: str, user: Intervals, system: Intervals, length: int) -> Call:
    """The call of ``length`` samples at 16 kHz with the speech of ``user`` and ``system``."""
    u, s = (merge_gaps(x, BREATH * RATE) for x in (user, system))
    pauses, turns = _pauses(u, s)
    return Call(
        name=name,
        seconds=round(length / RATE, 3),
        user=_spans(u),
        system=_spans(s),
        overlap=round(total(intersect(u, s)) / RATE, 3),
        responses=tuple(_responses(turns, s)),
        interruptions=tuple(sorted([*_into(u, s, "user"), *_into(s, u, "system")], key=lambda i: i.start)),
        pauses=tuple(pauses),
    )


def together(calls: Sequence[Call]) -> Calls:
    """What the calls have in common."""
    responses = [r for c in calls for r in c.responses]
    offsets = [r.offset for r in responses if r.offset is not None]
    own = [i for c in calls for i in c.interruptions if i.by == "user" and not i.short]
    stops = [i.stop for i in own if i.stop is not None]
    pauses = [p for c in calls for p in c.pauses]
    return Calls(
        calls=tuple(calls),
        seconds=round(sum(c.seconds for c in calls), 3),
        turns=len(responses),
        unanswered=len(responses) - len(offsets),
        offset_median=round(median(offsets), 3) if offsets else None,
        offset_p90=round(float(np.percentile(offsets, 90)), 3) if offsets else None,
        overlap=round(sum(c.overlap for c in calls), 3),
        interruptions=len(own),
        unyielded=len(own) - len(stops),
        stop_median=round(median(stops), 3) if stops else None,
        system_interrupts=sum(i.by == "system" and not i.short for c in calls for i in c.interruptions),
        pauses=len(pauses),
        pauses_taken=sum(p.taken for p in pauses),
    )


def _spans(x: Intervals) -> tuple[tuple[float, float], ...]:
    return tuple((round(a / RATE, 3), round(b / RATE, 3)) for a, b in x.tolist())


def _pauses(u: Intervals, s: Intervals) -> tuple[list[Pause], Intervals]:
    """Pauses of the user's, and its turns: talk with the pauses in which nobody else had begun filled."""
    pauses, rows = [], [list(row) for row in u[:1].tolist()]
    for (_, end), (start, stop) in zip(u[:-1].tolist(), u[1:].tolist(), strict=True):
        silence = (start - end) / RATE
        talking = bool(((s[:, 0] < end) & (s[:, 1] > end)).any())
        taken = bool(((s[:, 0] >= end) & (s[:, 0] < start)).any())
        if silence < PAUSE[1] and not talking:
            # What the system says to the end before the user goes on was an answer, not talk into a pause.
            answered = bool(((s[:, 0] >= end) & (s[:, 1] <= start)).any())
            if silence >= PAUSE[0] and not answered:
                pauses.append(Pause(start=round(end / RATE, 3), end=round(start / RATE, 3), taken=taken))
            if not taken:
                rows[-1][1] = stop
                continue
        rows.append([start, stop])
    return pauses, np.array(rows, np.int64).reshape(-1, 2)


def _responses(turns: Intervals, s: Intervals) -> list[Response]:
    found = []
    for k, (start, end) in enumerate(turns.tolist()):
        held = ((s[:, 0] < start) & (s[:, 1] > start)).any()
        if held and end - start < SHORT * RATE:
            continue  # a signal into the system's talk wants no reply
        until = int(turns[k + 1, 0]) if k + 1 < len(turns) else end + round(LATEST * RATE)
        first = max(start, end - EARLY * RATE)
        onset = next((a for a in s[:, 0].tolist() if first <= a < min(until, end + LATEST * RATE)), None)
        found.append(
            Response(end=round(end / RATE, 3), offset=None if onset is None else round((onset - end) / RATE, 3))
        )
    return found


def _into(own: Intervals, other: Intervals, by: str) -> list[Interruption]:
    found = []
    for start, end in own.tolist():
        for a, b in other.tolist():
            # Talk that ends within half a second was ending anyway: an ordinary change of speakers.
            if a < start < b - (EARLY * RATE if by == "system" else 0.1 * RATE):
                found.append(
                    Interruption(
                        start=round(start / RATE, 3),
                        by=by,
                        length=round((end - start) / RATE, 3),
                        stop=round((b - start) / RATE, 3) if b <= end + EARLY * RATE else None,
                        short=end - start < SHORT * RATE,
                    )
                )
    return found
