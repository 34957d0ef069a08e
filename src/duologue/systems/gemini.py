"""Google's Gemini Live protocol (BidiGenerateContent) over WebSocket, as its public API reference describes it.

Field names are the JSON mapping's camel case; its snake case is read too. PCM16 at 16 kHz goes out, at 24 kHz comes in.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from duologue.systems.arrival import (
    Arrival,
    Audio,
    Flush,
    Int16,
    ProtocolEvent,
    ResponseDone,
    TranscriptDelta,
)
from duologue.systems.key import Key
from duologue.systems.message import base64_pcm16, read_object, read_pcm16, summary
from duologue.systems.system import Settings
from duologue.systems.wire import Wire, address, shown

INPUT_RATE, OUTPUT_RATE = 16_000, 24_000
_HOST = "generativelanguage.googleapis.com"
_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
_MIME = re.compile(r"audio/(?:l16|pcm)\s*(?:;.*?\brate=(\d+).*)?", re.IGNORECASE)
_CAMEL = re.compile(r"_([a-z])")
_encode = msgspec.json.Encoder().encode


class GeminiSystem:
    """``url`` may leave out the path, and name the model as ``?model=...`` (which is not sent in the address).

    The key of ``GEMINI_API_KEY`` goes to Google alone; for any other server ``settings.key_env`` names one.
    """

    at_once = 0

    def __init__(self, url: str, settings: Settings = Settings()) -> None:
        parts = urlsplit(address(url))
        query = dict(parse_qsl(parts.query))
        self.model = query.pop("model", "") or settings.model
        path = parts.path if parts.path not in ("", "/") else _PATH
        self.url = urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))
        self.spec = f"gemini:{shown(self.url)}" + (f" ({self.model})" if self.model else "")
        self.settings = settings

    def session(self) -> GeminiSession:
        own = urlsplit(self.url).hostname == _HOST
        return GeminiSession(
            self.url, self.model, self.settings, Key(self.settings.key_env or ("GEMINI_API_KEY" if own else ""))
        )


class GeminiSession:
    input_rate, output_rate = INPUT_RATE, OUTPUT_RATE

    def __init__(self, url: str, model: str, settings: Settings, key: Key) -> None:
        self._wire = Wire(url, settings, key=key, key_header=("x-goog-api-key", ""))
        self._model, self._settings = model, settings
        self._greeting: list[Arrival] = []
        # Answers have no names in this protocol; they are counted.
        self._turn = 0

    @property
    def where(self) -> str:
        return self._wire.where

    async def open(self) -> None:
        await self._wire.open()
        await self._wire.send(_encode({"setup": self._setup()}).decode())
        data, at = await self._wire.first()
        message = _camel(read_object(self._wire, data))
        if "setupComplete" not in message:
            raise self._wire.failed(
                "did not answer the set-up with setupComplete",
                kind="infrastructure",
                said=", ".join(message)[:100],
                mend="is it the Gemini Live protocol that the address speaks?",
            )
        self._wire.greeted = True
        self._greeting = [ProtocolEvent(at, "setupComplete", summary(self._wire, message))]

    async def send(self, frame: Int16) -> None:
        audio = base64_pcm16(frame)
        await self._wire.send(
            f'{{"realtimeInput":{{"audio":{{"mimeType":"audio/pcm;rate={INPUT_RATE}","data":"{audio}"}}}}}}'
        )

    async def arrivals(self) -> AsyncIterator[Arrival]:
        for arrival in self._greeting:
            yield arrival
        while True:
            data, at = await self._wire.receive()
            for arrival in self._read(_camel(read_object(self._wire, data)), at):
                yield arrival

    async def truncate(self, item: str, played_ms: float) -> None:
        """The protocol has no message for it: the server knows by itself how far it had got."""

    def round_trips(self) -> tuple[float, ...]:
        return tuple(self._wire.round_trips)

    async def close(self) -> None:
        await self._wire.close()

    def _setup(self) -> dict[str, Any]:
        s = self._settings
        config: dict[str, Any] = {"responseModalities": ["AUDIO"]}
        if s.voice:
            config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": s.voice}}}
        setup: dict[str, Any] = {
            "generationConfig": config,
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
        }
        if self._model:
            setup["model"] = self._model if "/" in self._model else f"models/{self._model}"
        if s.instructions:
            setup["systemInstruction"] = {"parts": [{"text": s.instructions}]}
        return setup | s.extra

    def _read(self, message: dict[str, Any], at: float) -> list[Arrival]:
        found: list[Arrival] = []
        content = message.get("serverContent")
        if content is not None and not isinstance(content, dict):
            raise self._wire.wrong("sent a serverContent that is no object", type(content).__name__)
        if content:
            if content.get("interrupted"):
                found.append(Flush(at))
                self._turn += 1
            found += self._audio(content.get("modelTurn"), at)
            for field, role in (("inputTranscription", "user"), ("outputTranscription", "system")):
                text = content.get(field)
                if isinstance(text, dict) and isinstance(text.get("text"), str):
                    found.append(TranscriptDelta(at, role, self._wire.key.cut(text["text"])))  # type: ignore[arg-type]
            if content.get("turnComplete") or content.get("generationComplete"):
                found.append(ResponseDone(at, "turnComplete" if content.get("turnComplete") else "generationComplete"))
            if content.get("turnComplete"):
                self._turn += 1
        # A message that is nothing but audio says nothing more than the audio does.
        if not (content and set(content) == {"modelTurn"} and any(isinstance(f, Audio) for f in found)):
            name = next(iter(content or message), "empty")
            found.append(ProtocolEvent(at, name, summary(self._wire, message)))
        return found

    def _audio(self, turn: object, at: float) -> list[Arrival]:
        parts = turn.get("parts") if isinstance(turn, dict) else None
        found: list[Arrival] = []
        for part in parts if isinstance(parts, list) else []:
            inline = part.get("inlineData") if isinstance(part, dict) else None
            if not isinstance(inline, dict):
                continue
            mime = str(inline.get("mimeType", ""))
            form = _MIME.fullmatch(mime.strip())
            if form is None:
                raise self._wire.wrong("sent audio that is no PCM", mime)
            if form[1] and int(form[1]) != OUTPUT_RATE:
                raise self._wire.wrong(f"its audio is at {form[1]} Hz, the protocol's is at {OUTPUT_RATE} Hz")
            found.append(Audio(at, read_pcm16(self._wire, inline.get("data")), f"turn-{self._turn}"))
        return found


def _camel(value: Any) -> Any:
    """The JSON mapping of protocol buffers lets a field be named either way; here it is camel case."""
    if isinstance(value, dict):
        return {_CAMEL.sub(lambda m: m[1].upper(), k): _camel(v) for k, v in value.items()}
    return [_camel(v) for v in value] if isinstance(value, list) else value
