"""The baseline system on the telephone: real speech, the real recogniser, the Realtime protocol on loopback."""

from __future__ import annotations

import asyncio
import json
import socket

import numpy as np
import pytest
import soxr

from duologue.errors import MissingPartError, UserError
from duologue.live.call import CallSettings, call
from duologue.systems.baseline import Baseline, Settings
from duologue.systems.spec import open_system

pytestmark = pytest.mark.xdist_group("baseline")


def speech(text: str, language: str, speaker: str, rate: int = 24_000) -> np.ndarray:
    from duologue.generate.voices.espeak import EspeakVoice

    said = EspeakVoice().synthesise(text, language=language, speaker=speaker)
    return np.rint(soxr.resample(said.samples, said.sample_rate, rate) * 32_000).astype(np.int16)


class Person:
    """Says each of ``lines``, (seconds of the system's voice to wait for, int16 at 24 kHz), the first at once."""

    def __init__(self, *lines: tuple[float, np.ndarray], seconds: float) -> None:
        self.lines, self.seconds = list(lines), seconds
        self.sent = self.realised = ()
        self.not_exercised: dict[str, str] = {}
        self.spoken: list[tuple[float, float]] = []
        self._now: np.ndarray = np.zeros(0, np.int16)

    def frame(self, start, size, heard):
        at = start / 24_000
        if at >= self.seconds:
            return None
        since = heard.speaking_since
        if self.lines and not len(self._now):
            wait, pcm = self.lines[0]
            if not wait or (since is not None and at - since >= wait):
                self.lines.pop(0)
                self._now = pcm
                self.spoken.append((at, at + len(pcm) / 24_000))
        part, self._now = self._now[:size], self._now[size:]
        return np.pad(part, (0, size - len(part)))


@pytest.fixture(scope="module")
def server():
    try:
        with Baseline() as found:
            yield found
    except MissingPartError as error:
        pytest.skip(str(error))


def talk(server: Baseline, person: Person):
    return asyncio.run(call(open_system(server.spec).session(), lambda rate: person, CallSettings(tail=0)))


def sound(recording, start: float, end: float) -> bool:
    return bool(np.any(np.abs(recording.system[round(start * 16_000) : round(end * 16_000)].astype(int)) > 300))


def test_it_answers_goes_on_over_a_signal_and_stops_when_told_to(server):
    question = speech("I'd like to play some simple songs, how do I start?", "en", "en-us+m2")
    # The fast voice spells "Mhm", which the recogniser takes for a name.
    signal = speech("Right.", "en", "en-us+m2")
    stop = speech("Stop talking, that's enough for now, be quiet.", "en", "en-us+m2")
    person = Person((0, question), (1.5, signal), (3.5, stop), seconds=22)
    recording = talk(server, person)
    assert recording.failure is None and not person.lines
    (_, asked), (signalled, _), (told, told_end) = person.spoken
    # It answers the question, and only after it.
    assert not sound(recording, 0, asked)
    text = " ".join(w.text for w in recording.words)
    assert "chords" in text
    # The signal does not stop it: it speaks until it is told to stop.
    assert all(sound(recording, t, t + 1.0) for t in np.arange(signalled, told - 0.5, 0.5))
    # Told to stop it falls silent while it is still being told, and stays silent.
    assert told_end - told > 2.4 and not sound(recording, told_end, 22)
    cut = next(c for c in recording.cuts if c.at / 24_000 > told)
    assert cut.at / 24_000 - told < 2.5
    # The protocol tells the story: a response that was cancelled, or had all been sent, when the user spoke.
    names = [e.name for e in recording.events]
    assert "error" not in names
    assert names.count("response.created") == names.count("response.done") == 1
    done = next(e for e in recording.events if e.name == "response.done")
    assert done.raw["response"]["status"] == "cancelled"
    heard = [d.text for _, d in recording.transcript if d.role == "user"]
    assert len(heard) == 2 and "songs" in heard[0]
    # Every event is one that the public SDK knows, field by field.
    types = pytest.importorskip("openai.types.realtime")
    adapter = pytest.importorskip("pydantic").TypeAdapter(types.RealtimeServerEvent)
    for event in recording.events:
        found = adapter.validate_python(event.raw)
        assert found.type == event.name and not found.model_extra, event


def test_it_answers_in_chinese(server):
    from duologue.generate.voices.kokoro import KokoroVoice

    # The fast voice's Mandarin is more than the recogniser understands.
    try:
        said = KokoroVoice().synthesise("我想煮点粥，水放多少？", language="zh", speaker="zf_xiaoxiao")
    except MissingPartError as error:
        pytest.skip(str(error))
    pcm = np.rint(said.samples * 32_000).astype(np.int16)
    # It may answer while the silence after the words is still being sent.
    words_end = np.flatnonzero(np.abs(pcm) > 300)[-1] + 1
    person = Person((0, pcm[:words_end]), seconds=11)
    recording = talk(server, person)
    assert recording.failure is None
    text = "".join(w.text for w in recording.words)
    assert "水" in text and "锅" in text
    assert not sound(recording, 0, person.spoken[0][1])


