"""OpenAI's Realtime protocol from the server's side, in its current form and in its beta form."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np

from duologue.live.instruments.peer import Peer
from duologue.live.instruments.performer import Acting, Performer
from duologue.systems.arrival import Int16
from duologue.systems.message import base64_pcm16
from duologue.systems.realtime import RATE

Fields = dict[str, Any]
_PCM = {"type": "audio/pcm", "rate": RATE}
# Names of events as the beta had them.
_BETA = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "conversation.item.added": "conversation.item.created",
}


async def serve(peer: Peer) -> None:
    await RealtimeServer(peer, beta=False).run()


async def serve_beta(peer: Peer) -> None:
    await RealtimeServer(peer, beta=True).run()


class RealtimeServer:
    """One session; also how it speaks. A ``performer`` other than the instrument's own makes it another system, which
    sets ``text`` to what the present answer says."""

    def __init__(self, peer: Peer, *, beta: bool, performer: Acting | None = None) -> None:
        self.peer, self.beta = peer, beta
        self.text = peer.behaviour.text
        request = peer.ws.request
        query = parse_qs(urlsplit(request.path).query) if request is not None else {}
        self._model = query.get("model", ["instrument"])[0]
        self._count = 0
        self._heard = False
        self._response = self._item = self._last = ""
        self._user_item = ""
        # Milliseconds of audio sent of each item.
        self._sent: dict[str, float] = {}
        self._on: dict[str, Callable[[Fields], Awaitable[None]]] = {
            "session.update": self._update,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "response.create": self._create,
            "response.cancel": self._cancel,
            "conversation.item.truncate": self._truncate,
        }
        peer.send_odd = self._odd
        peer.send_error = self._error
        peer.performer = performer or Performer(peer.behaviour, self, RATE, RATE)

    async def run(self) -> None:
        await self._event("session.created", session=self._session())
        if not self.beta:
            await self._event("conversation.created", conversation={"id": "conv_1", "object": "realtime.conversation"})
        self.peer.begin()
        performer = self.peer.performer
        assert performer is not None
        while True:
            data, at = await self.peer.receive()
            try:
                event = msgspec.json.decode(data)
                kind = event["type"]
            except (msgspec.DecodeError, KeyError, TypeError):
                await self._error("not an event")
                continue
            try:
                if kind == "input_audio_buffer.append":
                    if not self._heard:
                        self.peer.seen.append(event)
                    self._heard = True
                    await performer.hear(np.frombuffer(base64.b64decode(event["audio"]), "<i2"), at)
                    continue
                self.peer.seen.append(event)
                if kind in self._on:
                    await self._on[kind](event)
                else:
                    await self._error(f"Unknown event type {kind!r}.")
            except (KeyError, TypeError, ValueError) as error:
                await self._error(f"Invalid {kind}: {error}.")

    # What the client asks for.

    async def _update(self, event: Fields) -> None:
        session = event.get("session")
        if not isinstance(session, dict) or (session.get("type") != "realtime") != self.beta:
            await self._error("Missing required parameter: 'session.type'.")
            return
        await self._event("session.updated", session=self._session())

    async def _commit(self, event: Fields) -> None:
        await self._committed()

    async def _clear(self, event: Fields) -> None:
        await self._event("input_audio_buffer.cleared")

    async def _create(self, event: Fields) -> None:
        assert self.peer.performer is not None
        self.peer.performer.reply_now()

    async def _cancel(self, event: Fields) -> None:
        assert self.peer.performer is not None
        if self._response:
            await self.peer.performer.cancel()
        else:
            await self._error("Cancellation failed: no active response found")

    async def _truncate(self, event: Fields) -> None:
        item, end = event["item_id"], event["audio_end_ms"]
        if item not in self._sent or event["content_index"] != 0:
            await self._error(f"Item with item_id not found: {item}")
        elif not 0 <= end <= self._sent[item]:
            await self._error(f"Audio content of {self._sent[item]:.0f}ms is already shorter than {end}ms")
        else:
            await self._event("conversation.item.truncated", item_id=item, content_index=0, audio_end_ms=end)

    # What the instrument does.

    async def started(self, offset_ms: int, interrupts: bool) -> None:
        self._user_item = self._id("item")
        await self._event("input_audio_buffer.speech_started", audio_start_ms=offset_ms, item_id=self._user_item)

    async def stopped(self, offset_ms: int) -> None:
        await self._event("input_audio_buffer.speech_stopped", audio_end_ms=offset_ms, item_id=self._user_item)
        await self._committed()

    async def begin(self) -> None:
        self._response, self._item = self._id("resp"), self._id("item")
        self._sent[self._item] = 0.0
        await self._event("response.created", response=self._resource("in_progress", []))
        await self._event(
            "response.output_item.added", response_id=self._response, output_index=0, item=self._spoken("in_progress")
        )
        await self._event(
            "conversation.item.added", previous_item_id=self._last or None, item=self._spoken("in_progress")
        )
        self._last = self._item
        await self._event("response.content_part.added", **self._place(), part={"type": "audio", "transcript": ""})
        if self.text:
            await self._event("response.output_audio_transcript.delta", **self._place(), delta=self.text)

    async def say(self, pcm: Int16) -> None:
        self._sent[self._item] += 1000 * len(pcm) / RATE
        await self._event("response.output_audio.delta", **self._place(), delta=base64_pcm16(pcm))

    async def finish(self, *, cancelled: bool) -> None:
        status = "cancelled" if cancelled else "completed"
        text = self.text
        await self._event("response.output_audio.done", **self._place())
        await self._event("response.output_audio_transcript.done", **self._place(), transcript=text)
        await self._event("response.content_part.done", **self._place(), part={"type": "audio", "transcript": text})
        item = self._spoken("incomplete" if cancelled else "completed")
        await self._event("response.output_item.done", response_id=self._response, output_index=0, item=item)
        if not self.beta:
            await self._event("conversation.item.done", previous_item_id=None, item=item)
        await self._event("response.done", response=self._resource(status, [item]))
        self._response = ""

    # The protocol's objects.

    async def _committed(self) -> None:
        item = self._user_item = self._user_item or self._id("item")
        before = self._last or None
        await self._event("input_audio_buffer.committed", item_id=item, previous_item_id=before)
        heard = {
            "id": item,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        await self._event("conversation.item.added", previous_item_id=before, item=heard)
        if not self.beta:
            await self._event("conversation.item.done", previous_item_id=before, item=heard)
        self._last, self._user_item = item, ""

    async def _odd(self) -> None:
        self._response, self._item = self._response or "resp_odd", self._item or "item_odd"
        await self._event("response.output_audio.delta", **self._place(), delta="AAAA")

    async def _error(self, said: str = "") -> None:
        error = {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": said,
            "param": None,
            "event_id": None,
        }
        await self._event("error", error=error)

    async def _event(self, kind: str, **fields: Any) -> None:
        name = _BETA.get(kind, kind) if self.beta else kind
        await self.peer.send({"type": name, "event_id": self._id("event"), **fields})

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count:06d}"

    def _place(self) -> Fields:
        return {"response_id": self._response, "item_id": self._item, "output_index": 0, "content_index": 0}

    def _session(self) -> Fields:
        stops = self.peer.behaviour.stop_after is not None
        detection = {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 0,
            "silence_duration_ms": round(1000 * self.peer.behaviour.hush),
            "create_response": True,
            "interrupt_response": stops,
        }
        own: Fields = {"id": "sess_1", "object": "realtime.session", "model": self._model, "instructions": ""}
        if self.beta:
            return own | {
                "modalities": ["text", "audio"],
                "voice": "alloy",
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": None,
                "turn_detection": detection,
                "tools": [],
                "tool_choice": "auto",
                "temperature": 0.8,
                "max_response_output_tokens": "inf",
            }
        rate = 16_000 if self.peer.fault == "rate" else RATE
        return own | {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {
                "input": {"format": _PCM, "turn_detection": detection},
                "output": {"format": {**_PCM, "rate": rate}, "voice": "alloy"},
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
        }

    def _spoken(self, status: str) -> Fields:
        part = "audio" if self.beta else "output_audio"
        content = [] if status == "in_progress" else [{"type": part, "transcript": self.text}]
        return {
            "id": self._item,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _resource(self, status: str, output: list[Fields]) -> Fields:
        details = {"type": "cancelled", "reason": "turn_detected"} if status == "cancelled" else None
        own: Fields = {
            "id": self._response,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": output,
        }
        return own | ({"modalities": ["text", "audio"]} if self.beta else {"output_modalities": ["audio"]})
