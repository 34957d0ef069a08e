"""The Gemini Live protocol from the server's side."""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec
import numpy as np

from duologue.live.instruments.peer import Peer
from duologue.live.instruments.performer import Performer
from duologue.systems.arrival import Int16
from duologue.systems.gemini import INPUT_RATE, OUTPUT_RATE
from duologue.systems.message import base64_pcm16

_RATE = re.compile(r"audio/pcm;rate=(\d+)")


async def serve(peer: Peer) -> None:
    data, _ = await peer.receive()
    first = msgspec.json.decode(data)
    peer.seen.append(first)
    if "setup" not in first:
        await peer.ws.close(1007, "the first message is not a setup")
        return
    await _send(peer, {"setupComplete": {}})
    mouth = _Mouth(peer)
    peer.send_odd = lambda: _send(peer, _audio("AAAA", OUTPUT_RATE))
    peer.send_error = lambda said: peer.ws.close(1008, said[:120])
    peer.performer = Performer(peer.behaviour, mouth, INPUT_RATE, OUTPUT_RATE)
    peer.begin()
    heard = False
    while True:
        data, at = await peer.receive()
        message: dict[str, Any] = msgspec.json.decode(data)
        given = message.get("realtimeInput", message.get("realtime_input", {}))
        audio = given.get("audio")
        if not heard or audio is None:
            peer.seen.append(message)
        if audio is None:
            continue
        heard = True
        form = _RATE.fullmatch(audio.get("mimeType", audio.get("mime_type", "")))
        if form is None or int(form[1]) != INPUT_RATE:
            await peer.ws.close(1007, f"this server hears audio/pcm;rate={INPUT_RATE}")
            return
        # The protocol's JSON mapping takes either alphabet of base64.
        pcm = base64.b64decode(audio["data"].replace("-", "+").replace("_", "/"))
        await peer.performer.hear(np.frombuffer(pcm, "<i2"), at)


async def _send(peer: Peer, message: dict[str, Any]) -> None:
    """The real server sends its JSON in binary messages."""
    await peer.ws.send(msgspec.json.encode(message))


def _audio(encoded: str, rate: int) -> dict[str, Any]:
    part = {"inlineData": {"mimeType": f"audio/pcm;rate={rate}", "data": encoded}}
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [part]}}}


class _Mouth:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def started(self, offset_ms: int, interrupts: bool) -> None:
        if interrupts:
            await _send(self.peer, {"serverContent": {"interrupted": True}})

    async def stopped(self, offset_ms: int) -> None:
        pass

    async def begin(self) -> None:
        pass

    async def say(self, pcm: Int16) -> None:
        rate = 16_000 if self.peer.fault == "rate" else OUTPUT_RATE
        await _send(self.peer, _audio(base64_pcm16(pcm), rate))

    async def finish(self, *, cancelled: bool) -> None:
        if not cancelled:
            text = {"outputTranscription": {"text": self.peer.behaviour.text}}
            await _send(self.peer, {"serverContent": text})
            await _send(self.peer, {"serverContent": {"generationComplete": True}})
        await _send(self.peer, {"serverContent": {"turnComplete": True}})
