"""From the dimensions' averages to a language's and a team's final score. Source: the results page."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from duologue.judge.grades import DIMENSIONS, Task
from duologue.score.profiles.humdial2026.rounding import Number, exact, mean

# A task's share of a language's score; that of task 3 goes to its dimensions one by one.
TASK: dict[Task, Fraction] = {"trajectory": Fraction(1, 5), "reasoning": Fraction(1, 5)}
EMPATHY = dict(zip(DIMENSIONS["empathy"], (Fraction(1, 10), Fraction(1, 4), Fraction(1, 4)), strict=True))
# Dimension -> its share of a language's score; the shares sum to 1.
WEIGHTS: dict[str, Fraction] = {d: share / 3 for task, share in TASK.items() for d in DIMENSIONS[task]} | EMPATHY


def task_score(dimensions: Sequence[Number]) -> Fraction:
    """A task's score: the mean of its three dimensions."""
    return mean(dimensions)


def language_score(t1: Number, t2: Number, t3: Sequence[Number]) -> Fraction:
    """Final(language) = 0.2 T1 + 0.2 T2 + 0.1 T3D1 + 0.25 T3D2 + 0.25 T3D3, all in 1-5; not rounded."""
    found = TASK["trajectory"] * exact(t1) + TASK["reasoning"] * exact(t2)
    return found + sum(w * exact(x) for w, x in zip(EMPATHY.values(), t3, strict=True))


def final_score(zh: Number, en: Number) -> Fraction:
    """Final = (zh + en) / 2, of the languages' scores before they are rounded."""
    return mean((zh, en))
