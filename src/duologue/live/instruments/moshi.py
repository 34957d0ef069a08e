"""Moshi's protocol from the server's side: it streams without a break, silence where it does not speak."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import sphn

from duologue.live.instruments.peer import Peer
from duologue.live.instruments.performer import Performer
from duologue.systems.arrival import Int16
from duologue.systems.moshi import AUDIO, ERROR, HANDSHAKE, RATE, TEXT

# Moshi itself works in steps of 80 ms; half of that is the least that the encoder sends.
_STEP = 0.04


async def serve(peer: Peer) -> None:
    await peer.ws.send(bytes([HANDSHAKE]))
    mouth = _Mouth(peer)
    peer.send_odd = lambda: peer.ws.send(bytes([AUDIO]) + b"OggS" + bytes(200))
    peer.send_error = lambda said: peer.ws.send(bytes([ERROR]) + said.encode())
    peer.performer = Performer(peer.behaviour, mouth, RATE, RATE)
    reader = sphn.OpusStreamReader(RATE)
    peer.begin()
    streaming = asyncio.create_task(mouth.stream())
    try:
        while True:
            data, at = await peer.receive()
            if isinstance(data, bytes) and data[:1] == bytes([AUDIO]):
                pcm = reader.append_bytes(data[1:])
                await peer.performer.hear(np.rint(pcm * 32_767).astype(np.int16), at)
    finally:
        streaming.cancel()


class _Mouth:
    """Silence is sent as it is played out, step by step; speech goes out at once, behind the step that is playing."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._writer = sphn.OpusStreamWriter(RATE)
        self._begun = time.monotonic()
        self._sent = 0

    async def stream(self) -> None:
        step = np.zeros(round(_STEP * RATE), np.int16)
        while True:
            await asyncio.sleep(max(0.0, self._begun + self._sent / RATE - time.monotonic()))
            if self._sent <= (time.monotonic() - self._begun) * RATE:
                await self.say(step)

    async def started(self, offset_ms: int, interrupts: bool) -> None:
        pass

    async def stopped(self, offset_ms: int) -> None:
        pass

    async def begin(self) -> None:
        for word in self.peer.behaviour.text.split():
            await self.peer.ws.send(bytes([TEXT]) + f" {word}".encode())

    async def say(self, pcm: Int16) -> None:
        self._sent += len(pcm)
        pages = self._writer.append_pcm(pcm.astype(np.float32) / 32_768)
        if pages:
            await self.peer.ws.send(bytes([AUDIO]) + pages)

    async def finish(self, *, cancelled: bool) -> None:
        pass
