"""Comparing systems on the same items: paired differences, many pairs, and ranks that the data can bear."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.score.beta import student_tail
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import (
    LEAST_CLUSTERS,
    Clusters,
    influence,
    macro_mean,
    rankable,
    smallest_way,
    variance,
)

ALPHA = 0.05


class Pair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """System ``a`` against ``b`` on the same items: mean of a - b, its p, and p after Holm over all pairs compared.

    ``p`` is None where a single cluster tells nothing.
    """

    a: str = ""
    b: str = ""
    difference: Estimate
    p: float | None
    p_holm: float | None = None


class Rank(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A system's score and the ranks [low, high], 1 the best, that stay open at 95%, for all systems at once."""

    system: str
    score: Estimate
    low: int
    high: int


class Ranking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Systems by score, best first. Where ``why_not`` is given, no order is claimed and every rank is open."""

    ranks: tuple[Rank, ...]
    pairs: tuple[Pair, ...]
    why_not: str = ""


def paired(a: npt.ArrayLike, b: npt.ArrayLike, clusters: Clusters, *, strata: Sequence[str] | None = None) -> Pair:
    """The mean of ``a`` - ``b`` over the same items [n], with a 95% interval and the two-sided p of no difference.

    The interval is that of :func:`duologue.score.uncertainty.macro_mean` of the differences, p that of t with G - 1
    degrees of freedom. Where all differences are equal but not 0, p is that of the sign-flip test over G clusters,
    2^(1 - G). Raises ValueError for unequal lengths.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape:
        raise ValueError(f"pairs wanted, got {x.shape} and {y.shape}")
    d = x - y
    difference = macro_mean(d, [""] * len(d) if strata is None else strata, clusters, bounds=None)
    groups = smallest_way(len(d), clusters)
    if difference.value is None or groups < 2:
        return Pair(difference=difference, p=None)
    mean, e = influence(d, [""] * len(d) if strata is None else strata)
    squared = variance(e, clusters)
    if squared <= 1e-24:
        same = abs(mean) <= 1e-12
        return Pair(
            difference=msgspec.structs.replace(difference, low=mean, high=mean) if same else difference,
            p=1.0 if same else 2.0 ** (1 - groups),
        )
    return Pair(difference=difference, p=student_tail(mean / math.sqrt(squared), groups - 1))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given (Holm 1979): the family-wise error is at most the level compared with."""
    adjusted = [0.0] * len(p)
    reached = 0.0
    for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        reached = max(reached, min(1.0, (len(p) - step) * p[i]))
        adjusted[i] = reached
    return adjusted


def rank(
    scores: Mapping[str, npt.ArrayLike],
    clusters: Clusters,
    *,
    strata: Sequence[str] | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Ranking:
    """Rank systems that were scored on the same items [n], higher is better.

    A rank's interval counts the systems that are better and worse after Holm over all pairs, so that with 95%
    confidence all intervals hold at once (Mogstad, Romano, Shaikh & Wilhelm 2024). Below 20 clusters in any way of
    grouping no order is claimed: every interval is [1, number of systems].
    """
    values = {name: np.asarray(v, np.float64) for name, v in scores.items()}
    layers = {name: [""] * len(v) if strata is None else strata for name, v in values.items()}
    estimates = {name: macro_mean(v, layers[name], clusters, bounds=bounds) for name, v in values.items()}
    compared = [
        msgspec.structs.replace(paired(values[a], values[b], clusters, strata=strata), a=a, b=b)
        for a, b in combinations(values, 2)
    ]
    adjusted = holm([1.0 if pair.p is None else pair.p for pair in compared])
    pairs = [
        msgspec.structs.replace(pair, p_holm=None if pair.p is None else q)
        for pair, q in zip(compared, adjusted, strict=True)
    ]
    fewest = min((e.clusters for e in estimates.values()), default=0)
    claimed = bool(estimates) and all(rankable(e) for e in estimates.values())
    better, worse = dict.fromkeys(values, 0), dict.fromkeys(values, 0)
    for pair in pairs:
        if claimed and pair.p_holm is not None and pair.p_holm <= ALPHA:
            first, second = (pair.a, pair.b) if (pair.difference.value or 0) > 0 else (pair.b, pair.a)
            worse[first] += 1
            better[second] += 1
    ranks = [
        Rank(system=name, score=estimates[name], low=1 + better[name], high=len(values) - worse[name])
        for name in sorted(values, key=lambda name: (-(estimates[name].value or 0.0), name))
    ]
    why_not = "" if claimed else f"{fewest} clusters in the smallest way of grouping; {LEAST_CLUSTERS} are needed"
    return Ranking(ranks=tuple(ranks), pairs=tuple(pairs), why_not=why_not)
