from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chat_server as fault
import numpy as np
import pytest
from chat_server import KEY, MODEL, Server, chunk
from clocks import NoWait

from duologue.remote.cache import Cache
from duologue.remote.chat import Answer, ChatEndpoint, ChatRequest, Message, Sampling, Sound
from duologue.remote.endpoint import EndpointError, Timeouts

SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "grade": {"type": "integer", "enum": [1, 2, 3]}},
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
PLAIN = ChatRequest(messages=(Message("system", "be brief"), Message("user", "hello")))
HELD = ChatRequest(messages=PLAIN.messages, schema=SCHEMA)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def endpoint(server: Server, request: pytest.FixtureRequest) -> Iterator[ChatEndpoint]:
    with ChatEndpoint(server.url, MODEL, stream=request.param, clock=NoWait()) as there:
        yield there


@pytest.mark.parametrize(
    "text",
    [
        "Fine.",
        "",
        "好的，我明白了。🙂",
        'data: [DONE]\n\ndata: {"choices": []}\r\n',
        '{"a": "\\u0000 \\" }{"}',
        "a" * 5_000,
    ],
)
def test_the_text_arrives_unchanged_streamed_or_whole(server: Server, endpoint: ChatEndpoint, text: str) -> None:
    server.say = lambda body: text
    answer = endpoint.complete(PLAIN)
    assert answer.text == text
    assert (answer.finish_reason, answer.model, answer.fingerprint) == ("stop", "judge-1-2026-01-01", "fp_1")
    assert answer.completion_tokens == len(text) and answer.prompt_tokens > 0
    assert len(server.seen) == 1 and bool(server.bodies[0].get("stream")) == endpoint.stream


def test_what_is_asked_for_goes_out(server: Server, endpoint: ChatEndpoint) -> None:
    drawn = Sampling(temperature=0.6, top_p=0.95, seed=7, max_tokens=99, extra={"top_k": 20})
    endpoint.complete(ChatRequest(messages=PLAIN.messages, sampling=drawn, schema=SCHEMA))
    (body,) = server.bodies
    wanted = {"model": MODEL, "temperature": 0.6, "top_p": 0.95, "seed": 7, "max_tokens": 99, "top_k": 20}
    assert {k: body[k] for k in wanted} == wanted
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_what_a_server_does_not_take_can_be_left_out(server: Server, endpoint: ChatEndpoint) -> None:
    sampling = Sampling(omit=("temperature", "top_p", "max_tokens"))
    endpoint.complete(ChatRequest(messages=PLAIN.messages, sampling=sampling))
    assert set(server.bodies[0]) - {"stream", "stream_options"} == {"model", "messages", "seed"}


