import numpy as np
import pytest

from duologue.generate.acoustics.kernel import IDENTITY, chain, kernel
from duologue.generate.acoustics.level import active_rms, amplitude, decibel, soften


@pytest.mark.parametrize("taps", [1, 2, 500, 1365, 9_000])
@pytest.mark.parametrize("length", [0, 1, 320, 40_000])
def test_fast_convolution_equals_the_direct_sum(taps: int, length: int) -> None:
    rng = np.random.default_rng(taps + length)
    h, x = rng.standard_normal(taps), rng.standard_normal(length).astype(np.float32)
    wet = kernel(h, 0).apply(x)
    assert wet.dtype == np.float32 and len(wet) == (length + taps - 1 if taps > 1 else length)
    if length:
        direct = np.convolve(x, h)
        assert np.max(np.abs(wet - direct)) < 1e-5 * np.sqrt(taps) * np.max(np.abs(h)) * 10


def test_a_chain_is_one_after_the_other_and_keeps_the_direct_path() -> None:
    rng = np.random.default_rng(0)
    a, b = kernel(rng.standard_normal(50), 3), kernel(rng.standard_normal(700), 20)
    both = chain(a, b)
    assert both.lead == 23
    assert both.taps == pytest.approx(np.convolve(a.taps, b.taps), abs=1e-4)
    assert IDENTITY.apply(a.taps) == pytest.approx(a.taps)


def test_active_level_ignores_pauses_but_not_soft_sounds() -> None:
    tone = np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    half = np.concatenate([tone, np.zeros(16_000, np.float32), tone])
    assert active_rms(half) == pytest.approx(np.sqrt(0.5), rel=0.02)
    soft = np.concatenate([tone, tone * amplitude(-20)])
    assert active_rms(soft) == pytest.approx(np.sqrt(0.25 * 1.01), rel=0.02)
    assert active_rms(np.zeros(1000, np.float32)) == 0.0 and active_rms(np.zeros(0, np.float32)) == 0.0


def test_softening_keeps_small_differences_and_bounds_large_ones() -> None:
    assert soften(3.0, 15.0) == pytest.approx(3.0, abs=0.05)
    assert 11.0 < soften(16.0, 15.0) < soften(28.0, 15.0) < 15.0
    assert soften(-5.0, 15.0) == -soften(5.0, 15.0)
    assert soften(9.0, 0.0) == 0.0
    assert decibel(amplitude(-37.0)) == pytest.approx(-37.0)
