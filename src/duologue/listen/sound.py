"""Where anything can be heard, speech or not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duologue.corpus.interval import Intervals, merge_gaps

# Quieter than this no listener hears in a call; a played-back channel is digital silence between its turns.
FLOOR_DB = -60.0
# Nor what lies this far below the channel's own loud moments, such as the noise of its line.
RANGE_DB = 40.0
_FRAME = 0.005


def audible(samples: npt.NDArray[np.float32], rate: int, *, gap: float = 0.1) -> Intervals:
    """Stretches of ``samples`` [frames] in [-1, 1] that are audible, int64 [k, 2] in samples.

    A frame of 5 ms is audible where its RMS is above both ``FLOOR_DB`` (dB full scale) and the 95th percentile of the
    frames above the floor less ``RANGE_DB``. Silences up to ``gap`` seconds are filled; stretches under 10 ms are
    clicks and left out. Edges are set to the first and last sample that reaches the threshold, so that they are exact
    beside digital silence.
    """
    size = max(1, round(_FRAME * rate))
    count = len(samples) // size
    if not count:
        return np.empty((0, 2), np.int64)
    frames = samples[: count * size].reshape(count, size)
    power = np.einsum("ij,ij->i", frames, frames) / size
    floor = 10 ** (FLOOR_DB / 10)
    loud = power[power > floor]
    if not len(loud):
        return np.empty((0, 2), np.int64)
    threshold = max(floor, float(np.percentile(loud, 95)) * 10 ** (-RANGE_DB / 10))
    flags = np.zeros(count + 2, np.int8)
    flags[1:-1] = power > threshold
    change = np.flatnonzero(np.diff(flags))
    spans = change.reshape(-1, 2).astype(np.int64) * size
    spans = merge_gaps(spans, gap * rate)
    spans = spans[spans[:, 1] - spans[:, 0] >= rate // 100]
    level = np.sqrt(threshold)
    for row in spans:
        inside = np.flatnonzero(np.abs(samples[row[0] : row[1]]) >= level)
        if len(inside):
            row[1] = row[0] + inside[-1] + 1
            row[0] += inside[0]
    return spans
