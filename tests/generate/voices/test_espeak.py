"""The fast voice: the same bytes in any order, words where they sound, prosody that can be measured."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("espeakng_loader", reason="needs the extra 'espeak'")
pytest.importorskip("pypinyin", reason="needs the extra 'espeak'")

from duologue.errors import UserError
from duologue.generate.prosody import Prosody
from duologue.generate.voices.espeak import EspeakVoice
from duologue.listen.prosody import ProsodicFeatures, measure

VOICE = EspeakVoice()
EN = "Kids are talking by the door, and the dogs are sitting there."
ZH = "我今天很高兴，因为我们赢了比赛。"


def say(text: str, prosody: Prosody = Prosody(), speaker: str = "en-us+f1", language: str = "en", seed: int = 0):
    return VOICE.synthesise(text, language=language, speaker=speaker, prosody=prosody, seed=seed)


def heard(prosody: Prosody, speaker: str = "en-us+f1") -> ProsodicFeatures:
    speech = say("Kids are talking by the door.", prosody, speaker)
    found = measure(speech.samples, speech.sample_rate)
    assert found is not None
    return found


def test_enough_speakers_of_both_sexes_with_parents() -> None:
    for language, least in (("en", 24), ("zh", 16)):
        speakers = VOICE.speakers(language)
        assert len({s.id for s in speakers}) == len(speakers) >= least
        for sex in ("female", "male"):
            assert len({s.parent for s in speakers if s.sex == sex}) >= 8
    parents = {s.id.split("+")[1].split("-")[0]: s.parent for s in VOICE.speakers("en")}
    assert all(parents[s.id.split("+")[1].split("-")[0]] == s.parent for s in VOICE.speakers("zh"))


def test_bytes_do_not_depend_on_what_was_spoken_before() -> None:
    rng = random.Random(3)
    jobs = []
    for i in range(60):
        language, text = (("en", EN), ("zh", ZH))[i % 2]
        speaker = rng.choice(VOICE.speakers(language)).id
        prosody = Prosody(
            f0_shift=rng.uniform(-3, 10), f0_range=rng.uniform(0.6, 2), tempo=rng.uniform(0.7, 1.4),
            f0_slope=rng.uniform(-3, 3), f0_final=rng.uniform(-30, 50), movement=rng.uniform(0.8, 2),
            tilt=rng.uniform(-1, 5), breath=rng.uniform(-1, 3), gain=rng.uniform(-6, 10),
        )  # fmt: skip
        jobs.append((text, prosody, speaker, language, i))
    first = [say(*job).samples.tobytes() for job in jobs]
    order = list(range(len(jobs)))
    rng.shuffle(order)
    assert all(say(*jobs[i]).samples.tobytes() == first[i] for i in order)


def test_every_speaker_speaks_and_each_sounds_different() -> None:
    for language, text in (("en", "Hello there."), ("zh", "你好。")):
        made = [say(text, Prosody(), s.id, language) for s in VOICE.speakers(language)]
        assert all(0.2 < m.offset / m.sample_rate < 3 and np.abs(m.samples).max() > 0.05 for m in made)
        assert len({m.samples.tobytes() for m in made}) == len(made)


@pytest.mark.parametrize(("text", "language", "speaker"), [(EN, "en", "en-us+f1"), (ZH, "zh", "cmn-latn-pinyin+m3")])
def test_words_are_the_text_in_order_inside_the_audio(text: str, language: str, speaker: str) -> None:
    speech = say(text, Prosody(), speaker, language)
    words = [text[w.char_start : w.char_end] for w in speech.words]
    expected = (
        EN.replace(",", "").replace(".", "").split() if language == "en" else list("我今天很高兴因为我们赢了比赛")
    )
    assert words == expected
    assert all(a.end <= b.start for a, b in zip(speech.words, speech.words[1:], strict=False))
    assert speech.onset <= speech.words[0].start and speech.words[-1].end <= len(speech.samples)
    comma = next(i for i, w in enumerate(speech.words) if text[w.char_end] in ",，")
    assert speech.words[comma + 1].start - speech.words[comma].end > 0.1 * speech.sample_rate


def test_numbers_marks_and_mixed_text() -> None:
    text = "I paid $3.50 for it [laughter], okay?"
    words = [text[w.char_start : w.char_end] for w in say(text).words]
    assert words == ["I", "paid", "$3.50", "for", "it", "okay"]
    text = "他用iPhone手机说hello。"
    words = [text[w.char_start : w.char_end] for w in say(text, Prosody(), "cmn-latn-pinyin+f1", "zh").words]
    assert words == ["他", "用", "iPhone", "手", "机", "说", "hello"]


@pytest.mark.parametrize("text", ["", "   ", "[sigh]", "...", "🙂", "\x01\x00"])
def test_nothing_to_say_is_no_sound(text: str) -> None:
    speech = say(text)
    assert len(speech.samples) == 0 and speech.words == ()


def test_very_long_text() -> None:
    speech = say(" ".join([EN] * 60), Prosody(f0_slope=1.0))
    assert len(speech.words) == 12 * 60
    assert len(speech.samples) > 100 * speech.sample_rate


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["en", "zh"]))
def test_any_text_is_taken(text: str, language: str) -> None:
    speech = say(text, Prosody(f0_shift=2.0), VOICE.speakers(language)[5].id, language)
    assert np.isfinite(speech.samples).all()
    assert all(0 <= w.start < w.end <= len(speech.samples) for w in speech.words)
    assert all(
        a.end <= b.start and a.char_end <= b.char_start for a, b in zip(speech.words, speech.words[1:], strict=False)
    )


def test_prosody_comes_out_as_asked() -> None:
    plain = heard(Prosody())
    assert heard(Prosody(f0_shift=5.0)).f0_mean - plain.f0_mean == pytest.approx(5.0, abs=1.0)
    assert heard(Prosody(f0_shift=-2.0)).f0_mean - plain.f0_mean == pytest.approx(-2.0, abs=1.0)
    assert heard(Prosody(tempo=1.3)).duration / plain.duration == pytest.approx(1.3, rel=0.08)
    assert heard(Prosody(gain=-9.0)).energy_mean - plain.energy_mean == pytest.approx(-9.0, abs=1.5)
    assert heard(Prosody(tilt=3.0)).tilt - plain.tilt == pytest.approx(3.0, abs=1.5)
    assert heard(Prosody(f0_range=1.6)).f0_sd > 1.2 * plain.f0_sd
    assert heard(Prosody(movement=2.0)).f0_movement > 1.4 * plain.f0_movement
    assert heard(Prosody(f0_final=45.0)).f0_final > plain.f0_final + 15
    assert heard(Prosody(breath=4.0)).hnr < plain.hnr - 1.5


@pytest.mark.parametrize("gain", [-8.0, 0.0, 20.0])
def test_only_gain_tells_the_level_whatever_else_is_asked(gain: float) -> None:
    def level(prosody: Prosody) -> float:
        speech = VOICE.synthesise(
            "My brother is moving to another town.", language="en", speaker="en+m3", prosody=prosody
        )
        heard = measure(speech.samples, speech.sample_rate)
        assert heard
        return heard.energy_mean

    # A shout as the table asks for it: higher, brighter, more varied; by itself each of these moves espeak's level.
    shout = Prosody(f0_shift=11.0, f0_range=1.3, tilt=4.0, energy_range=1.0, movement=1.6, tempo=1.2, gain=gain)
    assert level(shout) - level(Prosody()) == pytest.approx(gain, abs=1.5)


def test_pauses_open_silence_before_a_word_and_move_the_rest() -> None:
    plain, paused = say(EN), say(EN, Prosody(pauses=((EN.index("by"), 0.5),)))
    added = round(0.5 * VOICE.sample_rate)
    assert len(paused.samples) == len(plain.samples) + added
    assert [b.start - a.start for a, b in zip(plain.words, paused.words, strict=True)] == [0] * 3 + [added] * 9
    start = plain.words[3].start
    assert not paused.samples[start : start + added].any()


def test_emphasis_lifts_its_word_alone() -> None:
    span = (EN.index("dogs"), EN.index("dogs") + 4)
    plain, lifted = say(EN), say(EN, Prosody(emphasis=span, emphasis_st=6.0))

    def pitch(speech, k: int) -> float:  # type: ignore[no-untyped-def]
        w = speech.words[k]
        found = measure(speech.samples[w.start : w.end], speech.sample_rate)
        assert found is not None
        return found.f0_mean

    assert pitch(lifted, 8) - pitch(plain, 8) > 3
    assert abs(pitch(lifted, 2) - pitch(plain, 2)) < 1


def test_unknown_speaker_and_language() -> None:
    with pytest.raises(UserError, match="unknown speaker"):
        say(EN, Prosody(), "en-us+nobody")
    with pytest.raises(UserError, match="unknown language"):
        VOICE.speakers("fr")