def test_audio_goes_out_as_a_wav_in_base64(server: Server, endpoint: ChatEndpoint) -> None:
    samples = np.array([0.0, 0.5, -1.0, 2.0], np.float32)
    endpoint.complete(ChatRequest(messages=(Message("user", ("listen", Sound.of(samples, 16_000))),)))
    text, sound = server.bodies[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "listen"} and sound["type"] == "input_audio"
    assert sound["input_audio"]["format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as f:
        assert (f.getframerate(), f.getnchannels(), f.getsampwidth()) == (16_000, 1, 2)
        # 0.5 * 32767 = 16383.5, rounded to even; what lies beyond full scale is clipped.
        assert np.frombuffer(f.readframes(9), "<i2").tolist() == [0, 16384, -32767, 32767]


@pytest.mark.parametrize(
    ("refused", "form"), [({"json_schema"}, "json_object"), ({"json_schema", "json_object"}, "text")]
)
def test_a_server_without_schemas_is_told_in_words_and_not_asked_again(
    server: Server, endpoint: ChatEndpoint, refused: set[str], form: str
) -> None:
    server.refused_forms = refused
    assert json.loads(endpoint.complete(HELD).text)["grade"] == 2
    assert len(server.seen) == 1 + len(refused)
    answer = endpoint.complete(HELD)
    assert answer.form == form
    assert len(server.seen) == 2 + len(refused)
    body = server.bodies[-1]
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"].startswith("be brief\n\n")
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["messages"][0]["content"]
    assert body.get("response_format") == ({"type": "json_object"} if form == "json_object" else None)
    # A request without a schema is left as it is.
    endpoint.complete(PLAIN)
    assert "response_format" not in server.bodies[-1] and "Schema" not in str(server.bodies[-1])


def test_a_refusal_for_another_reason_is_no_refusal_of_schemas(server: Server, endpoint: ChatEndpoint) -> None:
    server.faults.append(fault.status(400, "maximum context length exceeded"))
    with pytest.raises(EndpointError, match="maximum context length"):
        endpoint.complete(HELD)
    assert endpoint.complete(HELD).form == "json_schema" and len(server.seen) == 2


def test_the_newer_name_of_the_token_limit_is_taken_up(server: Server, endpoint: ChatEndpoint) -> None:
    server.limit_field = "max_completion_tokens"
    endpoint.complete(PLAIN)
    endpoint.complete(PLAIN)
    assert ["max_completion_tokens" in b for b in server.bodies] == [False, True, True]


def test_a_model_that_declines(server: Server, endpoint: ChatEndpoint) -> None:
    server.faults.append(fault.refusing)
    answer = endpoint.complete(PLAIN)
    assert (answer.text, answer.refusal) == ("", "I cannot help with that.")


def test_a_stream_that_ends_in_the_middle_is_asked_for_again(server: Server) -> None:
    with ChatEndpoint(server.url, MODEL, stream=True, clock=NoWait()) as endpoint:
        server.faults.append(fault.stream_cut)
        assert endpoint.complete(PLAIN).text == "Fine."
        assert len(server.seen) == 2


def test_a_stream_ends_at_done_even_where_the_connection_stays_open(server: Server) -> None:
    def leaves_open(h: Any) -> None:
        h.begin_stream()
        # Other line ends, a comment, an event with a name, data in two lines: all are in the standard.
        first, second = json.dumps(chunk({"content": "he"})), json.dumps(chunk({"content": "llo"}), indent=0)
        h.piece(f": hi\r\n\r\nevent: message\r\ndata: {first}\r\n\r\n".encode())
        h.piece("".join(f"data:{line}\r" for line in second.split("\n")).encode() + b"\r")
        h.piece(b"data: [DO")
        h.piece(b"NE]\r\n\r\n")
        server.closing.wait(20)

    import threading

    server.closing = threading.Event()  # type: ignore[attr-defined]
    server.faults.append(leaves_open)
    with ChatEndpoint(server.url, MODEL, stream=True, timeouts=Timeouts(read=15), clock=NoWait()) as endpoint:
        assert endpoint.complete(PLAIN).text == "hello"
    server.closing.set()  # type: ignore[attr-defined]


def test_an_endless_stream_is_cut(server: Server) -> None:
    server.faults.append(fault.endless)
    with (
        ChatEndpoint(server.url, MODEL, stream=True, largest=200_000) as endpoint,
        pytest.raises(EndpointError, match="larger than 200,000 bytes"),
    ):
        endpoint.complete(PLAIN)
    assert len(server.seen) == 1


def test_an_error_inside_a_good_status_is_an_error(server: Server, endpoint: ChatEndpoint) -> None:
    server.faults.extend([lambda h: h.answer({"error": {"message": "overloaded"}})] * 5)
    with pytest.raises(EndpointError, match="overloaded"):
        endpoint.complete(PLAIN)


def test_text_that_utf8_cannot_carry_is_replaced_not_fatal(server: Server, endpoint: ChatEndpoint) -> None:
    endpoint.complete(ChatRequest(messages=(Message("user", "a\ud800b \ud83d\ude42"),)))
    assert server.bodies[0]["messages"][0]["content"] == "a\ufffdb \U0001f642"


def test_a_known_answer_is_not_asked_for_and_any_difference_is(
    server: Server, endpoint: ChatEndpoint, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    first = endpoint.complete(HELD, cache)
    again = endpoint.complete(HELD, cache)
    assert not first.cached and again.cached and again.text == first.text and len(server.seen) == 1
    others = [
        ChatRequest(messages=HELD.messages),
        ChatRequest(messages=HELD.messages, schema=SCHEMA, sampling=Sampling(seed=2)),
        ChatRequest(messages=HELD.messages, schema=SCHEMA, sampling=Sampling(temperature=0.1)),
        ChatRequest(messages=HELD.messages, schema=SCHEMA, sampling=Sampling(extra={"top_k": 1})),
        ChatRequest(messages=HELD.messages, schema=SCHEMA, prompt_sha256="other wording"),
        ChatRequest(messages=(*HELD.messages, Message("assistant", "x")), schema=SCHEMA),
    ]
    for n, other in enumerate(others, 2):
        assert not endpoint.complete(other, cache).cached
        assert len(server.seen) == n
    with ChatEndpoint(server.url, "judge-2") as another, pytest.raises(EndpointError, match="judge-2"):
        another.complete(HELD, cache)


def test_the_cache_holds_no_text_that_was_sent_and_no_key(
    server: Server, endpoint: ChatEndpoint, tmp_path: Path
) -> None:
    endpoint.complete(ChatRequest(messages=(Message("user", "a private sentence"),)), Cache(tmp_path))
    (kept,) = [p.read_text() for p in tmp_path.rglob("*.json")]
    assert "private" not in kept and KEY not in kept and "127.0.0.1" not in kept
    assert json.loads(kept)["asked"]["model"] == MODEL and json.loads(kept)["answer"]["text"] == "Fine."


def test_a_failed_request_is_not_kept(server: Server, endpoint: ChatEndpoint, tmp_path: Path) -> None:
    server.faults.extend([fault.status(500)] * 5)
    with pytest.raises(EndpointError):
        endpoint.complete(PLAIN, Cache(tmp_path))
    assert not list(tmp_path.rglob("*.json"))
    assert endpoint.complete(PLAIN, Cache(tmp_path)).text == "Fine."


def test_many_at_once_keep_their_places_and_equal_ones_are_asked_once(server: Server, endpoint: ChatEndpoint) -> None:
    server.say = lambda body: body["messages"][0]["content"].upper()
    requests = [ChatRequest(messages=(Message("user", f"w{i % 5}"),)) for i in range(15)]
    found: dict[int, Answer | EndpointError] = dict(endpoint.complete_all(requests))
    assert [found[i].text for i in range(15)] == [f"W{i % 5}" for i in range(15)]  # type: ignore[union-attr]
    assert len(server.seen) == 5
    assert sum(not a.cached for a in found.values()) == 5  # type: ignore[union-attr]


def test_a_full_disk_is_said_and_not_taken_for_a_failed_request(
    server: Server, endpoint: ChatEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    from duologue.errors import UserError

    with pytest.raises(UserError) as caught:
        list(endpoint.complete_all([PLAIN], Cache(tmp_path / "file")))
    assert not isinstance(caught.value, EndpointError) and "file" in caught.value.message
