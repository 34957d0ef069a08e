"""Paired differences, Holm, and ranks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.comparison import holm, paired, rank


def speakers(n: int, count: int) -> dict[str, list[str]]:
    return {"speaker": [str(i % count) for i in range(n)]}


def test_independent_pairs_give_the_classic_paired_test() -> None:
    a, b = np.array([0.9, 0.7, 0.8, 0.65, 0.9]), np.array([0.7, 0.75, 0.5, 0.6, 0.4])
    got = paired(a, b, {})
    assert got.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue)
    assert got.difference.value == pytest.approx(0.2)


def test_clusters_by_hand() -> None:
    # Differences 0.2, 0.4 | 0, 0 | 0.1, 0.1 of three speakers: mean 0.4 / 3; sums of residuals 1/3, -4/15, -1/15.
    # V = (1/9 + 16/225 + 1/225) / 36 * 3/2 = 0.0077778; t = 0.133333 / 0.088192 = 1.5119, 2 degrees: p = 0.2697.
    a = np.array([0.7, 0.9, 0.5, 0.5, 0.6, 0.6])
    got = paired(a, np.full(6, 0.5), {"speaker": ["x", "x", "y", "y", "z", "z"]})
    assert got.difference.value == pytest.approx(0.4 / 3)
    assert got.p == pytest.approx(0.2697, abs=1e-4)


def test_pairing_removes_what_both_share() -> None:
    """Items differ a lot, systems by 0.02 on each: clear in pairs, invisible in two separate intervals."""
    rng = np.random.default_rng(1)
    hard, noise = rng.uniform(0.0, 0.8, 400), rng.normal(0, 0.01, 400)
    got = rank({"a": hard + 0.05 + noise, "b": hard + 0.03}, speakers(400, 40))
    first, second = got.ranks
    assert (first.system, first.low, first.high, second.low, second.high) == ("a", 1, 1, 2, 2)
    # Each interval alone reaches over the other's value.
    assert first.score.low < second.score.value < first.score.value < second.score.high


def test_a_constant_difference() -> None:
    """Every cluster says the same: the sign-flip test of 5 clusters gives 2 of 2^5 arrangements."""
    assert paired(np.full(50, 0.6), np.full(50, 0.5), speakers(50, 5)).p == 2 / 2**5
    same = paired(np.full(50, 0.5), np.full(50, 0.5), speakers(50, 5))
    assert same.p == 1.0 and (same.difference.low, same.difference.high) == (0.0, 0.0)
    assert paired([0.5, 0.6], [0.5, 0.5], {"speaker": ["a", "a"]}).p is None
    with pytest.raises(ValueError, match="pairs wanted"):
        paired([0.5], [0.5, 0.6], {})


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04 -> never falling: 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_none_and_bonferroni(p: list[float]) -> None:
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p)) + 1e-15


def test_no_ranking_below_twenty_clusters() -> None:
    """However clear the difference: 19 speakers claim no order, 20 do."""
    x = np.linspace(0.1, 0.3, 380)
    scores = {"good": x + 0.6, "bad": x + np.linspace(0, 0.01, 380)}
    few, enough = rank(scores, speakers(380, 19)), rank(scores, speakers(380, 20))
    assert [(r.low, r.high) for r in few.ranks] == [(1, 2), (1, 2)]
    assert few.why_not == "19 clusters in the smallest way of grouping; 20 are needed"
    assert [(r.system, r.low, r.high) for r in enough.ranks] == [("good", 1, 1), ("bad", 2, 2)]
    assert enough.why_not == ""


def test_ranks_of_several_systems_stay_open_where_the_data_do() -> None:
    """Two systems alike, one far behind: ranks 1-2, 1-2 and 3."""
    rng = np.random.default_rng(2)
    base = rng.uniform(0.5, 0.6, 600)
    scores = {name: base + rng.uniform(-0.1, 0.1, 600) + shift for name, shift in (("a", 0), ("b", 0), ("c", -0.2))}
    got = {r.system: (r.low, r.high) for r in rank(scores, speakers(600, 30)).ranks}
    assert got == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_macro_strata_reach_the_pairs() -> None:
    """One large scenario may not outvote a small one: a wins by items, b by scenarios."""
    strata = ["big"] * 300 + ["small"] * 60
    rng = np.random.default_rng(3)
    a = np.r_[np.full(300, 0.6), np.full(60, 0.2)] + rng.normal(0, 0.05, 360)
    b = np.full(360, 0.5) + rng.normal(0, 0.05, 360)
    by_item = paired(a, b, speakers(360, 40))
    by_scenario = paired(a, b, speakers(360, 40), strata=strata)
    assert by_item.difference.value > 0 > by_scenario.difference.value
    assert by_scenario.p < 0.05
