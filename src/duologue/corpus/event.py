"""Full-duplex events: as planned (relative to turns) and as realised (on the clock of one audio)."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import Count, Name, NotNegative

INTERRUPTION = ("follow_up", "negation", "repetition", "topic_switch", "termination")
REJECTION = ("backchannel", "pause", "third_party", "others_directed")
SCENARIOS = INTERRUPTION + REJECTION

# What a system should do, in order. "stop": fall silent; "continue": go on as if nothing had happened;
# "wait": stay silent until the user is done; "respond": answer the new words; "resume": take the earlier
# answer up again when asked; "ignore": no reply to what was said.
Act = Literal["stop", "continue", "wait", "respond", "resume", "ignore"]
Anchor = Literal["turn_start", "word_end", "turn_end"]


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When an event is due: ``offset`` seconds after ``anchor`` of turn ``reference_turn``.

    For ``word_end`` the anchor is the end of word ``word`` of that turn.
    """

    reference_turn: Count
    anchor: Anchor
    offset: float = 0.0
    word: Count | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event as planned. ``target_turn`` holds its words (for a pause: the turn that pauses).

    ``position`` is "before" or "after" for third-party speech relative to the user's own query.
    ``context_end`` is the last turn a system has heard when the event is due. ``window`` is how many seconds
    after the event's end a reaction still counts. ``response_turn`` is the reference reaction, if any.
    """

    id: Name
    kind: str
    speaker: str
    trigger: Trigger
    target_turn: Count
    expected: tuple[Act, ...]
    addressee: str = ""
    position: Literal["", "before", "after"] = ""
    context_end: Count = 0
    window: NotNegative = 8.0
    response_turn: Count | None = None

    @property
    def halts(self) -> bool:
        """Whether the event is a silence inside its own turn, which the system should wait out."""
        return self.kind == "pause" or self.expected[:1] == ("wait",)

    @property
    def interrupts(self) -> bool:
        """Whether the system should fall silent for it."""
        return "stop" in self.expected


class RealisedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where event ``event`` really lies: samples [start, end) of ``channel`` of audio ``audio``.

    ``reaction`` is the interval of the reference system's own change (its fade-out, its held pause).
    """

    event: str
    audio: str
    channel: Count
    start: Count
    end: Count
    reaction: tuple[Count, Count] | None = None
