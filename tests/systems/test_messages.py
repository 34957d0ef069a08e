"""Every message that we and our instruments send is one of the public SDK's own types."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wiretap import tapped

from duologue.live.call import CallSettings, Recording, call
from duologue.live.instruments import Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.live.source import RATE, Recorded, resampled
from duologue.systems.gemini import GeminiSystem, _camel
from duologue.systems.spec import open_system
from duologue.systems.system import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from callers import user

# An answer at 0.7 s that the user speaks into at 1.1 s, and another after that.
SPEECH = [(0.1, 0.4), (1.1, 1.4)]
BEHAVIOUR = Behaviour(reply_after=0.3, reply=1.5, stop_after=0.1)


def listened(protocol: str, settings: Settings = Settings()) -> tuple[Recording, list[Any], list[Any]]:
    """One call, and the JSON messages that client and server sent in it."""
    with Instrument(protocol, BEHAVIOUR) as server, tapped(server.url) as tap:
        system = open_system(server.spec.replace(server.url, tap.url), settings)
        recording = run_loop(call(system.session(), user(SPEECH, 1.5), CallSettings(tail=0.6)))
    assert recording.failure is None
    return recording, [json.loads(m) for m in tap.from_client], [json.loads(m) for m in tap.from_server]


def unknown_in(value: Any, at: str = "") -> list[str]:
    """Fields that the SDK's type of ``value`` does not name, at any depth."""
    if isinstance(value, list):
        return [f for v in value for f in unknown_in(v, at)]
    extra = getattr(value, "model_extra", None)
    fields = getattr(type(value), "model_fields", {})
    found = [f"{at}.{name}" for name in extra or ()]
    return found + [f for name in fields for f in unknown_in(getattr(value, name), f"{at}.{name}")]


