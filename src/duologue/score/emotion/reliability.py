"""Is an answer that claims to be sure more often right? Confidence against accuracy, over the answers that give one.

An answer gives a confidence as a number of that name, or by its distribution, as the share of its own label. Bins of
equal width; the expected calibration error is the mean gap between confidence and accuracy, weighted by answers
(Naeini et al. 2015; Guo et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

BINS = 10


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers with a confidence in [``low``, ``high``), the last bin with 1: how many, mean confidence, share right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """``given`` of ``expected`` answers have a confidence; ``error`` is their expected calibration error in [0, 1].

    Silence is no part of it: an answer without a confidence can be neither too sure nor too modest. So it must be read
    beside the accuracy over all expected answers.
    """

    expected: int
    given: int
    error: float | None
    bins: tuple[Bin, ...]


def reliability(confidence: Sequence[float | None], right: Sequence[bool]) -> Reliability:
    """Of answers [n]; a confidence that is None or no number in [0, 1] counts as not given."""
    inside: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for c, r in zip(confidence, right, strict=True):
        if c is not None and math.isfinite(c) and 0 <= c <= 1:
            inside[min(int(c * BINS), BINS - 1)].append((c, r))
    given = sum(map(len, inside))
    bins = tuple(
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            n=len(rows),
            confidence=sum(c for c, _ in rows) / len(rows),
            accuracy=sum(r for _, r in rows) / len(rows),
        )
        for i, rows in enumerate(inside)
        if rows
    )
    error = sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / given if given else None
    return Reliability(expected=len(confidence), given=given, error=error, bins=bins)
