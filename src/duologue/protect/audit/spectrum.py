"""The picture of a sound that fingerprints are cut from: its energy on a scale of semitones, every 20 ms."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Spectrum = npt.NDArray[np.float32]

RATE = 8_000  # Hz: what a telephone leaves is enough
HOP = 160  # samples: 20 ms
FRAME = HOP / RATE  # seconds
_WINDOW = 512  # samples: 64 ms
ROWS = 50  # semitones up from 200 Hz, to 3.4 kHz
_LOWEST = 200.0
_HALF_WIDTH = 2.5  # semitones of a triangular filter, so that harmonics run together above 500 Hz
_FLOOR = 1e-3  # of the loudest frame within a second: what lies 30 dB below it says nothing
_SILENCE = 1e-7  # of full scale, squared and summed over a window: digital silence


@cache
def _bank() -> npt.NDArray[np.float32]:
    bins = np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW
    semitones = 12 * np.log2(np.maximum(bins, 1.0) / _LOWEST)
    weights = np.zeros((len(bins), ROWS), np.float32)
    for row in range(ROWS):
        centre = _LOWEST * 2 ** (row / 12)
        # Low down a semitone is narrower than a bin of the transform: no filter is narrower than 1.3 of them.
        half = max(_HALF_WIDTH, 12 * np.log2((centre + 1.3 * RATE / _WINDOW) / centre))
        weights[:, row] = np.maximum(0.0, 1 - np.abs(semitones - row) / half)
    return np.asarray(weights / weights.sum(axis=0), np.float32)


def spectrum(samples: npt.NDArray[np.float32], rate: int) -> tuple[Spectrum, npt.NDArray[np.float32]]:
    """Natural log of energy [frames, 50] and loudness [frames] of mono ``samples`` at ``rate`` Hz, a frame each 20 ms.

    Frame k is centred on sample ``k * HOP`` of the sound at 8 kHz. Loudness is the mean energy over the rows.
    """
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, rate, RATE, quality="MQ")
    edge = np.zeros(_WINDOW // 2, np.float32)
    padded = np.concatenate([edge, samples, edge])
    cut = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    window = np.hanning(_WINDOW + 1)[:_WINDOW].astype(np.float32)
    energy = np.empty((len(cut), ROWS), np.float32)
    for at in range(0, len(cut), 2_048):
        bins = np.fft.rfft(cut[at : at + 2_048] * window)
        energy[at : at + 2_048] = (bins.real**2 + bins.imag**2) @ _bank()
    loudness = energy.mean(axis=1)
    floor = _FLOOR * _highest_near(loudness, round(1 / FRAME)) + _SILENCE
    return np.log(energy + floor[:, None]), loudness


def spoken(loudness: npt.NDArray[np.float32], above: float = 8.0) -> npt.NDArray[np.bool_]:
    """[frames]: does the frame stand out as speech does: 7 dB above what is always there (the 10% quantile of all) and
    no more than 20 dB below the loudest within 0.64 s?

    What lies within 14 dB of the loudest near by always does, but where that is not ``above`` times what is always
    there nothing does: a fan, rain, a room. Steady noise stays below 3 times; a room may bring speech down to 4.
    """
    if not len(loudness):
        return np.zeros(0, np.bool_)
    low = float(np.quantile(loudness, 0.1))
    high = _highest_near(loudness, round(0.64 / FRAME))
    enough = np.minimum(np.maximum(5.0 * low, 0.01 * high), 0.04 * high)
    return np.asarray((loudness > enough) & (high > max(above * low, 10 * _SILENCE)), np.bool_)


def _highest_near(x: npt.NDArray[np.float32], reach: int) -> npt.NDArray[np.float32]:
    """Maximum over [k - reach, k + reach] for each k, by doubling."""
    wide = 2 * reach + 1
    level = np.pad(x, reach, mode="edge")
    have = 1
    while 2 * have <= wide:
        level = np.maximum(level[:-have], level[have:])
        have *= 2
    if rest := wide - have:
        level = np.maximum(level[:-rest], level[rest:])
    return level
