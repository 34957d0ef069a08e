"""A judge's grades of the replies of a run, added to its card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.turn import Turn
from duologue.judge.family import kinship_warning
from duologue.judge.judge import Judge
from duologue.judge.naturalness import DIMENSIONS
from duologue.judge.reply import ReplyToJudge, Said
from duologue.judge.verdict import Policy, Verdict, tally
from duologue.score.profiles.corrected.card import clusters_of
from duologue.score.scorecard import Estimate, ItemScore, Scorecard
from duologue.score.uncertainty import clustered_mean

POLICIES: tuple[Policy, ...] = ("drop", "floor")


def add_judgements(
    card: Scorecard,
    corpus: Corpus,
    judge: Judge[ReplyToJudge],
    *,
    model: str,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Scorecard, list[Verdict]]:
    """The card with ``judged`` filled in, and every verdict.

    Each reply that a turn wants is judged, also the one that never came. The interval of a grade is by clusters of
    items; where replies are judged several times, an item's value is the mean of its readings, whose scatter is part of
    the scatter between items and so of the interval.
    """
    by_id = {i.id: i for i in card.items if i.outcome == "scored"}
    rows = [(i, x) for i in by_id.values() for x in exchanges(i, corpus.get(i.id).dialogue)]
    verdicts = judge.judge([x for _, x in rows], progress)
    judged: dict[str, Estimate] = {}
    for policy in POLICIES:
        for dimension in DIMENSIONS:
            found = [
                (item, grade)
                for (item, _), v in zip(rows, verdicts, strict=True)
                if (grade := v.score(dimension, policy)) is not None
            ]
            if found:
                judged[f"{dimension}, {policy}"] = clustered_mean(
                    [g for _, g in found], clusters_of([i for i, _ in found]), bounds=(1.0, 5.0)
                )
    writers = {s.part for i in list(by_id)[:1] for s in corpus.get(i).dialogue.provenance.steps if s.step == "script"}
    kin = kinship_warning(model, sorted({card.system, *writers}))
    lost = [v for v in verdicts if v.status == "infrastructure"]
    failed = [f"{len(lost)} of {len(verdicts)} replies could not be judged: {lost[0].detail}"] if lost else []
    spread = tally(verdicts, DIMENSIONS).variance
    repeated = {k: v for k, v in spread.items() if v is not None}
    methods = dict(card.methods) | {"judge": f"{judge.name}/{judge.version} by {model}"}
    if repeated:
        methods["variance between repeats"] = ", ".join(f"{k} {v:.3f}" for k, v in repeated.items())
    return (
        msgspec.structs.replace(
            card,
            judged=judged,
            verdicts=tally(verdicts, DIMENSIONS).statuses,
            methods=methods,
            warnings=(*card.warnings, *([kin] if kin else []), *failed),
        ),
        verdicts,
    )


def exchanges(item: ItemScore, d: Dialogue) -> Iterator[ReplyToJudge]:
    """What the judge reads of each wanted reply: the talk so far as it went, the user's words, the reply."""
    said: list[Said] = []
    replies = {r.turn: r for r in item.replies}
    for t in _heard_by_the_system(d):
        r = replies.get(t.index)
        if r is not None:
            yield ReplyToJudge(
                id=f"{item.id}:{t.index}",
                language=item.language,
                user_last=t.text,
                reply=r.text,
                context=tuple(said),
                scenario=item.scenario,
            )
        said.append(Said(t.role, t.text))
        if r is not None and r.text:
            said.append(Said("system", r.text))


def _heard_by_the_system(d: Dialogue) -> Sequence[Turn]:
    return [t for t in d.turns if t.role != "system" and t.text]
