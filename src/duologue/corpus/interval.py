"""Sets of time as arrays of half-open intervals.

An interval array is int64 ``[k, 2]``, rows ``[start, end)`` in samples, sorted and disjoint (two rows may touch). Every
function takes such arrays and returns new ones; ``normalise`` makes one of any rows. Nothing here knows a rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duologue.errors import UserError

Intervals = npt.NDArray[np.int64]


def normalise(rows: npt.ArrayLike) -> Intervals:
    """The set that any ``[k, 2]`` rows cover: sorted, united where they overlap or touch, without empty rows.

    ``[]`` is the empty set. A row whose end lies before its start raises UserError.
    """
    x = np.asarray(rows, np.int64).reshape(-1, 2)
    if (reversed_ := x[:, 1] < x[:, 0]).any():
        raise UserError("an interval ends before it starts", value=x[reversed_][0].tolist(), allowed="start <= end")
    x = x[x[:, 1] > x[:, 0]]
    return merge_gaps(x[np.argsort(x[:, 0], kind="stable")], 0)


def merge_gaps(x: Intervals, gap: float) -> Intervals:
    """``x`` with every pause of at most ``gap`` samples filled: rows unite where next start - end so far <= gap.

    ``x`` need only be sorted by start; of overlapping rows the latest end counts.
    """
    if not len(x):
        return np.empty((0, 2), np.int64)
    reach = np.maximum.accumulate(x[:, 1])
    breaks = np.flatnonzero(x[1:, 0] - reach[:-1] > gap)
    return np.stack([x[np.r_[0, breaks + 1], 0], reach[np.r_[breaks, len(x) - 1]]], axis=1)


def intersect_pairs(a: Intervals, b: Intervals) -> Intervals:
    """Every non-empty intersection of a row of ``a`` with a row of ``b``: rows ``[start, end, i, j]``, in order.

    The third and fourth columns are the indexes of the two rows. A row of ``a`` that meets three of ``b`` gives three.
    """
    first = np.searchsorted(b[:, 1], a[:, 0], side="right")
    past = np.searchsorted(b[:, 0], a[:, 1], side="left")
    count = np.maximum(past - first, 0)
    i = np.repeat(np.arange(len(a)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    start, end = np.maximum(a[i, 0], b[j, 0]), np.minimum(a[i, 1], b[j, 1])
    pairs: Intervals = np.stack([start, end, i, j], axis=1)[end > start]
    return pairs


def intersect(a: Intervals, b: Intervals) -> Intervals:
    """What lies in both, normalised: touching pieces are one."""
    return merge_gaps(intersect_pairs(a, b)[:, :2], 0)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """What lies in ``a`` and not in ``b``. Rows of ``a`` that touch stay apart."""
    if not len(a) or not len(b):
        return a.copy()
    low, high = min(a[0, 0], b[0, 0]), max(a[-1, 1], b[-1, 1])
    gaps = np.stack([np.r_[low, b[:, 1]], np.r_[b[:, 0], high]], axis=1)
    return intersect_pairs(a, gaps[gaps[:, 1] > gaps[:, 0]])[:, :2]


def total(x: Intervals) -> int:
    """Samples covered."""
    return int((x[:, 1] - x[:, 0]).sum())


def clip(x: Intervals, start: int, end: int) -> Intervals:
    """The part of ``x`` inside ``[start, end)``."""
    cut = np.clip(x, start, max(start, end))
    return cut[cut[:, 1] > cut[:, 0]]


def after(x: Intervals, t: int) -> int:
    """Index of the first row that starts later than ``t``; ``len(x)`` where none does."""
    return int(np.searchsorted(x[:, 0], t, side="right"))
