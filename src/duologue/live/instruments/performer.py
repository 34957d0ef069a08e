"""Hears the user, and speaks when it was told to: the part of an instrument that no protocol knows."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import numpy as np

from duologue.live.ear import Ear
from duologue.live.instruments.behaviour import Behaviour
from duologue.systems.arrival import Int16

# Timers of the event loop resolve a millisecond; the rest is spent asking the clock.
_EARLY = 0.002
TONE_HZ, TONE_LEVEL = 440.0, 0.25


def tone(seconds: float, rate: int) -> Int16:
    """A tone of 440 Hz whose first sample is its loudest, int16 [n]."""
    n = np.arange(round(seconds * rate))
    wave: Int16 = np.rint(32_767 * TONE_LEVEL * np.cos(2 * np.pi * TONE_HZ * n / rate)).astype(np.int16)
    return wave


async def exactly(deadline: float) -> None:
    """Come back at monotonic ``deadline``, to some tens of microseconds where the processor is free."""
    await asyncio.sleep(max(0.0, deadline - time.monotonic() - _EARLY))
    while time.monotonic() < deadline:
        await asyncio.sleep(0)


class Mouth(Protocol):
    """How a protocol says what happens. Offsets are milliseconds of the user's audio since the session began."""

    async def started(self, offset_ms: int, interrupts: bool) -> None:
        """The user speaks; ``interrupts``: what was sent and not yet played is to be thrown away."""
        ...

    async def stopped(self, offset_ms: int) -> None: ...

    async def begin(self) -> None: ...

    async def say(self, pcm: Int16) -> None: ...

    async def finish(self, *, cancelled: bool) -> None: ...


class Acting(Protocol):
    """What a protocol asks of who performs."""

    async def hear(self, pcm: Int16, at: float) -> None: ...

    def reply_now(self) -> None: ...

    async def cancel(self) -> None: ...

    def end(self) -> None: ...


class Performer:
    def __init__(self, behaviour: Behaviour, mouth: Mouth, input_rate: int, output_rate: int) -> None:
        self.behaviour, self.mouth = behaviour, mouth
        self.rate, self.output_rate = input_rate, output_rate
        self._words = tone(behaviour.reply, output_rate)
        self._ear = Ear(input_rate, hang=behaviour.hush)
        self._reply: asyncio.Task[None] | None = None
        self._stop: asyncio.Task[None] | None = None
        # A reply is under way from its first sample to the moment at which its last has been played.
        self._begun = self._sending = False

    async def hear(self, pcm: Int16, at: float) -> None:
        """The user's next samples, whose message arrived at monotonic ``at``."""
        edges = self._ear.feed(pcm)
        loud = self._ear.last_loud
        for edge in edges:
            when = at - (self._ear.heard - edge.sample) / self.rate
            ms = edge.sample * 1000 // self.rate
            if edge.kind == "onset":
                await self._onset(when, ms)
            else:
                await self.mouth.stopped(ms)
        if self._ear.speaking and loud is not None and self.behaviour.reply_after is not None:
            self._plan(at - (self._ear.heard - loud) / self.rate + self.behaviour.reply_after)

    def reply_now(self) -> None:
        """Reply because the client asks for it."""
        self._plan(time.monotonic())

    async def cancel(self) -> None:
        """Break off the reply because the client asks for it."""
        if self._sending and self._reply is not None:
            self._reply.cancel()
            self._begun = self._sending = False
            await self.mouth.finish(cancelled=True)

    def end(self) -> None:
        for task in (self._reply, self._stop):
            if task is not None:
                task.cancel()

    def _plan(self, when: float) -> None:
        """Reply at ``when`` instead of at the time planned before, unless the reply has begun."""
        if self._begun:
            return
        if self._reply is not None:
            self._reply.cancel()
        self._reply = asyncio.create_task(self._speak(when))

    async def _onset(self, when: float, ms: int) -> None:
        if not self._begun:
            if self._reply is not None:
                self._reply.cancel()
            await self.mouth.started(ms, interrupts=False)
        elif self.behaviour.stop_after is not None:
            self._stop = asyncio.create_task(self._stop_at(when + self.behaviour.stop_after, ms))

    async def _stop_at(self, when: float, ms: int) -> None:
        await exactly(when)
        if self._begun and self._reply is not None:
            self._reply.cancel()
            self._begun = False
            await self.mouth.started(ms, interrupts=True)
            if self._sending:
                self._sending = False
                await self.mouth.finish(cancelled=True)
        else:
            await self.mouth.started(ms, interrupts=False)

    async def _speak(self, when: float) -> None:
        b = self.behaviour
        await exactly(when)
        self._begun = self._sending = True
        pcm = self._words
        size = len(pcm) if b.burst else max(1, round(b.chunk * self.output_rate))
        await self.mouth.begin()
        stalled = 0.0
        for k, start in enumerate(range(0, len(pcm), size)):
            if b.stall_at is not None and not stalled and start / self.output_rate >= b.stall_at:
                stalled = b.stall
            # One chunk ahead, so that playback does not hang on the punctuality of both sides.
            await asyncio.sleep(max(0.0, when + stalled + max(0, k - 1) * b.chunk - time.monotonic()))
            await self.mouth.say(pcm[start : start + size])
        self._sending = False
        await self.mouth.finish(cancelled=False)
        # Until it has been played, speech into it is an interruption, though all of it was sent.
        await asyncio.sleep(max(0.0, when + stalled + b.reply - time.monotonic()))
        self._begun = False
