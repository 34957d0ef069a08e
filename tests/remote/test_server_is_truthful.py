"""The test server is what it claims to be: OpenAI's own client works with it, and its answers and our requests fit
OpenAI's own types."""

from __future__ import annotations

import io
import json
import urllib.request
import wave
from collections.abc import Iterator
from typing import Any, get_type_hints

import chat_server as fault
import numpy as np
import pytest
from chat_server import KEY, MODEL, Server

from duologue.judge.naturalness import NaturalnessJudge
from duologue.judge.reply import ReplyToJudge
from duologue.remote.chat import ChatEndpoint, ChatRequest, Message, Sound, wav_bytes
from duologue.remote.transcription import TranscriptionEndpoint

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
NAMED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with openai.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as there:
        yield there


def test_the_real_client_chats(server: Server, client: Any) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0, seed=1, max_tokens=9)
    assert whole.choices[0].message.content == "Fine." and whole.usage.total_tokens > 0
    held = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=NAMED)
    assert json.loads(held.choices[0].message.content) == {"colour": "green"}


def test_the_real_client_streams(server: Server, client: Any) -> None:
    server.say = lambda body: "好的，" * 10
    options = {"include_usage": True}
    pieces = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options))
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == "好的，" * 10
    assert pieces[-2].choices[0].finish_reason == "stop" and pieces[-1].usage.completion_tokens == 30


def test_the_real_client_transcribes_and_lists(server: Server, client: Any) -> None:
    server.hear = lambda _, seconds: [("good", 0.1, 0.4), ("morning", 0.4, seconds)]
    found = client.audio.transcriptions.create(
        model=MODEL,
        file=("a.wav", wav_bytes(np.zeros(16_000, np.float32), 16_000)),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert found.text == "good morning" and found.duration == 1.0
    assert [(w.word, w.start, w.end) for w in found.words] == [("good", 0.1, 0.4), ("morning", 0.4, 1.0)]
    assert [m.id for m in client.models.list()] == [MODEL]


def test_the_real_client_understands_the_refusals(server: Server, client: Any) -> None:
    for broken, error in [
        (fault.busy("1"), openai.RateLimitError),
        (fault.status(500), openai.InternalServerError),
        (fault.status(400), openai.BadRequestError),
        (fault.closes, openai.APIConnectionError),
    ]:
        server.faults.append(broken)
        with pytest.raises(error):
            client.chat.completions.create(model=MODEL, messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="other", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-other").models.list()
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=[])


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_server_answers_fits_the_public_types(server: Server, stream: bool) -> None:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    body = {"model": MODEL, "messages": HELLO, "stream": stream, "stream_options": {"include_usage": True}}
    request = urllib.request.Request(
        f"{server.url}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        raw = response.read().decode()
    if not stream:
        ChatCompletion.model_validate_json(raw, strict=True)
        return
    events = [line[6:] for line in raw.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]" and len(events) > 3
    for event in events[:-1]:
        ChatCompletionChunk.model_validate_json(event, strict=True)


@pytest.mark.parametrize("stream", [False, True])
def test_what_we_send_fits_the_public_types(server: Server, stream: bool) -> None:
    from openai.types.chat.completion_create_params import (
        CompletionCreateParamsNonStreaming,
        CompletionCreateParamsStreaming,
    )

    params = CompletionCreateParamsStreaming if stream else CompletionCreateParamsNonStreaming
    with ChatEndpoint(server.url, MODEL, stream=stream) as endpoint:
        sound = Sound.of(np.zeros(160, np.float32), 16_000)
        endpoint.complete(ChatRequest(messages=(Message("user", ("hark", sound)),)))
        endpoint.complete(ChatRequest(messages=(Message("user", "x"), Message("assistant", "y")), schema=SCHEMA))
        server.refused_forms = {"json_schema"}
        endpoint.complete(ChatRequest(messages=(Message("user", "x"),), schema=SCHEMA))
        server.refused_forms = set()
        judge = NaturalnessJudge(endpoint, None)
        judge.judge([ReplyToJudge(id="1", language="zh", user_last="你好", reply="你好，有什么事？")])
    adapter = pydantic.TypeAdapter(params)
    known = set(get_type_hints(params))
    assert len(server.bodies) == 5
    for body in server.bodies:
        assert set(body) <= known
        found = adapter.validate_python(body)
        for message in found["messages"]:  # lazily validated
            if not isinstance(message["content"], str):
                assert list(message["content"])


def test_our_transcription_request_is_the_real_clients(server: Server, client: Any) -> None:
    samples = np.sin(np.arange(8_000) / 9).astype(np.float32) * np.float32(0.5)
    with TranscriptionEndpoint(server.url, MODEL) as endpoint:
        endpoint.hear(samples, 16_000, language="en")
    client.audio.transcriptions.create(
        model=MODEL,
        file=("speech.wav", wav_bytes(samples, 16_000)),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        temperature=0,
    )
    ours, theirs = (body for _, _, body in server.seen)
    assert ours == {**theirs, "temperature": "0"}
    with wave.open(io.BytesIO(ours["file"])) as f:
        assert f.getnframes() == 8_000
