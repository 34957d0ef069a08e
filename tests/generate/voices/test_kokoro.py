from __future__ import annotations

import numpy as np
import pytest

from duologue.errors import UserError
from duologue.generate.prosody import Prosody
from duologue.generate.voices import kokoro_prosody
from duologue.generate.voices.kokoro import KokoroVoice
from duologue.generate.voices.kokoro_phonemes import _align
from duologue.generate.voices.kokoro_timing import audible
from duologue.models import store
from duologue.models.catalogue import KOKORO

pytest.importorskip("onnxruntime")
pytest.importorskip("misaki")
pytestmark = pytest.mark.skipif(not store.installed(KOKORO), reason="needs `duologue models fetch kokoro`")

EN = "Stop. I never said that to you."


@pytest.fixture(scope="module")
def voice() -> KokoroVoice:
    return KokoroVoice()


def test_speakers_are_those_of_the_model_and_say_their_sex(voice: KokoroVoice) -> None:
    assert len(voice.speakers("en")) == 28
    chinese = voice.speakers("zh")
    assert [s.sex for s in chinese] == ["female"] * 3 + ["male"] * 4
    assert all(s.parent == s.id for s in chinese)
    assert [s.id for s in (*voice.speakers("en"), *chinese) if s.system_only] == ["zm_yunyang"]


def test_who_is_hard_to_recognise_speaks_only_if_named(voice: KokoroVoice) -> None:
    everyone = {s.id for s in voice.speakers("zh", everyone=True)}
    assert everyone - {s.id for s in voice.speakers("zh")} == {"zf_xiaoni"}
    assert voice.synthesise("好。", language="zh", speaker="zf_xiaoni").samples.any()


