"""The raw WebSocket protocol (docs/raw-websocket.md), from the server's side."""

from __future__ import annotations

import msgspec
import numpy as np

from duologue.live.instruments.peer import Peer
from duologue.live.instruments.performer import Performer
from duologue.systems.arrival import Int16

INPUT_RATE, OUTPUT_RATE = 16_000, 24_000


async def serve(peer: Peer) -> None:
    data, _ = await peer.receive()
    start = msgspec.json.decode(data)
    peer.seen.append(start)
    if start.get("type") != "start":
        await peer.send({"type": "error", "message": "the first message is not a start"})
        return
    rate = 44_123 if peer.fault == "rate" else OUTPUT_RATE
    await peer.send({"type": "ready", "input_rate": INPUT_RATE, "output_rate": rate})
    peer.send_odd = lambda: peer.ws.send(b"\0\0\0")
    peer.send_error = lambda said: peer.send({"type": "error", "message": said})
    peer.performer = Performer(peer.behaviour, _Mouth(peer), INPUT_RATE, OUTPUT_RATE)
    peer.begin()
    while True:
        data, at = await peer.receive()
        if isinstance(data, bytes):
            await peer.performer.hear(np.frombuffer(data, "<i2"), at)
        else:
            peer.seen.append(msgspec.json.decode(data))


class _Mouth:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def started(self, offset_ms: int, interrupts: bool) -> None:
        await self.peer.send({"type": "speech_started"})
        if interrupts:
            await self.peer.send({"type": "flush"})

    async def stopped(self, offset_ms: int) -> None:
        await self.peer.send({"type": "speech_stopped"})

    async def begin(self) -> None:
        pass

    async def say(self, pcm: Int16) -> None:
        await self.peer.ws.send(pcm.astype("<i2", copy=False).tobytes())

    async def finish(self, *, cancelled: bool) -> None:
        await self.peer.send({"type": "text", "role": "system", "text": self.peer.behaviour.text})
        await self.peer.send({"type": "done"})
