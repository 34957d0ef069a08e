"""What a listener would have heard, and when: a player that is fed with arrivals and does nothing else.

Positions are samples at the player's rate since the origin of the call. A chunk that arrives at time t is played from
the first sample not before t + ``delay``, or, where earlier audio is still to be played, right after it. Audio that
comes late leaves a gap: what is played later is played later, nothing is skipped or sped up. Arrivals alone decide, so
the same arrivals always give the same sound.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from duologue.systems.arrival import Int16

# Before anything was played.
_NEVER = -(2**53)


class Piece(msgspec.Struct, frozen=True):
    """``pcm`` is heard from sample ``start`` on; it came at ``at`` seconds."""

    start: int
    pcm: Int16
    item: str
    at: float

    @property
    def end(self) -> int:
        return self.start + len(self.pcm)


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A stall: samples [start, end) of silence inside an answer, since the player had run out of audio."""

    start: int
    end: int


class Cut(msgspec.Struct, frozen=True, gc=False):
    """Playback was cut off at sample ``at``: of answer ``item``, ``played`` samples were heard, ``lost`` were not."""

    at: int
    item: str
    played: int
    lost: int


class Player:
    """A player at ``rate`` Hz that holds back ``delay`` seconds of audio against jitter (0: plays what it has).

    The delay is spent once at the beginning of each stretch of sound and again after each stall.
    """

    def __init__(self, rate: int, delay: float = 0.0) -> None:
        self.rate, self.delay = rate, delay
        self.pieces: list[Piece] = []
        self.gaps: list[Gap] = []
        self.cuts: list[Cut] = []
        self._end = _NEVER
        self._received: dict[str, int] = {}
        self._open = False

    @property
    def end(self) -> int:
        """The sample after the last that will be heard if nothing more comes, at least 0."""
        return max(0, self._end)

    def push(self, at: float, pcm: Int16, item: str = "") -> None:
        """Audio that arrived at ``at``, seconds since the origin (before it: negative, and played before it)."""
        if not len(pcm):
            return
        arrived = math.ceil(at * self.rate - 1e-6)
        start = self._end
        if arrived > self._end:
            start = max(self._end, arrived + round(self.delay * self.rate))
            if self._open and start > self._end:
                self.gaps.append(Gap(self._end, start))
        self.pieces.append(Piece(start, pcm, item, at))
        self._end = start + len(pcm)
        self._received[item] = self._received.get(item, 0) + len(pcm)
        self._open = True

    def done(self) -> None:
        """The answer is complete: silence after it is no stall."""
        self._open = False

    def flush(self, at: float) -> list[Cut]:
        """Throw away what would be heard from ``at`` on; what was cut off, one entry an answer."""
        self._open = False
        cut_at = math.ceil(at * self.rate - 1e-6)
        if cut_at >= self._end:
            return []
        lost: dict[str, int] = {}
        while self.pieces and self.pieces[-1].end > cut_at:
            piece = self.pieces.pop()
            keep = max(0, cut_at - piece.start)
            lost[piece.item] = lost.get(piece.item, 0) + len(piece.pcm) - keep
            if keep:
                self.pieces.append(Piece(piece.start, piece.pcm[:keep], piece.item, piece.at))
                break
        self._end = self.pieces[-1].end if self.pieces else _NEVER
        self.gaps = [g for g in self.gaps if g.end <= self._end]
        cuts = [Cut(cut_at, item, self._received[item] - n, n) for item, n in reversed(lost.items())]
        for cut in cuts:
            # What comes of it later counts from here.
            self._received[cut.item] = cut.played
        self.cuts += cuts
        return cuts

    def stretches(self) -> list[tuple[int, int]]:
        """Where there was sound to play, [start, end): an answer with its stalls is one stretch."""
        out: list[tuple[int, int]] = []
        last = None
        for piece in self.pieces:
            if out and piece.item == last:
                out[-1] = (out[-1][0], piece.end)
            else:
                out.append((piece.start, piece.end))
            last = piece.item
        return out

    def playing(self, at: float) -> bool:
        """Whether something is being played, or waits to be, at ``at``."""
        return self._end > math.ceil(at * self.rate - 1e-6)

    def heard(self, start: int, end: int) -> Int16:
        """Samples [start, end) as heard, int16; silence where nothing is played. Final once ``end`` lies in the past:
        no arrival changes what was heard before it."""
        out = np.zeros(max(0, end - start), np.int16)
        # Pieces are sorted and disjoint; the last ones are asked for most.
        for piece in reversed(self.pieces):
            if piece.end <= start:
                break
            if piece.start < end:
                a, b = max(start, piece.start), min(end, piece.end)
                out[a - start : b - start] = piece.pcm[a - piece.start : b - piece.start]
        return out
