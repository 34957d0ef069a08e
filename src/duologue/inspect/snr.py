"""Signal over noise in one channel, estimated from where speech is annotated and where nobody speaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duologue.corpus.interval import Intervals, normalise, subtract

# Frames of 20 ms within 30 dB of the loudest are active speech, as where a scene sets its level.
FRAME, RANGE_DB = 0.02, 30.0
# Room and breath ring on after speech; this much on both sides is neither.
GUARD = 0.25
LEAST = 0.3


def snr(samples: npt.NDArray[np.float32], rate: int, speech: Intervals, other: Intervals) -> float | None:
    """dB of active ``speech`` over what is heard where neither it nor ``other`` sound is.

    ``speech`` and ``other`` are interval arrays in samples of ``samples`` (mono). The noise under the speech is taken
    off: 10 log10((P_speech - P_noise) / P_noise). None where less than 0.3 s of either is left, where the noise is
    digital silence, or where speech is no louder than it.
    """
    guard = round(GUARD * rate)
    busy = np.concatenate([speech, other])
    busy = np.stack([np.maximum(busy[:, 0] - guard, 0), np.minimum(busy[:, 1] + guard, len(samples))], axis=1)
    quiet = subtract(np.array([[0, len(samples)]], np.int64), normalise(busy))
    voice = _frames(samples, rate, subtract(normalise(speech), normalise(other)))
    noise = _frames(samples, rate, quiet)
    if min(len(voice), len(noise)) * FRAME < LEAST:
        return None
    voice = voice[voice >= voice.max() * 10 ** (-RANGE_DB / 10)]
    below, above = float(noise.mean()), float(voice.mean())
    if below <= 0 or above <= below:
        return None
    return float(10 * np.log10((above - below) / below))


def _frames(samples: npt.NDArray[np.float32], rate: int, spans: Intervals) -> npt.NDArray[np.float64]:
    """Power of each whole frame inside ``spans``."""
    size = round(FRAME * rate)
    parts = [
        np.square(samples[a : a + (b - a) // size * size].astype(np.float64)).reshape(-1, size).mean(axis=1)
        for a, b in spans
    ]
    return np.concatenate(parts) if parts else np.empty(0)
