"""One connection to an instrument, and what every protocol does with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection

from duologue.live.instruments.behaviour import Behaviour
from duologue.live.instruments.performer import Acting

_encode = msgspec.json.Encoder().encode


async def _nothing(said: str = "") -> None:
    pass


class Peer:
    """``fault`` is what is wrong on this connection; ``send_odd`` and ``send_error`` are set by the protocol."""

    def __init__(self, ws: ServerConnection, behaviour: Behaviour, fault: str, seen: list[dict[str, Any]]) -> None:
        self.ws, self.behaviour, self.fault, self.seen = ws, behaviour, fault, seen
        self.begun = asyncio.Event()
        self.begun_at = 0.0
        self.performer: Acting | None = None
        self.send_odd: Callable[[], Awaitable[None]] = _nothing
        self.send_error: Callable[[str], Awaitable[None]] = _nothing

    def begin(self) -> None:
        """The session has begun: faults are timed from here."""
        self.begun_at = time.monotonic()
        self.begun.set()

    async def receive(self) -> tuple[str | bytes, float]:
        data = await self.ws.recv()
        return data, self.ws.stamps.popleft()  # type: ignore[attr-defined]

    async def send(self, message: dict[str, Any]) -> None:
        await self.ws.send(_encode(message).decode())

    def end(self) -> None:
        if self.performer is not None:
            self.performer.end()
