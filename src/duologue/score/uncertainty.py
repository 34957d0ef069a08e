"""Means and rates with the interval that clustered items allow.

Items share script families and speakers, and these two ways of grouping cross: neither contains the other. An interval
that takes items for independent is too narrow by a factor that grows with the number of items, so every interval
here asks for the clusters. The twin of an item, and every rendering of it, has the item's labels and so is in its
clusters. Formulas and their sources are in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from duologue.score.beta import beta_quantile, student_quantile
from duologue.score.scorecard import Estimate

LEVEL = 0.95
# With fewer clusters in any one way a variance over clusters is too uncertain to rank by.
LEAST_CLUSTERS = 20

Floats = npt.NDArray[np.float64]
# Way of grouping ("script_family", "speaker") -> the label of each item.
Clusters = Mapping[str, Sequence[str]]


def clustered_mean(
    values: npt.ArrayLike, clusters: Clusters, *, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> Estimate:
    """Mean of ``values`` [n] and its 95% interval: multiway-clustered variance, Student's t with G - 1 degrees.

    ``clusters`` gives one label per item for each way of grouping ({}: independent items); G is the number of clusters
    of the smallest way. ``bounds`` are the values' own: the interval is cut to them, and where all values are equal
    it is that of a binomial rate of G trials, since a variance of 0 would claim certainty. No value or a single
    cluster gives no interval. Raises ValueError for values that are not finite or outside ``bounds``, or labels that
    are not one per value.
    """
    return macro_mean(values, [""] * np.size(values), clusters, bounds=bounds)


def macro_mean(
    values: npt.ArrayLike,
    strata: Sequence[str],
    clusters: Clusters,
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Estimate:
    """The mean over strata (scenarios) of the stratum's mean, with its interval as in :func:`clustered_mean`.

    Clusters may reach over several strata. A stratum of one item has its deviation from the macro mean for residual.
    """
    x = _checked(values, clusters, bounds)
    if not len(x):
        return Estimate(value=None)
    mean, e = influence(x, strata)
    groups = smallest_way(len(x), clusters)
    low, high = interval(mean, variance(e, clusters), groups, bounds)
    name = "mean" if len(set(strata)) == 1 else "macro mean"
    return Estimate(value=mean, low=low, high=high, n=len(x), clusters=groups, method=_method(name, clusters))


def rate(successes: npt.ArrayLike, clusters: Clusters) -> Estimate:
    """A rate of ``successes`` (bool [n]) and its exact 95% interval: Clopper-Pearson on the effective sample size.

    The effective size is p(1 - p) / V with the clustered variance V, at most n, times the squared ratio of the t
    quantiles with n - 1 and I - 1 degrees (Korn & Graubard 1998), where I counts the clusters that hold a success, or
    a failure if fewer do, in the way with the fewest. It is never below what it were if all items of a cluster were
    alike, n^2 / sum n_c^2, and is that where less than two clusters hold a success, or a failure.
    """
    x = _checked(successes, clusters, (0.0, 1.0))
    if not len(x):
        return Estimate(value=None)
    if ((x != 0) & (x != 1)).any():
        raise ValueError("a rate counts successes: 0 or 1 each")
    n, p = len(x), float(x.mean())
    groups = smallest_way(n, clusters)
    method = _method("Clopper-Pearson, effective size", clusters)
    if groups < 2 and n > 1:
        return Estimate(value=p, n=n, clusters=groups, method=method)
    low, high = clopper_pearson(p, _effective_size(x, p, clusters) if clusters else n)
    return Estimate(value=p, low=low, high=high, n=n, clusters=groups, method=method)


def _effective_size(x: Floats, p: float, clusters: Clusters) -> float:
    n, alike, informed = len(x), math.inf, len(x)
    for labels in clusters.values():
        code = _codes(labels)
        sizes, hits = np.bincount(code), np.bincount(code, x)
        alike = min(alike, n * n / float(sizes @ sizes))
        informed = min(informed, int((hits > 0).sum()), int((hits < sizes).sum()))
    if informed < 2:
        return alike
    size = min(p * (1 - p) / variance((x - p) / n, clusters), n)
    return max(alike, size * (student_quantile(LEVEL, n - 1) / student_quantile(LEVEL, informed - 1)) ** 2)


def rankable(estimate: Estimate) -> bool:
    """Whether a ranking may be claimed by it: at least 20 clusters in every way of grouping."""
    return estimate.clusters >= LEAST_CLUSTERS


def influence(x: Floats, strata: Sequence[str]) -> tuple[float, Floats]:
    """The macro mean of ``x`` and each item's share of its error: (x - stratum mean) / (S n_s) sqrt(n_s / (n_s - 1)).

    The last factor is absent with a single stratum, where the factors of :func:`variance` stand for it.
    """
    if len(strata) != len(x):
        raise ValueError(f"{len(strata)} strata for {len(x)} values")
    _, code = np.unique(np.asarray(strata, dtype=object).astype(str), return_inverse=True)
    sizes = np.bincount(code)
    means = np.bincount(code, x) / sizes
    macro = float(means.mean())
    e = x - means[code]
    if len(sizes) > 1:
        alone = sizes[code] == 1
        e = np.where(alone, x - macro, e * np.sqrt(sizes / np.maximum(sizes - 1, 1))[code])
    return macro, e / (len(sizes) * sizes[code])


def variance(e: Floats, clusters: Clusters) -> float:
    """Variance of sum(e) for items clustered in several crossed ways (Cameron, Gelbach & Miller 2011).

    Over every non-empty subset A of the ways, (-1)^(|A| + 1) G / (G - 1) sum over the G cells of A of (sum of e in the
    cell)^2. The result can be too small by chance, even negative: it is at least the greatest of the one-way ones and
    of the one for independent items (the "max-se" of MacKinnon, Nielsen & Webb 2024).
    """
    n = len(e)
    alone = float(e @ e) * n / max(n - 1, 1)
    codes = [_codes(labels) for labels in clusters.values()]
    both, least = 0.0, alone
    for size in range(1, len(codes) + 1):
        for subset in combinations(codes, size):
            cell = subset[0]
            for further in subset[1:]:
                cell = _codes(cell * n + further)
            sums = np.bincount(cell, e)
            term = float(sums @ sums) * len(sums) / max(len(sums) - 1, 1)
            both += term if size % 2 else -term
            if size == 1:
                least = max(least, term)
    return max(both, least)


def interval(
    mean: float, squared_error: float, groups: int, bounds: tuple[float, float] | None
) -> tuple[float | None, float | None]:
    """[low, high] of a mean with this variance over so many clusters; (None, None) where they tell nothing."""
    if groups < 2:
        return None, None
    if squared_error <= 1e-24:
        if bounds is None:
            return None, None
        bottom, width = bounds[0], bounds[1] - bounds[0]
        low, high = clopper_pearson(min(max((mean - bottom) / width, 0.0), 1.0), groups)
        return bottom + width * low, bottom + width * high
    half = student_quantile(LEVEL, groups - 1) * math.sqrt(squared_error)
    bottom, top = bounds if bounds is not None else (-math.inf, math.inf)
    return max(mean - half, bottom), min(mean + half, top)


def clopper_pearson(p: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a rate ``p`` in ``n`` trials (Clopper & Pearson 1934); ``n`` need be no whole number."""
    tail, x = (1 - level) / 2, p * n
    low = beta_quantile(tail, x, n - x + 1) if x > 0 else 0.0
    high = beta_quantile(1 - tail, x + 1, n - x) if x < n else 1.0
    return low, high


def smallest_way(n: int, clusters: Clusters) -> int:
    """How many clusters the way with the fewest has; ``n`` where items are independent."""
    return min((len(set(labels)) for labels in clusters.values()), default=n)


def _codes(labels: Sequence[str] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if isinstance(labels, np.ndarray):
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)
    number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return np.fromiter(map(number.__getitem__, labels), np.int64, len(labels))


def _checked(values: npt.ArrayLike, clusters: Clusters, bounds: tuple[float, float] | None) -> Floats:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("finite values [n] wanted")
    if bounds is not None and len(x) and (x.min() < bounds[0] or x.max() > bounds[1]):
        raise ValueError(f"values in {bounds} wanted, got {x.min()}..{x.max()}")
    for way, labels in clusters.items():
        if len(labels) != len(x):
            raise ValueError(f"{len(labels)} labels of {way} for {len(x)} values")
    return x


def _method(name: str, clusters: Clusters) -> str:
    ways = ", ".join(f"{way} {len(set(labels))}" for way, labels in clusters.items())
    return f"{name}, clustered by {ways}" if ways else f"{name}, independent items"
