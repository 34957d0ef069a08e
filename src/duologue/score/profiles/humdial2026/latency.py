"""Stop latency and response latency of one recording, and their average over many.

Quirks: the whole overlap of a user's and a system's stretch counts as stop latency, also where the system began to
speak over the user; a system that never stops is charged the length of the interruption at most; one that never
answers is charged nothing; and where no recording gives an interval the average is 0.0 s, the best there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from duologue.score.profiles.humdial2026.intervals import (
    SYSTEM_GAP,
    USER_GAP,
    Interval,
    intersections,
    merge,
    response_gaps,
)
from duologue.score.profiles.humdial2026.rounding import exact, mean


def stop_latencies(user: Sequence[Interval], system: Sequence[Interval]) -> list[Fraction]:
    """Seconds of every overlap of the user's and the system's speech; segments need not be merged."""
    return [exact(e) - exact(s) for s, e in intersections(merge(user, USER_GAP), merge(system, SYSTEM_GAP))]


def response_latencies(user: Sequence[Interval], system: Sequence[Interval]) -> list[Fraction]:
    """Seconds from the end of each stretch of the user's speech to the next start of the system's."""
    return [exact(s) - exact(e) for e, s in response_gaps(merge(user, USER_GAP), merge(system, SYSTEM_GAP))]


def average(pooled: Sequence[Fraction]) -> Fraction:
    """The mean over the intervals of all recordings together (not over recordings); 0 where there is none."""
    return mean(pooled) if pooled else Fraction(0)
