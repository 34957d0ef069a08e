"""The outline of a waveform, small enough to draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Envelope = npt.NDArray[np.float32]


def envelope(samples: npt.NDArray[np.float32], bins: int) -> Envelope:
    """Lowest and highest sample of each of ``bins`` equal stretches of ``samples`` [frames]: float32 [bins, 2].

    Fewer samples than bins give one bin a sample.
    """
    bins = max(1, min(bins, len(samples)))
    edges = np.linspace(0, len(samples), bins + 1).astype(np.int64)[:-1]
    if not len(samples):
        return np.zeros((1, 2), np.float32)
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)], axis=1)
