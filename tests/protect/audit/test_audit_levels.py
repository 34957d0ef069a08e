"""What a score is worth depends on how much was compared; noise that two recordings share is worth nothing."""

from __future__ import annotations

import hashlib
import math
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.protect.audit.fingerprint import BITS, directions, fingerprint, pack, slopes
from duologue.protect.audit.levels import LAMBDA, LEVELS, K, chance, least_score, level
from duologue.protect.audit.match import Table, beside, gains
from duologue.protect.audit.spectrum import spoken

RATE = 16_000
# As benchmarks/audit_fit.py printed them: an index and the scan of it must have the same directions.
FITTED = {
    "crowd": "555c5b8d9a68e7af9ce3784276725beaa9086f778b3823f269cbb9c52086a462",
    "meaning_centre": "a65653cc1034bffa241583bc486dfbc31e6b28d9e652f4badfaa58a04f96b92a",
    "projection": "4f7175a8bab8208035de8817a511bd5bccddaa568ef7f31b25f345a2447f937b",
    "slopes": "0d6dacb69203fbb6abd51b2bab70f77eb0964648ac977b0a4ed1c1cae6125d5c",
}


@pytest.mark.parametrize("name", FITTED)
def test_what_was_fitted_is_what_is_shipped(name: str) -> None:
    data = files("duologue.protect.audit").joinpath(f"{name}.npy").read_bytes()
    assert hashlib.sha256(data).hexdigest() == FITTED[name]


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


def test_a_sure_sign_counts_more_by_hand() -> None:
    # All values 1 but the first, so r is near 1. A sign with k = slopes()[0] and |v| / r = x is right with
    # p = 0.99 / (1 + exp(-k x)) + 0.005, and adds ln(2 p) where it agrees, ln(2 (1 - p)) where it does not.
    added = {}
    for first in (0.1, 3.0):
        values = np.ones((1, BITS), np.float32)
        values[0, 0] = first
        size = math.sqrt((BITS - 1 + first**2) / BITS)
        p = 0.99 / (1 + math.exp(-float(slopes()[0]) * first / size)) + 0.005
        code = pack(values)
        same, other = gains(values, code)[0], gains(values, code ^ np.uint64(1))[0]
        assert same - other == pytest.approx(math.log(p / (1 - p)), rel=1e-3)
        added[first] = same - other
    assert added[3.0] > 5 > added[0.1] > 0


def test_directions_are_blind_to_filters_and_to_loudness() -> None:
    each = directions().astype(np.float64).reshape(32, 23, BITS)
    size = np.abs(each).sum(axis=(0, 1))
    assert np.all(np.abs(each.sum(axis=0)).sum(axis=0) < 0.02 * size)  # a filter: the same in all frames
    assert np.all(np.abs(each.sum(axis=1)).sum(axis=0) < 0.02 * size)  # a burst: the same in all bands


def test_known_turns_leave_out_what_nobody_says() -> None:
    rng = np.random.default_rng(5)
    # 12 s whose strength changes every 0.1 s, as speech does; of it only 4 to 8 s are a turn.
    x = (rng.standard_normal(12 * RATE) * np.repeat(rng.uniform(0.01, 0.5, 120), RATE // 10)).astype(np.float32)
    whole = fingerprint(x, RATE)
    turn = fingerprint(x, RATE, [(4 * RATE, 8 * RATE)])
    starts = turn.frames * 0.02
    # 60% of a window of 1.28 s, 0.77 s, must lie in the turn: starts from 3.49 to 7.23 s.
    assert len(turn.codes) and starts.min() >= 3.49 - 0.05 and starts.max() <= 7.23 + 0.05
    assert set(turn.frames.tolist()) < set(whole.frames.tolist())
    assert len(fingerprint(x, RATE, []).codes) == 0


@pytest.mark.parametrize(
    ("gain", "worth"),
    [([], 0.0), ([5.0, -2.0], 0.0), ([-3.0, -4.0, 10.0], -7.0), ([-3.0, 9.0, -30.0], -12.0), ([-1.0] * 9, -3.0)],
)
def test_what_lies_beside_a_stretch_speaks_against_it(gain: list[float], worth: float) -> None:
    # The lowest sum of the next one, two or three windows, at least -12: -3 + 9 - 30 = -24 counts -12.
    assert beside(np.array(gain)) == worth