def test_two_callers_have_dialogues_of_their_own(server):
    async def both():
        quiet = Person(seconds=6)
        asks = Person((0, speech("How do bees make honey?", "en", "en-us+m2")), seconds=9)
        calls = [
            call(open_system(server.spec).session(), lambda rate, p=p: p, CallSettings(tail=0)) for p in (quiet, asks)
        ]
        return await asyncio.gather(*calls)

    silent, answered = asyncio.run(both())
    assert not silent.words and not np.any(silent.system)
    assert answered.words


def test_bad_messages_are_answered_with_errors_and_the_call_goes_on(server):
    from websockets.sync.client import connect

    with connect(server.url) as ws:
        assert json.loads(ws.recv())["type"] == "session.created"
        assert json.loads(ws.recv())["type"] == "conversation.created"
        for message in (
            "{",
            '{"type": "input_audio_buffer.append", "audio": "AAA"}',
            '{"type": "input_audio_buffer.append"}',
            '{"type": "conversation.item.truncate"}',
            '{"type": "response.cancel"}',
            '{"type": "no.such.event"}',
        ):
            ws.send(message)
        ws.send('{"type": "session.update", "session": {"type": "realtime"}}')
        kinds = [json.loads(ws.recv())["type"] for _ in range(6)]
        # Cancelling nothing is no event of its own here: five errors, then the session.
        assert kinds.count("error") >= 5
        while kinds[-1] != "session.updated":
            kinds.append(json.loads(ws.recv())["type"])


class Deaf:
    """A recogniser that has no memory left, as ctranslate2 says it."""

    def hear(self, samples, language=None, lean=0.0):
        raise RuntimeError("CUDA failed with error out of memory")


class Mute:
    def speak(self, text, language):
        raise UserError("espeak-ng does not start")


class Knows:
    """A recogniser that always hears the same."""

    def hear(self, samples, language=None, lean=0.0):
        from duologue.systems.baseline.recognise import Utterance

        return Utterance(text="How do bees make honey?", language="en")


@pytest.mark.parametrize(
    "parts, said",
    [
        ({"recogniser": Deaf()}, "could not be recognised"),
        ({"recogniser": Knows(), "voice": Mute()}, "could not be said"),
    ],
)
def test_a_part_that_fails_is_told_to_the_client_and_the_call_goes_on(server, monkeypatch, parts, said):
    import msgspec

    from duologue.systems.baseline import server as module

    made = module.Agent

    def broken(own, line, manager):
        return made(msgspec.structs.replace(own, **parts), line, manager)

    monkeypatch.setattr(module, "Agent", broken)
    person = Person((0, speech("How do bees make honey?", "en", "en-us+m2")), seconds=6)
    recording = talk(server, person)
    errors = [e.raw["error"] for e in recording.events if e.name == "error"]
    assert errors and all(e["type"] == "server_error" and said in e["message"] for e in errors)
    # Every frame was taken all the same, and nothing is left open.
    assert recording.failure is None and len(recording.user) >= 6 * 16_000
    names = [e.name for e in recording.events]
    assert names.count("response.created") == names.count("response.done")


class Astray:
    """A recogniser with a mistake in it that nobody thought of."""

    def hear(self, samples, language=None, lean=0.0):
        raise ZeroDivisionError


def test_an_unforeseen_mistake_ends_that_call_with_1011_and_no_other(server, monkeypatch):
    import base64

    import msgspec
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    from duologue.systems.baseline import server as module

    said = speech("How do bees make honey?", "en", "en-us+m2").astype("<i2").tobytes()
    made = module.Agent
    with connect(server.url) as other:
        assert json.loads(other.recv())["type"] == "session.created"
        with monkeypatch.context() as patch:
            patch.setattr(module, "Agent", lambda own, line, manager: made(
                msgspec.structs.replace(own, recogniser=Astray()), line, manager
            ))  # fmt: skip
            with connect(server.url) as ws, pytest.raises(ConnectionClosed) as closed:
                for start in range(0, len(said), 9_600):
                    audio = base64.b64encode(said[start : start + 9_600]).decode()
                    ws.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
                silence = base64.b64encode(bytes(9_600)).decode()
                while True:
                    ws.send(json.dumps({"type": "input_audio_buffer.append", "audio": silence}))
                    ws.recv(timeout=10)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011
        other.send('{"type": "no.such.event"}')
        while json.loads(other.recv(timeout=10))["type"] != "error":
            pass


def test_what_is_wrong_is_said_before_it_listens():
    with pytest.raises(UserError, match="espeak, kokoro"), Baseline(Settings(voice="nobody")):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        try:
            with pytest.raises(UserError, match="cannot listen"), Baseline(port=taken.getsockname()[1]):
                pass
        except MissingPartError as error:
            pytest.skip(str(error))
