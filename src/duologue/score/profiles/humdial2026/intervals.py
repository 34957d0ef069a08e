"""Intervals in seconds, as the official timing script treats them.

An interval is (start, end) in seconds, end included in nothing: two that touch share no time. Source:
``get_timing.py`` of HumDial-FDBench, which took it from Full-Duplex-Bench v1.5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from duologue.score.profiles.humdial2026.rounding import exact

Interval = tuple[float, float]

USER_GAP = 0.6
SYSTEM_GAP = 0.5


def merge(segments: Sequence[Interval], gap: float) -> list[Interval]:
    """``segments`` in any order as one sorted list in which pauses of at most ``gap`` seconds are filled."""
    merged: list[Interval] = []
    for start, end in sorted(segments):
        if merged and _within(merged[-1][1], start, gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _within(end: float, start: float, gap: float) -> bool:
    """Whether ``start`` - ``end`` is at most ``gap``, decimally exact: 2.6 - 2.0 is not above 0.6."""
    near = abs(start - end - gap) < 1e-6
    return exact(start) - exact(end) <= exact(gap) if near else start - end < gap


def intersections(user: Sequence[Interval], system: Sequence[Interval]) -> list[Interval]:
    """Every non-empty intersection of a ``user`` with a ``system`` interval (both merged), by end, to the millisecond.

    Quirk: of intersections that end in the same millisecond only the shortest counts.
    """
    shortest: dict[int, Interval] = {}
    i = j = 0
    while i < len(user) and j < len(system):
        start, end = max(user[i][0], system[j][0]), min(user[i][1], system[j][1])
        if end > start:
            key = round(end * 1000)
            if key not in shortest or end - start < shortest[key][1] - shortest[key][0]:
                shortest[key] = (start, end)
        if user[i][1] < system[j][1]:
            i += 1
        else:
            j += 1
    return [_milliseconds(x) for x in sorted(shortest.values(), key=lambda x: x[1])]


def response_gaps(user: Sequence[Interval], system: Sequence[Interval]) -> list[Interval]:
    """(end of a ``user`` interval, next later start of a ``system`` interval), to the millisecond; both are merged.

    A system interval that starts exactly at the user's end is not later. Where several user intervals wait for one
    start, the latest of their ends counts. A user interval after which nothing starts gives nothing.
    """
    latest: dict[int, Interval] = {}
    starts = [start for start, _ in system]
    for _, end in user:
        at = bisect_right(starts, end)
        if at == len(starts):
            continue
        key = round(starts[at] * 1000)
        gap = _milliseconds((end, starts[at]))
        if key not in latest or gap[0] > latest[key][0]:
            latest[key] = gap
    return sorted(latest.values(), key=lambda x: x[1])


def _milliseconds(x: Interval) -> Interval:
    # The script's own rounding, which is Python's.
    return round(x[0], 3), round(x[1], 3)
