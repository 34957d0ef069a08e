"""Moshi's binary protocol over WebSocket, as its public protocol page and server describe it.

The first byte of a message is its kind: 0 handshake, 1 audio (pages of one Ogg Opus stream at 24 kHz, mono), 2 text
(UTF-8), 3 control, 4 metadata (JSON), 5 error (UTF-8), 6 ping. The server speaks first, with the handshake, as soon
as it is free: it holds one conversation at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import sphn

from duologue.systems.arrival import Arrival, Audio, Int16, ProtocolEvent, TranscriptDelta
from duologue.systems.key import Key
from duologue.systems.message import summary
from duologue.systems.system import Settings
from duologue.systems.wire import Wire, address, shown

RATE = 24_000
HANDSHAKE, AUDIO, TEXT, CONTROL, METADATA, ERROR, PING = range(7)
_NAMES = ("handshake", "audio", "text", "control", "metadata", "error", "ping")
_CONTROLS = ("start", "endTurn", "pause", "restart")
_PATH = "/api/chat"
# RFC 3533, 6: the largest page, header included.
_LONGEST_PAGE = 65_307


class MoshiSystem:
    at_once = 1

    def __init__(self, url: str, settings: Settings = Settings()) -> None:
        self.url = address(url)
        if self.url.split("://", 1)[1].rstrip("/").count("/") == 0:
            self.url = self.url.rstrip("/") + _PATH
        self.spec = f"moshi:{shown(self.url)}"
        self.settings = settings

    def session(self) -> MoshiSession:
        return MoshiSession(self.url, self.settings)


class MoshiSession:
    """One session. The encoder groups samples by 40 ms, so a frame of 20 ms may leave with the one after it."""

    input_rate = output_rate = RATE

    def __init__(self, url: str, settings: Settings) -> None:
        self._wire = Wire(url, settings, key=Key(settings.key_env))
        self._writer = sphn.OpusStreamWriter(RATE)
        self._reader = sphn.OpusStreamReader(RATE)
        self._text = b""
        # Bytes of audio since the last sample came out of the decoder.
        self._undecoded = 0
        self._greeting: list[Arrival] = []

    @property
    def where(self) -> str:
        return self._wire.where

    async def open(self) -> None:
        await self._wire.open()
        data, at = await self._wire.first()
        if not isinstance(data, bytes) or data[:1] != bytes([HANDSHAKE]) or len(data) > 64:
            raise self._wire.failed(
                "did not begin with the handshake byte",
                kind="infrastructure",
                mend="is it Moshi's protocol that the address speaks?",
            )
        self._wire.greeted = True
        self._greeting = [ProtocolEvent(at, "handshake", {"bytes": data[1:].hex()})]

    async def send(self, frame: Int16) -> None:
        pages = self._writer.append_pcm(frame.astype(np.float32) / 32_768)
        if pages:
            await self._wire.send(bytes([AUDIO]) + pages)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        for arrival in self._greeting:
            yield arrival
        while True:
            data, at = await self._wire.receive()
            for arrival in self._read(data, at):
                yield arrival

    async def truncate(self, item: str, played_ms: float) -> None:
        """Moshi speaks and is heard on one clock; there is nothing to cut off."""

    def round_trips(self) -> tuple[float, ...]:
        return tuple(self._wire.round_trips)

    async def close(self) -> None:
        await self._wire.close()

    def _read(self, data: str | bytes, at: float) -> list[Arrival]:
        if isinstance(data, str):
            raise self._wire.wrong("sent a text message; the protocol is binary")
        if not data:
            raise self._wire.wrong("sent an empty message")
        kind, payload = data[0], data[1:]
        if kind == AUDIO:
            pcm = self._decode(payload)
            return [Audio(at, pcm)] if len(pcm) else []
        if kind == TEXT:
            text = self._wire.key.cut(self._pieces(payload))
            return [TranscriptDelta(at, "system", text), ProtocolEvent(at, "text", {"text": text})]
        if kind == ERROR:
            raise self._wire.wrong("reported an error", payload.decode("utf-8", "replace"))
        if kind == CONTROL:
            name = _CONTROLS[payload[0]] if payload and payload[0] < len(_CONTROLS) else payload[:8].hex()
            return [ProtocolEvent(at, "control", {"action": name})]
        if kind < len(_NAMES):
            return [ProtocolEvent(at, _NAMES[kind], summary(self._wire, payload.decode("utf-8", "replace")))]
        raise self._wire.wrong("sent a message of an unknown kind", f"first byte {kind}")

    def _decode(self, pages: bytes) -> Int16:
        # The decoder skips what is no Ogg page without a word; pages may be cut across messages, but not at first.
        if not self._undecoded and not pages.startswith(b"OggS"):
            raise self._wire.wrong("sent audio that is no Ogg page", pages[:8].hex())
        try:
            pcm = self._reader.append_bytes(pages)
        except (ValueError, RuntimeError, OSError) as error:
            raise self._wire.wrong("sent audio that is no Ogg Opus", error) from None
        if not np.isfinite(pcm).all():
            raise self._wire.wrong("sent audio that is not finite")
        self._undecoded = 1 if len(pcm) else self._undecoded + len(pages)
        if self._undecoded > _LONGEST_PAGE:
            raise self._wire.wrong("sent audio that is no Ogg Opus", f"{self._undecoded:,} bytes without a sample")
        limited: Int16 = np.clip(np.rint(pcm * 32_768), -32_768, 32_767).astype(np.int16)
        return limited

    def _pieces(self, payload: bytes) -> str:
        """Text whose characters may be cut across messages."""
        self._text += payload
        try:
            text = self._text.decode("utf-8")
            self._text = b""
        except UnicodeDecodeError as error:
            if error.end < len(self._text) or len(self._text) - error.start > 3:
                raise self._wire.wrong("sent text that is not UTF-8") from None
            text, self._text = self._text[: error.start].decode("utf-8"), self._text[error.start :]
        return text
