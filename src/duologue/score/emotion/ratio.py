"""Pooled ratios (F1, recall, differences of rates) with the interval that clustered items allow.

A pooled F1 is a ratio of sums over items. Its error is that of its linearisation (Taylor), whose parts are summed
within clusters as in :mod:`duologue.score.uncertainty`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, Floats, interval, smallest_way, variance


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> tuple[float | None, Floats]:
    """R = sum(part) / sum(whole) over items [n], and each item's share of its error, (part - R whole) / sum(whole).

    None, with zeros, where nothing was counted.
    """
    y, x = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    total = float(x.sum())
    if total <= 0:
        return None, np.zeros(len(x))
    found = float(y.sum()) / total
    return found, (y - found * x) / total


def estimate(
    value: float | None,
    errors: Floats,
    clusters: Clusters,
    name: str,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """``value`` with the 95% interval of its linearised ``errors`` [n]."""
    n = len(errors)
    if value is None or not n:
        return Estimate(value=None, n=n)
    value = min(max(value, bounds[0]), bounds[1])
    groups = smallest_way(n, clusters)
    low, high = interval(value, variance(errors, clusters), groups, bounds)
    ways = ", ".join(f"{way} {len(set(labels))}" for way, labels in clusters.items())
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=n,
        clusters=groups,
        method=f"{name}, clustered by {ways}" if ways else f"{name}, independent items",
    )


def f1(counts: npt.ArrayLike, clusters: Clusters) -> Estimate:
    """2 sum(hits) / (sum(gold) + sum(said)) of ``counts`` [n, 3]: hits, gold, said. None where neither holds any."""
    table = np.asarray(counts, np.float64)
    return estimate(*share(2 * table[:, 0], table[:, 1] + table[:, 2]), clusters, "pooled F1")


def harmonic(
    precision: tuple[float | None, Floats], recall: tuple[float | None, Floats], clusters: Clusters
) -> Estimate:
    """2PR / (P + R) of two shares, with dF = 2 (R^2 dP + P^2 dR) / (P + R)^2; nothing said at all is 0."""
    (p, dp), (r, dr) = precision, recall
    if p is None and r is None:
        return Estimate(value=None, n=len(dp))
    p, r = p or 0.0, r or 0.0
    if p + r == 0:
        return estimate(0.0, np.zeros(len(dp)), clusters, "pooled F1")
    return estimate(2 * p * r / (p + r), 2 * (r * r * dp + p * p * dr) / (p + r) ** 2, clusters, "pooled F1")


def macro_f1(
    item: npt.NDArray[np.int64],
    gold: npt.NDArray[np.int64],
    said: npt.NDArray[np.int64],
    classes: int,
    items: int,
    clusters: Clusters,
) -> Estimate:
    """Mean over classes of their pooled F1.

    Parallel arrays [m]: ``item`` in 0..items-1, ``gold`` and ``said`` in 0..classes-1, -1 for none. A class counts
    where gold holds it; saying one that gold never holds costs recall of the class it stands in for.
    """
    values: list[float] = []
    errors = np.zeros(items)
    for c in range(classes):
        if not (gold == c).any():
            continue
        hit, is_gold, is_said = (gold == c) & (said == c), gold == c, said == c
        value, e = share(
            2 * np.bincount(item[hit], minlength=items),
            np.bincount(item[is_gold], minlength=items) + np.bincount(item[is_said], minlength=items),
        )
        values.append(value or 0.0)
        errors += e
    if not values:
        return Estimate(value=None, n=items)
    return estimate(float(np.mean(values)), errors / len(values), clusters, f"macro F1 over {len(values)} classes")


def mean_recall(
    item: npt.NDArray[np.int64], gold: npt.NDArray[np.int64], hit: npt.NDArray[np.bool_], items: int, clusters: Clusters
) -> Estimate:
    """Mean over classes that gold holds of the share recognised (unweighted accuracy)."""
    values: list[float] = []
    errors = np.zeros(items)
    for c in np.unique(gold):
        inside = gold == c
        value, e = share(np.bincount(item[inside & hit], minlength=items), np.bincount(item[inside], minlength=items))
        values.append(value or 0.0)
        errors += e
    if not values:
        return Estimate(value=None, n=items)
    return estimate(float(np.mean(values)), errors / len(values), clusters, f"mean recall of {len(values)} classes")
