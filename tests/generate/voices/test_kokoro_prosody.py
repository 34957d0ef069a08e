"""The pitch that is put between the network's halves, on contours whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest

from duologue.generate.prosody import Prosody
from duologue.generate.voices.kokoro_network import Features
from duologue.generate.voices.kokoro_prosody import edit

STEP = 0.0125
STEPS = 160  # two seconds of voicing, then a slide to zero


def features() -> Features:
    """Two seconds about 150 Hz that wave, jitter and fall at the end; unvoiced before and after."""
    t = np.arange(STEPS) * STEP
    st = 2.0 * np.sin(2 * np.pi * 1.1 * t) + 0.4 * np.sin(2 * np.pi * 5.0 * t) - np.maximum(0.0, t - 1.7) * 20
    f0 = np.concatenate([np.full(20, 5.0), 150 * np.exp2(st / 12), np.full(20, 5.0)]).astype(np.float32)
    frames = len(f0) // 2
    return Features(
        np.zeros((512, frames), np.float32), f0, np.zeros(2 * frames, np.float32), np.full(frames, 1, np.int64)
    )


def contour(prosody: Prosody) -> tuple[np.ndarray, np.ndarray]:
    """(seconds, semitones) of the voiced steps that are more than 25 ms inside voicing, as ``prosody`` asks."""
    changed, _ = edit(features(), [], prosody, last=True)
    inside = slice(20 + 2, 20 + STEPS - 2)
    return np.arange(STEPS - 4) * STEP, 12 * np.log2(changed.f0[inside].astype(float))


def slope(t: np.ndarray, st: np.ndarray) -> float:
    return float(np.polyfit(t, st, 1)[0])


NEUTRAL_T, NEUTRAL_ST = contour(Prosody(f0_shift=1e-9))
END = NEUTRAL_T[-1] - 0.3 < NEUTRAL_T


@pytest.mark.parametrize(
    "asked",
    [
        {"f0_final": 25.0},
        {"f0_final": -15.0, "f0_range": 1.4},
        {"f0_slope": 2.0, "f0_final": 20.0, "f0_range": 1.6, "f0_shift": 5.0},
        {"f0_slope": 0.8, "f0_range": 0.9, "movement": 1.3},
    ],
)
def test_level_spread_slope_and_end_come_out_together_as_asked(asked: dict[str, float]) -> None:
    t, st = contour(Prosody(**asked))
    assert st.mean() - NEUTRAL_ST.mean() == pytest.approx(asked.get("f0_shift", 0.0), abs=0.05)
    assert slope(t, st) - slope(t, NEUTRAL_ST) == pytest.approx(asked.get("f0_slope", 0.0), abs=0.1)
    # Whatever range and slope do to the end, it differs from the neutral end by what is asked.
    assert slope(t[END], st[END]) - slope(t[END], NEUTRAL_ST[END]) == pytest.approx(asked.get("f0_final", 0.0), abs=1.5)
    assert st.std() / NEUTRAL_ST.std() == pytest.approx(asked.get("f0_range", 1.0), rel=0.03)


def test_only_voiced_steps_change_and_an_utterance_that_goes_on_is_not_bent() -> None:
    asked = Prosody(f0_final=30.0)
    whole, _ = edit(features(), [], asked, last=True)
    part, _ = edit(features(), [], asked, last=False)
    plain = features().f0
    assert np.array_equal(whole.f0[:20], plain[:20]) and np.array_equal(whole.f0[-20:], plain[-20:])
    assert np.abs(whole.f0 - plain).max() > 20
    assert np.allclose(part.f0, plain, rtol=1e-3)


def test_a_slide_into_voicing_moves_as_its_neighbour_does() -> None:
    sliding = features()
    sliding.f0[18:20] = (60.0, 110.0)
    changed, _ = edit(sliding, [], Prosody(f0_shift=4.0), last=True)
    ratio = changed.f0[18:24] / sliding.f0[18:24]
    assert np.allclose(ratio, ratio[-1], rtol=0.02) and ratio[-1] == pytest.approx(2 ** (4 / 12), rel=0.02)
