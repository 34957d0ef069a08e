"""How well a trajectory of feelings was told: labels, order, changes, and the turns where they fall.

Gold has a label for each judged turn of the user. An answer is *placed* where it tells which turn has which label, or
has a label for each turn; otherwise it is an order of feelings alone ("first sad, then angry"). Orders are compared
with equal neighbours joined on both sides, as "sad, then angry" is a whole answer to sad, sad, angry.
Formulas and sources: docs/emotion-measures.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.score.emotion.ratio import f1, macro_f1
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, clustered_mean, rate


class Traced(msgspec.Struct, frozen=True):
    """One dialogue: ``gold`` a label a turn; ``said`` in order. ``placed``: one a turn of gold, "" where none."""

    gold: tuple[str, ...]
    said: tuple[str, ...]
    placed: bool


class TrajectoryScores(msgspec.Struct, frozen=True, kw_only=True):
    """The measures over all expected dialogues. ``placed`` is the share of answers that tell turns: without them
    ``transition_strict`` and ``trigger_turn`` find no hit.
    """

    exact: Estimate
    turn_macro_f1: Estimate
    edit_similarity: Estimate
    transition_strict: Estimate
    transition_order: Estimate
    trigger_turn: Estimate
    placed: Estimate


def traced(gold: Sequence[str], said: Sequence[str], *, placed: bool | None = None) -> Traced:
    """An answer beside its gold; ``placed`` None means that as many labels as turns are one a turn.

    A placed answer is cut or filled with "" to gold's length; what it says beyond the last turn is kept as surplus.
    """
    labels = tuple(said)
    if placed is None:
        placed = len(labels) == len(gold)
    if placed and len(labels) < len(gold):
        labels += ("",) * (len(gold) - len(labels))
    return Traced(tuple(gold), labels, placed)


def joined(labels: Sequence[str]) -> tuple[str, ...]:
    """Equal neighbours as one, gaps left out."""
    return tuple(label for label, _ in groupby(x for x in labels if x))


def exact(t: Traced) -> bool:
    """Whether the whole trajectory is right: turn by turn where it is placed, else in order."""
    return t.said == t.gold if t.placed else joined(t.said) == joined(t.gold)


def edit_similarity(t: Traced) -> float:
    """1 - Levenshtein distance / length of the longer, in [0, 1]; an empty answer is 0."""
    gold, said = (t.gold, t.said) if t.placed else (joined(t.gold), joined(t.said))
    if not any(said):
        return 0.0
    return 1 - distance(gold, said) / max(len(gold), len(said))


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Insertions, deletions and substitutions that turn ``a`` into ``b`` (Levenshtein 1966)."""
    before = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
        before = row
    return before[-1]


def laid(t: Traced) -> tuple[str, ...]:
    """A label for each turn of gold, "" for none, then what is left over.

    An order of feelings is laid over gold's runs of equal labels, first over first: nothing is matched to its best
    advantage, so that one feeling too many at the start costs all that follows.
    """
    if t.placed:
        return t.said
    spread: list[str] = []
    order = joined(t.said)
    runs = [len(list(run)) for _, run in groupby(t.gold)]
    for i, length in enumerate(runs):
        spread += [order[i] if i < len(order) else ""] * length
    return (*spread, *order[len(runs) :])


def changes(labels: Sequence[str]) -> list[tuple[int, str, str]]:
    """(turn, from, to) for each change between neighbouring labels that are both there."""
    return [(i, a, b) for i, (a, b) in enumerate(pairwise(labels), 1) if a and b and a != b]


def score(items: Sequence[Traced], clusters: Clusters) -> TrajectoryScores:
    """All measures over ``items`` [n]; ``clusters`` as in :mod:`duologue.score.uncertainty`."""
    n = len(items)
    # Columns: hits, gold, said.
    strict, order, trigger = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((n, 3))
    at: list[int] = []
    gold_labels: list[str] = []
    said_labels: list[str] = []
    for i, t in enumerate(items):
        turns = laid(t)
        width = max(len(t.gold), len(turns))
        at += [i] * width
        gold_labels += [*t.gold, *[""] * (width - len(t.gold))]
        said_labels += [*turns, *[""] * (width - len(turns))]
        wanted, told = changes(t.gold), changes(t.said if t.placed else joined(t.said))
        strict[i, 1:] = trigger[i, 1:] = order[i, 1:] = len(wanted), len(told)
        if t.placed:
            strict[i, 0] = len({*wanted} & {*told})
            trigger[i, 0] = len({w for w, _, _ in wanted} & {s for s, _, _ in told})
        pairs = Counter((a, b) for _, a, b in wanted) & Counter((a, b) for _, a, b in told)
        order[i, 0] = pairs.total()
    codes, gold, said = coded(gold_labels, said_labels)
    return TrajectoryScores(
        exact=rate([exact(t) for t in items], clusters),
        turn_macro_f1=macro_f1(np.asarray(at, np.int64), gold, said, codes, n, clusters),
        edit_similarity=clustered_mean([edit_similarity(t) for t in items], clusters),
        transition_strict=f1(strict, clusters),
        transition_order=f1(order, clusters),
        trigger_turn=f1(trigger, clusters),
        placed=rate([t.placed and any(t.said) for t in items], clusters),
    )


def coded(gold: Sequence[str], said: Sequence[str]) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number of labels, and both sides as codes of them; -1 for ""."""
    number = {label: i for i, label in enumerate(sorted({*gold, *said} - {""}))}
    number[""] = -1
    code = number.__getitem__
    return (
        len(number) - 1,
        np.fromiter(map(code, gold), np.int64, len(gold)),
        np.fromiter(map(code, said), np.int64, len(said)),
    )
