"""Features of sounds whose values are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from duologue.listen.prosody import measure


def tone(f0: np.ndarray, rate: int, harmonics: int = 12, roll: float = -6.0) -> np.ndarray:
    """Harmonics of a moving F0 (Hz a sample), ``roll`` dB an octave."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    parts = [10 ** (roll * np.log2(k) / 20) * np.sin(k * phase) for k in range(1, harmonics + 1)]
    return 0.1 * np.sum(parts, axis=0)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("hz", [90.0, 200.0, 420.0])
def test_steady_pitch(hz: float, rate: int) -> None:
    m = measure(tone(np.full(rate, hz), rate), rate)
    assert m is not None
    assert m.f0_mean == pytest.approx(12 * np.log2(hz / 100), abs=0.1)
    assert m.f0_sd < 0.1 and abs(m.f0_slope) < 0.2
    assert m.voiced_share > 0.9 and m.pause_share == 0


def test_rising_pitch_has_its_slope() -> None:
    rate = 16_000
    t = np.arange(2 * rate) / rate
    m = measure(tone(150 * 2 ** (4 * t / 12), rate), rate)
    assert m is not None
    assert m.f0_slope == pytest.approx(4.0, abs=0.3)
    assert m.f0_final == pytest.approx(4.0, abs=0.8)
    assert m.f0_movement == pytest.approx(0.04, abs=0.02)


def test_level_pauses_and_silence_around() -> None:
    rate = 16_000
    x = tone(np.full(rate, 150.0), rate)
    quiet = np.zeros(rate // 2)
    m, half = measure(np.concatenate([quiet, x, quiet, x, quiet]), rate), measure(0.5 * x, rate)
    whole = measure(x, rate)
    assert m is not None and half is not None and whole is not None
    assert m.duration == pytest.approx(2.5, abs=0.1)
    assert m.pause_share == pytest.approx(0.2, abs=0.04)
    assert half.energy_mean - whole.energy_mean == pytest.approx(-6.02, abs=0.1)


def test_tilt_and_noise() -> None:
    rate = 16_000
    f0 = np.full(rate, 130.0)
    soft, bright = measure(tone(f0, rate, 30, -12.0), rate), measure(tone(f0, rate, 30, -6.0), rate)
    assert soft is not None and bright is not None
    assert bright.tilt - soft.tilt == pytest.approx(6.0, abs=1.5)
    assert bright.alpha > soft.alpha and bright.centroid > soft.centroid
    x = tone(f0, rate)
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, x.std() * 10 ** (-10 / 20), len(x))
    rough = measure(x + noise, rate)
    assert rough is not None
    assert rough.hnr == pytest.approx(10.0, abs=2.5)


@pytest.mark.parametrize("x", [np.zeros(0), np.zeros(16_000), np.zeros(100), np.full(16_000, 0.5)])
def test_nothing_voiced_is_none(x: np.ndarray) -> None:
    assert measure(x, 16_000) is None
