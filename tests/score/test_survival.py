"""Kaplan-Meier delays: golden cases by hand, and against SciPy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.survival import kaplan_meier, summarise_delays


def test_by_hand() -> None:
    # Delays 1, 2, 2, 3, a miss at 2 and one at 4. At 1: 6 at risk, 1 happens: 5/6. At 2: 5 at risk, 2 happen (the miss
    # at 2 is still waited for): 5/6 * 3/5 = 1/2. At 3: 2 at risk, 1 happens: 1/4. The last is censored at 4.
    got = kaplan_meier([1, 2, 2, 3, 2, 4], [True, True, True, True, False, False])
    assert got.times.tolist() == [1, 2, 3]
    assert got.at_risk.tolist() == [6, 5, 2]
    assert got.share == pytest.approx([5 / 6, 1 / 2, 1 / 4])
    # S reaches 1/2 exactly at 2; a share of 90% never happened.
    assert got.quantile(0.5) == 2
    assert got.quantile(0.75) == 3
    assert got.quantile(0.9) is None


def test_the_interval_of_the_median_by_hand() -> None:
    # Delays 1..10, none missed. After k of them S = (10 - k) / 10 and Greenwood's sum telescopes to 1/(10 - k) - 1/10.
    # k = 1: sum 1/90, log S = -0.10536, spread = 1.96 * sqrt(1/90) / 0.10536 = 1.9609, S^e^1.9609 = 0.9^7.106 = 0.473.
    # So the lower curve is below 1/2 from 1 on. Upper: k = 7: sum 0.23333, log S = -1.20397, spread 0.78635,
    # 0.3^0.45550 = 0.5779 > 1/2; k = 8: 0.4, -1.60944, 0.77020, 0.2^0.46292 = 0.4747 <= 1/2: 8.
    got = summarise_delays([float(k) for k in range(1, 11)], 20.0)
    assert (got.median, got.median_low, got.median_high) == (5.0, 1.0, 8.0)
    assert (got.p90, got.p95) == (9.0, 10.0)


def test_misses_are_censored_not_dropped() -> None:
    """Three quick answers and five misses: the median is above the limit, not 0.5 s."""
    got = summarise_delays([0.4, 0.5, 0.6, None, None, None, None, None], 8.0)
    assert (got.n, got.missed, got.limit) == (8, 5, 8.0)
    assert got.median is None and got.p90 is None
    assert [t for t, _ in got.curve] == [0.4, 0.5, 0.6]
    assert [s for _, s in got.curve] == pytest.approx([7 / 8, 6 / 8, 5 / 8])


def test_all_missed_and_none_at_all() -> None:
    mute = summarise_delays([None] * 5, 8.0)
    assert (mute.missed, mute.median, mute.median_low, mute.median_high, mute.curve) == (5, None, None, None, ())
    nothing = summarise_delays([], 8.0)
    assert (nothing.n, nothing.median, nothing.limit) == (0, None, 8.0)


def test_early_onsets_are_negative_delays() -> None:
    got = summarise_delays([-1.5, -0.5, 0.0, 0.5, None], 8.0)
    assert got.median == 0.0
    assert got.curve[0] == (-1.5, pytest.approx(0.8))


def test_limits_of_their_own() -> None:
    """Waited 2 s for one reply and 8 s for another; what came later than its limit is a miss."""
    got = summarise_delays([1.0, None, 3.0, 9.0], [8.0, 2.0, 8.0, 8.0])
    assert (got.missed, got.limit) == (2, 8.0)
    # At 1: 4 at risk, 3/4. The miss leaves at 2. At 3: 2 at risk: 3/8.
    assert got.curve == ((1.0, 0.75), (3.0, 0.375))
    assert got.median == 3.0


def test_moving_the_clock_moves_the_quantiles() -> None:
    rng = np.random.default_rng(0)
    delays = [None if x > 3 else float(x) for x in rng.exponential(1.5, 200)]
    a = summarise_delays(delays, 3.0)
    b = summarise_delays([None if x is None else x - 10 for x in delays], -7.0)
    for name in ("median", "median_low", "median_high"):
        assert getattr(b, name) == pytest.approx(getattr(a, name) - 10)


@given(st.lists(st.tuples(st.integers(-5, 30), st.booleans()), min_size=1, max_size=60))
def test_against_scipy(rows: list[tuple[int, bool]]) -> None:
    """Curve and pointwise interval with ties, in any mix of events and misses."""
    times, happened = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    ours = kaplan_meier(times, happened)
    theirs = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=times[happened], right=times[~happened])).sf
    assert ours.share == pytest.approx(theirs.evaluate(ours.times), abs=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy tells of shares of 0 and 1, which are left out below.
        interval = theirs.confidence_interval(method="log-log")
    inside = (ours.share > 1e-9) & (ours.share < 1)
    low = next(
        (t for t in ours.times[inside] if interval.low.evaluate(t) <= 0.5 + 1e-12),
        None,
    )
    high = next((t for t in ours.times[inside] if interval.high.evaluate(t) <= 0.5 + 1e-12), None)
    assert ours.median_interval() == (low, high)


def test_clusters_widen_the_interval() -> None:
    """20 speakers with a pace of their own, 30 delays each."""
    rng = np.random.default_rng(4)
    pace = np.repeat(np.exp(rng.normal(0, 0.5, 20)), 30)
    delays = [float(x) for x in pace * rng.gamma(20, 0.05, 600)]
    speakers = {"speaker": [str(i // 30) for i in range(600)]}
    alone, together = summarise_delays(delays, 60.0), summarise_delays(delays, 60.0, speakers)
    assert together.median == alone.median
    assert together.median_high - together.median_low > 2 * (alone.median_high - alone.median_low)
    # A label of its own for each delay adds nothing but the t quantile.
    apart = summarise_delays(delays, 60.0, {"item": [str(i) for i in range(600)]})
    assert apart.median_low == pytest.approx(alone.median_low, rel=0.01)
    one = summarise_delays(delays, 60.0, {"speaker": ["a"] * 600})
    assert (one.median_low, one.median_high) == (None, None)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    got = summarise_delays([float(k) for k in range(5000)], 1e6)
    assert len(got.curve) == 256
    assert got.curve[0] == (0.0, pytest.approx(0.9998)) and got.curve[-1] == (4999.0, 0.0)


def test_what_is_no_delay() -> None:
    with pytest.raises(ValueError, match="not NaN"):
        summarise_delays([math.nan], 8.0)
    with pytest.raises(ValueError, match="limits are finite"):
        summarise_delays([1.0], math.inf)
    with pytest.raises(ValueError, match="one flag for each"):
        kaplan_meier([1.0, 2.0], [True])
