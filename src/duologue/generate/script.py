"""The script: what is said, by whom, in which feeling, and what is meant to happen. No audio, no clock.

A :class:`Writer` turns a :class:`Brief` into a :class:`Script`. Both are plain data, so that scripts can be
written to JSON Lines, checked, edited by people and built later.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from duologue.corpus.annotation import CauseKind
from duologue.corpus.dialogue import Situation, Track
from duologue.corpus.emotion import Taxonomy
from duologue.corpus.event import Act
from duologue.corpus.scenario import Scenario
from duologue.corpus.speaker import Role
from duologue.corpus.turn import TurnKind

SCRIPT_VERSION = 1


class Feeling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Emotion of one line. ``intensity`` 0 (neutral only) to 3. In a conflict item ``acoustic`` is what the
    voice must carry and ``semantic`` what the words say; elsewhere both are empty and ``label`` is both."""

    label: str = "neutral"
    intensity: int = 0
    semantic: str = ""
    acoustic: str = ""

    @property
    def heard(self) -> str:
        return self.acoustic or self.label


class ScriptCause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Line ``emotion_line`` feels so because of code points ``span`` of line ``evidence_line``'s text."""

    emotion_line: int
    evidence_line: int
    span: tuple[int, int]
    cause_kind: CauseKind
    explicit: bool
    explanation: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One utterance.

    ``text`` is NFC, exactly the words spoken, with ordinary punctuation; ``text_raw`` adds marks such as
    [sigh] or [laughter] where there are any. ``to`` is the role that is addressed. ``emphasis`` is the code
    point span of the word that carries the feeling. ``pause_at`` are code point offsets inside the text
    (at a word boundary, in the middle of a clause) where a pause falls. ``over`` is the index of the line
    that this line is spoken over (interruption, backchannel, third party); None for an ordinary turn.
    ``skeleton`` names the sentence pattern(s) that made it, for diversity accounting.
    """

    role: Role
    text: str
    to: Role
    kind: TurnKind = "turn"
    text_raw: str = ""
    feeling: Feeling = Feeling()
    emphasis: tuple[int, int] | None = None
    pause_at: tuple[int, ...] = ()
    over: int | None = None
    skeleton: str = ""


class ScriptEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A full-duplex event: ``line`` holds its words (for a pause: the line with ``pause_at``).

    ``kind`` is one of the nine scenarios or of the described ones. ``reference_line`` is the line it is timed against:
    the answer that is interrupted or spoken over; the user's query for third-party speech "before" it; for speech to
    others the user's query that comes before. ``response_line`` is the reference system's reply to it, None where the
    right reaction is none. ``expected`` is in order, e.g. ("stop", "respond").
    """

    kind: str
    line: int
    reference_line: int
    expected: tuple[Act, ...]
    response_line: int | None = None
    position: Literal["", "before", "after"] = ""

    @property
    def halts(self) -> bool:
        """Whether the event is a silence inside its own line."""
        return self.kind == "pause" or self.expected[:1] == ("wait",)


class ScriptProbe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A question that line ``line`` asks (the last user turn), with a reference reply and structured answer."""

    task: str
    line: int
    target_line: int | None = None
    reference: str = ""
    answer: str = ""


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole dialogue as text. ``family`` names the story or seed scenario that a split keeps together."""

    version: int
    language: str
    track: Track
    tasks: tuple[str, ...]
    scenario: str
    family: str
    situation: Situation
    lines: tuple[Line, ...]
    events: tuple[ScriptEvent, ...] = ()
    causes: tuple[ScriptCause, ...] = ()
    probes: tuple[ScriptProbe, ...] = ()
    writer: str = "embedded"
    writer_version: str = ""


class Brief(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a writer is asked for.

    Track 1: ``task`` is one of the track's tasks; ``feelings`` has one entry per user turn (the last, which
    asks the question in trajectory and reasoning, included). ``scenario`` is "clip", "conflict_clip" or
    "dialogue". Track 2: ``scenario`` is one of the nine or "none"; ``events`` is how many events of that
    scenario are wanted (0, 1, 2...), ``position`` for third-party speech; ``contrast`` asks for a confusing neighbour
    (e.g. a reported "stop", a backchannel word that is a real answer) in which no event happens or another
    reaction is right. ``user_turns`` counts ordinary user turns. ``family`` is one of ``Writer.families()``.
    ``seed`` is the only source of variation: equal briefs give equal scripts everywhere. ``described`` is the
    description of a scenario that is not one of the nine, ``taxonomy`` the labels where they are not the standard ones.
    """

    language: str
    track: Track
    task: str
    scenario: str
    family: str
    user_turns: int
    seed: int
    feelings: tuple[Feeling, ...] = ()
    events: int = 1
    position: Literal["", "before", "after"] = ""
    contrast: bool = False
    relationship: str = ""
    setting: str = ""
    register: str = ""
    described: Scenario | None = None
    taxonomy: Taxonomy | None = None


class Writer(Protocol):
    """Writes scripts. Pure: no clock, no network, no global random state."""

    name: str
    version: str

    def families(self, language: str, track: Track, scenario: str) -> tuple[str, ...]:
        """All families for a cell, in a stable order; a plan deals them out to the splits. "domain/story"."""
        ...

    def axes(self, language: str, track: Track, family: str) -> dict[str, tuple[str, ...]]:
        """Which relationships, settings and registers suit a family: keys "relationship", "setting", "register"."""
        ...

    def write(self, brief: Brief) -> Script:
        """The script for ``brief``; raises UserError where the brief cannot be met."""
        ...
