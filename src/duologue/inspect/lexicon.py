"""How varied the words of a corpus are, in bounded memory."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

import numpy as np

from duologue.corpus.near_text import NEAR, candidates, similarity, sketch
from duologue.language import tokens

# Up to so many different things are counted exactly; beyond that the error is about 1 / sqrt(KEPT), 0.4%.
KEPT = 1 << 16
# So many dialogues are compared with each other at most.
COMPARED = 2_000


class DistinctCounter:
    """Counts different strings: the k smallest hashes tell how many there are (Bar-Yossef et al. 2002)."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self._heap: list[int] = []
        self._inside: set[int] = set()
        self.total = 0

    def add(self, things: Iterable[str]) -> None:
        for thing in things:
            self.total += 1
            h = int.from_bytes(hashlib.blake2b(thing.encode(), digest_size=8).digest(), "big")
            if h in self._inside:
                continue
            if len(self._heap) < self.kept:
                heapq.heappush(self._heap, -h)
            elif h < -self._heap[0]:
                self._inside.discard(-heapq.heapreplace(self._heap, -h))
            else:
                continue
            self._inside.add(h)

    @property
    def exact(self) -> bool:
        return len(self._heap) < self.kept

    def distinct(self) -> int:
        """How many different strings there were; (k - 1) / (greatest kept hash as a share) beyond ``kept``."""
        return len(self._heap) if self.exact else round((self.kept - 1) * 2**64 / -self._heap[0])


class Lexicon:
    """The words of one language: vocabulary, distinct-1, -2 and -3 (Li et al. 2016)."""

    def __init__(self) -> None:
        self.grams = [DistinctCounter() for _ in range(3)]

    def add(self, text: str, language: str) -> int:
        """Take one turn in; returns how many words (single hanzi in Chinese) it has."""
        found = spoken(text, language)
        for n, counter in enumerate(self.grams, 1):
            counter.add(" ".join(found[i : i + n]) for i in range(len(found) - n + 1))
        return len(found)


def spoken(text: str, language: str) -> list[str]:
    """Words as they are counted, numbers written out where the language is known."""
    return tokens.words(text, language) if language in ("en", "zh") else tokens.split(text)


def near_duplicates(texts: list[str]) -> tuple[int, int]:
    """(exact, near): how many folded texts equal an earlier one, how many others are nearly an earlier one.

    Near is a Jaccard similarity of shingles of at least 0.75 (``corpus/near_text.py``).
    """
    distinct = list(dict.fromkeys(t for t in texts if t))
    exact = sum(1 for t in texts if t) - len(distinct)
    if len(distinct) < 2:
        return exact, 0
    sketches = np.stack([sketch(t) for t in distinct])
    near = {
        max(i, j)
        for i, j in candidates(sketches, np.arange(len(distinct), dtype=np.int64))
        if similarity(distinct[i], distinct[j]) >= NEAR
    }
    return exact, len(near)
