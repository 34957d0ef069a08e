"""Where in a text the words of a quotation stand, which may have been misheard."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST = 0.4  # characters that may differ, for each of the quotation
LEAST = 4  # a shorter quotation has to stand in the text as it is
_LONGEST = 2_000

Ints = npt.NDArray[np.int64]


def place(quoted: str, text: str) -> tuple[int, int] | None:
    """(start, end) in code points of ``quoted`` in ``text``; None where it does not stand there.

    The first place where it stands word for word; else the stretch of ``text`` from which the fewest insertions,
    deletions and substitutions lead to it (case apart), if they are at most ``MOST`` of its length: an approximate
    match of a pattern in a text (Sellers 1980). Quotations over 2,000 code points have to stand there as they are.
    """
    at = text.find(quoted)
    if at >= 0 and quoted:
        return at, at + len(quoted)
    if not LEAST <= len(quoted) <= min(_LONGEST, 2 * len(text)) or len(text) > 10 * _LONGEST:
        return None
    # Casefolding may change the length ("ß"); lower-casing a code point by itself and keeping only the first does not.
    pattern, whole = (np.array([ord(c.lower()[:1] or c) for c in s], np.int64) for s in (quoted, text))
    errors = _ends(pattern, whole)
    end = int(np.argmin(errors))
    if errors[end] > MOST * len(quoted):
        return None
    back = _ends(pattern[::-1], whole[:end][::-1])
    # Of equally good beginnings the one that leaves the lengths most alike.
    best = np.flatnonzero(back == back.min())
    length = int(best[np.argmin(np.abs(best - len(quoted)))])
    return end - length, end


def _ends(pattern: Ints, text: Ints) -> Ints:
    """Fewest edits between ``pattern`` and any stretch of ``text`` that ends before each position, [len(text) + 1]."""
    places = np.arange(len(text) + 1)
    row = np.zeros(len(text) + 1, np.int64)  # a stretch may begin anywhere
    for k, sign in enumerate(pattern, 1):
        new = np.empty_like(row)
        new[0] = k
        new[1:] = np.minimum(row[1:] + 1, row[:-1] + (text != sign))
        # One more sign of the text costs 1 from the place before: a running minimum of (value - place).
        row = np.minimum.accumulate(new - places) + places
    return row
