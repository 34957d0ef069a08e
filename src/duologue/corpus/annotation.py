"""One layer for everything that people or machines judge about a dialogue."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import Count, Name, Share
from duologue.corpus.emotion import EmotionValue

RaterType = Literal["human", "model", "intent"]
Status = Literal["raw", "adjudicated", "gold"]
CauseKind = Literal["event", "interpersonal", "self", "latent"]


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why the speaker of ``emotion_turn`` feels so: code points ``span`` of turn ``evidence_turn``'s text.

    ``explicit`` is false where the words state the event but never link it to the feeling.
    """

    emotion_turn: Count
    evidence_turn: Count
    span: tuple[Count, Count]
    cause_kind: CauseKind
    explicit: bool
    explanation: str = ""


class Shift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change of one speaker's emotion between two of their turns; ``causes`` are annotation ids."""

    speaker: str
    from_turn: Count
    to_turn: Count
    from_label: str
    to_label: str
    causes: tuple[str, ...] = ()


class TimeMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A measured or corrected stretch of audio: samples [start, end) of ``channel`` of ``audio``."""

    audio: str
    channel: Count
    start: Count
    end: Count
    label: str = ""


class _Base(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"
):
    """``target`` is "dialogue", "turn:3" or "event:e1". ``gold_of`` names what a gold label was decided from."""

    id: Name
    target: Name
    rater: Name
    rater_type: RaterType
    confidence: Share = 1.0
    instrument: str = ""
    status: Status = "raw"
    gold_of: tuple[str, ...] = ()


class EmotionAnnotation(_Base, frozen=True, tag="emotion"):
    value: EmotionValue


class CauseAnnotation(_Base, frozen=True, tag="cause"):
    value: Cause


class ShiftAnnotation(_Base, frozen=True, tag="shift"):
    value: Shift


class TimeAnnotation(_Base, frozen=True, tag="time"):
    value: TimeMark


class LabelAnnotation(_Base, frozen=True, tag="label"):
    """Any other categorical judgement ("turn-state: incomplete", "scenario: backchannel")."""

    value: dict[str, str]


Annotation = EmotionAnnotation | CauseAnnotation | ShiftAnnotation | TimeAnnotation | LabelAnnotation
