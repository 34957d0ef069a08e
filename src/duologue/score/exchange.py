"""One dialogue as a system went through it: the item, the observation, and what can be heard in it, on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.event import Event
from duologue.corpus.interval import Intervals
from duologue.corpus.observation import Observation, SaidWord, WordsFrom
from duologue.corpus.turn import Turn

RATE = 16_000


def _none() -> Intervals:
    return np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class PlayedTurn:
    """A turn in the user's channel as it was really played: ``segments`` are samples at 16 kHz."""

    turn: Turn
    segments: Intervals

    @property
    def start(self) -> int:
        return int(self.segments[0, 0])

    @property
    def end(self) -> int:
        return int(self.segments[-1, 1])


@dataclass(frozen=True, slots=True)
class PlayedEvent:
    """An event and where it really fell: samples [start, end) at 16 kHz; ``not_exercised`` tells why it did not."""

    event: Event
    start: int
    end: int
    not_exercised: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the scorers of a dialogue read; nothing of the plan but the events' kinds and acts.

    All times are samples at 16 kHz on the clock of the user's audio as sent, which lasts ``length`` samples; the
    window in which the system is heard may last longer (``heard_until``). ``sound`` is where the system is audible,
    ``speech`` where it speaks (both sorted, disjoint); ``words`` are the system's, with times, by ``words_from``.
    """

    dialogue: Dialogue
    observation: Observation
    length: int
    heard_until: int
    turns: tuple[PlayedTurn, ...] = ()
    events: tuple[PlayedEvent, ...] = ()
    sound: Intervals = field(default_factory=_none)
    speech: Intervals = field(default_factory=_none)
    words: tuple[SaidWord, ...] = ()
    words_from: WordsFrom = ""

    @property
    def language(self) -> str:
        return self.dialogue.languages[0]

    def played(self, index: int) -> PlayedTurn | None:
        """Turn ``index`` of the dialogue where it was played in the user's channel."""
        return next((t for t in self.turns if t.turn.index == index), None)

    def text(self, start: int, end: int) -> str:
        """What the system said in [start, end): words whose middle lies inside."""
        joiner = "" if self.language == "zh" else " "
        return joiner.join(w.text for w in self.words if start <= (w.start + w.end) // 2 < end)
