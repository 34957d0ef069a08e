"""The level of an utterance, which a voice sets, so that loudness is told by ``Prosody.gain`` alone.

A synthesiser's own level moves by several dB with pitch, tilt and text. Left as it is, shouts would come out too soft.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

NEUTRAL_DB = -26.0  # dBFS, mean_level of a reading without gain
_SOUNDING = 25.0  # dB below the loud frames that still count as sound


def mean_level(samples: npt.NDArray[Any], frame: int) -> float:
    """Mean level in dB of the sounding frames of ``frame`` samples: what a listener takes for loudness here
    (``energy_mean`` of :mod:`duologue.listen.prosody`). A frame sounds within 25 dB of the 95th percentile.

    ``NEUTRAL_DB`` for less than a frame of samples, or for silence.
    """
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return NEUTRAL_DB
    level = 10 * np.log10(np.einsum("ij,ij->i", frames, frames) / frame + 1e-14)
    loud = float(np.quantile(level, 0.95))
    return float(level[level > loud - _SOUNDING].mean()) if loud > -100.0 else NEUTRAL_DB
