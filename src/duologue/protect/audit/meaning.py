"""Texts of like meaning by 384 signs of their sentence vectors.

The vectors of multilingual-e5-small crowd into a cone (unrelated sentences have cosines of 0.76 to 0.88). The mean of
204 everyday sentences (``benchmarks/texts_en.txt``, ``benchmarks/texts_zh.txt``) is taken off and the signs are kept:
the share of equal signs falls with the angle between two vectors (Charikar 2002), near one half for unrelated texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = 384
# Share of equal signs from which a text is a suspicion, and a likely copy: see docs/audit.md for their error.
NEAR, NEARER = 0.78, 0.86
_LONGEST = 400  # characters


@cache
def _encoder() -> Any:
    from duologue.language.meaning import SentenceEncoder

    return SentenceEncoder()


@cache
def _centre() -> npt.NDArray[np.float32]:
    with files("duologue.protect.audit").joinpath("meaning_centre.npy").open("rb") as f:
        return np.asarray(np.load(f, allow_pickle=False), np.float32)


def sketches(texts: Sequence[str]) -> list[bytes]:
    """48 bytes a text. MissingPartError where the sentence encoder's weights are not fetched."""
    if not texts:
        return []
    vectors = _encoder().encode([t[:_LONGEST] for t in texts]) - _centre()
    return [row.tobytes() for row in np.packbits(vectors > 0, axis=1)]


def alike(sketched: Sequence[bytes], known: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """[len(sketched), len(known)]: share of equal signs; ``known`` is uint64 [n, 6]."""
    ours = np.frombuffer(b"".join(sketched), np.uint64).reshape(len(sketched), BITS // 64)
    differ = np.zeros((len(ours), len(known)), np.int64)
    for word in range(BITS // 64):
        differ += np.bitwise_count(ours[:, None, word] ^ known[None, :, word])
    return np.asarray(1 - differ / BITS)
