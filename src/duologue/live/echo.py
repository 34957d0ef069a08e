"""What a loudspeaker in the user's room gives back: the system as it is heard, late and faint, in the microphone."""

from __future__ import annotations

import re

import numpy as np

from duologue.corpus.event import RealisedEvent
from duologue.corpus.observation import SentTurn
from duologue.errors import UserError
from duologue.live.heard import Heard
from duologue.live.source import Source
from duologue.systems.arrival import Int16

# From the player to the microphone (s); longer than any usual frame, so that all of it was heard before it is sent.
DELAY = 0.06
_LEVEL = re.compile(r"(-\d+(?:\.\d+)?)\s*(?:dB)?", re.IGNORECASE)


def echo_level(text: str) -> float:
    """dB of "-30dB" or "-30": -80 to -3, relative to the system as heard."""
    match = _LEVEL.fullmatch(text.strip())
    level = float(match[1]) if match else 0.0
    if not -80 <= level <= -3:
        raise UserError("not a level of echo", field="echo", value=text, allowed="-80dB..-3dB, such as -30dB")
    return level


class Echoing:
    """``source`` in a room with a loudspeaker, at ``level_db`` of what is played, ``delay`` s after it.

    Between rates the echo is interpolated linearly: it is no measuring signal.
    """

    def __init__(self, source: Source, rate: int, level_db: float, delay: float = DELAY) -> None:
        self.source, self.rate, self.delay = source, rate, delay
        self.gain = np.float32(10 ** (level_db / 20))

    @property
    def seconds(self) -> float:
        return self.source.seconds

    @property
    def sent(self) -> tuple[SentTurn, ...]:
        return self.source.sent

    @property
    def realised(self) -> tuple[RealisedEvent, ...]:
        return self.source.realised

    @property
    def not_exercised(self) -> dict[str, str]:
        return self.source.not_exercised

    def frame(self, start: int, size: int, heard: Heard) -> Int16 | None:
        own = self.source.frame(start, size, heard)
        if own is None:
            return None
        # A frame longer than the delay would want what is not yet heard.
        delay = max(self.delay, (size + 1) / self.rate)
        at = (np.arange(start, start + size) / self.rate - delay) * heard.rate
        first = int(np.floor(at[0]))
        played = heard.sound(max(0, first) / heard.rate, (int(at[-1]) + 2) / heard.rate)
        if not played.any():
            return own
        places = np.arange(max(0, first), max(0, first) + len(played))
        echo = np.interp(at, places, played.astype(np.float32), left=0.0, right=0.0)
        mixed: Int16 = np.clip(np.rint(own + echo * self.gain), -32_768, 32_767).astype(np.int16)
        return mixed
