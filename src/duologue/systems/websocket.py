"""The raw WebSocket protocol of docs/raw-websocket.md: PCM16 both ways, for systems that speak none of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from duologue.systems.arrival import (
    Arrival,
    Audio,
    Flush,
    Int16,
    ProtocolEvent,
    ResponseDone,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
)
from duologue.systems.key import Key
from duologue.systems.message import pcm16, read_object, summary
from duologue.systems.system import Settings
from duologue.systems.wire import Wire, address, shown

VERSION = 1
RATES = range(8_000, 48_001)
_encode = msgspec.json.Encoder().encode


class WebSocketSystem:
    at_once = 0

    def __init__(self, url: str, settings: Settings = Settings()) -> None:
        self.url = address(url)
        self.spec = f"ws:{shown(self.url)}"
        self.settings = settings

    def session(self) -> WebSocketSession:
        return WebSocketSession(self.url, self.settings)


class WebSocketSession:
    """One session. The rates are the server's choice: 16 kHz until ``open`` has read its "ready"."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._wire = Wire(url, settings, key=Key(settings.key_env))
        self._settings = settings
        self._ready: Arrival | None = None
        self.input_rate = self.output_rate = 16_000

    @property
    def where(self) -> str:
        return self._wire.where

    async def open(self) -> None:
        await self._wire.open()
        s = self._settings
        asked = {"type": "start", "version": VERSION, "format": "pcm16", **s.extra}
        asked |= {k: v for k in ("model", "voice", "instructions") if (v := getattr(s, k))}
        await self._wire.send(_encode(asked).decode())
        data, at = await self._wire.first()
        event = read_object(self._wire, data) if isinstance(data, str) else {}
        if event.get("type") == "error":
            raise self._wire.failed("refused the session", kind="infrastructure", said=str(event.get("message", "")))
        if event.get("type") != "ready":
            raise self._wire.failed(
                'did not answer "start" with "ready"',
                kind="infrastructure",
                mend="is it the raw WebSocket protocol that the address speaks?",
            )
        self._wire.greeted = True
        self.input_rate, self.output_rate = self._rate(event, "input_rate"), self._rate(event, "output_rate")
        self._ready = ProtocolEvent(at, "ready", summary(self._wire, event))

    async def send(self, frame: Int16) -> None:
        await self._wire.send(frame.astype("<i2", copy=False).tobytes())

    async def arrivals(self) -> AsyncIterator[Arrival]:
        if self._ready is not None:
            yield self._ready
        while True:
            data, at = await self._wire.receive()
            if isinstance(data, bytes):
                yield Audio(at, pcm16(self._wire, data))
            else:
                for arrival in self._read(read_object(self._wire, data), at):
                    yield arrival

    async def truncate(self, item: str, played_ms: float) -> None:
        await self._wire.send(_encode({"type": "truncated", "played_ms": int(played_ms)}).decode())

    def round_trips(self) -> tuple[float, ...]:
        return tuple(self._wire.round_trips)

    async def close(self) -> None:
        await self._wire.close()

    def _rate(self, event: dict[str, Any], field: str) -> int:
        rate = event.get(field)
        # A frame of 10 ms is the finest unit of time here.
        if type(rate) is not int or rate not in RATES or rate % 100:
            raise self._wire.wrong(f"{field} is no rate from {RATES.start} to {RATES.stop - 1} Hz", rate)
        return rate

    def _read(self, event: dict[str, Any], at: float) -> list[Arrival]:
        kind = event.get("type")
        kept = ProtocolEvent(at, str(kind), summary(self._wire, event))
        if kind == "flush":
            return [Flush(at), kept]
        if kind == "speech_started":
            return [SpeechStarted(at), kept]
        if kind == "speech_stopped":
            return [SpeechStopped(at), kept]
        if kind == "text":
            role, text = event.get("role", "system"), event.get("text")
            if role not in ("user", "system") or not isinstance(text, str):
                raise self._wire.wrong('sent a "text" without a role or a text')
            return [TranscriptDelta(at, role, self._wire.key.cut(text)), kept]
        if kind == "done":
            return [ResponseDone(at), kept]
        if kind == "error":
            raise self._wire.wrong("reported an error", event.get("message", ""))
        return [kept]
