"""Texts that are nearly the same: what makes a test sentence known to who has seen its neighbour in train.

A text is compared as its letters and digits (Unicode NFKC, case folded), by the set of its shingles: runs of 5 of
them, or of 2 where most are hanzi. Two texts are near-identical where the sets' Jaccard similarity is at least
:data:`NEAR`. MinHash (Broder, "On the resemblance and containment of documents", 1997) with bands finds the pairs
worth a look without comparing all with all; what it finds is compared exactly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue

Sketch = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

# One word in about fifteen may differ.
NEAR = 0.75
# Shorter user turns may be two stock phrases, which come in any split. A hanzi counts as 0.6 of a word, as what takes
# 20 words of English takes about 33 hanzi.
TURN_WORDS, DIALOGUE_WORDS, HANZI = 20, 8, 0.6
# 16 bands of 4: a pair of similarity 0.75 is missed once in 400 times, one of 0.3 looked at once in 8.
_BANDS, _ROWS = 16, 4
SKETCH = _BANDS * _ROWS
# A sketch estimates the similarity with a deviation of 0.054 at 0.75; what falls three below is no candidate.
_WORTH = NEAR - 0.16
# Of each group that shares a band, so many of each split are compared.
_COMPARED = 4
_WORD, _HANZI = re.compile(r"[^\W_]+"), re.compile("[\u3400-\u9fff]")
_ODD = np.random.Generator(np.random.PCG64(20_260_101)).integers(0, 2**63, (2, SKETCH), dtype=np.uint64) * 2 + 1


def folded(text: str) -> tuple[str, float]:
    """Letters and digits of a text, case folded, and how many words they are (a hanzi counts as 0.6 of one)."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    pieces = _WORD.findall(plain)
    count = sum(1 if p.isascii() else HANZI * len(_HANZI.findall(p)) or 1 for p in pieces)
    return "".join(pieces), count


def sayings(d: Dialogue) -> Iterator[tuple[int | None, str]]:
    """What ``d`` says that no other split may say.

    (turn, folded text) of each user turn of 20 words (33 hanzi) or more, and (None, folded text) of all user turns
    together from 8 words (14 hanzi) on.

    Turns that ask a probe's question are left out as turns, since they may be worded alike on purpose.
    """
    asked = {p.turn for p in d.probes}
    texts = [(t.index, *folded(t.text)) for t in d.turns if t.role == "user"]
    for index, text, count in texts:
        if count >= TURN_WORDS and index not in asked:
            yield index, text
    if sum(count for _, _, count in texts) >= DIALOGUE_WORDS:
        yield None, "".join(text for _, text, _ in texts)


def shingles(text: str) -> Hashes:
    """The set of a folded text's shingles, as sorted hashes [n]."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
    hanzi = np.count_nonzero((points >= 0x3400) & (points <= 0x9FFF))
    size = min(2 if 2 * hanzi > len(points) else 5, len(points))
    if not size:
        return np.empty(0, np.uint64)
    h = np.zeros(len(points) - size + 1, np.uint64)
    for k in range(size):
        h = h * np.uint64(0x100000001B3) + points[k : k + len(h)]
    # The finaliser of splitmix64: neighbouring code points end far apart.
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.unique(h ^ (h >> np.uint64(31)))


def sketch(text: str) -> Sketch:
    """The MinHash of a folded text, uint32 [64]: two sketches agree in as large a share as the texts are similar."""
    found = shingles(text)
    if not len(found):
        return np.zeros(SKETCH, np.uint32)
    mixed = (_ODD[0][:, None] * found[None, :] + _ODD[1][:, None]) >> np.uint64(32)
    return np.asarray(mixed.min(axis=1), np.uint32)


def similarity(a: str, b: str) -> float:
    """Jaccard similarity of two folded texts' shingles, 0 to 1."""
    x, y = shingles(a), shingles(b)
    both = len(np.intersect1d(x, y, assume_unique=True))
    return both / max(1, len(x) + len(y) - both)


def candidates(sketches: Sketch, splits: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of rows of ``sketches`` [n, 64] of different ``splits`` [n] that may be near-identical."""
    found: set[tuple[int, int]] = set()
    if len(sketches) < 2:
        return []
    for band in range(_BANDS):
        rows = sketches[:, band * _ROWS : (band + 1) * _ROWS].astype(np.uint64)
        key = np.zeros(len(rows), np.uint64)
        for k in range(_ROWS):
            key = key * np.uint64(0x9E3779B97F4A7C15) + rows[:, k]
        order = np.argsort(key, kind="stable")
        ordered, side = key[order], splits[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        crossing = np.minimum.reduceat(side, starts) != np.maximum.reduceat(side, starts)
        ends = np.r_[starts[1:], len(order)]
        for start, end in zip(starts[crossing], ends[crossing], strict=True):
            group = order[start:end]
            few = [i for s in np.unique(splits[group]) for i in group[splits[group] == s][:_COMPARED]]
            for i, j in combinations(sorted(map(int, few)), 2):
                if splits[i] != splits[j]:
                    found.add((i, j))
    return sorted((i, j) for i, j in found if np.count_nonzero(sketches[i] == sketches[j]) >= _WORTH * SKETCH)
