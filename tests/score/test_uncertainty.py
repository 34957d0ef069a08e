"""Means, macro means and rates of clustered items."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.score.beta import beta_cdf, beta_quantile, student_quantile, student_tail
from duologue.score.uncertainty import (
    clopper_pearson,
    clustered_mean,
    macro_mean,
    rankable,
    rate,
    variance,
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_two_crossed_ways_by_hand() -> None:
    # Families a, b and speakers x, y, one item in each cell: values 0, 1, 2, 5; mean 2; e = (-2, -1, 0, 3) / 4.
    # Families: sums (-3, 3) / 4, so (9 + 9) / 16 * 2 / 1 = 2.25. Speakers: (-2, 2) / 4: (4 + 4) / 16 * 2 = 1.
    # Cells: (4 + 1 + 0 + 9) / 16 * 4 / 3 = 1.1667. Together 2.25 + 1 - 1.1667 = 2.0833, below the families' 2.25.
    e = np.array([-2.0, -1.0, 0.0, 3.0]) / 4
    ways = {"script_family": ["a", "a", "b", "b"], "speaker": ["x", "y", "x", "y"]}
    assert variance(e, ways) == pytest.approx(2.25)
    # With t of one degree of freedom, 12.7062: 2 -+ 12.7062 * 1.5.
    got = clustered_mean([0.0, 1.0, 2.0, 5.0], ways, bounds=None)
    assert (got.value, got.n, got.clusters) == (2.0, 4, 2)
    assert got.low == pytest.approx(2 - 12.7062 * 1.5, abs=1e-3)
    assert got.high == pytest.approx(2 + 12.7062 * 1.5, abs=1e-3)


def test_crossed_terms_add_where_no_way_dominates() -> None:
    # 3 x 3 cells, e = row + column effect with rows (-1, 0, 1) and columns (-1, 0, 1).
    # Rows: sums (-3, 0, 3): 18 * 3 / 2 = 27; columns the same; cells: values -2, -1, 0, -1, 0, 1, 0, 1, 2 squared sum
    # to 12, * 9 / 8 = 13.5. 27 + 27 - 13.5 = 40.5.
    rows, columns = np.divmod(np.arange(9), 3)
    ways = {"script_family": [f"r{r}" for r in rows], "speaker": [f"c{c}" for c in columns]}
    assert variance((rows - 1.0) + (columns - 1.0), ways) == pytest.approx(40.5)


def test_independent_items_give_the_classic_t_interval() -> None:
    x = np.array([0.1, 0.4, 0.35, 0.8, 0.2, 0.55])
    got = clustered_mean(x, {})
    low, high = scipy.stats.t.interval(0.95, 5, x.mean(), scipy.stats.sem(x))
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))


def test_a_macro_mean_weighs_scenarios_not_items() -> None:
    got = macro_mean([1.0, 1.0, 1.0, 0.0], ["stop", "stop", "stop", "pause"], {"speaker": ["a", "b", "c", "d"]})
    assert got.value == 0.5
    # The scenario of one item: its residual is 0 - 0.5, over two scenarios of one item 0.25; the others have none.
    # Speakers: 0.25^2 * 4 / 3 = 1 / 12, t with 3 degrees 3.1824: 0.5 +- 0.919, cut to [0, 1].
    assert (got.low, got.high) == (0.0, 1.0)


def test_copies_of_an_item_add_no_knowledge() -> None:
    """Twins and other renderings of an item carry its labels: the interval stays as it was."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=60)
    ways = {"script_family": [str(i % 24) for i in range(60)], "speaker": [str(i // 2) for i in range(60)]}
    once = clustered_mean(x, ways)
    thrice = clustered_mean(np.tile(x, 3), {k: v * 3 for k, v in ways.items()})
    # The cells' small-sample factor alone changes, and the floor of independent items falls away.
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.05)
    alone = clustered_mean(np.tile(x, 3), {})
    assert alone.high - alone.low < 0.7 * (once.high - once.low)


def test_equal_values_claim_no_certainty() -> None:
    """40 speakers, 400 items, all 0: up to 1 - 0.025^(1/40) = 0.088 stays possible."""
    got = clustered_mean([0.0] * 400, {"speaker": [str(i % 40) for i in range(400)]})
    assert (got.low, got.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 40)))
    same = clustered_mean([0.3] * 400, {"speaker": [str(i % 40) for i in range(400)]})
    assert same.low < 0.2 and same.high > 0.4


