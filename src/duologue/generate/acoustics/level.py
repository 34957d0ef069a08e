"""Levels: active speech level, decibels, final scale."""

from __future__ import annotations

import math

import numpy as np

from duologue.generate.acoustics.kernel import Samples

FRAME = 320  # samples: 20 ms
GATE = 1e-3  # of the loudest frame's energy (-30 dB): quieter frames count as pauses
CEILING = 0.89  # largest sample allowed, -1 dBFS


def amplitude(db: float) -> float:
    """10^(db / 20)."""
    return float(10.0 ** (db / 20.0))


def decibel(value: float) -> float:
    """20 log10(value), -200 at and near zero."""
    return 20.0 * math.log10(max(value, 1e-10))


def soften(db: float, limit: float) -> float:
    """limit * tanh(db / limit): near zero as it is, large values towards plus or minus ``limit``; 0 for limit 0."""
    return limit * math.tanh(db / limit) if limit else 0.0


def active_energy(sound: Samples) -> tuple[float, int]:
    """(sum of squares, number of samples) over the active 20 ms frames.

    A frame is active within 30 dB of the loudest one: a simple form of ITU-T P.56's active speech level, which
    needs no history and suits single utterances. (0, 0) for nothing or silence.
    """
    if len(sound) < FRAME:
        return float(np.dot(sound, sound)), len(sound)
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.einsum("ij,ij->i", frames, frames)
    active = energy >= max(float(energy.max()) * GATE, 1e-20)
    return float(energy[active].sum(dtype=np.float64)), int(active.sum()) * FRAME


def active_rms(sound: Samples) -> float:
    """Root mean square over the active frames, 0 for silence."""
    energy, count = active_energy(sound)
    return math.sqrt(energy / count) if count else 0.0


def peak(sound: Samples) -> float:
    """The largest absolute sample, 0 for nothing."""
    return max(float(sound.max()), -float(sound.min())) if len(sound) else 0.0
