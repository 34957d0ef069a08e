"""Find the sounds of a test set inside other sound, by their fingerprints.

Codes are looked up by their four quarters (multi-index hashing, Norouzi et al. 2012): a window of the training data
finds the test windows that share a quarter with it, after up to two of the quarter's least certain bits are flipped
(multi-probe). What is near in all 64 bits is followed through the test sound on the same line of time, and the
stretch that speaks most for a copy is scored.

The score is a log likelihood ratio. Of the training data the values are known, not their signs alone, and a large value
is a sure sign: with r the root mean square of a window's 64 values, the sign of value v is the copy's with probability
p = 1 / (1 + exp(-k |v| / r)), k of its own for each direction (fitted, benchmarks/audit_fit.py), kept within 0.5% of 0
and 1. A window adds ln(2 p) for each sign that is equal and ln(2 (1 - p)) for each that is not. Where the stretch ends
although both sounds go on, what the next windows say against it is taken off, at most 12 nats at each end: chance ends
there, a copy goes on.

Windows of little shape (a word in a silence, the end of a turn) are like many others, so each test window has a weight:
(s0 / s)^6, at most 1, where s is the greatest standard deviation of its distances to two crowds of such windows and to
other windows of the test set, and s0 = 4.2 bits is that of a window that is like no other. Noise that two recordings
have in common says nothing of their speech: the test set keeps no window of less than 30% speech (60% where turns are
known), and a window of the training data counts 0 where up to 10% of it is speech, rising to 1 at 30%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.protect.audit.fingerprint import (
    BITS,
    REACH,
    SOUGHT_EACH,
    VARIANTS,
    Codes,
    Fingerprint,
    Variant,
    pack,
    slopes,
    spoken_share,
    unpack,
    variants,
)
from duologue.protect.audit.spectrum import FRAME, spectrum, spoken

Ints = npt.NDArray[np.int64]

_QUARTERS, _WIDTH = 4, 16
_NEAR = 16  # bits of 64 that may differ in the window that starts a search
_PROMISE = 12.0  # nats, roughly, that the windows around a hit must add up to
_AROUND = 3  # windows on both sides that are looked at before a line is followed
_SAME, _OTHER = 0.2, 0.5  # share of bits that differ in a copy, and in other speech
_BASE = BITS * float(np.log((1 - _SAME) / (1 - _OTHER)))
_SLOPE = float(np.log((1 - _SAME) / (1 - _OTHER)) - np.log(_SAME / _OTHER))
# Probes of a quarter: which of its bits, in order of doubt, are flipped.
_FLIPS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (3,), (4,), (0, 1), (0, 2), (1, 2))
_AGAINST = 12.0  # nats, at each end of a stretch
_ASTRAY = 0.01  # of the bits, however sure
_ALONE = 4.2  # bits: standard deviation of the distances of a window that is like no other
_OWN = 1_024  # windows of the test set that stand for all
_ABOVE = 3.0  # times what is always there that training data must rise to: spectrum.spoken
_BLOCK = 60.0  # seconds that are searched at once
_OVERLAP = 6.0


class Match(NamedTuple):
    """``seconds`` from ``offset`` of a sound are like track ``track`` from ``track_offset`` on, changed by ``variant``.

    ``score`` is the log likelihood ratio over ``windows`` windows, of whose bits the share ``agreement`` is equal.
    Offsets and lengths are seconds, each on its own clock.
    """

    track: int
    offset: float
    track_offset: float
    seconds: float
    variant: Variant
    windows: int
    agreement: float
    score: float


class Table:
    """The codes of many tracks, ready to be searched. Takes 28 bytes a code and 1 MB: 0.3 MB an hour of speech."""

    def __init__(self, tracks: Sequence[Fingerprint]) -> None:
        self.codes: Codes = np.concatenate([np.zeros(0, np.uint64), *(t.codes for t in tracks)])
        self.frames = np.concatenate([np.zeros(0, np.int32), *(t.frames for t in tracks)])
        sizes = [len(t.codes) for t in tracks]
        self.track = np.repeat(np.arange(len(tracks), dtype=np.int32), sizes)
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.weight = _weights(self.codes)
        self._order: list[npt.NDArray[np.int32]] = []
        self._start: list[npt.NDArray[np.int32]] = []
        for quarter in range(_QUARTERS):
            keys = _quarter(self.codes, quarter)
            self._order.append(np.argsort(keys, kind="stable").astype(np.int32))
            counts = np.bincount(keys, minlength=1 << _WIDTH)
            self._start.append(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))

    def near(self, codes: Codes, values: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        """Pairs (row of ``codes``, row of the table) that differ in at most _NEAR bits, as far as probes reach."""
        rows, found = [], []
        for quarter in range(_QUARTERS):
            doubt = np.argsort(np.abs(values[:, quarter * _WIDTH : (quarter + 1) * _WIDTH]), axis=1)[:, :5]
            bit = np.left_shift(1, doubt)
            probes = np.stack([bit[:, list(flip)].sum(axis=1) for flip in _FLIPS], axis=1)
            keys = (_quarter(codes, quarter)[:, None] ^ probes).ravel()
            start = self._start[quarter][keys].astype(np.int64)
            count = self._start[quarter][keys + 1] - start
            if not (total := int(count.sum())):
                continue
            row = np.repeat(np.repeat(np.arange(len(codes)), len(_FLIPS)), count)
            within = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
            hit = self._order[quarter][np.repeat(start, count) + within].astype(np.int64)
            close = np.bitwise_count(codes[row] ^ self.codes[hit]) <= _NEAR
            rows.append(row[close])
            found.append(hit[close])
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        pairs = np.unique(np.stack([np.concatenate(rows), np.concatenate(found)], axis=1), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def search(self, samples: npt.NDArray[np.float32], rate: int, *, least: float) -> list[Match]:
        """Matches of mono ``samples`` that score ``least`` or more, the best of each track and place, best first."""
        found: list[Match] = []
        step, size = int((_BLOCK - _OVERLAP) * rate), int(_BLOCK * rate)
        for at in range(0, max(1, len(samples) - int(_OVERLAP * rate)), step):
            picture, loudness = spectrum(samples[at : at + size], rate)
            heard = spoken(loudness, _ABOVE)
            if not heard.any():
                continue
            if short := max(0, REACH - len(picture)):
                picture = np.pad(picture, ((0, short), (0, 0)), mode="edge")
                heard = np.pad(heard, (0, short))
            for variant, values in variants(picture):
                trust = _trust(spoken_share(heard, np.arange(len(values)) * SOUGHT_EACH, variant.speed))
                lines = self._lines(variant, values, trust, least)
                found.extend(m._replace(offset=m.offset + at / rate) for m in lines)
        return best_of_each(found)

    def _lines(
        self, variant: Variant, values: npt.NDArray[np.float32], trust: npt.NDArray[np.float64], least: float
    ) -> Iterator[Match]:
        codes = pack(values)
        some = np.flatnonzero(trust > 0)
        row, hit = self.near(codes[some], values[some])
        row = some[row]
        if not len(row):
            return
        lag = row * SOUGHT_EACH - self.frames[hit]
        # Windows around the hit, as far as they belong to the same track and lie inside the sound.
        around = hit[:, None] + np.arange(-_AROUND, _AROUND + 1)
        inside = (around >= self.first[self.track[hit]][:, None]) & (around < self.first[self.track[hit] + 1][:, None])
        around = np.where(inside, around, hit[:, None])
        beside = np.rint((self.frames[around] + lag[:, None]) / SOUGHT_EACH).astype(np.int64)
        inside &= (beside >= 0) & (beside < len(codes))
        place = np.clip(beside, 0, len(codes) - 1)
        gain = _rough(codes[place], self.codes[around]) * self.weight[around] * trust[place]
        promise = np.where(inside & (gain > 0), gain, 0.0).sum(axis=1)
        done: set[tuple[int, int]] = set()
        for i in np.argsort(-promise):
            if promise[i] < _PROMISE:
                break
            track, line = int(self.track[hit[i]]), int(lag[i])
            if any((track, line // SOUGHT_EACH + d) in done for d in (-1, 0, 1)):
                continue
            done.add((track, line // SOUGHT_EACH))
            best = max(
                (self._follow(track, line + d, codes, values, trust, variant) for d in (-SOUGHT_EACH, 0, SOUGHT_EACH)),
                key=_score,
            )
            if best.score >= least:
                yield best

    def _follow(
        self,
        track: int,
        lag: int,
        codes: Codes,
        values: npt.NDArray[np.float32],
        trust: npt.NDArray[np.float64],
        variant: Variant,
    ) -> Match:
        """The stretch of ``track`` on one line of time whose windows add up to the highest score."""
        span = slice(int(self.first[track]), int(self.first[track + 1]))
        frames = self.frames[span].astype(np.int64)
        at = np.rint((frames + lag) / SOUGHT_EACH).astype(np.int64)
        inside = (at >= 0) & (at < len(codes))
        frames, at = frames[inside], at[inside]
        theirs = self.codes[span][inside]
        if not len(at):
            return Match(track, 0.0, 0.0, 0.0, variant, 0, 0.0, 0.0)
        plain = gains(values[at], theirs) * trust[at]
        gain = plain * self.weight[span][inside]
        total = np.concatenate([[0.0], np.cumsum(gain)])
        lowest = np.minimum.accumulate(total[:-1])
        end = int(np.argmax(total[1:] - lowest)) + 1
        start = int(np.argmin(total[:end]))
        differ = np.bitwise_count(codes[at[start:end]] ^ theirs[start:end])
        return Match(
            track=track,
            offset=float(at[start] * SOUGHT_EACH * FRAME / variant.speed),
            track_offset=float(frames[start] * FRAME),
            seconds=float((at[end - 1] - at[start]) * SOUGHT_EACH + REACH) * FRAME / variant.speed,
            variant=variant,
            windows=end - start,
            agreement=1 - float(differ.mean()) / BITS,
            score=float(total[end] - total[start]) + beside(plain[:start][::-1]) + beside(plain[end:]),
        )


def best_of_each(matches: Sequence[Match]) -> list[Match]:
    """Without those that a better match of the same track overlaps, best first."""
    kept: list[Match] = []
    for m in sorted(matches, key=lambda m: (-m.score, m.track, m.offset, VARIANTS.index(m.variant))):
        clash = any(
            k.track == m.track and m.offset < k.offset + k.seconds and k.offset < m.offset + m.seconds for k in kept
        )
        if not clash:
            kept.append(m)
    return kept


@cache
def _crowd() -> Codes:
    """[2, 1024]: windows of pieces of words over noise; windows of duplex dialogues between turns and at their ends."""
    with files("duologue.protect.audit").joinpath("crowd.npy").open("rb") as f:
        return np.asarray(np.load(f, allow_pickle=False), np.uint64)


def _weights(codes: Codes) -> npt.NDArray[np.float64]:
    """[n], in (0, 1]: how far a match of each test window can be believed."""
    weight = np.ones(len(codes))
    groups = [*_crowd()]
    if len(codes) >= _OWN:
        groups.append(codes[:: max(1, len(codes) // _OWN)])
    for at in range(0, len(codes), 4_096):
        part = codes[at : at + 4_096, None]
        for group in groups:
            spread = np.bitwise_count(part ^ group[None, :]).astype(np.float32).std(axis=1)
            weight[at : at + 4_096] = np.minimum(weight[at : at + 4_096], (_ALONE / np.maximum(spread, _ALONE)) ** 6)
    return weight


def _trust(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The weight of windows of the training data whose ``share`` is speech."""
    return np.clip((share - 0.1) / 0.2, 0.0, 1.0)


