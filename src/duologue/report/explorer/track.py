"""The sound of one audio file inside an explorer: an outline to draw and a compressed copy to play."""

from __future__ import annotations

import base64

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio
from duologue.corpus.read import OpenDialogue
from duologue.report.sound import data_address
from duologue.report.waveform import envelope

# Columns of outline a second: four times what a screen shows of a minute.
BINS = 50
# Seconds of a dialogue that can be heard and drawn; longer ones are cut, and say so.
LONGEST = 600.0
# A browser has two ears: further channels are counted, not played.
CHANNELS = 2
# Seconds around a twin's own stretch: what an encoder smears at its edges is thrown away.
_MARGIN = 0.25


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One audio file as drawn: ``seconds`` whole, ``shown`` of them here.

    ``outline`` holds, for each shown channel, base64 of int8 pairs (lowest, highest), ``BINS`` a second, where 127 is
    ``peak`` (of full scale).
    """

    audio: str
    rate: int
    seconds: float
    shown: float
    channels: int
    peak: float
    outline: tuple[str, ...]


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What is played: the ``main`` file, and of its twin the stretch ``twin`` that differs, from ``twin_from`` s on.

    Both are data addresses. ``twin_from`` to ``twin_to`` replace the same stretch of the main file; what ``twin``
    holds begins ``twin_lead`` seconds earlier.
    """

    main: str
    twin: str = ""
    twin_from: float = 0.0
    twin_to: float = 0.0
    twin_lead: float = 0.0


def track(item: OpenDialogue, entry: Audio) -> Track:
    """Outline of ``entry``; UserError where the file is missing or broken."""
    x = _samples(item, entry)
    peak = max(float(np.abs(x).max(initial=0)), 1e-4)
    bins = max(1, round(BINS * len(x) / entry.sample_rate))
    outline = tuple(
        base64.b64encode(np.rint(envelope(x[:, c], bins) / peak * 127).astype(np.int8).tobytes()).decode("ascii")
        for c in range(x.shape[1])
    )
    return Track(
        audio=entry.id,
        rate=entry.sample_rate,
        seconds=entry.length / entry.sample_rate,
        shown=len(x) / entry.sample_rate,
        channels=len(entry.channels),
        peak=round(peak, 4),
        outline=outline,
    )


def sound(item: OpenDialogue, main: Audio, twin: Audio | None) -> Sound:
    """The compressed copy of ``main``, and of ``twin`` no more than differs from it."""
    heard = data_address(_samples(item, main), main.sample_rate)
    if twin is None or twin.twin is None:
        return Sound(main=heard)
    rate, (start, end) = twin.sample_rate, twin.twin.differs
    end = min(end, round(LONGEST * rate))
    if start >= end:
        return Sound(main=heard)
    low, high = max(0, start - round(_MARGIN * rate)), min(twin.length, end + round(_MARGIN * rate))
    piece, _ = item.audio(which=twin.id, start=low, end=high)
    return Sound(
        main=heard,
        twin=data_address(np.asarray(piece[:, :CHANNELS], np.float32), rate),
        twin_from=start / rate,
        twin_to=end / rate,
        twin_lead=(start - low) / rate,
    )


def _samples(item: OpenDialogue, entry: Audio) -> npt.NDArray[np.float32]:
    end = min(entry.length, round(LONGEST * entry.sample_rate))
    samples, _ = item.audio(which=entry.id, end=end)
    return np.asarray(samples[:, :CHANNELS], np.float32)