def valid(kind: Any, messages: list[Any], *, ours: bool = False) -> set[str]:
    """Validate each message; of ``ours`` no field may be unknown at any depth, of a server's at its top. Returns the
    types seen."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(kind)
    for message in messages:
        found = adapter.validate_python(message)
        assert found.type == message["type"], message
        unknown = unknown_in(found) if ours else list(found.model_extra or ())
        assert not unknown, (message["type"], unknown)
    return {m["type"] for m in messages}


def test_realtime_in_its_current_form() -> None:
    types = pytest.importorskip("openai.types.realtime")
    settings = Settings(voice="marin", instructions="Be brief.")
    recording, client, server = listened("realtime", settings)
    sent = valid(types.RealtimeClientEvent, client, ours=True)
    assert sent == {"session.update", "input_audio_buffer.append", "conversation.item.truncate"}
    came = valid(types.RealtimeServerEvent, server)
    assert {
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.done",
        "conversation.item.truncated",
    } <= came
    update = client[0]["session"]
    assert update["type"] == "realtime" and update["instructions"] == "Be brief."
    assert update["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"}
    # The cancelled response says so, in the SDK's words.
    done = [m["response"]["status"] for m in server if m["type"] == "response.done"]
    assert done[0] == "cancelled"
    truncate = next(m for m in client if m["type"] == "conversation.item.truncate")
    cut = recording.cuts[0]
    assert truncate["audio_end_ms"] == int(cut.played * 1000 / 24_000)
    assert truncate["content_index"] == 0 and truncate["item_id"] == cut.item


def test_realtime_in_its_beta_form() -> None:
    types = pytest.importorskip("openai.types.beta.realtime")
    _, client, server = listened("realtime-beta", Settings(voice="alloy"))
    assert valid(types.RealtimeClientEvent, client, ours=True) >= {"session.update", "input_audio_buffer.append"}
    came = valid(types.RealtimeServerEvent, server)
    assert {"response.audio.delta", "response.audio_transcript.delta", "response.done"} <= came
    assert client[0]["session"]["input_audio_format"] == "pcm16"
    assert "type" not in client[0]["session"]


def test_the_buttons_of_realtime() -> None:
    """commit, clear, respond and cancel, for systems that are told when a turn is over."""
    types = pytest.importorskip("openai.types.realtime")
    with Instrument("realtime", Behaviour(reply_after=None, reply=2.0)) as server, tapped(server.url) as tap:
        system = open_system(server.spec.replace(server.url, tap.url))
        names: list[str] = []

        async def press() -> None:
            session = system.session()
            await session.open()
            await session.send(np.zeros(480, np.int16))
            await session.clear()
            await session.commit()
            await session.respond()
            async for arrival in session.arrivals():
                name = getattr(arrival, "name", "")
                names.append(name)
                if name == "response.created":
                    await session.cancel()
                if name == "response.done":
                    break
            await session.close()

        run_loop(press())
    assert valid(types.RealtimeClientEvent, [json.loads(m) for m in tap.from_client], ours=True) == {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "response.create",
        "response.cancel",
    }
    assert "input_audio_buffer.cleared" in names and "input_audio_buffer.committed" in names
    done = [m for m in map(json.loads, tap.from_server) if m["type"] == "response.done"]
    assert done[0]["response"]["status"] == "cancelled"


def test_truncate_never_names_more_than_was_sent() -> None:
    """The server answers an ``audio_end_ms`` beyond its audio with an error, so none is sent."""
    with Instrument("realtime", Behaviour(reply_after=None, reply=0.3)) as server:

        async def scenario() -> list[dict]:
            session = open_system(server.spec).session()
            await session.open()
            await session.respond()
            item = ""
            async for arrival in session.arrivals():
                item = getattr(arrival, "item", "") or item
                if getattr(arrival, "name", "") == "response.done":
                    break
            for item_id, played in ((item, 300.0), (item, 5000.0), (item, -1.0), ("item_unknown", 0.0), (item, 299.0)):
                await session.truncate(item_id, played)
            async for arrival in session.arrivals():
                if getattr(arrival, "name", "") in ("conversation.item.truncated", "error"):
                    break
            await session.close()
            return [m for m in server.seen if m["type"] == "conversation.item.truncate"]

        sent = run_loop(scenario())
    assert [m["audio_end_ms"] for m in sent] == [299]


def test_gemini_live() -> None:
    types = pytest.importorskip("google.genai.types")
    settings = Settings(model="some-live-model", voice="Kore", instructions="Be brief.")
    recording, client, server = listened("gemini", settings)

    def strict(kind: Any, message: dict[str, Any]) -> Any:
        # The SDK's types refuse unknown fields themselves; what was understood has to be all that was said.
        found = kind.model_validate(message)
        again = found.model_dump(exclude_none=True, by_alias=True, mode="json")
        assert set(again) == set(message), message
        return found

    sent = [strict(types.LiveClientMessage, m) for m in client]
    assert sent[0].setup.model == "models/some-live-model"
    assert sent[0].setup.generation_config.response_modalities == ["AUDIO"]
    assert sent[0].setup.generation_config.speech_config.voice_config.prebuilt_voice_config.voice_name == "Kore"
    assert all(m.realtime_input.audio.mime_type == "audio/pcm;rate=16000" for m in sent[1:])
    assert all(len(m.realtime_input.audio.data) == 640 for m in sent[1:])
    came = [strict(types.LiveServerMessage, m) for m in server]
    assert came[0].setup_complete is not None
    assert any(m.server_content and m.server_content.interrupted for m in came)
    assert any(m.server_content and m.server_content.turn_complete for m in came)
    audio = [p for m in came if m.data for p in m.server_content.model_turn.parts]
    assert {p.inline_data.mime_type for p in audio} == {"audio/pcm;rate=24000"}
    assert len(recording.cuts) == 1


def test_gemini_in_snake_case() -> None:
    """The JSON mapping of protocol buffers accepts the original names of fields as well."""
    session = GeminiSystem("ws://127.0.0.1:1").session()
    part = {"inline_data": {"mime_type": "audio/pcm", "data": "AAA="}}
    message = _camel({"server_content": {"model_turn": {"parts": [part]}}})
    (audio,) = session._read(message, 1.0)
    assert audio.pcm.tolist() == [0]


@pytest.mark.parametrize("seconds", [0.05])
def test_a_short_user_is_sent_whole(seconds: float) -> None:
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        pcm = np.arange(round(seconds * RATE), dtype=np.int16)
        system = open_system(server.spec)
        recording = run_loop(
            call(system.session(), lambda rate: Recorded(resampled(pcm, RATE, rate), rate), CallSettings(tail=0.0))
        )
    assert recording.user[: len(pcm)].tolist() == pcm.tolist()
