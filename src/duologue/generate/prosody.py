"""Prosody: how an utterance is to be spoken, relative to the speaker's own neutral reading of it."""

from __future__ import annotations

import msgspec


class Prosody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Differences and ratios to the same speaker's neutral rendering of the same words.

    ``f0_shift``  semitones added to the mean of voiced F0.
    ``f0_range``  ratio of F0's standard deviation (in semitones) about its mean.
    ``f0_slope``  semitones per second added over the whole utterance.
    ``f0_final``  semitones per second added over the last 0.3 s of voicing.
    ``movement``  ratio of frame-to-frame F0 movement (1 leaves it).
    ``tempo``     ratio of duration (1.2 is 20% longer, that is slower).
    ``gain``      dB of output level. Scenes decide how much of it survives a microphone's level.
    ``energy_range`` dB added to the standard deviation of frame energy.
    ``tilt``      dB per octave added to the spectral slope (positive: brighter, more effort).
    ``breath``    dB by which the harmonics-to-noise ratio falls (positive: breathier, rougher).
    ``emphasis``  code point span of the word to lift, ``emphasis_st`` by how many semitones.
    ``pauses``    (code point offset, seconds) of expressive pauses at word boundaries.
    """

    f0_shift: float = 0.0
    f0_range: float = 1.0
    f0_slope: float = 0.0
    f0_final: float = 0.0
    movement: float = 1.0
    tempo: float = 1.0
    gain: float = 0.0
    energy_range: float = 0.0
    tilt: float = 0.0
    breath: float = 0.0
    emphasis: tuple[int, int] | None = None
    emphasis_st: float = 0.0
    pauses: tuple[tuple[int, float], ...] = ()


NEUTRAL = Prosody()
