"""Agreement of raters: Krippendorff's alpha, ICC(2,k), Cohen's weighted kappa, soft labels.

Intervals are percentiles of a bootstrap that draws whole dialogues, since the ratings of one dialogue are alike.
Formulas, sources and what the intervals do not tell are in docs/agreement.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.score.ratings import Ratings, Table
from duologue.score.scorecard import Estimate

Floats = npt.NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
Weights = Literal["none", "linear", "quadratic"]
# Numbers that a table of (dialogue, value, value) may hold; more distinct values give no interval. So many distinct
# values give nothing at all: they are measurements, not ratings.
_LARGEST = 20_000_000
_MOST_VALUES = 2_000
# An interval needs so large a share of the draws to have a value.
_DEFINED = 0.95
_DRAWN_AT_ONCE = 100


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two raters on the ``n`` items that both rated: Cohen's kappa with quadratic weights (of numbers; unweighted of
    labels), linear and none, the share of equal ratings, and the mean of ``a`` - ``b`` (numbers)."""

    a: str
    b: str
    n: int
    kappa: Estimate
    linear: float | None
    unweighted: float | None
    equal: float | None
    bias: float | None


class DimensionAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension. ``alpha`` and ``icc`` are of the raters without the judges, ``alpha_with_judges`` of all.

    ``rater_kappa`` is the mean over pairs of raters, ``judge_kappa`` each judge's mean over raters; ``soft`` is each
    item's share of raters by label.
    """

    dimension: str
    values: Literal["numbers", "labels"]
    items: int
    dialogues: int
    ratings: int
    raters: dict[str, int]
    judges: dict[str, int]
    alpha: dict[Level, Estimate]
    alpha_with_judges: dict[Level, Estimate]
    icc: dict[str, Estimate]
    rater_kappa: Estimate
    judge_kappa: dict[str, Estimate]
    pairs: tuple[PairAgreement, ...]
    soft: dict[str, dict[str, float]]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Every dimension's agreement, what was wrong in the file, and how the intervals were drawn."""

    dimensions: tuple[DimensionAgreement, ...]
    problems: tuple[str, ...]
    resamples: int
    seed: int


