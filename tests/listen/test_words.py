from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duologue.errors import UserError
from duologue.generate.voices.kokoro import KokoroVoice
from duologue.listen.readback import compare, tokens
from duologue.listen.words import Recogniser
from duologue.models import store
from duologue.models.catalogue import KOKORO, WHISPER

pytest.importorskip("jiwer")


def test_numbers_and_spellings_are_compared_alike() -> None:
    assert tokens("At 7:05 pm, OK?", "en") == tokens("at seven oh five p.m. okay", "en")
    assert tokens("She paid $3.50.", "en") == tokens("she paid three dollars and fifty cents", "en")
    assert tokens("她花了20块，慢慢地走。", "zh") == tokens("他花了二十块 慢慢的走", "zh")


def test_rates_are_pooled_over_utterances() -> None:
    result = compare(["one two three", "four"], ["one too three", "four"], "en")
    assert (result.errors, result.length, result.exact, result.rate) == (1, 4, 1, 0.25)
    assert result.worst == (("one two three", "one too three"),)
    assert compare(["你好吗"], ["你好"], "zh").rate == pytest.approx(1 / 3)
    assert compare([], [], "en").rate == 0.0


def test_a_reference_without_words_is_refused() -> None:
    with pytest.raises(UserError, match="no word"):
        compare(["..."], ["hello"], "en")


needs_models = pytest.mark.skipif(
    not (store.installed(KOKORO) and store.installed(WHISPER)), reason="needs `duologue models fetch kokoro whisper`"
)


@needs_models
@pytest.mark.parametrize(
    ("language", "speaker", "text"),
    [
        ("en", "af_heart", "My sister moved to Boston last summer, so the house feels empty now."),
        ("zh", "zf_xiaobei", "我昨天去了北京，天气特别好。"),
    ],
)
def test_clean_neural_speech_is_read_back(language: str, speaker: str, text: str) -> None:
    pytest.importorskip("faster_whisper")
    speech = KokoroVoice().synthesise(text, language=language, speaker=speaker)
    heard = Recogniser().hear(speech.samples, speech.sample_rate)
    assert heard.language == language and heard.language_probability > 0.8
    assert compare([text], [heard.text], language).errors == 0
    assert len(heard.words) >= 10
    # The two clocks agree: the recogniser is good to about 100 ms.
    assert heard.words[-1].end == pytest.approx(speech.words[-1].end / speech.sample_rate, abs=0.3)


@needs_models
@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_hundred_sentences_are_read_back(language: str) -> None:
    """All speakers in turn; a language may have 5% of its words (characters) wrong."""
    pytest.importorskip("faster_whisper")
    file = Path(__file__).resolve().parents[2] / "benchmarks" / f"texts_{language}.txt"
    said = file.read_text("utf-8").splitlines()[:102]
    voice, recogniser, heard = KokoroVoice(), Recogniser(), []
    speakers = voice.speakers(language)
    for i, text in enumerate(said):
        speech = voice.synthesise(text, language=language, speaker=speakers[i % len(speakers)].id, seed=i)
        heard.append(recogniser.hear(speech.samples, speech.sample_rate, language=language, times=False).text)
    result = compare(said, heard, language)
    assert len(said) >= 100 and result.rate < 0.05, result.worst


@needs_models
def test_silence_has_no_words() -> None:
    pytest.importorskip("faster_whisper")
    heard = Recogniser().hear(np.zeros(16_000, np.float32), 16_000)
    assert heard.text == "" and heard.words == ()
