"""The card of a run on track 1, without a judge."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.score.emotion.answers import AnswerFinding
from duologue.score.emotion.cause import CauseScores, PhraseScores
from duologue.score.emotion.expression import ExpressionScores, Hearing
from duologue.score.emotion.recognition import ConflictScores, RecognitionScores
from duologue.score.emotion.reliability import Reliability
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
    reliability: dict[str, Reliability] = {}


class EmotionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One expected answer and what was read in it. ``clusters`` maps "script_family" and "speaker" to their names.

    ``score`` in [0, 1] orders items of a task: 1 - edit distance of a trajectory, proportional span F1 of causes (token
    F1 of reasons in words), 1 or 0 for a label. ``confidence`` is what the answer claims, None where it claims none.
    """

    id: str
    probe: str
    task: str
    language: str
    status: Status
    gold: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    right: bool = False
    how: str = ""
    clusters: dict[str, str] = {}
    score: float = 0.0
    confidence: float | None = None


# How an expected spoken reply ended. All but "heard" count as failed: not as asked, and not intelligible.
ReplyStatus = Literal["heard", "missing", "mute", "unreadable", "infrastructure"]


class ReplyItem(msgspec.Struct, frozen=True, kw_only=True):
    """One spoken reply. ``asked`` is the feeling asked for, "" where none is stated; ``heard`` what the ear hears.

    ``error`` is the WER (en) or CER (zh) of ``words`` as recognised against ``text``, None where it was not measured:
    no recogniser, or no text to compare with. ``right`` says whether the reply is heard as asked.
    """

    id: str
    probe: str
    task: str
    language: str
    status: ReplyStatus
    why: str = ""
    asked: str = ""
    heard: str = ""
    right: bool = False
    text: str = ""
    words: str = ""
    error: float | None = None


class SpokenCell(msgspec.Struct, frozen=True, kw_only=True):
    """One language, or "all": ``expected`` replies are ``accounted`` for; ``not_asked`` of them state no feeling.

    ``scores`` is over the replies of which a feeling was asked, None where there are none.
    """

    language: str
    expected: int
    accounted: dict[str, int]
    not_asked: int
    scores: ExpressionScores | None = None


class SpokenCard(msgspec.Struct, frozen=True, kw_only=True):
    """The run's spoken replies. ``hearing`` is the ear and its error, None where ``ear_from`` says why there is none.

    ``words_from`` says who heard the words, or why nobody did.
    """

    cells: tuple[SpokenCell, ...]
    hearing: Hearing | None
    ear_from: str
    words_from: str
    items: tuple[ReplyItem, ...] = ()


class EmotionCard(msgspec.Struct, frozen=True, kw_only=True):
    """``counts`` and ``findings`` name what was wrong with the answers' lines; ``unknown_labels`` what no label fits.

    ``left_to_judges`` counts probes that no measure here answers for (what an empathetic reply says). ``spoken`` is of
    the run's audio, None where no spoken reply is expected or the run is a file of answers.
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
    spoken: SpokenCard | None = None