def agree(ratings: Ratings, *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """The agreement in ``ratings``, with ``resamples`` draws from ``seed`` for the intervals (0: none)."""
    found = tuple(_dimension(t, ratings, resamples, seed) for t in ratings.tables)
    return Agreement(dimensions=found, problems=ratings.problems, resamples=resamples, seed=seed)


# -- the coefficients -------------------------------------------------------------------------------------------------


def krippendorff_alpha(units: npt.ArrayLike, level: Level) -> float | None:
    """Krippendorff's alpha of numbers ``units`` [items, raters], NaN where a rater gave none; 1 is full agreement.

    Items with fewer than two ratings do not count. None where no two ratings can be compared, or all are equal: there
    is nothing to tell chance from. Nominal values are compared for being equal only, so codes of labels will do.
    """
    x = np.asarray(units, np.float64)
    values = np.unique(x[~np.isnan(x)])
    if not len(values):
        return None
    return _defined(_alpha(_coincidences(x, values, np.zeros(len(x), np.int64), 1), values, level)[0])


def icc2(table: npt.ArrayLike) -> tuple[float | None, float | None]:
    """(ICC(2,1), ICC(2,k)) of ``table`` [items, k raters], every item rated by every rater.

    Two-way random effects, absolute agreement, of a single rating and of the mean of k (Shrout & Fleiss 1979). None
    where there are fewer than two items or raters, or all ratings are equal.
    """
    x = np.asarray(table, np.float64)
    if x.ndim != 2 or min(x.shape) < 2:
        return None, None
    one, average = _icc(x, np.ones((1, len(x))))
    return _defined(one[0]), _defined(average[0])


def weighted_kappa(a: Sequence[float], b: Sequence[float], weights: Weights = "quadratic") -> float | None:
    """Cohen's kappa of two raters' numbers on the same items [n], disagreement weighted by |a - b| or its square.

    With "none" values are equal or not. None where both gave one and the same value throughout.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    values = np.unique(np.concatenate([x, y]))
    if not len(values):
        return None
    counts = _crossed(x, y, values, np.zeros(len(x), np.int64), 1)
    return kappa_of_table(counts[0], disagreement(values, weights))


def kappa_of_table(counts: npt.ArrayLike, disagreement: npt.ArrayLike) -> float | None:
    """1 - sum(v o) / sum(v e) (Cohen 1968): ``counts`` [V, V] of the first rater's value by the second's, v the
    ``disagreement`` [V, V] of two values (0 on the diagonal), e what the margins alone would give."""
    return _defined(_kappa(np.asarray(counts, np.float64)[None], np.asarray(disagreement, np.float64))[0])


def disagreement(values: npt.ArrayLike, weights: Weights) -> Floats:
    """How far apart each two of ``values`` [V] are: 0 or 1, |a - b| or (a - b)^2."""
    x = np.asarray(values, np.float64)
    apart = np.abs(x[:, None] - x[None, :])
    return (apart > 0).astype(np.float64) if weights == "none" else apart if weights == "linear" else apart**2


def soft_labels(rows: Sequence[Mapping[str, str]]) -> list[dict[str, float]]:
    """For each item, given as rater -> label, the share of raters by label, the commonest first; {} for no rating."""
    found = []
    for row in rows:
        counts = Counter(row.values())
        found.append({k: n / len(row) for k, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))})
    return found


# -- one dimension ----------------------------------------------------------------------------------------------------


def _dimension(t: Table, ratings: Ratings, resamples: int, seed: int) -> DimensionAgreement:
    judges = [r for r in t.raters if r in ratings.judges]
    people = [r for r in t.raters if r not in ratings.judges]
    draw = _Bootstrap(t.dialogues, resamples, seed)
    columns = {r: t.numbers[:, i] for i, r in enumerate(t.raters)}
    levels = LEVELS if t.numeric else LEVELS[:1]

    def alphas(names: Sequence[str]) -> dict[Level, Estimate]:
        x = np.stack([columns[n] for n in names], axis=1) if names else np.empty((len(t.items), 0))
        return _alphas(x, levels, draw)

    kappas: dict[tuple[str, str], tuple[PairAgreement, Floats | None]] = {}
    for a, b in combinations([*judges, *people], 2):
        kappas[a, b] = _pair(a, b, columns[a], columns[b], t.numeric, draw)
    own = [k for (a, b), k in kappas.items() if a in people and b in people]
    return DimensionAgreement(
        dimension=t.dimension,
        values="numbers" if t.numeric else "labels",
        items=len(t.items),
        dialogues=draw.groups,
        ratings=int((~np.isnan(t.numbers)).sum()),
        raters={r: int((~np.isnan(columns[r])).sum()) for r in people},
        judges={r: int((~np.isnan(columns[r])).sum()) for r in judges},
        alpha=alphas(people),
        alpha_with_judges=alphas([*people, *judges]) if judges else {},
        icc=_iccs(np.stack([columns[r] for r in people], axis=1), draw) if t.numeric and len(people) > 1 else {},
        rater_kappa=_mean(own, draw, "mean kappa over pairs of raters"),
        judge_kappa={
            j: _mean([k for (a, b), k in kappas.items() if a == j and b in people], draw, "mean kappa over raters")
            for j in judges
        },
        pairs=tuple(p for p, _ in kappas.values()),
        soft=dict(
            zip(t.items, soft_labels([{r: v for r, v in row.items() if r in people} for row in t.texts]), strict=True)
        ),
    )


def _alphas(x: Floats, levels: Sequence[Level], draw: _Bootstrap) -> dict[Level, Estimate]:
    pairable = (~np.isnan(x)).sum(axis=1) > 1
    values = np.unique(x[pairable][~np.isnan(x[pairable])])
    n = int(pairable.sum())
    if not len(values):
        return {level: Estimate(value=None, n=n) for level in levels}
    if len(values) > _MOST_VALUES:
        return {level: Estimate(value=None, n=n, method=f"{len(values)} distinct values") for level in levels}
    total = _coincidences(x, values, np.zeros(len(x), np.int64), 1)
    each = None
    if draw.fits(len(values)):
        each = draw.summed(_coincidences(x, values, draw.codes, draw.groups))
    found = {}
    for level in levels:
        value = _defined(_alpha(total, values, level)[0])
        replicates = None if each is None else np.concatenate([_alpha(o, values, level) for o in each])
        found[level] = draw.estimate(value, replicates, n, f"Krippendorff's alpha, {level}")
    return found


def _pair(a: str, b: str, x: Floats, y: Floats, numeric: bool, draw: _Bootstrap) -> tuple[PairAgreement, Floats | None]:
    both = ~np.isnan(x) & ~np.isnan(y)
    n = int(both.sum())
    values = np.unique(np.concatenate([x[both], y[both]]))
    weights: Weights = "quadratic" if numeric else "none"
    if not n or len(values) > _MOST_VALUES:
        nothing = Estimate(value=None, n=n)
        return PairAgreement(a=a, b=b, n=n, kappa=nothing, linear=None, unweighted=None, equal=None, bias=None), None
    apart = disagreement(values, weights)
    kept = draw.codes[both]
    replicates = None
    if draw.fits(len(values)):
        tables = _crossed(x[both], y[both], values, kept, draw.groups)
        replicates = np.concatenate([_kappa(o, apart) for o in draw.summed(tables)])
    p, q = x[both].tolist(), y[both].tolist()
    estimate = draw.estimate(weighted_kappa(p, q, weights), replicates, n, f"Cohen's kappa, weights {weights}")
    found = PairAgreement(
        a=a,
        b=b,
        n=n,
        kappa=estimate,
        linear=weighted_kappa(p, q, "linear") if numeric else None,
        unweighted=weighted_kappa(p, q, "none"),
        equal=float((x[both] == y[both]).mean()),
        bias=float((x[both] - y[both]).mean()) if numeric else None,
    )
    return found, replicates


def _mean(pairs: Sequence[tuple[PairAgreement, Floats | None]], draw: _Bootstrap, method: str) -> Estimate:
    known = [(p, r) for p, r in pairs if p.kappa.value is not None]
    if not known:
        return Estimate(value=None)
    value = float(np.mean([p.kappa.value for p, _ in known]))
    replicates = [r for _, r in known if r is not None]
    each = np.mean(replicates, axis=0) if len(replicates) == len(known) else None
    return draw.estimate(value, each, sum(p.n for p, _ in known), method)


def _iccs(x: Floats, draw: _Bootstrap) -> dict[str, Estimate]:
    """Both ICC on the items that every rater rated."""
    whole = ~np.isnan(x).any(axis=1)
    kept = x[whole]
    one, average = icc2(kept)
    replicates: list[Floats | None] = [None, None]
    if len(kept) > 1 and draw.resamples:
        drawn = [_icc(kept, w[:, draw.codes[whole]]) for w in draw.weights()]
        replicates = [np.concatenate([d[i] for d in drawn]) for i in (0, 1)]
    k = x.shape[1]
    return {
        name: draw.estimate(value, r, len(kept), f"two-way random, absolute agreement, {k} raters")
        for name, value, r in (("ICC(2,1)", one, replicates[0]), ("ICC(2,k)", average, replicates[1]))
    }


# -- what they are made of --------------------------------------------------------------------------------------------


class _Bootstrap:
    """Draws of whole dialogues; ``codes`` is each item's dialogue."""

    def __init__(self, dialogues: Sequence[str], resamples: int, seed: int) -> None:
        number: dict[str, int] = {}
        self.codes = np.array([number.setdefault(d, len(number)) for d in dialogues], np.int64)
        self.groups, self.resamples, self._seed = len(number), resamples, seed

    def fits(self, values: int) -> bool:
        return bool(self.resamples) and self.groups * values * values <= _LARGEST

    def weights(self) -> list[Floats]:
        """How often each dialogue is drawn [draws, dialogues], some draws at a time; the same on every call."""
        random, found = np.random.default_rng(self._seed), []
        for start in range(0, self.resamples, _DRAWN_AT_ONCE):
            size = min(_DRAWN_AT_ONCE, self.resamples - start)
            drawn = random.integers(0, self.groups, (size, self.groups))
            flat = (drawn + np.arange(size)[:, None] * self.groups).ravel()
            counts = np.bincount(flat, minlength=size * self.groups)
            found.append(counts.reshape(size, self.groups).astype(np.float64))
        return found

    def summed(self, tables: Floats) -> list[Floats]:
        """Tables of dialogues [dialogues, V, V] -> their sums by draw [draws, V, V], some draws at a time."""
        v = tables.shape[1]
        flat = tables.reshape(len(tables), v * v)
        return [(w @ flat).reshape(len(w), v, v) for w in self.weights()]

    def estimate(self, value: float | None, replicates: Floats | None, n: int, method: str) -> Estimate:
        low = high = None
        if value is not None and replicates is not None and self.groups > 1:
            known = replicates[np.isfinite(replicates)]
            if len(known) and len(known) >= _DEFINED * len(replicates):
                low, high = (float(q) for q in np.quantile(known, (0.025, 0.975)))
        return Estimate(value=value, low=low, high=high, n=n, clusters=self.groups, method=method)


def _coincidences(x: Floats, values: Floats, group: npt.NDArray[np.int64], groups: int) -> Floats:
    """Pairs of values [groups, V, V] by different raters of one item, each item's over its ratings less one."""
    given = ~np.isnan(x)
    code = np.searchsorted(values, np.where(given, x, values[0]))
    counts = np.zeros((len(x), len(values)))
    np.add.at(counts, (np.nonzero(given)[0], code[given]), 1.0)
    m = counts.sum(axis=1)
    counts[m < 2] = 0.0
    shares = counts / np.maximum(m - 1, 1)[:, None]
    if groups == 1:
        return np.asarray(counts.T @ shares - np.diag(shares.sum(axis=0)))[None]
    found: Floats = np.zeros((groups, len(values), len(values)))
    for i, g in enumerate(group):
        found[g] += np.outer(counts[i], shares[i]) - np.diag(shares[i])
    return found


def _alpha(o: Floats, values: Floats, level: Level) -> Floats:
    """Alpha of tables of coincidences ``o`` [B, V, V]; NaN where it is undefined."""
    margin = o.sum(axis=2)
    n = margin.sum(axis=1)
    if level == "nominal":
        apart = np.broadcast_to(1.0 - np.eye(len(values)), o.shape)
    else:
        # A value's place: itself, or for ordinal values the mean of the ranks it holds.
        place = np.cumsum(margin, axis=1) - margin / 2 if level == "ordinal" else np.broadcast_to(values, margin.shape)
        apart = (place[:, :, None] - place[:, None, :]) ** 2
    observed = (o * apart).sum(axis=(1, 2))
    expected = np.einsum("bv,bw,bvw->b", margin, margin, apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(expected > 0, 1.0 - (n - 1) * observed / expected, np.nan)
    return found


def _icc(x: Floats, w: Floats) -> tuple[Floats, Floats]:
    """ICC(2,1) and ICC(2,k) of ``x`` [items, k], each item counted ``w`` [B, items] times; NaN where undefined."""
    k = x.shape[1]
    x = x - x.mean()
    n = w.sum(axis=1)
    row, columns = x.mean(axis=1), (w @ x) / np.maximum(n, 1)[:, None]
    grand = columns.mean(axis=1)
    rows = k * (w @ row**2 - n * grand**2)
    raters = n * ((columns - grand[:, None]) ** 2).sum(axis=1)
    whole = w @ (x**2).sum(axis=1) - n * k * grand**2
    with np.errstate(invalid="ignore", divide="ignore"):
        msr, msc = rows / (n - 1), raters / (k - 1)
        mse = np.maximum(whole - rows - raters, 0.0) / ((n - 1) * (k - 1))
        below = msr + (msc - mse) / n
        single = msr + (k - 1) * mse + k * (msc - mse) / n
        tiny = 1e-12 * max(float((x**2).sum()), 1e-300)
        average = np.where((n > 1) & (np.abs(below) > tiny), (msr - mse) / below, np.nan)
        one = np.where((n > 1) & (np.abs(single) > tiny), (msr - mse) / single, np.nan)
    return one, average


def _crossed(x: Floats, y: Floats, values: Floats, group: npt.NDArray[np.int64], groups: int) -> Floats:
    """Counts [groups, V, V] of the values of ``x`` by those of ``y``."""
    v = len(values)
    flat = (group * v + np.searchsorted(values, x)) * v + np.searchsorted(values, y)
    return np.bincount(flat, minlength=groups * v * v).reshape(groups, v, v).astype(np.float64)


def _kappa(counts: Floats, apart: Floats) -> Floats:
    """Weighted kappa of tables [B, V, V]; NaN where the margins leave no disagreement to expect."""
    n = counts.sum(axis=(1, 2))
    expected = np.einsum("bv,bw,vw->b", counts.sum(axis=2), counts.sum(axis=1), apart)
    observed = (counts * apart).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(expected > 0, 1.0 - n * observed / expected, np.nan)
    return found


def _defined(x: float | np.floating) -> float | None:
    return float(x) if np.isfinite(x) else None
