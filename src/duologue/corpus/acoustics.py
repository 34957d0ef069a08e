"""How the scene around a dialogue sounds: noise, room, line."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import NotNegative, Share


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Where a speaker stands: metres from the microphone, degrees off its axis, gain in dB at the mic."""

    speaker: str
    distance: NotNegative
    azimuth: float = 0.0
    gain_db: float = 0.0


class Acoustics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Every acoustic draw of one dialogue.

    ``snr_db`` is the user's active speech level over the noise at the microphone. ``rt60`` in seconds, 0 for
    no room. ``packet_loss`` is a share of 20 ms frames. ``echo_db`` is the level of the system heard again in
    the user's microphone, relative to the system channel; absent where there is none.
    """

    noise: str = ""
    noise_source: Literal["", "generated", "recorded"] = ""
    snr_db: float | None = None
    room: str = ""
    rt60: NotNegative = 0.0
    positions: tuple[Position, ...] = ()
    band: Literal["wide", "telephone"] = "wide"
    packet_loss: Share = 0.0
    echo_db: float | None = None
