"""When somebody speaks, told while they do: edges of sound by level, to the sample, for a stream cut anywhere."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from duologue.systems.arrival import Int16


class Edge(msgspec.Struct, frozen=True, gc=False):
    """At ``sample`` sound begins, or ends (the sample after the last loud one)."""

    kind: Literal["onset", "offset"]
    sample: int


class Ear:
    """Hears sound of at least ``level`` dB full scale (of a sample's size, not of an average).

    Silences shorter than ``hang`` seconds lie inside sound, so an offset is known ``hang`` seconds after it happened.
    The edges do not depend on how the stream is cut.
    """

    def __init__(self, rate: int, *, level: float = -45.0, hang: float = 0.2) -> None:
        self.rate = rate
        self._least = max(1, round(32_768 * 10 ** (level / 20)))
        self._hang = max(1, round(hang * rate))
        self._at = 0
        self._loud: int | None = None
        self.speaking = False

    @property
    def heard(self) -> int:
        """Samples heard so far."""
        return self._at

    @property
    def last_loud(self) -> int | None:
        """The sample after the last loud one so far, None before the first."""
        return self._loud

    def feed(self, pcm: Int16) -> list[Edge]:
        """Hear the next samples; the edges that are certain now."""
        edges: list[Edge] = []
        # abs(-32768) is no int16.
        loud = np.flatnonzero((pcm >= self._least) | (pcm <= -self._least)) + self._at
        if len(loud):
            breaks = np.flatnonzero(np.diff(loud) > self._hang)
            starts = [int(loud[0]), *(int(loud[i + 1]) for i in breaks)]
            ends = [*(int(loud[i]) + 1 for i in breaks), int(loud[-1]) + 1]
            for start, end in zip(starts, ends, strict=True):
                edges += self._close(start)
                if not self.speaking:
                    self.speaking = True
                    edges.append(Edge("onset", start))
                self._loud = end
        self._at += len(pcm)
        edges += self._close(self._at)
        return edges

    def _close(self, until: int) -> list[Edge]:
        if self.speaking and self._loud is not None and until - self._loud >= self._hang:
            self.speaking = False
            return [Edge("offset", self._loud)]
        return []
