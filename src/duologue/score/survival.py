"""How long until it happens, when for some it never did within the time waited: Kaplan-Meier.

A delay that did not come is not left out, nor counted as the limit: it is *censored*, which says "later than this".
Delays are signed seconds; an onset before the reference moment is a negative delay and an event like any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from duologue.score.beta import student_quantile
from duologue.score.scorecard import DelaySummary
from duologue.score.uncertainty import LEVEL, Clusters, Floats, smallest_way, variance

# Points of a curve that a summary keeps.
CURVE = 256
# Products of fractions that should be 1/2 are off by less.
_FUZZ = 1e-12


@dataclass(frozen=True, slots=True)
class Survival:
    """The product-limit estimate (Kaplan & Meier 1958).

    ``times`` [m]: the distinct times of events, ascending. ``share`` [m]: S(t), the share not yet happened just after
    each. ``events`` and ``at_risk`` [m]: how many happened at that time, and how many were still waited for.
    """

    times: Floats
    share: Floats
    events: npt.NDArray[np.int64]
    at_risk: npt.NDArray[np.int64]

    def quantile(self, q: float) -> float | None:
        """The first time by which a share ``q`` has happened: min{t: S(t) <= 1 - q}; None where S stays above."""
        return _first(self.times, self.share <= 1 - q + _FUZZ)

    def median_interval(self, design_effect: float = 1.0, critical: float | None = None) -> tuple[float | None, ...]:
        """(low, high) of the median at 95% (Brookmeyer & Crowley 1982) on the log(-log S) scale.

        The variance of log S is Greenwood's times ``design_effect``; ``critical`` is the normal's 1.96 if not given.
        The interval holds the times t at which S(t) = 1/2 is not rejected; None for an end that does not exist.
        """
        z = NormalDist().inv_cdf(0.5 + LEVEL / 2) if critical is None else critical
        left = self.at_risk - self.events
        inside = (self.share > 0) & (self.share < 1)
        greenwood = np.cumsum(self.events / (self.at_risk * np.maximum(left, 1)))
        log_share = np.log(np.where(inside, self.share, 0.5))
        spread = z * np.sqrt(design_effect * greenwood) / np.abs(log_share)
        # S^exp(+-spread); where S is 0 nothing is known of its error and no end is put there.
        lower = np.where(inside, np.exp(log_share * np.exp(spread)), 1.0)
        upper = np.where(inside, np.exp(log_share * np.exp(-spread)), 1.0)
        return _first(self.times, lower <= 0.5 + _FUZZ), _first(self.times, upper <= 0.5 + _FUZZ)


def kaplan_meier(times: npt.ArrayLike, happened: npt.ArrayLike) -> Survival:
    """The curve of ``times`` [n] (any sign), each of an event (``happened`` [n]) or of the end of waiting for it.

    At equal times events come before ends of waiting. ValueError for times that are not finite or unequal lengths.
    """
    t, d = np.asarray(times, np.float64), np.asarray(happened, bool)
    if t.ndim != 1 or t.shape != d.shape or not np.isfinite(t).all():
        raise ValueError("finite times [n] and one flag for each wanted")
    distinct, events = np.unique(t[d], return_counts=True)
    at_risk = len(t) - np.searchsorted(np.sort(t), distinct, side="left")
    share = np.cumprod(1.0 - events / at_risk, dtype=np.float64)
    return Survival(distinct, share, events.astype(np.int64), at_risk.astype(np.int64))


def summarise_delays(
    delays: Sequence[float | None], limits: float | Sequence[float], clusters: Clusters | None = None
) -> DelaySummary:
    """Quantiles of ``delays`` in seconds, None for a miss, each waited for until its limit (one, or one per delay).

    A delay beyond its limit is a miss. With ``clusters`` (see :mod:`duologue.score.uncertainty`) the interval of the
    median is widened by the design effect at the median: the clustered variance of the cumulative hazard there over
    that for independent items. The curve has at most 256 points. ``limit`` is the longest.
    """
    n = len(delays)
    limit = np.broadcast_to(np.asarray(limits, np.float64), (n,))
    given = np.array([math.inf if x is None else x for x in delays], np.float64)
    if np.isnan(given).any() or not np.isfinite(limit).all():
        raise ValueError("delays may be None but not NaN, and limits are finite")
    happened = given <= limit
    times = np.where(happened, given, limit)
    curve = kaplan_meier(times, happened)
    longest = float(limit.max()) if n else float(np.max(np.asarray(limits, np.float64), initial=0.0))
    effect, critical, groups = 1.0, None, n
    if clusters and n:
        effect = _design_effect(curve, times, happened, clusters)
        groups = smallest_way(n, clusters)
        critical = student_quantile(LEVEL, groups - 1) if groups > 1 else None
    low, high = curve.median_interval(effect, critical) if groups > 1 else (None, None)
    keep = np.unique(np.linspace(0, len(curve.times) - 1, min(len(curve.times), CURVE)).round().astype(np.int64))
    return DelaySummary(
        n=n,
        missed=n - int(happened.sum()),
        limit=longest,
        median=curve.quantile(0.5),
        median_low=low,
        median_high=high,
        p90=curve.quantile(0.9),
        p95=curve.quantile(0.95),
        curve=tuple((float(t), float(s)) for t, s in zip(curve.times[keep], curve.share[keep], strict=True)),
    )


def _design_effect(curve: Survival, times: Floats, happened: npt.NDArray[np.bool_], clusters: Clusters) -> float:
    """Clustered over independent variance of the cumulative hazard at the median (or at the last event).

    An item's share of the hazard's error is its own event over those at risk then, less the hazard it was exposed to
    over those at risk: 1{event by t} / Y(T) - sum over u <= min(T, t) of d(u) / Y(u)^2 (Ying & Wei 1994).
    """
    if not len(curve.times):
        return 1.0
    median = curve.quantile(0.5)
    until = float(curve.times[-1]) if median is None else median
    exposed = np.concatenate([[0.0], np.cumsum(curve.events / curve.at_risk.astype(np.float64) ** 2)])
    e = -exposed[np.searchsorted(curve.times, np.minimum(times, until), side="right")]
    mine = happened & (times <= until)
    e[mine] += 1.0 / curve.at_risk[np.searchsorted(curve.times, times[mine])]
    independent = float(e @ e) * len(e) / max(len(e) - 1, 1)
    return max(1.0, variance(e, clusters) / independent) if independent > 0 else 1.0


def _first(times: Floats, true: npt.NDArray[np.bool_]) -> float | None:
    return float(times[int(np.argmax(true))]) if true.any() else None
