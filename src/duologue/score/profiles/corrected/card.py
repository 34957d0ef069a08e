"""From items to a run's card: every expected item in every denominator, with intervals by clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from duologue.corpus.event import SCENARIOS
from duologue.score.scorecard import Cell, DelaySummary, Estimate, ItemScore
from duologue.score.survival import summarise_delays
from duologue.score.uncertainty import clustered_mean, macro_mean, rate

ALL = "all"


def clusters_of(items: Sequence[ItemScore]) -> dict[str, list[str]]:
    """Each way of clustering -> the cluster of each item, in order."""
    ways = sorted({way for i in items for way in i.clusters})
    return {way: [i.clusters.get(way, i.id) for i in items] for way in ways}


def headline(items: Sequence[ItemScore]) -> Estimate:
    """The mean over scenarios and languages of the items' mean utility.

    Items of no scenario (dialogues without an event) are shown in a row of their own and not in it,
    unless there are no others.
    """
    counted = [i for i in items if i.scenario != "none"] or list(items)
    if not counted:
        return Estimate(value=None)
    return macro_mean(
        [i.utility for i in counted], [f"{i.scenario}/{i.language}" for i in counted], clusters_of(counted)
    )


def cells(items: Sequence[ItemScore]) -> tuple[Cell, ...]:
    """Scenario by language, with margins: languages of each scenario, scenarios of each language, all of all."""
    languages = sorted({i.language for i in items})
    scenarios = [s for s in (*SCENARIOS, "none") if any(i.scenario == s for i in items)]
    scenarios += sorted({i.scenario for i in items} - set(scenarios))
    rows = []
    for scenario in [*scenarios, ALL]:
        for language in [*languages, ALL]:
            inside = [i for i in items if scenario in (ALL, i.scenario) and language in (ALL, i.language)]
            if inside:
                rows.append(_cell(scenario, language, inside))
    return tuple(rows)


def _cell(scenario: str, language: str, items: Sequence[ItemScore]) -> Cell:
    if scenario == ALL:
        # A margin over scenarios weighs them equally, as the headline does.
        counted = [i for i in items if i.scenario != "none"] or list(items)
        strata = [f"{i.scenario}/{i.language}" for i in counted]

        def mean(of: Callable[[ItemScore], float]) -> Estimate:
            return macro_mean([of(i) for i in counted], strata, clusters_of(counted))
    else:
        counted = list(items)

        def mean(of: Callable[[ItemScore], float]) -> Estimate:
            return clustered_mean([of(i) for i in counted], clusters_of(counted))

    judged = [i for i in counted if i.naturalness is not None]
    return Cell(
        scenario=scenario,
        language=language,
        expected=len(items),
        scored=sum(i.outcome == "scored" for i in items),
        utility=mean(lambda i: i.utility),
        behaviour=mean(lambda i: i.behaviour),
        speed=mean(lambda i: i.speed),
        relevance=mean(lambda i: i.relevance or 0.0),
        # Only of what was said: silence has no style.
        naturalness=clustered_mean([i.naturalness or 0.0 for i in judged], clusters_of(judged))
        if judged
        else Estimate(value=None),
    )


def delays(items: Sequence[ItemScore]) -> dict[str, DelaySummary]:
    """Content and sound of replies after the user's turn, and stops after an interruption; misses are censored."""
    scored = [i for i in items if i.outcome == "scored"]
    found: dict[str, DelaySummary] = {}
    replies = [(i, r) for i in scored for r in i.replies]
    for name in ("content", "sound"):
        values = [getattr(r, name) for _, r in replies]
        if values:
            found[f"reply, first {name}"] = summarise_delays(
                values, [r.limit for _, r in replies], clusters_of([i for i, _ in replies])
            )
    stops = [(i, e) for i in scored for e in i.events if e.stop_limit is not None]
    if stops:
        found["stop"] = summarise_delays(
            [e.stop for _, e in stops], [e.stop_limit or 0.0 for _, e in stops], clusters_of([i for i, _ in stops])
        )
    return found


def rates(items: Sequence[ItemScore]) -> dict[str, Estimate]:
    """How often: replies missed, begun early, to fillers only; events not exercised; each rule failed."""
    scored = [i for i in items if i.outcome == "scored"]
    replies = [(i, r) for i in scored for r in i.replies]
    events = [(i, e) for i in scored for e in i.events]
    found: dict[str, Estimate] = {}

    def add(name: str, rows: Sequence[tuple[ItemScore, bool]]) -> None:
        if rows:
            found[name] = rate(np.array([hit for _, hit in rows]), clusters_of([i for i, _ in rows]))

    add("replies missed", [(i, r.sound is None) for i, r in replies])
    add("replies begun over 0.5 s early", [(i, r.early > 0.5) for i, r in replies])
    add("replies without content", [(i, r.sound is not None and r.content is None) for i, r in replies])
    add("events not exercised", [(i, not e.exercised) for i, e in events])
    for name in sorted({r.name for _, e in events for r in e.rules}):
        add(f"fails: {name}", [(i, (r.score or 0.0) < 0.5) for i, e in events for r in e.rules if r.name == name])
    return found


def accounted(items: Sequence[ItemScore]) -> dict[str, int]:
    """Why expected items were not scored; they count 0."""
    return dict(sorted(Counter(i.outcome for i in items if i.outcome != "scored").items()))
