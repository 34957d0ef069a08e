"""Faults of level in one channel: clipping and digital silence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# A sample within 0.1% of full scale, three times running on one side: one such sample may be a fair peak.
FULL, RUN = 0.999, 3
# Zeros for 10 ms and longer are no sound of any room.
SILENCE = 0.01


def clipped(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Runs of at least :data:`RUN` samples at full scale on one side, int64 [k, 2] half-open, in order."""
    both = np.concatenate([_runs(samples >= FULL), _runs(samples <= -FULL)])
    both = both[both[:, 1] - both[:, 0] >= RUN]
    ordered: npt.NDArray[np.int64] = both[np.argsort(both[:, 0], kind="stable")]
    return ordered


def silent(samples: npt.NDArray[np.float32], rate: int) -> int:
    """Samples that are exactly 0 in runs of at least :data:`SILENCE` seconds."""
    runs = _runs(samples == 0)
    length = runs[:, 1] - runs[:, 0]
    return int(length[length >= SILENCE * rate].sum())


def _runs(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)
