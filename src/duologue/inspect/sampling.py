"""Which dialogues are heard: the same for the same seed, whatever the order and whatever else the corpus holds."""

from __future__ import annotations

import hashlib
import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Sample(Generic[T]):
    """Up to ``size`` of the things that it is shown: those whose name has the smallest SHA-256 under ``seed``."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self._kept: list[tuple[int, str, T]] = []

    def offer(self, name: str, thing: T) -> None:
        key = -int.from_bytes(hashlib.sha256(f"{self.seed}\0{name}".encode()).digest()[:8], "big")
        entry = (key, name, thing)
        if len(self._kept) < self.size:
            heapq.heappush(self._kept, entry)
        elif self.size and key > self._kept[0][0]:
            heapq.heapreplace(self._kept, entry)

    def names(self) -> list[str]:
        return sorted(name for _, name, _ in self._kept)

    def things(self) -> list[T]:
        return [thing for _, _, thing in sorted(self._kept, key=lambda x: (-x[0], x[1]))]


class Extremes(Generic[T]):
    """The ``size`` things with the greatest value, the first shown before the later of equals."""

    def __init__(self, size: int) -> None:
        self.size, self._seen = size, 0
        self._kept: list[tuple[float, int, T]] = []

    def offer(self, value: float, thing: T) -> None:
        self._seen += 1
        entry = (value, -self._seen, thing)
        if len(self._kept) < self.size:
            heapq.heappush(self._kept, entry)
        elif self.size and entry[:2] > self._kept[0][:2]:
            heapq.heapreplace(self._kept, entry)

    def things(self) -> tuple[T, ...]:
        """The greatest first."""
        return tuple(thing for _, _, thing in sorted(self._kept, key=lambda x: (-x[0], -x[1])))
