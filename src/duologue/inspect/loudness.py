"""Programme loudness after ITU-R BS.1770-4, of one channel.

The recommendation gives the two filters of the K-weighting as coefficients for 48 kHz alone. Here they are applied by
their frequency response, which is read off at the true frequency, so that any rate is weighted alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Blocks of 400 ms every 100 ms; those at or below the absolute gate do not count, and is the least that is told.
GATE = -70.0
_STEP, _STEPS = 0.1, 4
# Tables 1 and 2 of the recommendation, at 48 kHz: (b0, b1, b2), (1, a1, a2).
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_CHUNK, _LEAD = 300, 10  # steps filtered at once, and those before them that let the filters settle


def loudness(samples: npt.ArrayLike, rate: int) -> float:
    """Integrated loudness in LUFS of mono ``samples`` in [-1, 1] at ``rate`` Hz.

    :data:`GATE` where nothing passes the absolute gate, also for what is shorter than one block of 0.4 s.
    """
    x = np.asarray(samples, np.float64)
    step = round(_STEP * rate)
    steps = len(x) // step
    if steps < _STEPS:
        return GATE
    power = np.empty(steps)
    for first in range(0, steps, _CHUNK):
        last, lead = min(first + _CHUNK, steps), max(0, first - _LEAD)
        weighted = _weighted(x[lead * step : last * step], rate)[(first - lead) * step :]
        power[first:last] = np.square(weighted).reshape(-1, step).mean(axis=1)
    blocks = np.convolve(power, np.full(_STEPS, 1 / _STEPS), "valid")
    blocks = blocks[_lufs(blocks) > GATE]
    if not len(blocks):
        return GATE
    blocks = blocks[_lufs(blocks) > _lufs(blocks.mean()) - 10]
    return max(GATE, float(_lufs(blocks.mean())))


def _lufs(power: npt.ArrayLike) -> Floats:
    return -0.691 + 10 * np.log10(np.maximum(np.asarray(power, np.float64), 1e-30))


def _weighted(x: Floats, rate: int) -> Floats:
    """``x`` through both filters; zeros behind it keep its end from its beginning."""
    size = 1 << (len(x) + rate - 1).bit_length()
    hz = np.minimum(np.fft.rfftfreq(size, 1 / rate), 24_000)
    z = np.exp(-2j * np.pi * hz / 48_000)
    response = np.ones(len(z), np.complex128)
    for b, a in (_SHELF, _HIGH_PASS):
        response *= (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)
    return np.fft.irfft(np.fft.rfft(x, size) * response, size)[: len(x)]
