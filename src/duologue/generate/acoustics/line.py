"""What lies between the microphone and the ear: telephone band, lost packets, echo; and turning away."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import numpy as np
import numpy.typing as npt

from duologue.generate.acoustics.kernel import RATE, Kernel, kernel

TELEPHONE = (300.0, 3400.0)  # Hz, ITU-T G.712's pass band


def _windowed(gain: npt.NDArray[np.float64], half: int) -> Kernel:
    """A linear-phase filter of 2 * ``half`` + 1 taps with amplitude ``gain`` on an even grid from 0 Hz to RATE / 2."""
    response = np.fft.irfft(gain)
    taps = np.concatenate([response[-half:], response[: half + 1]]) * np.hanning(2 * half + 3)[1:-1]
    return kernel(taps, half)


def _grid() -> npt.NDArray[np.float64]:
    return np.linspace(0.0, RATE / 2, 2049)


@lru_cache(maxsize=1)
def telephone() -> Kernel:
    """300-3400 Hz, nothing above 4 kHz: what is left of a voice after a line sampled at 8 kHz. 16 ms long."""
    f = _grid()
    low, high = TELEPHONE
    rise = np.clip((f - low + 60.0) / 120.0, 0.0, 1.0)
    fall = np.clip((high + 200.0 - f) / 400.0, 0.0, 1.0)
    return _windowed(np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2, 192)


@lru_cache(maxsize=256)
def off_axis(azimuth: int) -> Kernel:
    """A gentle low-pass for a speaker who faces ``azimuth`` degrees away from the microphone.

    The loss grows with frequency above 500 Hz to about 9 dB at 8 kHz behind the head, in the order of measured
    speech directivity (Chu and Warnock 2002); level is a separate draw.
    """
    away = (1.0 - np.cos(np.radians(azimuth))) / 2.0
    octaves = np.log2(np.maximum(_grid(), 500.0) / 500.0)
    return _windowed(10.0 ** (-2.25 * away * octaves / 20.0), 32)


@lru_cache(maxsize=256)
def echo_path(delay: int, band: str) -> Kernel:
    """A small loudspeaker heard in the microphone ``delay`` samples late: 250-5000 Hz and a few reflections.

    Unit level; in a telephone ``band`` the line's filter follows.
    """
    from duologue.generate.acoustics.kernel import chain

    f = _grid()
    gain = (f / np.hypot(f, 250.0)) / np.sqrt(1.0 + (f / 5000.0) ** 4)
    speaker = _windowed(gain, 64)
    room = np.zeros(delay + 400)
    for late, level in ((0, 1.0), (37, -0.35), (113, 0.22), (251, -0.12), (389, 0.07)):
        room[delay + late] = level
    path = chain(speaker, kernel(room / np.sqrt(np.sum(room**2)), 0))
    return chain(path, telephone()) if band == "telephone" else path


def lost_packets(length: int, share: float, burst: float, rng: Random) -> list[tuple[int, int]]:
    """Half-open intervals of lost samples: bursts of ``burst`` seconds that make up ``share`` of ``length`` samples.

    Bursts start on the grid of 20 ms packets and never touch. The expected share is exact; the number of bursts
    is rounded up or down at random.
    """
    packet = RATE // 50
    size = max(1, round(burst * RATE / packet)) * packet
    slots = length // size
    wanted = share * length / size
    count = min(slots, int(wanted) + (rng.random() < wanted % 1.0))
    return [(s * size, (s + 1) * size) for s in sorted(rng.sample(range(slots), count))]
