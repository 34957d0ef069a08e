"""Is it the same person's voice: simple statistics of pitch and spectrum, no network.

Over the voiced frames of a stretch of speech: median pitch (autocorrelation, 60 to 400 Hz), and the mean cepstrum of
24 mel bands, coefficients 1 to 12, which leaves out the level. It tells a man from a woman and most strangers from
each other; people with like voices it confuses.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_RATE, _SIZE, _HOP, _BANDS = 16_000, 512, 256, 24
_LOWEST, _HIGHEST = 60.0, 400.0
# Spread of one voice from utterance to utterance: semitones of median pitch, units of mean cepstrum.
_PITCH_SPREAD, _SHAPE_SPREAD = 2.0, 0.55
# Voiced seconds below which nothing is said about a voice.
LEAST = 0.35
# Up to this distance it may be the same voice; in less than a second of it voices vary more.
SAME, SAME_SHORT = 1.8, 2.3


class VoicePrint(msgspec.Struct, frozen=True):
    """``pitch`` in semitones over 55 Hz, ``shape`` the mean cepstrum, ``level`` in dB full scale, ``seconds`` voiced
    of speech."""

    pitch: float
    shape: tuple[float, ...]
    level: float
    seconds: float

    def distance(self, other: VoicePrint) -> float:
        """0 for the same statistics; about 1 is what one person varies by, from 2 on it is somebody else."""
        pitch = abs(self.pitch - other.pitch) / _PITCH_SPREAD
        gap = np.subtract(self.shape, other.shape)
        shape = math.sqrt(float(np.mean(gap**2))) / _SHAPE_SPREAD
        return math.hypot(pitch, shape) / math.sqrt(2)

    def joined(self, other: VoicePrint) -> VoicePrint:
        """Both together, weighted by their seconds (at most 20 of the first, so that it keeps learning)."""
        a, b = min(self.seconds, 20.0), other.seconds

        def mean(x: float, y: float) -> float:
            return (a * x + b * y) / (a + b)

        return VoicePrint(
            mean(self.pitch, other.pitch),
            tuple(mean(x, y) for x, y in zip(self.shape, other.shape, strict=True)),
            mean(self.level, other.level),
            self.seconds + other.seconds,
        )


def voiceprint(samples: Floats) -> VoicePrint | None:
    """Of mono speech at 16 kHz; None where less than :data:`LEAST` s of it is voiced."""
    if len(samples) < _SIZE:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, _SIZE)[::_HOP] * np.hanning(_SIZE).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, 2 * _SIZE)) ** 2
    energy = power.sum(1)
    loud = energy > energy.max() * 10 ** (-25 / 10)
    periods = np.fft.irfft(power, axis=1)[:, :_SIZE]
    window = np.correlate(np.hanning(_SIZE), np.hanning(_SIZE), "full")[_SIZE - 1 :]
    first, last = int(_RATE / _HIGHEST), int(_RATE / _LOWEST)
    peaks = periods[:, first:last] / np.maximum(window[first:last] / window[0], 0.05) / (periods[:, :1] + 1e-12)
    voiced = loud & (peaks.max(1) > 0.5)
    seconds = float(voiced.sum()) * _HOP / _RATE
    if seconds < LEAST:
        return None
    # The shortest period nearly as good as the best: the best may be twice the true one.
    rows = peaks[voiced]
    lags = first + np.argmax(rows >= 0.85 * rows.max(1, keepdims=True), axis=1)
    pitch = 12 * np.log2(_RATE / lags / 55.0)
    bands = np.log(power[voiced] @ _bank().T + 1e-10)
    order = np.arange(1, 13)[:, None] * (np.arange(_BANDS) + 0.5)[None] * np.pi / _BANDS
    cepstrum = bands @ (np.cos(order) * math.sqrt(2 / _BANDS)).T
    level = 10 * math.log10(float(np.mean(frames[voiced] ** 2)) + 1e-12)
    return VoicePrint(float(np.median(pitch)), tuple(map(float, cepstrum.mean(0))), level, seconds)


def _bank() -> npt.NDArray[np.float64]:
    """Triangles of 24 mel bands from 100 to 7000 Hz over the bins of a spectrum, [24, 513]."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (100.0, 7000.0))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(2 * _SIZE, 1 / _RATE)
    up = (hz[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - hz[None]) / (edges[2:] - edges[1:-1])[:, None]
    bank: npt.NDArray[np.float64] = np.clip(np.minimum(up, down), 0, None)
    return bank
