"""What a score is worth depends on how much was compared; noise that two recordings share is worth nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.protect.audit.fingerprint import fingerprint
from duologue.protect.audit.levels import LAMBDA, LEVELS, K, chance, least_score, level
from duologue.protect.audit.match import Table
from duologue.protect.audit.spectrum import spoken

RATE = 16_000


def test_chance_by_hand() -> None:
    # 1,000 test windows; two hours are 7,200 / 0.06 = 120,000 windows; 13 variants: 1.56e9 comparisons.
    assert chance(50.0, 1_000, 7_200.0) == pytest.approx(1.56e9 * K * math.exp(-50 * LAMBDA))


def test_a_scan_of_minutes_is_judged_as_one_of_an_hour() -> None:
    assert chance(50.0, 1_000, 5.0) == chance(50.0, 1_000, 3_600.0) < chance(50.0, 1_000, 3_700.0)


@given(st.integers(1, 10**8), st.floats(0, 1e9), st.sampled_from([e for _, e in LEVELS]))
def test_the_limit_is_where_the_expected_number_is_met(codes: int, seconds: float, expected: float) -> None:
    score = least_score(expected, codes, seconds)
    assert chance(score, codes, seconds) <= expected * 1.000_001
    # A hundred times the amount takes ln(100) / lambda more.
    assert least_score(expected, 100 * codes, seconds) - score <= math.log(100) / LAMBDA + 1e-6


def test_levels_fall_with_the_amount() -> None:
    # E is 0.0001 at an hour, hence 0.01 at a hundred, 0.5 at five thousand and 1,000 at ten million.
    score = least_score(LEVELS[0][1], 1_000, 3_600.0) + 0.001
    found = [level(chance(score, 1_000, hours * 3_600.0)) for hours in (1, 100, 5_000, 1e7)]
    assert found == ["certain", "likely", "suspicion", None]


def test_what_stands_out_is_speech() -> None:
    steady = np.full(500, 1e-3, np.float32)
    assert not spoken(steady).any()
    bursts = steady.copy()
    bursts[100:200] = 0.1  # 20 dB above the room
    assert np.flatnonzero(spoken(bursts)).tolist() == list(range(100, 200))
    assert not spoken(np.zeros(500, np.float32)).any()


def test_a_noise_in_common_is_no_finding() -> None:
    rng = np.random.default_rng(3)
    noise = (rng.standard_normal(20 * RATE) * 0.03).astype(np.float32)
    one, other = noise.copy(), noise.copy()
    # Each has other sounds of its own, 1.5 s at other places: bursts of noise of changing strength.
    for x, at in ((one, 3), (other, 11)):
        burst = rng.standard_normal(3 * RATE // 2) * np.repeat(rng.uniform(0.02, 0.6, 15), RATE // 10)
        x[at * RATE : at * RATE + len(burst)] += burst.astype(np.float32)
    table = Table([fingerprint(one, RATE)])
    assert len(table.codes)
    least = least_score(1.0, 1_000, 3_600.0)  # of a test set of minutes
    assert table.search(one, RATE, least=least)  # of its own burst there is enough
    assert table.search(other, RATE, least=least) == []
