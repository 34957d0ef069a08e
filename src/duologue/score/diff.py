"""Two runs on the same items: what changed, whether it can be chance, and whether it is a regression.

``a`` is the run to compare with, ``b`` the new one; every difference is b - a, so that less than 0 is a loss. A
regression is any of

1. the headline fell, and p of the paired difference is at most 0.05 (its 95% interval leaves 0 out);
2. a scenario of a language fell, and its p after Holm over all these cells is at most 0.05;
3. an item that was scored in ``a`` is missing, failed or lost to the infrastructure in ``b``;
4. the headline fell by more than ``max_drop``, where one is given, however uncertain.

Below 20 clusters in any way of grouping the first two are not claimed, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.score.comparison import ALPHA, Pair, holm, paired
from duologue.score.profiles.corrected.card import clusters_of
from duologue.score.scorecard import DelaySummary, Estimate, ItemScore, Outcome, Scorecard
from duologue.score.uncertainty import LEAST_CLUSTERS, rankable


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One item in both runs; ``why`` is the new run's reason where it lost."""

    id: str
    language: str
    scenario: str
    a: float
    b: float
    outcome_a: Outcome = "scored"
    outcome_b: Outcome = "scored"
    why: str = ""

    @property
    def difference(self) -> float:
        return self.b - self.a


