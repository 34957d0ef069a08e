"""Intervals of figures of a sample: whole dialogues (or speakers) are drawn again, since what they hold is alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ROUNDS = 1000
LEVEL = 0.95


def ratio(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, clusters: Sequence[str], seed: int
) -> tuple[float | None, float | None, float | None]:
    """(value, low, high) of sum(numerators) / sum(denominators), both [n].

    The percentile interval of a cluster bootstrap (Efron & Tibshirani 1993, chapter 13): :data:`ROUNDS` times as many
    clusters as there are, with replacement, the same for the same ``seed``. A mean has ones for denominators. All
    None where the denominators add up to 0; a single cluster gives no interval.
    """
    top, under = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if not len(top) or not under.sum():
        return None, None, None
    value = float(top.sum() / under.sum())
    _, code = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    size = int(code.max()) + 1
    if size < 2:
        return value, None, None
    a, b = np.bincount(code, top), np.bincount(code, under)
    drawn = np.random.Generator(np.random.PCG64(seed)).multinomial(size, np.full(size, 1 / size), ROUNDS)
    below = drawn @ b
    kept = below > 0
    low, high = np.quantile((drawn @ a)[kept] / below[kept], ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return value, float(low), float(high)