def test_too_few_clusters() -> None:
    nineteen = clustered_mean(np.linspace(0, 1, 190), {"speaker": [str(i % 19) for i in range(190)]})
    twenty = clustered_mean(np.linspace(0, 1, 200), {"speaker": [str(i % 20) for i in range(200)]})
    assert nineteen.low is not None and not rankable(nineteen)
    assert rankable(twenty)
    # The smaller way counts.
    assert not rankable(
        clustered_mean([0.5] * 30, {"speaker": [str(i) for i in range(30)], "script_family": ["f"] * 30})
    )
    one = clustered_mean([0.1, 0.9], {"speaker": ["a", "a"]})
    assert (one.value, one.low, one.high) == (0.5, None, None)
    assert clustered_mean([], {}).value is None and rate([], {}).value is None


def test_clopper_pearson_published() -> None:
    # Newcombe (1998), Stat Med 17:857: 81/263 exact 0.2527 to 0.3676; 0/20: 0 to 0.1684; 1/29: 0.0009 to 0.1776.
    assert clopper_pearson(81 / 263, 263) == (pytest.approx(0.2527, abs=5e-5), pytest.approx(0.3676, abs=5e-5))
    assert clopper_pearson(0.0, 20) == (0.0, pytest.approx(0.1684, abs=5e-5))
    assert clopper_pearson(1 / 29, 29) == (pytest.approx(0.0009, abs=5e-5), pytest.approx(0.1776, abs=5e-5))


def test_a_rate_of_whole_clusters_counts_clusters() -> None:
    """20 speakers of 10 items each, who all succeed or all fail: about as sure as 20 trials, not as 200."""
    x = np.repeat([1] * 5 + [0] * 15, 10)
    ways = {"speaker": [str(i // 10) for i in range(200)]}
    together, apart = rate(x, ways), rate(x, {})
    assert apart.high - apart.low < 0.13
    low, high = clopper_pearson(0.25, 20)
    assert together.high - together.low == pytest.approx(high - low, rel=0.1)
    none = rate([0] * 200, ways)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20))


@pytest.mark.parametrize("bad", [[0.5, float("nan")], [0.5, 1.5], [[0.5], [0.5]]])
def test_values_that_cannot_be_scores_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        clustered_mean(bad, {"speaker": ["a", "b"]})


def test_labels_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="3 labels of speaker for 2 values"):
        clustered_mean([0.5, 0.6], {"speaker": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="counts successes"):
        rate([0.5, 1.0], {"speaker": ["a", "b"]})


@given(st.floats(0, 1), st.floats(0.05, 2000), st.floats(0.05, 2000))
def test_beta_against_scipy(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) == pytest.approx(scipy.stats.beta.cdf(x, a, b), rel=1e-8, abs=1e-12)


@given(st.floats(0.001, 0.999), st.floats(0.5, 500), st.floats(0.5, 500))
@settings(max_examples=50)
def test_beta_quantile_inverts(q: float, a: float, b: float) -> None:
    assert beta_cdf(beta_quantile(q, a, b), a, b) == pytest.approx(q, rel=1e-6)


@pytest.mark.parametrize("df", [1, 2, 7, 19, 47, 12_000])
def test_student_against_scipy(df: int) -> None:
    assert student_quantile(0.95, df) == pytest.approx(scipy.stats.t.ppf(0.975, df))
    assert student_tail(-2.2, df) == pytest.approx(2 * scipy.stats.t.sf(2.2, df))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=60
    ),
    st.randoms(use_true_random=False),
)
def test_order_and_names_do_not_matter(rows: list[tuple[float, int, int, int]], shuffle: object) -> None:
    """Inside its interval, its interval inside the bounds, and the same for any order of items and any names."""

    def of(rows: list[tuple[float, int, int, int]], name: str) -> tuple[float | None, ...]:
        ways = {"script_family": [f"{name}{r[1]}" for r in rows], "speaker": [f"{r[2]}{name}" for r in rows]}
        got = macro_mean([r[0] for r in rows], [f"{name}{r[3]}" for r in rows], ways)
        if got.low is not None:
            assert 0 <= got.low <= got.value + 1e-12 and got.value - 1e-12 <= got.high <= 1
        return got.value, got.low, got.high

    first = of(rows, "a")
    moved = list(rows)
    shuffle.shuffle(moved)
    second = of(moved, "b")
    if first[1] is None:
        assert second[1:] == (None, None)
    else:
        assert second == pytest.approx(first, abs=1e-7)


@pytest.mark.long
def test_coverage_with_crossed_families_and_speakers() -> None:
    """Nominal 95% intervals hold the truth at least 92% of the time; those for independent items fail."""
    spec = importlib.util.spec_from_file_location("intervals", BENCHMARKS / "intervals.py")
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules["intervals"] = benchmark  # Its dataclasses look their module up.
    spec.loader.exec_module(benchmark)
    for seed, design in enumerate(benchmark.DESIGNS[1:3]):
        for name, (ours, naive) in benchmark.measure(design, 200, seed).items():
            # Over 200 rounds one standard error of a coverage of 0.95 is 0.015.
            assert ours >= 0.92 - 0.015, (str(design), name)
            assert naive < 0.9, (str(design), name)
