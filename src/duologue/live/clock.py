"""The time of a call: frames at deadlines that never drift."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np


class Clock(Protocol):
    """Monotonic seconds, comparable with the times of arrivals."""

    def now(self) -> float: ...

    async def until(self, deadline: float) -> None:
        """Come back at ``deadline`` or as soon as possible after it."""
        ...


class SystemClock:
    """:func:`time.monotonic`; wakes up to about 1 ms late, which is what the operating system's timers resolve."""

    def now(self) -> float:
        return time.monotonic()

    async def until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        # A frame that is late yields once, so that a call which has to catch up does not starve the others.
        await asyncio.sleep(max(left, 0.0))


class Pacer:
    """Deadlines ``origin + k * frame`` for k = 1, 2, ...: each from the origin, so that lateness never adds up.

    Frame k - 1 holds the audio of the ``frame`` seconds before deadline k, as a sound card would give it.
    """

    def __init__(self, clock: Clock, frame: float, origin: float) -> None:
        self.clock, self.frame, self.origin = clock, frame, origin
        self.count = 0
        self.errors: list[float] = []

    @property
    def deadline(self) -> float:
        """Of the frame that is due next, or being sent."""
        return self.origin + self.count * self.frame

    async def next(self) -> float:
        """Wait for the next deadline; returns the seconds by which it was missed."""
        self.count += 1
        await self.clock.until(self.deadline)
        return self.clock.now() - self.deadline

    def sent(self) -> None:
        """The frame is on its way: keep by how much that was late."""
        self.errors.append(self.clock.now() - self.deadline)

    def percentile(self, q: float) -> float:
        """The ``q``-th percentile of the pacing errors' size, in milliseconds; 0 where no frame was sent."""
        return float(np.percentile(np.abs(self.errors), q)) * 1000 if self.errors else 0.0


def phase(index: int, frame: float) -> float:
    """By how many seconds the origin of call ``index`` is put off, so that calls do not all wake at one instant.

    Multiples of the golden ratio's fraction fall evenly into a frame, however many calls there are.
    """
    return frame * ((index * 0.618_033_988_749_894_9) % 1.0)


@contextmanager
def punctual() -> Iterator[None]:
    """Keep this process from stopping itself while calls are under way.

    What is alive now is left out of garbage collections (they take tens of milliseconds once a corpus is loaded), and
    a thread that computes gives way after 1 ms instead of 5.
    """
    interval = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(0.001)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
