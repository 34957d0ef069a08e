"""The stand-in for meaning where no network is installed: shared character n-grams, weighted by rarity.

Texts are close where they are spelled alike; a paraphrase in other words is not seen. Reports name it "lexical".
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from duologue.language.encoder import Side, Vectors
from duologue.language.tokens import is_hanzi, split

_BINS = 1 << 14
_LENGTHS = {True: (1, 2, 3), False: (3, 4, 5)}


def _grams(text: str) -> Counter[int]:
    """Hashed n-grams: 1 to 3 of hanzi, 3 to 5 inside a Latin word with its edges."""
    found: Counter[int] = Counter()
    run = ""
    for word in [*split(text), ""]:
        hanzi = is_hanzi(word)
        if hanzi:
            run += word
            continue
        for piece, in_hanzi in ((run, True), (f" {word} " if word else "", False)):
            for n in _LENGTHS[in_hanzi]:
                found.update(zlib.crc32(piece[i : i + n].encode()) % _BINS for i in range(len(piece) - n + 1))
        run = ""
    return found


class LexicalEncoder:
    """tf-idf over hashed character n-grams: (1 + ln tf) ln((1 + N) / (1 + df)) + 1, rows scaled to length 1.

    ``background`` are the N texts that rarity is counted in (a corpus's queries, say); without any, every n-gram
    weighs the same. Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """

    name = "lexical: character n-gram tf-idf"
    lexical = True

    def __init__(self, background: Iterable[str] = ()) -> None:
        seen = np.zeros(_BINS)
        count = 0
        for text in background:
            seen[list(_grams(text))] += 1
            count += 1
        self._weight = (np.log((1 + count) / (1 + seen)) + 1).astype(np.float32)

    def encode(self, texts: Sequence[str], side: Side = "passage") -> Vectors:
        """[len(texts), 16384]; a text without a word is a row of zeros."""
        rows = np.zeros((len(texts), _BINS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for gram, count in _grams(text).items():
                row[gram] = (1 + np.log(count)) * self._weight[gram]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