def beside(gain: npt.NDArray[np.float64]) -> float:
    """What the windows next to a stretch say against it, nearest first, at least -_AGAINST."""
    return max(-_AGAINST, float(np.cumsum(gain[:_AROUND]).min(initial=0.0)))


def _score(match: Match) -> float:
    return match.score


def _rough(a: Codes, b: Codes) -> npt.NDArray[np.float64]:
    """Quick, for a first look: as if copies differed in a fifth of their bits, and strangers in half."""
    return np.asarray(_BASE - _SLOPE * np.bitwise_count(a ^ b), np.float64)


def gains(values: npt.NDArray[np.float32], codes: Codes) -> npt.NDArray[np.float64]:
    """[n] nats of windows with ``values`` [n, 64] against ``codes`` [n]."""
    size = np.sqrt(np.square(values).mean(axis=1, keepdims=True)) + 1e-9
    sure = (1 - _ASTRAY) / (1 + np.exp(-slopes() * np.abs(values) / size)) + _ASTRAY / 2
    equal = (values > 0) == unpack(codes)
    return np.asarray(np.log(2 * np.where(equal, sure, 1 - sure)).sum(axis=1), np.float64)


def _quarter(codes: Codes, quarter: int) -> Ints:
    return ((codes >> np.uint64(_WIDTH * quarter)) & np.uint64((1 << _WIDTH) - 1)).astype(np.int64)
