"""Answers to multiple-choice questions: accuracy, and what it is worth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from duologue.score.emotion.answers import Answers
from duologue.score.emotion.choice import KINDS, Question, choice_of
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import rate

WAYS = ("script_family", "speaker")


class ChoiceScores(msgspec.Struct, frozen=True, kw_only=True):
    """``accuracy`` over all questions asked; ``every_order``: questions right in each order of their options.

    ``errors`` is the share of all questions (first, of any order) that were lost to each type of distractor, missing
    and unreadable ones under their own names. ``transcript`` is the accuracy of answers given from the words alone.
    """

    accuracy: Estimate
    every_order: Estimate
    by_kind: dict[str, Estimate]
    by_language: dict[str, Estimate]
    errors: dict[str, float]
    chosen: dict[str, int]
    transcript: Estimate | None
    expected: int
    counts: dict[str, int]


def score(questions: Sequence[Question], answers: Answers, transcript: Answers | None = None) -> ChoiceScores:
    """Score ``answers`` by question id; questions must hold their answers (else ValueError).

    ``transcript`` are the answers of the same system to the same questions without the audio: what it gains by hearing
    is the difference.
    """
    if any(q.answer is None for q in questions):
        raise ValueError("questions without their answers cannot be scored")
    right, outcome = _marked(questions, answers)
    orders: dict[str, list[bool]] = defaultdict(list)
    for q, hit in zip(questions, right, strict=True):
        orders[q.base].append(hit)
    bases = {q.base: q for q in reversed(questions)}
    known = {(q.id, "") for q in questions}
    for key in answers.given:
        if key not in known:
            answers.note(answers.lines.get(key, 0), "nothing asked", f"{key[0]}: no such question")
    spread = Counter(o for o in outcome if o)
    return ChoiceScores(
        accuracy=rate(right, _clusters(questions)),
        every_order=rate([all(orders[b]) for b in bases], _clusters(list(bases.values()))),
        by_kind={k: _part(questions, right, [q.kind == k for q in questions]) for k in KINDS},
        by_language={
            x: _part(questions, right, [q.language == x for q in questions])
            for x in sorted({q.language for q in questions})
        },
        errors={o: n / len(questions) for o, n in sorted(spread.items())},
        chosen=dict(sorted(Counter(_place(q, answers) for q in questions).items())),
        transcript=rate(_marked(questions, transcript)[0], _clusters(questions)) if transcript is not None else None,
        expected=len(questions),
        counts=dict(sorted(answers.counts.items())),
    )


def _marked(questions: Sequence[Question], answers: Answers) -> tuple[list[bool], list[str]]:
    """Whether each question was answered right, and what it was lost to ("" where it was not)."""
    right, outcome = [], []
    for q in questions:
        key = (q.id, "")
        choice = choice_of(answers.given.get(key), q)
        right.append(choice is not None and choice == q.answer)
        if right[-1]:
            outcome.append("")
        elif choice is not None:
            outcome.append(q.options[choice].distractor)
        else:
            twice = "answered twice" if key in answers.twice else "missing"
            outcome.append("no option named" if key in answers.given else twice)
    return right, outcome


def _place(q: Question, answers: Answers) -> str:
    choice = choice_of(answers.given.get((q.id, "")), q)
    return "none" if choice is None else str(choice)


def _part(questions: Sequence[Question], right: Sequence[bool], keep: Sequence[bool]) -> Estimate:
    inside = [q for q, k in zip(questions, keep, strict=True) if k]
    return rate([r for r, k in zip(right, keep, strict=True) if k], _clusters(inside))


def _clusters(questions: Sequence[Question]) -> dict[str, list[str]]:
    return {way: [q.clusters.get(way, q.dialogue) for q in questions] for way in WAYS}
