from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import chat_server as fault
import numpy as np
import pytest
import soundfile
from chat_server import MODEL, Server
from clocks import NoWait

from duologue.listen.words import HeardWord, Recogniser
from duologue.models import store
from duologue.models.catalogue import WHISPER
from duologue.remote.endpoint import EndpointError
from duologue.remote.transcription import TranscriptionEndpoint

pytest.importorskip("opencc")

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "easy_turn_zh"
SPEECH = (np.sin(np.arange(32_000) / 7) * 0.4).astype(np.float32)


@pytest.fixture
def endpoint(server: Server, tmp_path: Path) -> Iterator[TranscriptionEndpoint]:
    with TranscriptionEndpoint(server.url, MODEL, cache_dir=tmp_path / "heard", clock=NoWait()) as there:
        yield there


def test_words_with_their_times_are_heard(server: Server, endpoint: TranscriptionEndpoint) -> None:
    server.hear = lambda _, seconds: [(" good", 0.1, 0.4), ("morning", 0.4, seconds)]
    heard = endpoint.hear(SPEECH, 16_000)
    share = math.exp(-0.25)  # the segment's mean log probability
    assert heard.words == (HeardWord("good", 0.1, 0.4, share), HeardWord("morning", 0.4, 2.0, share))
    assert heard.language == "en" and math.isnan(heard.language_probability)
    assert server.seen[0][2]["temperature"] == "0" and "language" not in server.seen[0][2]
    assert endpoint.hear(SPEECH, 16_000, language="en").language_probability == 1.0
    assert server.seen[1][2]["language"] == "en"


def test_chinese_comes_out_simplified(server: Server, endpoint: TranscriptionEndpoint) -> None:
    server.heard_language = "chinese"
    server.hear = lambda _, seconds: [("請", 0.0, 0.2), ("說", 0.2, 0.5)]
    heard = endpoint.hear(SPEECH, 16_000)
    assert (heard.text, heard.language, [w.text for w in heard.words]) == ("请说", "zh", ["请", "说"])


def test_silence_makes_no_request(server: Server, endpoint: TranscriptionEndpoint) -> None:
    for nothing in (np.zeros(1_000, np.float32), np.zeros(0, np.float32)):
        assert endpoint.hear(nothing, 16_000, language="zh").words == ()
    assert server.seen == []


def test_the_same_sound_is_heard_once_and_kept(server: Server, endpoint: TranscriptionEndpoint, tmp_path: Path) -> None:
    first = endpoint.hear(SPEECH, 16_000, language="en")
    assert endpoint.hear(SPEECH, 16_000, language="en") == first and len(server.seen) == 1
    for other in [
        lambda: endpoint.hear(SPEECH, 8_000, language="en"),
        lambda: endpoint.hear(SPEECH * np.float32(0.9), 16_000, language="en"),
        lambda: endpoint.hear(SPEECH, 16_000, language="zh"),
        lambda: endpoint.hear(SPEECH, 16_000, language="en", times=False),
    ]:
        before = len(server.seen)
        other()
        assert len(server.seen) == before + 1
    for broken in (tmp_path / "heard").rglob("*.json"):
        broken.write_text("{")
    assert endpoint.hear(SPEECH, 16_000, language="en") == first and len(server.seen) == 6


def test_a_model_without_word_times_is_named(server: Server, endpoint: TranscriptionEndpoint) -> None:
    server.faults.append(lambda h: h.answer({"text": "good morning"}))
    with pytest.raises(EndpointError, match="gives no word times"):
        endpoint.hear(SPEECH, 16_000)
    server.faults.append(lambda h: h.answer({"text": "good morning"}))
    assert endpoint.hear(SPEECH, 16_000, times=False).text == "good morning"


@pytest.mark.parametrize(
    "word", [{"word": "a", "start": 1.0, "end": 0.5}, {"word": "a", "start": -1, "end": 0.5}, {"word": "a"}]
)
def test_words_out_of_time_are_asked_for_again(
    server: Server, endpoint: TranscriptionEndpoint, word: dict[str, object]
) -> None:
    server.faults.append(lambda h: h.answer({"text": "a", "words": [word]}))
    assert endpoint.hear(SPEECH, 16_000).text == "hello"
    assert len(server.seen) == 2


def test_a_busy_recogniser_is_waited_for(server: Server, endpoint: TranscriptionEndpoint) -> None:
    server.faults.extend([fault.busy("3"), fault.cut])
    assert endpoint.hear(SPEECH, 16_000).text == "hello" and len(server.seen) == 3


@pytest.mark.skipif(not CLIPS.is_dir(), reason="no recordings in ../shared/data/easy_turn_zh")
@pytest.mark.skipif(not store.installed(WHISPER), reason="needs `duologue models fetch whisper`")
def test_a_real_recogniser_hears_the_same_through_the_endpoint(server: Server, endpoint: TranscriptionEndpoint) -> None:
    """The embedded Whisper behind the server, on a real Mandarin recording: as without the server, but for 16 bit."""
    pytest.importorskip("faster_whisper")
    samples, rate = soundfile.read(CLIPS / "samples" / "complete_real_1.wav", dtype="float32", always_2d=True)
    recogniser = Recogniser()
    direct = recogniser.hear(samples[:, 0], rate, language="zh")

    def hear(wav: bytes, seconds: float) -> list[tuple[str, float, float]]:
        sent, sent_rate = soundfile.read(io.BytesIO(wav), dtype="float32")
        return [(w.text, w.start, w.end) for w in recogniser.hear(sent, sent_rate, language="zh").words]

    server.hear, server.heard_language = hear, "chinese"
    heard = endpoint.hear(samples[:, 0], rate, language="zh")
    assert len(heard.words) >= 5
    assert [w.text for w in heard.words] == [w.text for w in direct.words]
    for ours, theirs in zip(heard.words, direct.words, strict=True):
        assert (ours.start, ours.end) == pytest.approx((theirs.start, theirs.end), abs=0.05)
