"""The card of a run on track 1, without a judge."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.score.emotion.answers import AnswerFinding
from duologue.score.emotion.cause import CauseScores, PhraseScores
from duologue.score.emotion.recognition import ConflictScores, RecognitionScores
from duologue.score.emotion.trajectory import TrajectoryScores
from duologue.score.scorecard import Estimate

# How an expected item ended. All but "scored" count as a wrong answer.
Status = Literal["scored", "missing", "empty", "answered twice", "wrong language", "nothing readable"]


class TaskCell(msgspec.Struct, frozen=True, kw_only=True):
    """One language, or "all": measures of the tasks that it has; every expected item is in every denominator."""

    language: str
    expected: dict[str, int]
    accounted: dict[str, dict[str, int]]
    trajectory: TrajectoryScores | None = None
    causes: CauseScores | None = None
    reasons: PhraseScores | None = None
    recognition: RecognitionScores | None = None
    soft_distance: Estimate | None = None
    valence: Estimate | None = None
    arousal: Estimate | None = None
    conflict: ConflictScores | None = None


class EmotionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One expected answer and what was read in it."""

    id: str
    probe: str
    task: str
    language: str
    status: Status
    gold: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    right: bool = False
    how: str = ""


class EmotionCard(msgspec.Struct, frozen=True, kw_only=True):
    """``counts`` and ``findings`` name what was wrong with the answers' lines; ``unknown_labels`` what no label fits.

    ``left_to_judges`` counts probes that no measure here answers for (empathy, expression).
    """

    profile: str
    corpus: str
    corpus_sha256: str
    cells: tuple[TaskCell, ...]
    left_to_judges: dict[str, int]
    counts: dict[str, int]
    findings: tuple[AnswerFinding, ...]
    unknown_labels: dict[str, int]
    read_as: dict[str, int]
    warnings: tuple[str, ...] = ()
    items: tuple[EmotionItem, ...] = ()
