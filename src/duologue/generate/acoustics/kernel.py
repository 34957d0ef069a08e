"""A linear path from a mouth to a channel, and its fast convolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
RATE = 16_000  # Hz, of everything that a scene mixes


@dataclass(frozen=True, slots=True)
class Kernel:
    """An impulse response ``taps`` whose direct path is sample ``lead``, with its spectrum at ``size`` points.

    Convolution is by overlap-add in blocks of ``size`` (a power of two, at least three times the taps), so that the
    spectrum is computed once per kernel.
    """

    taps: Samples
    lead: int
    size: int
    spectrum: npt.NDArray[np.complex64]

    @property
    def tail(self) -> int:
        """Samples by which a sound rings on."""
        return len(self.taps) - 1 - self.lead

    def apply(self, sound: Samples) -> Samples:
        """Full convolution, float32 [len(sound) + len(taps) - 1]; sample ``lead`` of it lies at sound[0]'s time."""
        if len(self.taps) == 1:
            return np.asarray(sound * self.taps[0], np.float32)
        n = len(sound)
        hop = self.size - len(self.taps) + 1
        blocks = -(-n // hop)
        framed = np.zeros((blocks, self.size), np.float32)
        padded = np.zeros(blocks * hop, np.float32)
        padded[:n] = sound
        framed[:, :hop] = padded.reshape(blocks, hop)
        wet = np.fft.irfft(np.fft.rfft(framed) * self.spectrum, self.size)
        out = np.zeros(blocks * hop + self.size - hop, np.float32)
        for b in range(blocks):
            out[b * hop : b * hop + self.size] += wet[b]
        return out[: n + len(self.taps) - 1]


def kernel(taps: npt.NDArray[np.floating], lead: int) -> Kernel:
    """Make a kernel of ``taps`` with its direct path at ``lead``."""
    taps32 = np.ascontiguousarray(taps, np.float32)
    size = max(4096, 1 << (3 * len(taps32) - 1).bit_length())
    return Kernel(taps32, lead, size, np.fft.rfft(taps32, size).astype(np.complex64))


IDENTITY = kernel(np.ones(1), 0)


def chain(*parts: Kernel) -> Kernel:
    """The path through all ``parts`` in turn."""
    taps, lead = np.ones(1), 0
    for part in parts:
        n = len(taps) + len(part.taps) - 1
        size = 1 << (n - 1).bit_length()
        taps = np.fft.irfft(np.fft.rfft(taps, size) * np.fft.rfft(part.taps.astype(np.float64), size), size)[:n]
        lead += part.lead
    return kernel(taps, lead)
