"""An encoder that keeps the vectors of texts that come again, such as a corpus's queries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from duologue.language.encoder import Side, TextEncoder, Vectors

# 384 floats each: some 30 MB.
MOST = 20_000


class RememberedEncoder:
    """``encoder`` with the vectors of the last ``most`` texts kept, the ones used longest ago dropped first."""

    def __init__(self, encoder: TextEncoder, most: int = MOST) -> None:
        self._encoder, self._most = encoder, most
        self._kept: OrderedDict[tuple[str, Side], Vectors] = OrderedDict()
        self.name, self.lexical = encoder.name, encoder.lexical

    def encode(self, texts: Sequence[str], side: Side = "passage") -> Vectors:
        """[len(texts), d], as the encoder itself gives them."""
        if not texts:
            return self._encoder.encode(texts, side)
        new = [t for t in dict.fromkeys(texts) if (t, side) not in self._kept]
        if new:
            for text, row in zip(new, self._encoder.encode(new, side), strict=True):
                self._kept[text, side] = row
        for text in texts:
            self._kept.move_to_end((text, side))
        rows = np.stack([self._kept[t, side] for t in texts])
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return rows
