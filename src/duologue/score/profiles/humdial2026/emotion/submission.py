"""What a submission to track 1 says, held against the reference: one reply for each expected dialogue, and its faults.

Nothing here is fatal and nothing is silent: each fault of a file has a kind, is named with its place, and is counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec

from duologue.judge.emotion import EmotionTurn
from duologue.judge.grades import Task

Fault = Literal[
    "blank line",
    "broken JSON",
    "byte order mark",
    "not UTF-8",
    "wrong type",
    "too long a line",
    "huge reply",
    "missing file",
    "missing dialogue",
    "duplicate dialogue",
    "extra dialogue",
    "missing turn",
    "duplicate turn",
    "extra turn",
    "missing reply",
    "wrong language",
    "missing audio",
    "unreadable audio",
    "extra audio",
    "unknown label",
    "no label",
    "no target turn",
    "differs from the reference",
    "bad judgement",
    "extra judgement",
]
# "second": the second turn whose label is not neutral, as the released code; "last": the last one, as the readme.
Target = Literal["second", "last"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, the place where it is (file, line, dialogue, turn) and what it means for the score."""

    kind: Fault
    where: str
    what: str


class OfficialReply(msgspec.Struct, frozen=True, kw_only=True):
    """The reply that is scored of an expected dialogue.

    ``turns`` end with the scored one: the user's words and labels are the reference's, the replies the submission's.
    ``read`` is the state of the text, ``heard`` of the audio ("missing" also where none can be opened; empathy only);
    ``detail`` says why either is not "ok".
    """

    id: str
    task: Task
    language: str
    dialogue: str
    turn: int
    turns: tuple[EmotionTurn, ...]
    read: Literal["ok", "missing", "wrong-language"]
    heard: Literal["ok", "missing"] = "missing"
    audio: Path | None = None
    detail: str = ""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """Every expected reply, ordered by id, and every fault. ``left_out`` are dialogues that have no turn to score by
    the official rule; ``own_reference`` says that nothing but the submission tells what was expected."""

    replies: tuple[OfficialReply, ...]
    problems: tuple[Problem, ...] = ()
    left_out: tuple[str, ...] = ()
    own_reference: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Faults by kind, the commonest first."""
        return dict(Counter(p.kind for p in self.problems).most_common())
