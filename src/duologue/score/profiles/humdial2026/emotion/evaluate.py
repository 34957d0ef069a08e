"""The official score of a submission to track 1 from its judgements.

A dimension's score is the mean over its replies, a task's that of its three dimensions; weights are in
:mod:`.totals`. Every expected reply has one status in each dimension that was judged. A reply that is missing or in the
wrong language has the lowest grade; what a judge failed on is left out ("drop", as the scripts do) or has it as well
("floor").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from duologue.judge.grades import DIMENSIONS, Task
from duologue.judge.verdict import FLOOR, STATUSES, Policy, Status
from duologue.score.profiles.humdial2026.emotion.judgements import Judgement, Judgements, settled
from duologue.score.profiles.humdial2026.emotion.submission import OfficialReply, Problem, Submission, Target
from duologue.score.profiles.humdial2026.emotion.totals import WEIGHTS, final_score, language_score, task_score
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import clustered_mean, interval

POLICIES: tuple[Policy, ...] = ("drop", "floor")
LANGUAGES = ("zh", "en")
_GRADES = (1.0, 5.0)


class DimensionScore(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension in one language. ``statuses`` add up to ``expected`` if it was ``judged``; else there are none."""

    dimension: str
    task: Task
    expected: int
    judged: bool
    statuses: dict[Status, int]
    drop: Estimate
    floor: Estimate


class EmotionLanguage(msgspec.Struct, frozen=True, kw_only=True):
    """One language: its dimensions, its tasks' scores by policy, and its final score by policy (no value where a
    dimension was not judged or has no grade)."""

    language: str
    dimensions: dict[str, DimensionScore]
    tasks: dict[Task, dict[Policy, float | None]]
    drop: Estimate
    floor: Estimate


class JudgedReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An expected reply and what was found of it, by dimension."""

    id: str
    task: Task
    language: str
    dialogue: str
    turn: int
    judgements: dict[str, Judgement] = {}
    detail: str = ""


class EmotionScore(msgspec.Struct, frozen=True, kw_only=True):
    """The official score of a submission. ``why`` says what a total lacks, "" where it is complete. ``faults`` counts
    ``problems`` by kind. Intervals are at 95%, with dialogues taken for independent."""

    profile: str
    track: str
    target: Target
    expected: int
    drop: Estimate
    floor: Estimate
    languages: dict[str, EmotionLanguage]
    complete: bool
    why: str
    methods: dict[str, str]
    faults: dict[str, int]
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...]
    replies: tuple[JudgedReply, ...]


def evaluate(
    submission: Submission,
    found: Judgements,
    *,
    target: Target = "second",
    methods: Mapping[str, str] | None = None,
    problems: Sequence[Problem] = (),
) -> EmotionScore:
    """Score ``submission`` from what was ``found`` of its replies; ``problems`` are further ones, of the judgements."""
    replies = [_judged(r, found) for r in submission.replies]
    languages = {}
    shares: dict[Policy, dict[str, dict[str, float]]] = {p: {} for p in POLICIES}
    for language in LANGUAGES:
        rows = [r for r in replies if r.language == language]
        if rows:
            languages[language], of_policy = _language(language, rows, set(found))
            for p in POLICIES:
                shares[p][language] = of_policy[p]
    why = [f"no dialogue in {x}" for x in LANGUAGES if x not in languages]
    for name, found_language in languages.items():
        lacking = [d for d, s in found_language.dimensions.items() if not s.judged]
        empty = [d for d, s in found_language.dimensions.items() if s.judged and s.drop.value is None]
        why += [f"{name}: not judged: {', '.join(lacking)}"] if lacking else []
        why += [f"{name}: no grade for {', '.join(empty)}"] if empty else []
    both = Submission(replies=(), problems=(*submission.problems, *problems))
    return EmotionScore(
        profile="humdial2026",
        track="emotion",
        target=target,
        expected=len(replies),
        drop=_total(languages, "drop", shares["drop"]),
        floor=_total(languages, "floor", shares["floor"]),
        languages=languages,
        complete=not why,
        why="; ".join(why),
        methods=dict(methods or {}),
        faults=both.counts,
        problems=both.problems,
        left_out=submission.left_out,
        replies=tuple(replies),
    )


def _judged(r: OfficialReply, found: Judgements) -> JudgedReply:
    judgements = {d: settled(r, d) or found[d][r.id] for d in DIMENSIONS[r.task] if d in found}
    return JudgedReply(
        id=r.id,
        task=r.task,
        language=r.language,
        dialogue=r.dialogue,
        turn=r.turn,
        judgements=judgements,
        detail=r.detail,
    )


def grade(j: Judgement, policy: Policy) -> float | None:
    """The grade that counts under ``policy``; None where it leaves the reply out."""
    if j.status == "ok":
        return j.grade
    return None if policy == "drop" and j.status in ("unparsable", "infrastructure") else FLOOR


def _language(
    language: str, rows: Sequence[JudgedReply], judged: set[str]
) -> tuple[EmotionLanguage, dict[Policy, dict[str, float]]]:
    """The language's score and, by policy, each dialogue's share of the error of its final score."""
    dimensions: dict[str, DimensionScore] = {}
    shares: dict[Policy, dict[str, float]] = {p: {} for p in POLICIES}
    for task, names in DIMENSIONS.items():
        mine = [r for r in rows if r.task == task]
        for d in names:
            there = d in judged and bool(mine)
            estimates = {}
            for p in POLICIES:
                grades = {r.dialogue: g for r in mine if there and (g := grade(r.judgements[d], p)) is not None}
                estimates[p] = clustered_mean(list(grades.values()), {}, bounds=_GRADES)
                n, mean = len(grades), estimates[p].value or 0.0
                for dialogue, g in grades.items():
                    error = (g - mean) / n * math.sqrt(n / max(n - 1, 1)) * float(WEIGHTS[d])
                    shares[p][dialogue] = shares[p].get(dialogue, 0.0) + error
            counted: dict[Status, int] = {s: sum(r.judgements[d].status == s for r in mine) for s in STATUSES if there}
            dimensions[d] = DimensionScore(
                dimension=d, task=task, expected=len(mine), judged=there, statuses=counted, **estimates
            )
    tasks: dict[Task, dict[Policy, float | None]] = {}
    for task, names in DIMENSIONS.items():
        values = {p: [_value(dimensions[d], p) for d in names] for p in POLICIES}
        tasks[task] = {
            p: float(task_score([x for x in v if x is not None])) if None not in v else None for p, v in values.items()
        }
    finals = {p: _final(dimensions, p, shares[p]) for p in POLICIES}
    return EmotionLanguage(language=language, dimensions=dimensions, tasks=tasks, **finals), shares


def _value(s: DimensionScore, policy: Policy) -> float | None:
    return s.drop.value if policy == "drop" else s.floor.value


def _final(dimensions: Mapping[str, DimensionScore], policy: Policy, shares: Mapping[str, float]) -> Estimate:
    values = {d: _value(s, policy) for d, s in dimensions.items()}
    known = {d: v for d, v in values.items() if v is not None}
    if len(known) < len(values):
        return Estimate(value=None)
    t1, t2, t3 = ([known[d] for d in DIMENSIONS[t]] for t in ("trajectory", "reasoning", "empathy"))
    return _estimate(float(language_score(task_score(t1), task_score(t2), t3)), shares.values())


def _total(
    languages: Mapping[str, EmotionLanguage], policy: Policy, shares: Mapping[str, Mapping[str, float]]
) -> Estimate:
    found = {k: (v.drop if policy == "drop" else v.floor).value for k, v in languages.items()}
    zh, en = found.get("zh"), found.get("en")
    if zh is None or en is None:
        return Estimate(value=None)
    return _estimate(float(final_score(zh, en)), [x / 2 for s in shares.values() for x in s.values()])


def _estimate(value: float, shares: Iterable[float]) -> Estimate:
    each = list(shares)
    low, high = interval(value, math.fsum(e * e for e in each), len(each), _GRADES)
    return Estimate(
        value=value, low=low, high=high, n=len(each), clusters=len(each), method="weighted mean, independent dialogues"
    )
