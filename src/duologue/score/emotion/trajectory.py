"""How well a trajectory of feelings was told: labels, order, changes, and the turns where they fall.

Gold has a label for each judged turn of the user. An answer is *placed* where it tells which turn has which label, or
has a label for each turn; otherwise it is an order of feelings alone ("first sad, then angry"). Orders are compared
with equal neighbours joined on both sides, as "sad, then angry" is a whole answer to sad, sad, angry.
Formulas and sources: docs/emotion-measures.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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

    ``confusion``: gold -> told -> turns, "" for no label; ``transitions``: from -> to -> how often in gold, how often
    told, how often both in one dialogue (in any place of it).
    """

    exact: Estimate
    turn_macro_f1: Estimate
    edit_similarity: Estimate
    transition_strict: Estimate
    transition_order: Estimate
    trigger_turn: Estimate
    placed: Estimate
    confusion: dict[str, dict[str, int]] = {}
    transitions: dict[str, dict[str, tuple[int, int, int]]] = {}


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


Step = tuple[str, str]


class Counts(msgspec.Struct, frozen=True):
    """One dialogue. ``gold`` and ``said`` are a label a turn, "" for none, of one length.

    ``hits`` are changes found at their turn, in any place, and turns of change found; ``wanted`` and ``told`` are the
    changes of gold and of the answer, in order.
    """

    exact: bool
    similarity: float
    placed: bool
    gold: tuple[str, ...]
    said: tuple[str, ...]
    hits: tuple[int, int, int]
    wanted: tuple[Step, ...]
    told: tuple[Step, ...]


def count(t: Traced) -> Counts:
    turns = laid(t)
    width = max(len(t.gold), len(turns))
    wanted, told = changes(t.gold), changes(t.said if t.placed else joined(t.said))
    strict = trigger = 0
    if t.placed:
        strict = len({*wanted} & {*told})
        trigger = len({w for w, _, _ in wanted} & {s for s, _, _ in told})
    a, b = tuple(w[1:] for w in wanted), tuple(s[1:] for s in told)
    return Counts(
        exact=exact(t),
        similarity=edit_similarity(t),
        placed=t.placed and any(t.said),
        gold=t.gold + ("",) * (width - len(t.gold)),
        said=turns + ("",) * (width - len(turns)),
        hits=(strict, _both(a, b), trigger),
        wanted=a,
        told=b,
    )


def _both(a: Sequence[Step], b: Sequence[Step]) -> int:
    """The size of the intersection as multisets."""
    rest = list(b)
    for step in a:
        if step in rest:
            rest.remove(step)
    return len(b) - len(rest)


def score(items: Sequence[Traced], clusters: Clusters) -> TrajectoryScores:
    """All measures over ``items`` [n]; ``clusters`` as in :mod:`duologue.score.uncertainty`."""
    return summary([count(t) for t in items], clusters)


def summary(counts: Sequence[Counts], clusters: Clusters) -> TrajectoryScores:
    """:func:`score` of dialogues that were counted."""
    n = len(counts)
    at = np.repeat(np.arange(n), [len(c.gold) for c in counts])
    gold_labels = [x for c in counts for x in c.gold]
    said_labels = [x for c in counts for x in c.said]
    codes, gold, said = coded(gold_labels, said_labels)
    sizes = [(len(c.wanted), len(c.told)) for c in counts]
    strict, order, trigger = ([(c.hits[k], *size) for c, size in zip(counts, sizes, strict=True)] for k in range(3))
    return TrajectoryScores(
        exact=rate([c.exact for c in counts], clusters),
        turn_macro_f1=macro_f1(at, gold, said, codes, n, clusters),
        edit_similarity=clustered_mean([c.similarity for c in counts], clusters),
        transition_strict=f1(strict, clusters),
        transition_order=f1(order, clusters),
        trigger_turn=f1(trigger, clusters),
        placed=rate([c.placed for c in counts], clusters),
        confusion=table(zip(gold_labels, said_labels, strict=True)),
        transitions=_transitions(counts),
    )


def _transitions(counts: Iterable[Counts]) -> dict[str, dict[str, tuple[int, int, int]]]:
    gold: Counter[Step] = Counter()
    told: Counter[Step] = Counter()
    both: Counter[Step] = Counter()
    for c in counts:
        gold.update(c.wanted)
        told.update(c.told)
        rest = list(c.told)
        for step in c.wanted:
            if step in rest:
                rest.remove(step)
                both[step] += 1
    found: dict[str, dict[str, tuple[int, int, int]]] = {}
    for a, b in sorted(gold.keys() | told.keys()):
        found.setdefault(a, {})[b] = gold[a, b], told[a, b], both[a, b]
    return found


def table(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Row -> column -> how often, both in order."""
    found: dict[str, dict[str, int]] = {}
    for (a, b), n in sorted(Counter(pairs).items()):
        found.setdefault(a, {})[b] = n
    return found


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