class CellChange(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario, a language, or both ("all" for the margins): both means, and the paired difference b - a.

    ``p`` is two-sided; ``p_holm`` is adjusted over the cells of one scenario and one language, None for the margins.
    """

    scenario: str
    language: str
    n: int
    a: float
    b: float
    difference: Estimate
    p: float | None = None
    p_holm: float | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from run ``a`` to run ``b``. ``regression`` holds where ``reasons`` has any.

    ``items`` are all items, the largest loss first; ``regressed`` those that lost more than ``tolerance``,
    ``improved`` those that gained more, ``unscored`` those that were scored before and are not any more.
    """

    corpus: str
    corpus_sha256: str
    profile: str
    comparable: str
    system_a: str
    system_b: str
    tolerance: float
    max_drop: float | None = None
    headline: CellChange
    cells: tuple[CellChange, ...]
    items: tuple[Change, ...]
    regressed: tuple[str, ...] = ()
    improved: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    delays: dict[str, tuple[DelaySummary, DelaySummary]] = {}
    rates: dict[str, tuple[Estimate, Estimate]] = {}
    regression: bool = False
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def diff(a: Scorecard, b: Scorecard, *, tolerance: float = 0.05, max_drop: float | None = None) -> Diff:
    """Compare two cards of the same items. ``tolerance`` and ``max_drop`` are utilities in [0, 1].

    Raises UserError for cards of different corpora, profiles or comparable groups, for cards without their items, and
    for cards whose items differ.
    """
    _check(a, b, tolerance, max_drop)
    after = {i.id: i for i in b.items}
    pairs = [(i, after[i.id]) for i in sorted(a.items, key=lambda i: i.id)]
    headline = _cell("all", "all", pairs)
    cells = _cells(pairs)
    changes = sorted((_change(x, y) for x, y in pairs), key=lambda c: (c.difference, c.id))
    unscored = tuple(c.id for c in changes if c.outcome_a == "scored" and c.outcome_b != "scored")
    regressed = tuple(c.id for c in changes if c.difference < -tolerance)
    reasons = _reasons(headline, cells, changes, unscored, max_drop)
    return Diff(
        corpus=a.corpus,
        corpus_sha256=a.corpus_sha256,
        profile=a.profile,
        comparable=a.comparable,
        system_a=a.system,
        system_b=b.system,
        tolerance=tolerance,
        max_drop=max_drop,
        headline=headline,
        cells=cells,
        items=tuple(changes),
        regressed=regressed,
        improved=tuple(c.id for c in reversed(changes) if c.difference > tolerance),
        unscored=unscored,
        delays={name: (d, b.delays[name]) for name, d in a.delays.items() if name in b.delays},
        rates={name: (e, b.rates[name]) for name, e in a.rates.items() if name in b.rates},
        regression=bool(reasons),
        reasons=reasons,
        warnings=_warnings(a, b, headline),
    )


def _check(a: Scorecard, b: Scorecard, tolerance: float, max_drop: float | None) -> None:
    for field in ("profile", "corpus_sha256", "comparable"):
        one, other = getattr(a, field), getattr(b, field)
        if one != other:
            mend = "score both runs with one profile on one corpus; runs of files and live runs rank apart"
            raise UserError("cards that cannot be compared", field=field, value=other, allowed=one, mend=mend)
    for name, value in (("tolerance", tolerance), ("max_drop", max_drop)):
        if value is not None and not 0 <= value <= 1:
            raise UserError("no difference of utilities", field=name, value=value, allowed="0..1")
    ids = [{i.id for i in card.items} for card in (a, b)]
    if not ids[0] or not ids[1]:
        raise UserError("a card without its items cannot be compared item by item", field="items")
    if apart := sorted(ids[0] ^ ids[1]):
        raise UserError(
            f"{len(apart)} items are in one card only",
            field="items",
            value=apart[:3],
            mend="score both runs on the same items (the same language, split and scenario)",
        )


_Pairs = Sequence[tuple[ItemScore, ItemScore]]


def _cells(pairs: _Pairs) -> tuple[CellChange, ...]:
    present = {x.scenario for x, _ in pairs}
    scenarios = [s for s in SCENARIOS if s in present] + sorted(present - set(SCENARIOS))
    languages = sorted({x.language for x, _ in pairs})
    margins = [_cell("all", lang, pairs) for lang in languages] + [_cell(s, "all", pairs) for s in scenarios]
    single = [_cell(s, lang, pairs) for s in scenarios for lang in languages]
    single = [c for c in single if c.n]
    adjusted = iter(holm([c.p for c in single if c.p is not None]))
    tested = [c if c.p is None else msgspec.structs.replace(c, p_holm=next(adjusted)) for c in single]
    return (*margins, *tested)


def _cell(scenario: str, language: str, pairs: _Pairs) -> CellChange:
    inside = [(x, y) for x, y in pairs if scenario in ("all", x.scenario) and language in ("all", x.language)]
    if scenario == "all":
        # As in the headline: dialogues of no scenario have a row of their own, unless there are no others.
        inside = [(x, y) for x, y in inside if x.scenario != "none"] or inside
    if not inside:
        return CellChange(scenario=scenario, language=language, n=0, a=0.0, b=0.0, difference=Estimate(value=None))
    strata = [f"{x.scenario}/{x.language}" for x, _ in inside]
    before, after = [x.utility for x, _ in inside], [y.utility for _, y in inside]
    pair: Pair = paired(after, before, clusters_of([x for x, _ in inside]), strata=strata)
    return CellChange(
        scenario=scenario,
        language=language,
        n=len(inside),
        a=_macro(before, strata),
        b=_macro(after, strata),
        difference=_bounded(pair.difference),
        p=pair.p,
    )


def _bounded(e: Estimate) -> Estimate:
    """Utilities lie in [0, 1], so their differences lie in [-1, 1]."""
    if e.low is None or e.high is None:
        return e
    return msgspec.structs.replace(e, low=max(e.low, -1.0), high=min(e.high, 1.0))


def _macro(values: Sequence[float], strata: Sequence[str]) -> float:
    by: dict[str, list[float]] = {}
    for value, stratum in zip(values, strata, strict=True):
        by.setdefault(stratum, []).append(value)
    return sum(sum(v) / len(v) for v in by.values()) / len(by)


def _change(x: ItemScore, y: ItemScore) -> Change:
    return Change(
        id=x.id,
        language=x.language,
        scenario=x.scenario,
        a=x.utility,
        b=y.utility,
        outcome_a=x.outcome,
        outcome_b=y.outcome,
        why=y.why,
    )


def _reasons(
    headline: CellChange,
    cells: Sequence[CellChange],
    changes: Sequence[Change],
    unscored: Sequence[str],
    max_drop: float | None,
) -> tuple[str, ...]:
    reasons = []
    d = headline.difference
    if d.value is not None and d.value < 0 and headline.p is not None and headline.p <= ALPHA and rankable(d):
        span = "" if d.low is None or d.high is None else f", 95% interval [{d.low:+.3f}, {d.high:+.3f}]"
        reasons.append(f"the headline fell by {-d.value:.3f}, p {headline.p:.3g}{span}")
    if max_drop is not None and d.value is not None and d.value < -max_drop:
        reasons.append(f"the headline fell by {-d.value:.3f}, more than the {max_drop:g} allowed")
    for c in cells:
        value = c.difference.value
        if c.p_holm is not None and c.p_holm <= ALPHA and (value or 0.0) < 0 and rankable(c.difference):
            reasons.append(f"{c.scenario} in {c.language} fell by {-(value or 0.0):.3f}, p {c.p_holm:.3g} after Holm")
    if unscored:
        lost = {c.id: c.outcome_b for c in changes}
        few = ", ".join(f"{i} ({lost[i]})" for i in unscored[:3])
        reasons.append(f"{len(unscored)} items are not scored any more: {few}{', ...' if len(unscored) > 3 else ''}")
    return tuple(reasons)


def _warnings(a: Scorecard, b: Scorecard, headline: CellChange) -> tuple[str, ...]:
    found = []
    if not rankable(headline.difference):
        found.append(
            f"{headline.difference.clusters} clusters in the smallest way of grouping; below {LEAST_CLUSTERS} no "
            "difference is claimed"
        )
    for name in sorted(a.methods.keys() | b.methods.keys()):
        if a.methods.get(name, "") != b.methods.get(name, ""):
            found.append(f"{name} differs: {a.methods.get(name) or 'none'} and {b.methods.get(name) or 'none'}")
    if a.mode != b.mode:
        found.append(f"the runs differ in mode: {a.mode} and {b.mode}")
    return tuple(found)
