"""How well labels can be guessed from vectors, and how well they would be by chance.

The guesser is ridge regression on indicators (Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning",
4.2), on standardised features and their squares, scored by balanced accuracy over grouped folds. Its predictions
are linear in the labels, so one factorisation per fold serves every permutation.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

FOLDS = 5
# A label with fewer examples, or in fewer groups, is left out; below this many examples nothing is guessed.
FEWEST = 8
FEWEST_GROUPS = 3


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """``accuracy`` and ``chance`` (the mean over permutations) are balanced accuracies over ``n`` examples.

    ``p`` is the share of permutations, itself included, that do as well. ``effect`` is how much of the way from
    chance to certainty the guesser goes.
    """

    n: int
    labels: int
    accuracy: float
    chance: float
    p: float
    effect: float


def guess(
    features: Vector,
    labels: list[str],
    groups: list[str],
    strata: list[str],
    *,
    permutations: int = 999,
    seed: int = 0,
    expand: bool = True,
) -> Guess | None:
    """Guess ``labels`` from ``features`` [n, d] (NaN: unknown); None where there is too little to say anything.

    Folds keep ``groups`` whole. Permutations move labels within ``strata`` only (what a guess may know, such as the
    language), and whole groups where groups have one label each, since their members are no independent witnesses.
    """
    y = np.array(labels)
    g = np.array(groups)
    counts = {label: (np.count_nonzero(y == label), len(set(g[y == label]))) for label in set(labels)}
    kept = sorted(label for label, (n, many) in counts.items() if n >= FEWEST and many >= FEWEST_GROUPS)
    rows = np.isin(y, kept)
    if len(kept) < 2 or np.count_nonzero(rows) < 3 * FEWEST:
        return None
    y, g, s, x = y[rows], g[rows], np.array(strata)[rows], features[rows]
    x = _standard(x, expand)
    codes = np.searchsorted(kept, y)
    n, k = len(codes), len(kept)
    draws = _permuted(codes, g, s, permutations, seed)
    # [n, permutations + 1]: the first column is the truth.
    columns = np.column_stack([codes, draws])
    indicator = np.eye(k, dtype=np.float32)[columns]
    hits = np.zeros((k, columns.shape[1]))
    seen = np.zeros((k, columns.shape[1]))
    fold = _dealt(g, seed)
    for out in range(FOLDS):
        train, test = np.flatnonzero(fold != out), np.flatnonzero(fold == out)
        # Features and targets are centred on the training part: how often a label comes there has no say, as it
        # would else tell (by what is missing) how often it comes in the rest.
        known, unknown = x[train] - x[train].mean(axis=0), x[test] - x[train].mean(axis=0)
        kernel = known @ known.T
        shrink = max(0.3 * float(np.trace(kernel)) / len(train), 1e-6)
        hat = (unknown @ known.T @ np.linalg.inv(kernel + shrink * np.eye(len(train)))).astype(np.float32)
        share = np.maximum(indicator[train].mean(axis=0), 1 / len(train))
        score = np.einsum("ij,jpk->ipk", hat, indicator[train] / share - 1, optimize=True)
        said = score.argmax(axis=2)
        for label in range(k):
            is_label = columns[test] == label
            hits[label] += ((said == label) & is_label).sum(axis=0)
            seen[label] += is_label.sum(axis=0)
    accuracy = (hits / np.maximum(seen, 1)).mean(axis=0)
    observed, others = float(accuracy[0]), accuracy[1:]
    chance = float(others.mean())
    p = (1 + int(np.count_nonzero(others >= observed - 1e-12))) / (1 + len(others))
    effect = (observed - chance) / max(1 - chance, 1e-9)
    return Guess(
        n=n,
        labels=k,
        accuracy=round(observed, 4),
        chance=round(chance, 4),
        p=round(p, 5),
        effect=round(effect, 4),
    )


def _dealt(groups: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.int64]:
    """A fold for each row: groups in random order, each to the fold that is smallest so far.

    Labels have no say in it. Folds balanced by the true labels would be special to them, and a permutation test
    would then find even constant features better than chance.
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    filled = np.zeros(FOLDS, np.int64)
    home = np.zeros(len(names), np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        home[group] = filled.argmin()
        filled[home[group]] += sizes[group]
    return home[member]


def _standard(x: Vector, expand: bool) -> Vector:
    """Unknown values at the median, columns of mean 0 and deviation 1 and, if ``expand``, their squares too."""
    x = x.astype(np.float64)
    known = np.isfinite(x)
    x = x[:, known.any(axis=0)]
    if not x.shape[1]:
        return np.zeros((len(x), 1))
    x = np.where(np.isfinite(x), x, np.nanmedian(np.where(np.isfinite(x), x, np.nan), axis=0))
    x = _scaled(x)
    if expand:
        x = np.column_stack([x, _scaled(np.clip(x, -3, 3) ** 2)])
    return x


def _scaled(x: Vector) -> Vector:
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-9, deviation, np.inf))


def _permuted(
    codes: npt.NDArray[np.int64], groups: npt.NDArray[np.str_], strata: npt.NDArray[np.str_], count: int, seed: int
) -> npt.NDArray[np.int64]:
    """``count`` random orders of the labels as columns [n, count]; see :func:`guess`."""
    rng = np.random.default_rng(seed)
    names, member = np.unique(groups, return_inverse=True)
    first = np.array([codes[member == i][0] for i in range(len(names))])
    whole = bool((first[member] == codes).mean() > 0.9)
    out = np.empty((len(codes), count), np.int64)
    if whole:
        home = np.array([strata[member == i][0] for i in range(len(names))])
        for c in range(count):
            moved = first.copy()
            for stratum in np.unique(home):
                at = np.flatnonzero(home == stratum)
                moved[at] = first[rng.permutation(at)]
            out[:, c] = moved[member]
        return out
    for c in range(count):
        for stratum in np.unique(strata):
            at = np.flatnonzero(strata == stratum)
            out[at, c] = codes[rng.permutation(at)]
    return out


def holm(p: list[float]) -> list[float]:
    """Holm's step-down adjustment of p-values (Holm 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    out = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, p[at] * (len(p) - rank)))
        out[at] = round(highest, 5)
    return out
