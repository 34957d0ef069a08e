"""Which words and neighbours of words a text has: rows of tf-idf over a vocabulary learnt from train."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.language.tokens import split

Floats = npt.NDArray[np.float64]
# Terms seen in fewer texts are left out, and the rarest beyond this many.
_SEEN, MOST = 2, 4000


class Vocabulary(msgspec.Struct, frozen=True):
    """``terms`` are one or two tokens (words, single hanzi) with their inverse document frequency."""

    terms: tuple[str, ...]
    idf: tuple[float, ...]

    def rows(self, texts: Sequence[str]) -> Floats:
        """[n, terms] counts as 1 + log n, times idf, each row of length 1 (0 where it has no known term)."""
        place = {t: k for k, t in enumerate(self.terms)}
        table = np.zeros((len(texts), len(self.terms)))
        for row, text in zip(table, texts, strict=True):
            for term, n in Counter(terms(text)).items():
                if (k := place.get(term)) is not None:
                    row[k] = (1 + math.log(n)) * self.idf[k]
        length = np.sqrt((table * table).sum(axis=1, keepdims=True))
        scaled: Floats = table / np.where(length > 0, length, 1.0)
        return scaled


def terms(text: str) -> list[str]:
    tokens = ["^", *split(text), "$"]
    return tokens[1:-1] + [f"{a} {b}" for a, b in pairwise(tokens)]


def learn(texts: Sequence[str]) -> Vocabulary:
    """The vocabulary of ``texts``; idf = 1 + log((1 + n) / (1 + n_t))."""
    seen = Counter(t for text in texts for t in set(terms(text)))
    kept = sorted(sorted((t for t, n in seen.items() if n >= _SEEN), key=lambda t: (-seen[t], t))[:MOST])
    return Vocabulary(tuple(kept), tuple(1 + math.log((1 + len(texts)) / (1 + seen[t])) for t in kept))