def test_words_lie_in_order_inside_the_sound_and_cover_the_text(voice: KokoroVoice) -> None:
    speech = voice.synthesise(EN, language="en", speaker="af_heart")
    assert [EN[w.char_start : w.char_end] for w in speech.words] == ["Stop", "I", "never", "said", "that", "to", "you"]
    edges = [e for w in speech.words for e in (w.start, w.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0 and edges[-1] <= len(speech.samples)
    assert speech.source == "exact"


@pytest.mark.parametrize(
    ("language", "speaker", "text"),
    [
        ("en", "af_heart", "It was a well-known fact. I paid for it. Everybody knew."),
        ("zh", "zf_xiaobei", "我今天早上买了两个苹果，涨了很多钱。你知道吗？"),
    ],
)
def test_words_beside_a_pause_end_and_start_where_the_sound_does(
    voice: KokoroVoice, language: str, speaker: str, text: str
) -> None:
    speech = voice.synthesise(text, language=language, speaker=speaker)
    heard = audible(speech.samples)
    beside = [(a, b) for a, b in zip(speech.words, speech.words[1:], strict=False) if b.start - a.end >= 2400]
    assert beside
    for first, second in beside:
        assert not heard[(first.end + 1200) // 120 : (second.start - 1200) // 120].any()
        assert heard[(first.end - 1800) // 120 : first.end // 120].any()
        assert heard[second.start // 120 : (second.start + 1800) // 120].any()
    assert abs(speech.words[0].start - speech.onset) <= 1200
    assert abs(speech.words[-1].end - speech.offset) <= 1800


@pytest.mark.parametrize("prosody", [Prosody(), Prosody(tempo=1.4, energy_range=1.0)])
def test_hardly_any_silence_is_made_before_and_after_the_words(voice: KokoroVoice, prosody: Prosody) -> None:
    speech = voice.synthesise(EN, language="en", speaker="af_heart", prosody=prosody)
    assert 600 <= speech.onset <= 4_800
    assert 600 <= len(speech.samples) - speech.offset <= 4_800


def test_equal_arguments_give_equal_samples_also_in_a_fresh_voice(voice: KokoroVoice) -> None:
    prosody = Prosody(f0_shift=3, f0_range=1.4, tempo=0.9, breath=4, tilt=2, energy_range=1, gain=3)
    once = voice.synthesise("Oh no.", language="en", speaker="bf_emma", prosody=prosody, seed=5)
    again = KokoroVoice().synthesise("Oh no.", language="en", speaker="bf_emma", prosody=prosody, seed=5)
    assert np.array_equal(once.samples, again.samples)
    assert once.words == again.words


@pytest.mark.long
def test_prosody_moves_what_it_names(voice: KokoroVoice) -> None:
    text = "I never said that to you."

    def say(prosody: Prosody):  # type: ignore[no-untyped-def]
        return voice.synthesise(text, language="en", speaker="af_heart", prosody=prosody)

    plain = say(Prosody())
    slow = say(Prosody(tempo=1.5))
    spoken, slowed = (s.words[-1].end - s.words[0].start for s in (plain, slow))
    assert slowed / spoken == pytest.approx(1.5, abs=0.05)
    loud = say(Prosody(gain=6.0))
    assert np.allclose(loud.samples, plain.samples * 10 ** (6 / 20), atol=1e-4)
    paused = say(Prosody(pauses=((13, 0.5),)))  # before "that"
    gap = paused.words[3].start - paused.words[2].end
    assert gap == pytest.approx(12_000, abs=1200)
    assert not audible(paused.samples)[
        (paused.words[2].end + 1800) // 120 : (paused.words[3].start - 1800) // 120
    ].any()
    stressed = say(Prosody(emphasis=(2, 7), emphasis_st=4.0))
    assert stressed.words[1].end - stressed.words[1].start > 1.1 * (plain.words[1].end - plain.words[1].start)
    bright = say(Prosody(tilt=3.0))

    def high(x):  # type: ignore[no-untyped-def]
        power = np.abs(np.fft.rfft(x)) ** 2
        hertz = np.fft.rfftfreq(len(x), 1 / 24_000)
        return power[hertz > 3000].sum() / power.sum()

    assert high(bright.samples) > 2 * high(plain.samples)


def test_in_mandarin_a_share_of_the_feeling_is_done() -> None:
    asked = Prosody(
        f0_shift=10.0, f0_range=2.0, f0_slope=5.0, f0_final=-40.0, movement=2.0, gain=15.0, energy_range=2.0,
        tempo=1.5, tilt=4.0, breath=-6.0, emphasis=(0, 1), emphasis_st=2.0, pauses=((1, 0.3),),
    )  # fmt: skip
    tonal = kokoro_prosody.tonal(asked)
    # Loudness, emphasis and pauses are as asked; shares of the rest: 0.4 of 10 st, 0.5 of 6 dB, 2 ** 0.3 = 1.231.
    assert (tonal.gain, tonal.emphasis, tonal.emphasis_st, tonal.pauses) == (15.0, (0, 1), 2.0, ((1, 0.3),))
    assert (tonal.f0_shift, tonal.f0_slope, tonal.f0_final) == (4.0, 0.5, 0.0)
    assert (tonal.tilt, tonal.breath, tonal.energy_range) == pytest.approx((2.4, -3.0, 0.8))
    assert (tonal.f0_range, tonal.movement) == pytest.approx((1.231, 1.231), abs=1e-3)
    assert tonal.tempo == pytest.approx(1.5**0.5)
    assert kokoro_prosody.tonal(Prosody()) == Prosody()


@pytest.mark.parametrize("text", ["", " ", "[laughter]", "😀", "（笑）"])
def test_nothing_to_say_gives_no_samples(voice: KokoroVoice, text: str) -> None:
    for language, speaker in (("en", "af_heart"), ("zh", "zm_yunxi")):
        speech = voice.synthesise(text, language=language, speaker=speaker)
        assert len(speech.samples) == 0 and speech.words == () and (speech.onset, speech.offset) == (0, 0)


def test_mixed_languages_numbers_marks_and_unknown_signs_are_spoken_or_left_out(voice: KokoroVoice) -> None:
    text = "我用iPhone花了¥20.5[笑]😀ѫ，ok？"
    speech = voice.synthesise(text, language="zh", speaker="zf_xiaoyi")
    said = [text[w.char_start : w.char_end] for w in speech.words]
    assert "iPhone" in said and "¥20.5" in said and "ok" in said
    assert not any("笑" in w for w in said)


@pytest.mark.long
def test_a_long_text_and_a_long_word_are_spoken_in_pieces(voice: KokoroVoice) -> None:
    pieces = voice._phonemiser.pieces("One two three, four five six. " * 40 + "z" * 1500, "en")
    from duologue.generate.voices.kokoro import _chunks

    chunks = _chunks(pieces)
    assert len(chunks) > 3
    assert all(sum(len(p.tokens) for p in c) <= 300 for c in chunks)
    assert [t for c in chunks for p in c for t in p.tokens] == [t for p in pieces for t in p.tokens]
    speech = voice.synthesise("Right, one more time. " * 18, language="en", speaker="am_adam")
    assert len(speech.words) == 72
    assert all(a.end <= b.start for a, b in zip(speech.words, speech.words[1:], strict=False))


def test_an_unknown_speaker_or_language_is_named(voice: KokoroVoice) -> None:
    with pytest.raises(UserError, match="zm_yunxi"):
        voice.synthesise("你好", language="zh", speaker="af_heart")
    with pytest.raises(UserError, match="allowed: en, zh"):
        voice.synthesise("hola", language="es", speaker="af_heart")


def test_joined_and_parted_groups_are_dealt_out_to_their_words() -> None:
    assert _align(["ˌWT", "əvðɪ", "ˈɑfɪs"], ["ˈWt", "ʌv", "ðə", "ˈɑfɪs"]) == ["ˌWT", "əv", "ðɪ", "ˈɑfɪs"]


def test_a_changed_model_is_refused(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source = store.folder(KOKORO)
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    target = store.folder(KOKORO)
    target.mkdir(parents=True)
    (target / "vocab.json").write_bytes((source / "vocab.json").read_bytes())
    data = bytearray((source / "kokoro-v1.0.int8.onnx").read_bytes())
    data[1000] ^= 1
    (target / "kokoro-v1.0.int8.onnx").write_bytes(data)
    with pytest.raises(UserError, match=r"differs.*6e742170d309.*duologue models fetch kokoro"):
        KokoroVoice().synthesise("Hello", language="en", speaker="af_heart")


def test_a_missing_model_names_the_command(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="duologue models fetch kokoro"):
        KokoroVoice().synthesise("Hello", language="en", speaker="af_heart")
