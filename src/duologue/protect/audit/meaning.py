"""Texts of like meaning by 384 signs of their sentence vectors.

The vectors of multilingual-e5-small crowd into a cone (unrelated sentences have cosines of 0.76 to 0.88), another one
for each language. The mean of 102 everyday sentences of the text's language (``benchmarks/texts_en.txt``,
``benchmarks/texts_zh.txt``) is taken off, so that languages lie upon each other, and the signs are kept:
the share of equal signs falls with the angle between two vectors (Charikar 2002), near one half for unrelated texts.
Only the test set is known by signs: of the training data the whole vector is there, and tells how sure each sign is
(asymmetric distances, Gordo et al. 2014, "Asymmetric distances for binary embeddings", IEEE TPAMI 36: 33).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = 384
# Likeness from which a text is a suspicion, and a likely copy: see docs/audit.md for their error.
NEAR, NEARER = 0.46, 0.54
_HANZI = re.compile(r"[\u3400-\u9fff]")
_LONGEST = 400  # characters


@cache
def _encoder() -> Any:
    from duologue.language.meaning import SentenceEncoder

    return SentenceEncoder()


@cache
def _centre() -> npt.NDArray[np.float32]:
    """[2, 384]: of English, taken for whatever is not Chinese; of Chinese."""
    with files("duologue.protect.audit").joinpath("meaning_centre.npy").open("rb") as f:
        return np.asarray(np.load(f, allow_pickle=False), np.float32)


def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """[len(texts), 384], the language's mean taken off. MissingPartError where the sentence encoder is not fetched."""
    if not texts:
        return np.zeros((0, BITS), np.float32)
    chinese = [bool(_HANZI.search(t)) for t in texts]
    return np.asarray(_encoder().encode([t[:_LONGEST] for t in texts]) - _centre()[np.array(chinese, int)], np.float32)


def sketches(texts: Sequence[str]) -> list[bytes]:
    """48 bytes a text. MissingPartError as of :func:`vectors`."""
    return [row.tobytes() for row in np.packbits(vectors(texts) > 0, axis=1)]


def alike(ours: npt.NDArray[np.float32], known: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """[len(ours), len(known)]: cosines, in [-1, 1], of vectors with the signs (1 or -1) of sketches, uint8 [n, 48].

    Equal texts have about 0.8, unrelated ones 0.
    """
    unit = ours / (np.linalg.norm(ours, axis=1, keepdims=True) * np.sqrt(BITS) + 1e-9)
    made = np.empty((len(ours), len(known)), np.float32)
    for at in range(0, len(known), 4_096):
        signs = np.unpackbits(known[at : at + 4_096], axis=1).astype(np.float32)
        made[:, at : at + 4_096] = unit @ (2 * signs - 1).T
    return made
