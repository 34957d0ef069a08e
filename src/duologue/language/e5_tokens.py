"""Sub-word pieces of multilingual-e5: a SentencePiece unigram model, most probable segmentation by Viterbi.

Kudo, T. "Subword regularization" (ACL 2018), section 3.2: a text's segmentation is the one whose pieces have the
largest sum of log probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_META = "\u2581"
# An unknown character costs this much more than the rarest piece, as SentencePiece has it.
_UNKNOWN_PENALTY = 10.0


class Pieces:
    """``scores`` maps a piece to (id, log probability); ``normal`` maps a character to what replaces it."""

    def __init__(self, scores: Mapping[str, tuple[int, float]], normal: Mapping[int, str], unknown: int) -> None:
        self._scores, self._normal, self._unknown = scores, normal, unknown
        self._unknown_score = min(score for _, score in scores.values()) - _UNKNOWN_PENALTY
        self._longest = max(map(len, scores))

    def ids(self, text: str) -> list[int]:
        """Ids of the pieces of ``text``, without begin and end marks."""
        text = re.sub(" +", " ", text.translate(self._normal)).replace(" ", _META)
        if not text.startswith(_META):
            text = _META + text
        n = len(text)
        best = [0.0, *[float("-inf")] * n]
        back: list[tuple[int, int]] = [(0, 0)] * (n + 1)
        scores, unknown, longest = self._scores, self._unknown_score, self._longest
        for i in range(n):
            here = best[i]
            for j in range(i + 1, min(n, i + longest) + 1):
                if (found := scores.get(text[i:j])) is not None and here + found[1] > best[j]:
                    best[j] = here + found[1]
                    back[j] = (i, found[0])
            if here + unknown > best[i + 1]:
                best[i + 1] = here + unknown
                back[i + 1] = (i, self._unknown)
        ids = []
        while n:
            n, piece = back[n]
            ids.append(piece)
        return ids[::-1]
