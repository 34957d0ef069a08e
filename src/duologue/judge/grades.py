"""What track 1 is graded on, and what the challenge's scripts take a judge's grade for, whatever the judge wrote."""

from __future__ import annotations

from typing import Any, Literal

Task = Literal["trajectory", "reasoning", "empathy"]
# Task -> its dimensions, under their official names: trajectory is the challenge's task 1, reasoning 2, empathy 3.
DIMENSIONS: dict[Task, tuple[str, str, str]] = {
    "trajectory": ("Accuracy_Completeness", "Depth_Granularity", "Added_Value"),
    "reasoning": ("Information_Integration", "Insight_RootCause", "Clarity_Logic"),
    "empathy": ("textual_empathy_insight", "vocal_empathy_congruence", "audio_quality_naturalness"),
}
# Those that are heard, not read.
HEARD = DIMENSIONS["empathy"][1:]


def official_grade(task: Task, value: Any) -> int:
    """The grade that counts for ``value``: :func:`snap` for trajectory and reasoning, :func:`clamp` for empathy."""
    return clamp(value) if task == "empathy" else snap(value)


def snap(value: Any) -> int:
    """1, 3 or 5: int(value) up to 2 is 1, 3 and 4 are 3, from 5 on 5; what int() does not take is 1.

    Quirks of the rule are kept: "3" counts and "3.5" is 1, 4.9 is 3, true is 1 and 100 is 5.
    """
    grade = _whole(value)
    return 1 if grade <= 2 else 3 if grade <= 4 else 5


def clamp(value: Any) -> int:
    """int(value) brought into 1-5; what int() does not take is 1."""
    return max(1, min(5, _whole(value)))


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        return 1
