"""Interval arrays against the plain restatement: a mask of samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.corpus import interval
from duologue.corpus.interval import Intervals
from duologue.errors import UserError

END = 40
Mask = npt.NDArray[np.bool_]
rows = st.lists(st.tuples(st.integers(0, END), st.integers(0, END)).map(sorted), max_size=8)
sets = rows.map(interval.normalise)


def mask(x: npt.ArrayLike) -> Mask:
    out = np.zeros(END + 10, bool)
    for start, end in np.asarray(x, np.int64).reshape(-1, 2):
        out[start:end] = True
    return out


def runs(m: Mask) -> list[list[int]]:
    """Maximal runs of True, found sample by sample."""
    out: list[list[int]] = []
    for t, inside in enumerate(m):
        if inside and out and out[-1][1] == t:
            out[-1][1] = t + 1
        elif inside:
            out.append([t, t + 1])
    return out


def touching(a: Intervals) -> Intervals:
    """The same set with its rows of two samples or more cut in two: sorted, disjoint, touching."""
    pieces: list[list[int]] = []
    for start, end in a.tolist():
        middle = (start + end) // 2
        pieces += [[start, middle], [middle, end]] if middle > start else [[start, end]]
    return np.asarray(pieces, np.int64).reshape(-1, 2)


def test_normalise_by_hand() -> None:
    # touching [2,5) [5,7) and nested [3,4) are one; [9,9) is empty; [8,9) stands alone (7 to 8 is a gap)
    got = interval.normalise([[5, 7], [2, 5], [3, 4], [9, 9], [8, 9]])
    assert got.tolist() == [[2, 7], [8, 9]]
    assert got.dtype == np.int64
    assert interval.normalise([]).shape == (0, 2)


def test_a_reversed_interval_is_refused_by_value() -> None:
    with pytest.raises(UserError, match=r"\[7, 3\]"):
        interval.normalise([[0, 2], [7, 3]])


def test_merge_gaps_by_hand() -> None:
    x = interval.normalise([[0, 10], [15, 20], [26, 30]])
    assert interval.merge_gaps(x, 4).tolist() == x.tolist()  # gaps are 5 and 6
    assert interval.merge_gaps(x, 5).tolist() == [[0, 20], [26, 30]]  # a gap equal to the limit is filled
    assert interval.merge_gaps(x, 6).tolist() == [[0, 30]]


def test_intersect_pairs_by_hand() -> None:
    a = interval.normalise([[0, 10], [20, 30]])
    b = interval.normalise([[2, 4], [8, 22], [30, 35]])  # the last touches a at 30: no common sample
    assert interval.intersect_pairs(a, b).tolist() == [[2, 4, 0, 0], [8, 10, 0, 1], [20, 22, 1, 1]]
    assert interval.intersect_pairs(a, b[:0]).shape == (0, 4)


def test_after_is_strict() -> None:
    x = interval.normalise([[5, 8], [12, 20]])
    assert [interval.after(x, t) for t in (4, 5, 11, 12)] == [0, 1, 1, 2]
    assert interval.after(x[:0], 3) == 0


def test_inputs_are_left_alone() -> None:
    a, b = interval.normalise([[0, 9]]), interval.normalise([[3, 5]])
    interval.subtract(a, b[:0])[:] = 99
    interval.clip(a, 2, 4)[:] = 99
    interval.merge_gaps(a, 0)[:] = 99
    assert a.tolist() == [[0, 9]] and b.tolist() == [[3, 5]]


@given(rows)
def test_normalise_keeps_the_set(x: list[list[int]]) -> None:
    assert interval.normalise(x).tolist() == runs(mask(x))


@given(sets, st.integers(0, 12))
def test_merge_gaps_fills_inner_gaps_up_to_the_limit(x: Intervals, gap: int) -> None:
    m = mask(x)
    for start, end in runs(~m):
        if m[:start].any() and m[end:].any() and end - start <= gap:
            m[start:end] = True
    assert interval.merge_gaps(x, gap).tolist() == runs(m)


@given(sets, sets)
def test_intersect(a: Intervals, b: Intervals) -> None:
    assert interval.intersect(touching(a), touching(b)).tolist() == runs(mask(a) & mask(b))


@given(sets, sets)
def test_intersect_pairs_are_all_pairs(a: Intervals, b: Intervals) -> None:
    a, b = touching(a), touching(b)
    expected = [
        [max(p[0], q[0]), min(p[1], q[1]), i, j]
        for i, p in enumerate(a.tolist())
        for j, q in enumerate(b.tolist())
        if max(p[0], q[0]) < min(p[1], q[1])
    ]
    assert interval.intersect_pairs(a, b).tolist() == expected


@given(sets, sets)
def test_subtract(a: Intervals, b: Intervals) -> None:
    assert interval.subtract(a, b).tolist() == runs(mask(a) & ~mask(b))
    assert np.array_equal(mask(interval.subtract(touching(a), touching(b))), mask(a) & ~mask(b))


@given(sets, st.integers(-5, END + 5), st.integers(-5, END + 5))
def test_clip(x: Intervals, start: int, end: int) -> None:
    m = mask(x)
    m[: max(start, 0)] = False
    m[max(end, 0) :] = False
    assert interval.clip(x, start, end).tolist() == runs(m)


@given(sets, st.integers(-2, END + 2))
def test_total_and_after(x: Intervals, t: int) -> None:
    assert interval.total(x) == int(mask(x).sum())
    assert interval.after(x, t) == sum(start <= t for start in x[:, 0])
