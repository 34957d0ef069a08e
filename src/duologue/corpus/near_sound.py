"""Recordings that are nearly the same: one under another name, at another level, or through another format.

A recording is drawn as a grid: 32 equal stretches of its length by 17 bands from 150 to 3,800 Hz (telephone to voice),
each with the energy that falls there. Of each cell one bit is kept: whether the step to the next band grew since the
stretch before, the bit of Haitsma and Kalker ("A highly robust audio fingerprinting system", ISMIR 2002). A gain moves
no bit, a codec few. Recordings of nearly one length whose bits differ in less than :data:`NEAR` are near-identical;
those of different recordings differ in half.

This finds a copy that begins and ends where its original does. For trimmed, mixed or changed copies there is
``duologue audit``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

NEAR = 0.28
# Shorter recordings hold too little to tell: a word of the same voice can be like another.
SHORTEST = 1.5
# A codec may add so much (s), or this share of the length.
_LONGER, _SHARE = 0.12, 0.004
_SLICES, _BANDS, _FRAME = 32, 17, 0.032
_LOW, _HIGH = 150.0, 3_800.0
SIZE = (_SLICES - 1) * (_BANDS - 1) // 8


class Listener:
    """Hears one channel block by block, and tells its bits; keeps the energies of each frame, 0.5 kB a second."""

    def __init__(self, rate: int) -> None:
        self.rate, self.length = rate, 0
        self._size = max(64, round(_FRAME * rate))
        edges = np.geomspace(_LOW, _HIGH, _BANDS + 1) * self._size / rate
        # Every band holds a line of the spectrum at least.
        low = np.ceil(edges).astype(int)
        for k in range(1, len(low)):
            low[k] = max(low[k], low[k - 1] + 1)
        self._edges = np.minimum(low, self._size // 2)
        self._window = np.hanning(self._size)
        self._rest: Doubles = np.empty(0)
        self._energies: list[Doubles] = []

    def hear(self, samples: npt.NDArray[np.int16]) -> None:
        """Take the next int16 samples [n]."""
        self.length += len(samples)
        x = np.concatenate([self._rest, samples.astype(np.float64)])
        whole = len(x) // self._size
        frames = x[: whole * self._size].reshape(whole, self._size)
        self._rest = x[whole * self._size :]
        if whole:
            power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
            summed = np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 0)))
            self._energies.append(summed[:, self._edges[1:]] - summed[:, self._edges[:-1]])

    def bits(self) -> Bits | None:
        """The recording's bits, uint8 [62]; None where it is too short, or silent in most of its stretches."""
        if self.length < SHORTEST * self.rate or not self._energies:
            return None
        energies = np.concatenate(self._energies)
        # Frames at their places in the 32 stretches, shared between two where a border cuts them.
        total = np.pad(np.cumsum(energies, axis=0), ((1, 0), (0, 0)))
        at = np.linspace(0, min(len(energies), self.length / self._size), _SLICES + 1)
        below = np.minimum(at.astype(int), len(energies) - 1)
        upto = total[below] + (at - below)[:, None] * energies[below]
        grid = np.diff(upto, axis=0)
        if np.count_nonzero(grid.sum(axis=1) > 0) < _SLICES // 2:
            return None
        # Far below its loudest, a recording holds what a codec makes of silence.
        log = np.log(grid + 1e-5 * grid.max() + 1e-9)
        step = np.diff(log, axis=1)
        return np.packbits((np.diff(step, axis=0) > 0).ravel())


def pairs(
    bits: npt.NDArray[np.uint8], seconds: Doubles, splits: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    """(i, j, share of bits that differ) of near-identical rows of ``bits`` [n, 62] of different ``splits`` [n]."""
    order = np.argsort(seconds, kind="stable")
    words = np.pad(bits, ((0, 0), (0, -SIZE % 8))).view(np.uint64)[order]
    long, side = seconds[order], splits[order]
    ends = np.searchsorted(long, long + np.maximum(_LONGER, _SHARE * long), side="right")
    for a, end in enumerate(ends):
        if end <= a + 1:
            continue
        differing = np.bitwise_count(words[a + 1 : end] ^ words[a]).sum(axis=1) / (8 * SIZE)
        for k in np.flatnonzero((differing < NEAR) & (side[a + 1 : end] != side[a])):
            i, j = sorted((int(order[a]), int(order[a + 1 + k])))
            yield i, j, float(differing[k])
