"""When speech is first and last to be heard, to about a millisecond on a quiet background.

A speech detector of 32 ms frames, padded, says roughly where speech is: plain Silero is some 80 ms late at ends. Here
each segment's two edges are moved to where the sound really begins and ends. docs/hearing.md gives the formulas and
what they achieve. In short: sound is *audible* down to 40 dB below the segment's loudest 5 ms. Where the background
lies below that, the level alone decides. Where it lies above, the flanks are hidden, and what stands out of the
background's own spectrum decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.corpus.interval import Intervals
from duologue.errors import UserError
from duologue.listen.speech import Floats, checked

AUDIBLE_DB = 40.0  # below the loudest 5 ms of a segment
GAP = 0.08  # s of silence that one sound may hold: the closure before a plosive
REACH_QUIET = 1.0  # s: how far outside a segment its edge is looked for
REACH_NOISY = 0.1  # ... where the noise is less than NOISY_DB below the loudest; no end is looked for outside in noise
NOISY_DB = 25.0
NEAR = 2.0  # s around a segment whose background is its own
_PAD = 0.03  # s that segments are wider than what was detected
_BLOCKS = 5  # blocks of 1 ms a level is taken over
_FLOOR_DB = 3.0  # least distance of the noise's threshold from its median level
_SPREADS = 3.0  # ... and the same in spreads, the distance from the median down to the 16th percentile

Doubles = npt.NDArray[np.float64]


class _Edges(NamedTuple):
    start: int
    end: int


def refine(samples: Floats, rate: int, segments: Intervals) -> Intervals:
    """``segments`` with each edge moved to where its sound begins and ends; row i of the result is segment i.

    ``samples`` is mono float in [-1, 1] at ``rate`` Hz; ``segments`` are int64 ``[k, 2]`` in samples at ``rate``,
    sorted, disjoint and inside the signal, as a speech detector gives them. An edge never passes the middle of the gap
    to the next segment. A segment in which nothing stands out of the background stays as it is. UserError for a signal
    that is not finite or not mono, and for segments that are not as said.
    """
    samples = checked(samples)
    segments = _proper(segments, len(samples))
    if rate < 1_000:
        raise UserError("the sampling rate is too low", field="rate", value=rate, allowed=">= 1000 Hz")
    if not len(segments):
        return segments.copy()
    hop = round(rate / 1000)
    level = _level(samples, hop)
    outside = np.ones(len(level), np.bool_)
    for start, end in segments - [round(_PAD * rate), 0]:
        outside[max(0, start // hop - _BLOCKS) : -(-end // hop)] = False
    middle = (segments[:-1, 1] + segments[1:, 0]) // 2
    low, high = np.r_[0, middle], np.r_[middle, len(samples)]
    near = round(NEAR * rate)
    out = segments.copy()
    for i, (start, end) in enumerate(segments.tolist()):
        around = slice(max(0, start - near) // hop, (end + near) // hop)
        background = level[around][outside[around]]
        if not len(background):
            background = level[outside]
        loudest = float(level[start // hop : -(-end // hop)].max(initial=0.0))
        audible = loudest * 10 ** (-AUDIBLE_DB / 10)
        bounds = _Edges(int(low[i]), int(high[i]))
        if loudest == 0:
            continue
        noise = _threshold(background)
        if noise <= audible:
            found = _by_level(level, audible, hop, _Edges(start, end), bounds, rate)
        else:
            reach = REACH_NOISY if noise > loudest * 10 ** (-NOISY_DB / 10) else REACH_QUIET
            earliest = max(bounds.start, start - round(reach * rate))
            found = _by_spectrum(samples, rate, _Edges(start, end), earliest, segments)
        if found is not None and found.end > found.start:
            out[i] = found
    return out


def _proper(segments: Intervals, length: int) -> Intervals:
    x = np.asarray(segments, np.int64).reshape(-1, 2)
    flat = x.ravel()
    if len(x) and (flat[0] < 0 or flat[-1] > length or (np.diff(flat) < 0).any() or (x[:, 0] == x[:, 1]).any()):
        raise UserError(
            "the segments are not sorted, disjoint, non-empty and inside the signal",
            field="segments",
            value=x.tolist(),
            allowed=f"rows [start, end) in 0 to {length}",
        )
    return x


def _level(samples: Floats, hop: int) -> Doubles:
    """Mean power of every 5 ms at steps of 1 ms, the last ones cut short by the signal's end."""
    blocks = -(-len(samples) // hop)
    power = np.zeros(blocks + _BLOCKS - 1)
    whole = len(samples) // hop
    cut = samples[: whole * hop].reshape(whole, hop)
    power[:whole] = np.einsum("ij,ij->i", cut, cut, dtype=np.float64)
    if whole < blocks:
        power[whole] = float(np.sum(np.square(samples[whole * hop :], dtype=np.float64)))
    level: Doubles = np.convolve(power, np.full(_BLOCKS, 1 / (_BLOCKS * hop)), "valid")
    return level


def _threshold(background: Doubles) -> float:
    """The power above which a background of these powers hardly rises. Speech that was missed in it hardly counts."""
    if not len(background):
        return 0.0
    middle, lower = 10 * np.log10(np.quantile(background, [0.5, 0.16]) + 1e-15)
    return float(10 ** ((middle + max(_FLOOR_DB, _SPREADS * (middle - lower))) / 10))


def _by_level(level: Doubles, audible: float, hop: int, segment: _Edges, bounds: _Edges, rate: int) -> _Edges | None:
    reach = round(REACH_QUIET * rate)
    first = -(-max(bounds.start, segment.start - reach) // hop)
    last = min(bounds.end, segment.end + reach) // hop
    sound = np.flatnonzero(level[first:last] > audible) + first
    inside = np.searchsorted(sound, [segment.start // hop - _BLOCKS + 1, -(-segment.end // hop)])
    found = _outwards(sound, int(inside[0]), int(inside[1]) - 1, round(GAP * rate / hop))
    if found is None:
        return None
    # The first window to hold sound has it in its last block, the last one in its first; but sound that fills a window
    # at a bound goes on beyond it.
    start = (found.start + _BLOCKS - 1) * hop if found.start > first else max(bounds.start, first * hop)
    end = (found.end + 1) * hop if found.end < last - 1 else min(bounds.end, last * hop + hop)
    return _Edges(max(bounds.start, start), min(bounds.end, end))


def _outwards(sound: npt.NDArray[np.int64], first: int, last: int, gap: int) -> _Edges | None:
    """From ``sound[first]`` down and ``sound[last]`` up over steps of at most ``gap``: the values arrived at."""
    if last < first:
        return None
    wide = np.flatnonzero(np.diff(sound) > gap)
    before, after = wide[wide < first], wide[wide >= last]
    return _Edges(int(sound[before[-1] + 1 if len(before) else 0]), int(sound[after[0] if len(after) else -1]))


# --- in noise ----------------------------------------------------------------------------------------------

_WINDOW, _STEP = 0.02, 0.004  # s
_BANDS, _LOWEST_HZ = 21, 150.0
_DEDUCTED_DB = 3.0  # what a band of noise rises above its median now and then
_STANDING_OUT_DB = 0.7  # mean over bands, above the background's median
_CLEARLY = 0.5  # of the way from the threshold to a loud frame: certainly speech
_ZONE = 0.5  # s inside a segment that its edge may be moved
_MOST = 500  # frames of background that are looked at


def _by_spectrum(samples: Floats, rate: int, segment: _Edges, earliest: int, segments: Intervals) -> _Edges | None:
    step, pad = round(_STEP * rate), round(_PAD * rate)
    frames = np.arange(0, len(samples), step)
    near = (frames > segment.start - NEAR * rate) & (frames < segment.end + NEAR * rate)
    quiet = near & _apart(frames, segments, pad)
    centres = frames[quiet if quiet.any() else _apart(frames, segments, pad)]
    if len(centres) < 10:
        return None
    background = _spectrum(samples, rate, centres[:: -(-len(centres) // _MOST)])
    noise = np.median(background, axis=0) + 1e-20
    at_rest = _excess(background, noise)
    middle, lower = np.quantile(at_rest, [0.5, 0.16])
    threshold = middle + _STANDING_OUT_DB + _SPREADS * (middle - lower)

    zone, gap = round(_ZONE * rate), round(GAP * rate)
    start, end = segment
    head = np.arange(earliest, min(segment.end, segment.start + zone), step)
    if (found := _standing(head, _excess(_spectrum(samples, rate, head), noise), threshold, segment, gap)) is not None:
        start = found.start
    # In noise a detector is late to end: nothing after its end is speech.
    tail = np.arange(max(segment.start, segment.end - zone), segment.end, step)
    if (found := _standing(tail, _excess(_spectrum(samples, rate, tail), noise), threshold, segment, gap)) is not None:
        end = found.end
    return _Edges(start, end)


def _standing(
    frames: npt.NDArray[np.int64], excess: Doubles, threshold: float, segment: _Edges, gap: int
) -> _Edges | None:
    """First and last of ``frames`` above ``threshold``, reached over gaps from what stands out clearly."""
    sound = excess > threshold
    within = sound & (frames >= segment.start) & (frames < segment.end)
    if not within.any():
        return None
    clear = within & (excess >= threshold + _CLEARLY * (np.quantile(excess[within], 0.9) - threshold))
    place = np.flatnonzero(clear[sound])
    return _outwards(frames[sound], int(place[0]), int(place[-1]), gap)


def _apart(frames: npt.NDArray[np.int64], segments: Intervals, pad: int) -> npt.NDArray[np.bool_]:
    """Which ``frames`` lie in no segment, nor up to ``pad`` before one."""
    at = np.searchsorted(segments[:, 1], frames, side="right")
    return np.asarray(frames < np.r_[segments[:, 0] - pad, np.iinfo(np.int64).max][at])


def _spectrum(samples: Floats, rate: int, centres: npt.NDArray[np.int64]) -> Doubles:
    """Power ``[n, bands]`` of the 20 ms about each centre, in bands of equal width in octaves."""
    size = round(_WINDOW * rate)
    places = centres[:, None] + np.arange(-(size // 2), size - size // 2)
    cut = samples.take(places, mode="clip") * np.hanning(size + 2)[1:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(cut, axis=1)) ** 2
    top = min(rate / 2, 8_000.0)
    edges = np.unique(np.round(np.geomspace(_LOWEST_HZ, top, _BANDS + 1) * size / rate).astype(int))
    edges = np.clip(edges, 0, power.shape[1] - 1)
    bands: Doubles = np.add.reduceat(power[:, : edges[-1] + 1], edges[:-1], axis=1)
    return bands


def _excess(power: Doubles, noise: Doubles) -> Doubles:
    """How far a frame stands out: the mean over bands of the dB above the noise, less what noise does by itself."""
    above = np.maximum(10 * np.log10(power / noise + 1e-9) - _DEDUCTED_DB, 0).mean(axis=1)
    if len(above) < 3:
        return np.asarray(above)
    smooth: Doubles = np.convolve(np.pad(above, 1, "edge"), np.full(3, 1 / 3), "valid")
    return smooth
