"""A clock on which waiting takes no time."""

from __future__ import annotations

import asyncio


class NoWait:
    """``slept`` holds every wait that was asked for, in seconds; the clock moves on by as much."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
