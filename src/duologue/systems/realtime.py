"""OpenAI's Realtime protocol over WebSocket, as its public API reference describes it, and servers that speak it.

Events have their current names on the way out; on the way in the beta's names count too. The shape of
``session.update`` follows the shape of the session that the server shows in ``session.created``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

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
from duologue.systems.message import base64_pcm16, read_object, read_pcm16, summary
from duologue.systems.system import Settings
from duologue.systems.wire import Wire, address, shown

RATE = 24_000
_HOST = "api.openai.com"
_AUDIO = frozenset({"response.output_audio.delta", "response.audio.delta"})
_SAID = frozenset(
    {
        "response.output_audio_transcript.delta",
        "response.audio_transcript.delta",
        "response.output_text.delta",
        "response.text.delta",
    }
)
_HEARD = "conversation.item.input_audio_transcription"
_encode = msgspec.json.Encoder().encode


class RealtimeSystem:
    """``url`` with its path and query, such as ws://127.0.0.1:8080/v1/realtime?model=...

    The key of ``OPENAI_API_KEY`` goes to OpenAI alone; for any other server ``settings.key_env`` names one.
    """

    at_once = 0

    def __init__(self, url: str, settings: Settings = Settings()) -> None:
        self.url = address(url)
        if settings.model and "model=" not in url:
            self.url += ("&" if "?" in url else "?") + f"model={settings.model}"
        self.spec = f"realtime:{shown(self.url)}"
        self.settings = settings

    def session(self) -> RealtimeSession:
        own = urlsplit(self.url).hostname == _HOST
        return RealtimeSession(self.url, self.settings, Key(self.settings.key_env or ("OPENAI_API_KEY" if own else "")))


class RealtimeSession:
    """One session. ``commit``, ``clear``, ``respond`` and ``cancel`` are for systems without turn detection."""

    input_rate = output_rate = RATE

    def __init__(self, url: str, settings: Settings, key: Key) -> None:
        self._wire = Wire(url, settings, key=key)
        self._settings = settings
        self._beta = False
        self._interrupts = True
        self._detects = True
        # Milliseconds of audio received of each item, in order of arrival; the content part it lies in.
        self._received: defaultdict[str, float] = defaultdict(float)
        self._part: dict[str, int] = {}
        self._cut: set[str] = set()
        # Items whose transcript came in pieces; the whole of it, which follows, is no news.
        self._in_pieces: set[str] = set()
        self._greeting: list[Arrival] = []

    @property
    def where(self) -> str:
        return self._wire.where

    async def open(self) -> None:
        await self._wire.open()
        data, at = await self._wire.first()
        event = read_object(self._wire, data)
        if event.get("type") == "error":
            raise self._wire.failed("refused the session", kind="infrastructure", said=_message(event))
        if event.get("type") != "session.created":
            raise self._wire.failed(
                "did not greet with session.created",
                kind="infrastructure",
                said=str(event.get("type", "no type")),
                mend="is it OpenAI's Realtime protocol that the address speaks?",
            )
        self._wire.greeted = True
        session = event.get("session")
        session = session if isinstance(session, dict) else {}
        self._beta = "audio" not in session and ("modalities" in session or "input_audio_format" in session)
        self._learn(session)
        self._greeting = [ProtocolEvent(at, "session.created", summary(self._wire, event))]
        await self._event("session.update", session=self._session())

    async def send(self, frame: Int16) -> None:
        await self._wire.send(f'{{"type":"input_audio_buffer.append","audio":"{base64_pcm16(frame)}"}}')

    async def arrivals(self) -> AsyncIterator[Arrival]:
        for arrival in self._greeting:
            yield arrival
        while True:
            data, at = await self._wire.receive()
            for arrival in self._read(read_object(self._wire, data), at):
                yield arrival

    async def truncate(self, item: str, played_ms: float) -> None:
        """Tell the server what was heard of ``item``. The end never lies beyond the audio that was received, which
        the protocol answers with an error; an item of which nothing came is not mentioned."""
        received = self._received.get(item)
        self._cut.add(item)
        if received is None or not 0 <= played_ms < received:
            return
        await self._event(
            "conversation.item.truncate",
            item_id=item,
            content_index=self._part.get(item, 0),
            audio_end_ms=int(played_ms),
        )

    async def commit(self) -> None:
        await self._event("input_audio_buffer.commit")

    async def clear(self) -> None:
        await self._event("input_audio_buffer.clear")

    async def respond(self) -> None:
        await self._event("response.create")

    async def cancel(self) -> None:
        await self._event("response.cancel")

    def round_trips(self) -> tuple[float, ...]:
        return tuple(self._wire.round_trips)

    async def close(self) -> None:
        await self._wire.close()

    def _text(self, event: dict[str, Any], field: str) -> str:
        return self._wire.key.cut(str(event.get(field) or ""))

    async def _event(self, type: str, **fields: Any) -> None:
        await self._wire.send(_encode({"type": type, **fields}).decode())

    def _session(self) -> dict[str, Any]:
        """The session that is asked for: audio at 24 kHz both ways, all else the server's own choice."""
        s = self._settings
        session: dict[str, Any] = {}
        if s.instructions:
            session["instructions"] = s.instructions
        # A call has no button to press: where turns are not detected, the server is asked to detect them.
        detection = {} if self._detects else {"turn_detection": {"type": "server_vad"}}
        if self._beta:
            session |= detection | {
                "modalities": ["text", "audio"],
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
            }
            if s.voice:
                session["voice"] = s.voice
            return session | s.extra
        pcm: dict[str, Any] = {"type": "audio/pcm", "rate": RATE}
        output: dict[str, Any] = {"format": pcm}
        if s.voice:
            output["voice"] = s.voice
        audio = {"input": {"format": pcm} | detection, "output": output}
        return {"type": "realtime", "output_modalities": ["audio"], "audio": audio} | session | s.extra

    def _learn(self, session: dict[str, Any]) -> None:
        """Take what matters from a session object; a format other than the one asked for ends the call."""
        audio = session.get("audio")
        audio = audio if isinstance(audio, dict) else {}
        for side in ("input", "output"):
            part = audio.get(side)
            form = part.get("format") if isinstance(part, dict) else None
            if isinstance(form, dict) and form.get("rate") not in (None, RATE):
                raise self._wire.wrong(f"its {side} audio is at {form['rate']} Hz, the protocol's is at {RATE} Hz")
        source = audio.get("input")
        source = source if isinstance(source, dict) else session
        detection = source.get("turn_detection")
        self._detects = "turn_detection" not in source or detection is not None
        if isinstance(detection, dict):
            self._interrupts = detection.get("interrupt_response") is not False

    def _read(self, event: dict[str, Any], at: float) -> list[Arrival]:
        kind = event.get("type")
        if not isinstance(kind, str):
            raise self._wire.wrong("sent an event without a type")
        if kind in _AUDIO:
            item = str(event.get("item_id", ""))
            pcm = read_pcm16(self._wire, event.get("delta"))
            self._received[item] += 1000 * len(pcm) / RATE
            part = event.get("content_index")
            self._part[item] = part if isinstance(part, int) else 0
            # What still comes of an answer that was cut off is not played.
            return [Audio(at, pcm, item)] if item not in self._cut else []
        kept = ProtocolEvent(at, kind, summary(self._wire, event))
        if kind in _SAID:
            return [TranscriptDelta(at, "system", self._text(event, "delta")), kept]
        if kind == f"{_HEARD}.delta":
            self._in_pieces.add(str(event.get("item_id", "")))
            return [TranscriptDelta(at, "user", self._text(event, "delta")), kept]
        if kind == f"{_HEARD}.completed" and str(event.get("item_id", "")) not in self._in_pieces:
            return [TranscriptDelta(at, "user", self._text(event, "transcript")), kept]
        if kind == "input_audio_buffer.speech_started":
            return [SpeechStarted(at), *([Flush(at)] if self._interrupts else []), kept]
        if kind == "input_audio_buffer.speech_stopped":
            return [SpeechStopped(at), kept]
        if kind == "response.done":
            response = event.get("response")
            status = str(response.get("status", "")) if isinstance(response, dict) else ""
            return [ResponseDone(at, status), kept]
        if kind == "session.updated" and isinstance(event.get("session"), dict):
            self._learn(event["session"])
        return [kept]


def _message(event: dict[str, Any]) -> str:
    error = event.get("error")
    return str(error.get("message") or error.get("code") or error) if isinstance(error, dict) else str(error)
