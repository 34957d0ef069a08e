from __future__ import annotations

from collections.abc import Iterator

import chat_server as fault
import numpy as np
import pytest
from chat_server import MODEL, Server
from clocks import NoWait

from duologue.errors import UserError
from duologue.remote.chat import wav_bytes
from duologue.remote.endpoint import EndpointError
from duologue.remote.speech import SpeechEndpoint

WAV = wav_bytes((np.sin(np.arange(8_000) / 7) * 0.4).astype(np.float32), 16_000)


@pytest.fixture
def endpoint(server: Server) -> Iterator[SpeechEndpoint]:
    with SpeechEndpoint(server.url, MODEL, clock=NoWait()) as there:
        yield there


def test_what_is_said_goes_out_and_the_sound_comes_back_whole(server: Server, endpoint: SpeechEndpoint) -> None:
    server.faults.extend([lambda h: h.answer(WAV), lambda h: h.answer(WAV)])
    assert endpoint.say("你好", voice="anna") == WAV
    assert endpoint.say("hello", voice="anna", speed=0.9, instructions="Speak sadly.") == WAV
    plain = {"model": MODEL, "input": "你好", "voice": "anna", "response_format": "wav"}
    assert server.seen[0][0] == "/v1/audio/speech" and server.seen[0][2] == plain
    assert (server.seen[1][2]["speed"], server.seen[1][2]["instructions"]) == (0.9, "Speak sadly.")


@pytest.mark.parametrize("wrong", [b"", b"<html>busy</html>", b'{"error": "no"}'])
def test_what_is_no_sound_is_asked_for_again(server: Server, endpoint: SpeechEndpoint, wrong: bytes) -> None:
    server.faults.extend([lambda h: h.answer(wrong), fault.busy("3"), lambda h: h.answer(WAV)])
    assert endpoint.say("hello", voice="anna") == WAV and len(server.seen) == 3


def test_a_huge_answer_and_a_wild_speed_are_refused(server: Server) -> None:
    server.faults.append(lambda h: h.answer(WAV))
    with SpeechEndpoint(server.url, MODEL, clock=NoWait(), largest=1_000) as endpoint:
        with pytest.raises(EndpointError, match="larger than 1,000 bytes"):
            endpoint.say("hello", voice="anna")
        with pytest.raises(UserError, match="no such speed"):
            endpoint.say("hello", voice="anna", speed=9)
    assert len(server.seen) == 1
