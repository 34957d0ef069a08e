"""Fingerprints of speech: 64 bits for 1.28 s, which a codec, a room, noise or another speaker change little.

A window of the spectrum (32 frames, 40 ms apart, by 23 bands, two semitones apart) is projected on 64 directions and
the signs are kept. The directions are those in which different speech differs most against what one piece of speech
differs from itself after it was coded, filtered, reverberated, drowned in noise, mixed with other speech, and moved
by up to half a step of tempo, pitch and time: Fisher's linear discriminant, fitted to 19,018 pairs of windows of
the fast voice. They are blind to a filter or gain (the mean over time of each band) and to loudness alone (the mean
over bands of each frame), which any two bursts have in common. Tempo and pitch themselves are searched: the spectrum is
stretched and moved to each of VARIANTS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.protect.audit.spectrum import FRAME, Spectrum, spectrum, spoken

Codes = npt.NDArray[np.uint64]

BITS = 64
FRAMES, FRAME_STEP = 32, 2
BANDS, BAND_STEP = 23, 2
REACH = FRAMES * FRAME_STEP  # frames of spectrum that a window spans
SECONDS = REACH * FRAME
_LOWEST_BAND = 2  # row of the spectrum; the rows beside are for moved pitch
# A window of a test sound is kept each 16 frames (0.32 s), one of the training data computed each 3 (0.06 s).
KEPT_EACH = 16
SOUGHT_EACH = 3
_LEAST_SPOKEN = 0.3  # of a kept window's frames
_LEAST_KNOWN = 0.6  # the same where it is known who speaks when: noise beside speech is no part of the item


class Variant(NamedTuple):
    """How training data may have been changed: ``speed`` times as fast, moved up by ``semitones``."""

    speed: float
    semitones: int


# Speed with the pitch it brings (resampling), speed alone, pitch alone.
VARIANTS = (
    *(Variant(1.0, p) for p in (0, -1, 1, -2, 2)),
    *(Variant(0.9, p) for p in (-2, 0)),
    *(Variant(0.95, p) for p in (-1, 0)),
    *(Variant(1.05, p) for p in (1, 0)),
    *(Variant(1.1, p) for p in (2, 0)),
)


class Fingerprint(NamedTuple):
    """``codes`` of windows that begin at ``frames`` (20 ms each) of a sound of ``seconds``."""

    codes: Codes
    frames: npt.NDArray[np.int32]
    seconds: float


@cache
def directions() -> npt.NDArray[np.float32]:
    """[FRAMES * BANDS, BITS]; each sums to 0 over the frames of every band and over the bands of every frame."""
    with files("duologue.protect.audit").joinpath("projection.npy").open("rb") as f:
        return np.asarray(np.load(f, allow_pickle=False), np.float32)


@cache
def slopes() -> npt.NDArray[np.float32]:
    """[BITS]: how fast each sign becomes sure as its value grows: :func:`.match.gains`."""
    with files("duologue.protect.audit").joinpath("slopes.npy").open("rb") as f:
        return np.asarray(np.load(f, allow_pickle=False), np.float32)


def windows(picture: Spectrum, semitones: int, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """[len(starts), FRAMES * BANDS]: the windows that begin at frames ``starts``, moved down by ``semitones``."""
    low = _LOWEST_BAND + semitones
    bands = np.ascontiguousarray(picture[:, low : low + BANDS * BAND_STEP : BAND_STEP])
    at = starts[:, None] + np.arange(FRAMES) * FRAME_STEP
    return np.asarray(bands[at].reshape(len(starts), FRAMES * BANDS))


def pack(values: npt.NDArray[np.float32]) -> Codes:
    """[n] codes of [n, 64] values: bit k is set where value k is above 0."""
    return np.packbits(values > 0, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


def unpack(codes: Codes) -> npt.NDArray[np.bool_]:
    """[n, 64] signs of [n] codes."""
    return np.unpackbits(codes.astype("<u8")[:, None].view(np.uint8), axis=1, bitorder="little").astype(np.bool_)


def stretched(picture: Spectrum, speed: float) -> Spectrum:
    """``picture`` as it would be at 1/``speed`` of its tempo: frame k is frame k / speed of it, interpolated."""
    if speed == 1.0 or len(picture) < 2:
        return picture
    at = np.arange(int((len(picture) - 1) * speed) + 1) / speed
    low = np.minimum(at.astype(np.int64), len(picture) - 2)
    part = (at - low).astype(np.float32)[:, None]
    return np.asarray(picture[low] * (1 - part) + picture[low + 1] * part, np.float32)


def fingerprint(
    samples: npt.NDArray[np.float32], rate: int, stretches: Sequence[tuple[int, int]] | None = None
) -> Fingerprint:
    """What an index keeps of mono ``samples``: a code each 0.32 s, but none where less than 30% is speech.

    A sound shorter than 1.28 s is padded with silence and has one window. Where it is known who speaks when,
    ``stretches`` of samples [start, end) say where there may be speech that counts, and 60% of a window must be.
    """
    picture, loudness = spectrum(samples, rate)
    seconds = len(samples) / rate
    heard = spoken(loudness)
    if stretches is not None:
        known = np.zeros(len(heard), np.bool_)
        for start, end in stretches:
            known[round(start / rate / FRAME) : round(end / rate / FRAME)] = True
        heard &= known
        if not heard.any():
            return Fingerprint(np.zeros(0, np.uint64), np.zeros(0, np.int32), seconds)
    if short := max(0, REACH - len(picture)):
        picture = np.pad(picture, ((0, short), (0, 0)), mode="edge")
        heard = np.pad(heard, (0, short))
    starts = np.arange(0, len(picture) - REACH + 1, KEPT_EACH)
    share = spoken_share(heard, starts, 1.0)
    enough = _LEAST_SPOKEN if stretches is None else _LEAST_KNOWN
    starts = starts[share >= min(enough, max(0.1, float(share.max(initial=0.0))))]
    codes = pack(windows(picture, 0, starts) @ directions())
    return Fingerprint(codes, starts.astype(np.int32), seconds)


def spoken_share(heard: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], speed: float) -> npt.NDArray[np.float64]:
    """[n]: the share of ``heard`` frames in windows that begin at frames ``starts`` of the picture at 1/``speed``."""
    counts = np.concatenate([[0], np.cumsum(heard)])
    first = np.minimum(np.rint(starts / speed).astype(np.int64), len(heard))
    last = np.minimum(np.rint((starts + REACH) / speed).astype(np.int64), len(heard))
    return np.asarray((counts[last] - counts[first]) / np.maximum(last - first, 1), np.float64)


def variants(picture: Spectrum) -> Iterator[tuple[Variant, npt.NDArray[np.float32]]]:
    """For each of VARIANTS the values [n, 64] of the windows at frames 0, 3, 6... of the stretched picture."""
    for speed in dict.fromkeys(v.speed for v in VARIANTS):
        moved = stretched(picture, speed)
        starts = np.arange(0, len(moved) - REACH + 1, SOUGHT_EACH)
        if not len(starts):
            continue
        for variant in VARIANTS:
            if variant.speed == speed:
                yield variant, windows(moved, variant.semitones, starts) @ directions()
