"""What a recorded line sounds like as a recording: edges, level, noise, clipping. No recogniser, no network."""

from __future__ import annotations

import msgspec
import numpy as np

from duologue.listen.level import clipped
from duologue.recordings.take import Samples

FRAME = 0.01  # s
# Speech is what lies within 40 dB of the loudest frames and 6 dB above the noise, but no higher than 15 dB below them.
_RANGE_DB, _OVER_NOISE_DB, _LEAST_DB = 40.0, 6.0, 15.0
# So many equal samples at the peak are a flat top, whatever the level was turned to afterwards.
_FLAT, _FLAT_PEAK = 5, 0.1


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """``onset`` and ``offset`` of the speech, in samples; the rest in s and dBFS. ``level_db`` is the mean power of the
    frames of speech, ``noise_db`` the 10th percentile of the levels outside it (of all where it leaves less than
    0.1 s). ``clipped`` counts samples at full scale or in a flat top.
    """

    seconds: float
    onset: int
    offset: int
    lead: float
    trail: float
    peak_db: float
    level_db: float
    noise_db: float
    clipped: int


def measure(samples: Samples, rate: int) -> Measured:
    """Measure mono ``samples``; silence has ``onset`` = ``offset`` = 0 and levels of -100 dB."""
    size = max(1, round(FRAME * rate))
    whole = samples[: max(1, len(samples) // size) * size]
    frames = whole.reshape(-1, size) if len(whole) >= size else whole[None]
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    level = 10 * np.log10(power + 1e-10)
    loud, noise = float(np.quantile(level, 0.95)), float(np.quantile(level, 0.1))
    threshold = max(loud - _RANGE_DB, min(noise + _OVER_NOISE_DB, loud - _LEAST_DB))
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    # Two frames running: a click is no speech.
    sounding = level > threshold
    if len(sounding) > 1:
        pairs = sounding[:-1] & sounding[1:]
        sounding = np.concatenate([pairs, [False]]) | np.concatenate([[False], pairs])
    places = np.flatnonzero(sounding)
    silence = not len(places) or loud <= -99.0
    onset = 0 if silence else int(places[0]) * size
    offset = 0 if silence else min(len(samples), (int(places[-1]) + 1) * size)
    if not silence and len(level) - len(places) >= round(0.1 / FRAME):
        noise = float(np.quantile(level[~sounding], 0.1))
    return Measured(
        seconds=len(samples) / rate,
        onset=onset,
        offset=offset,
        lead=onset / rate,
        trail=(len(samples) - offset) / rate,
        peak_db=20 * float(np.log10(max(peak, 1e-5))),
        level_db=-100.0 if silence else float(10 * np.log10(power[sounding].mean() + 1e-10)),
        noise_db=noise,
        clipped=_clipped(samples, peak),
    )


def _clipped(samples: Samples, peak: float) -> int:
    spans = clipped(samples)
    if len(spans):
        return int((spans[:, 1] - spans[:, 0]).sum())
    if peak < _FLAT_PEAK:
        return 0
    count = 0
    for top in (float(samples.max()), float(samples.min())):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], (samples == np.float32(top)).astype(np.int8), [0]])))
        length = edges[1::2] - edges[::2]
        count += int(length[length >= _FLAT].sum()) if abs(top) >= _FLAT_PEAK else 0
    return count
