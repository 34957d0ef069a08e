"""The user's side of a call: asked for each frame just before it is sent."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from duologue.corpus.event import RealisedEvent
from duologue.corpus.observation import SentTurn
from duologue.corpus.read import OpenDialogue
from duologue.live.heard import Heard
from duologue.live.without_echo import user_channel
from duologue.systems.arrival import Int16

# The clock of a run: what the turns, events and recordings of every observation are on.
RATE = 16_000


class Source(Protocol):
    """What the user says, and when. One object a call.

    After the call ``sent``, ``realised`` and ``not_exercised`` tell what happened, in samples at 16 kHz since the
    call's origin, as :class:`duologue.corpus.observation.Observation` has them.
    """

    def frame(self, start: int, size: int, heard: Heard) -> Int16 | None:
        """The user's samples [start, start + size) at the session's input rate, int16 [size]; None when the user has
        nothing more to say, after which the call only listens. ``heard`` is what the user has heard up to sample
        ``start``; nothing later is known."""
        ...

    @property
    def seconds(self) -> float:
        """The longest that the user's side may take; bounds the call."""
        ...

    @property
    def sent(self) -> tuple[SentTurn, ...]: ...

    @property
    def realised(self) -> tuple[RealisedEvent, ...]: ...

    @property
    def not_exercised(self) -> dict[str, str]: ...


class Recorded:
    """The user's channel as it was recorded: ``pcm`` is int16 [n] at the session's input rate."""

    def __init__(
        self,
        pcm: Int16,
        rate: int,
        *,
        sent: tuple[SentTurn, ...] = (),
        realised: tuple[RealisedEvent, ...] = (),
    ) -> None:
        self.pcm, self.rate = pcm, rate
        self.sent, self.realised = sent, realised
        self.not_exercised: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.rate

    def frame(self, start: int, size: int, heard: Heard) -> Int16 | None:
        if start >= len(self.pcm):
            return None
        part = self.pcm[start : start + size]
        return part if len(part) == size else np.pad(part, (0, size - len(part)))


def recorded(item: OpenDialogue, rate: int, *, which: str = "main") -> Recorded:
    """The user's channel of ``item`` at ``rate`` Hz, its level unchanged, with its turns and events on the run's clock.

    An echo of the reference system is taken out: no system under test said those words.

    ``which`` is "main", "twin" or an audio id. Turns and events are those of the main audio, with which a twin shares
    its clock.
    """
    x, own_rate = user_channel(item, which)
    main = item.file("main")
    scale = RATE / main.sample_rate
    sent = [
        SentTurn(t.index, round(s.start * scale), round(s.end * scale))
        for t in item.dialogue.turns
        if t.role != "system"
        for s in t.segments
        if s.audio == main.id
    ]
    realised = [
        RealisedEvent(
            event=r.event, audio=r.audio, channel=r.channel, start=round(r.start * scale), end=round(r.end * scale)
        )
        for r in item.dialogue.realised
        if r.audio == main.id
    ]
    return Recorded(
        resampled(x, own_rate, rate),
        rate,
        sent=tuple(sorted(sent, key=lambda s: (s.start, s.turn))),
        realised=tuple(realised),
    )


def resampled(pcm: Int16, rate: int, new_rate: int) -> Int16:
    """int16 samples [n] at another rate: soxr, high quality, no shift in time; limited to full scale."""
    if rate == new_rate or not len(pcm):
        return pcm
    import soxr

    y = soxr.resample(pcm.astype(np.float32), rate, new_rate, quality="HQ")
    limited: Int16 = np.clip(np.rint(y), -32_768, 32_767).astype(np.int16)
    return limited


def fit(pcm: Int16, length: int) -> Int16:
    """``pcm`` cut or filled with silence to ``length`` samples."""
    return pcm[:length] if len(pcm) >= length else np.pad(pcm, (0, length - len(pcm)))
