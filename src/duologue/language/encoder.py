"""How texts become vectors whose dot product tells how close they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Side = Literal["query", "passage"]


class TextEncoder(Protocol):
    """``name`` and version go into reports; ``lexical`` is true where only shared letters are seen, not meaning."""

    name: str
    lexical: bool

    def encode(self, texts: Sequence[str], side: Side = "passage") -> Vectors:
        """[len(texts), d] rows of length 1. ``side`` says whether the texts ask ("query") or tell ("passage")."""
        ...
