"""Each part of the baseline system by itself, on real synthesised speech."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import soxr

from duologue.errors import MissingPartError, UserError
from duologue.listen.voiceprint import SAME, voiceprint
from duologue.systems.baseline.knowledge import CLEAR, Meaning, entries, search
from duologue.systems.baseline.manager import Floor, Manager
from duologue.systems.baseline.turn_end import (
    BROKEN_OFF,
    CLAUSE,
    QUESTION,
    UNKNOWN,
    SmartTurn,
    leaves_open,
    patience,
)
from duologue.systems.baseline.wording import act, asks, backchannel, to_others, unfinished


@functools.cache
def spoken(text: str, language: str = "en", speaker: str = "en-us+f1") -> np.ndarray:
    """Speech at 16 kHz, by the fast voice."""
    from duologue.generate.voices.espeak import EspeakVoice

    try:
        speech = EspeakVoice().synthesise(text, language=language, speaker=speaker)
    except MissingPartError as error:
        pytest.skip(str(error))
    return soxr.resample(speech.samples, speech.sample_rate, 16_000).astype(np.float32)


@pytest.fixture(scope="module")
def silero():
    from duologue.listen.silero import Silero

    network = Silero()
    try:
        network.load()
    except MissingPartError as error:
        pytest.skip(str(error))
    return network


@pytest.fixture(scope="module")
def recogniser():
    from duologue.systems.baseline.recognise import QuickRecogniser

    found = QuickRecogniser()
    try:
        found.load()
    except MissingPartError as error:
        pytest.skip(str(error))
    return found


# Hearing.


@pytest.mark.parametrize("size", [1, 320, 511, 512, 1500])
def test_speech_is_heard_in_a_stream_as_in_the_whole_however_it_is_cut(silero, size):
    x = spoken("The last train leaves at ten.")[: 512 * 20]
    if size == 1:
        x = x[: 512 * 2]
    stream = silero.stream()
    found = np.concatenate([stream.feed(x[i : i + size]) for i in range(0, len(x), size)])
    assert np.allclose(found, silero(x), atol=1e-5)


@pytest.mark.parametrize(
    "text, language, speaker, wanted",
    [
        ("I'd like to play some simple songs, how do I start?", "en", "en-us+m2", "simple songs"),
        ("我想煮点粥，水放多少？", "zh", "cmn-latn-pinyin+f2-low", "粥"),
    ],
)
def test_words_and_language_are_recognised(recogniser, text, language, speaker, wanted):
    x = np.pad(spoken(text, language, speaker), (4800, 3200))
    heard = recogniser.hear(x)
    assert heard.language == language
    assert wanted in heard.text.lower()
    # The language that was spoken so far counts, and so does one that is set.
    assert recogniser.hear(x, "en").language == "en"


def test_silence_and_noise_give_no_long_text(recogniser):
    assert len(recogniser.hear(np.zeros(16_000, np.float32)).text) < 20


def test_one_voice_is_near_itself_and_far_from_another():
    a = voiceprint(spoken("How long does it take to boil an egg?", speaker="en-us+m2"))
    b = voiceprint(spoken("What shall I do with the old bread?", speaker="en-us+m2"))
    c = voiceprint(spoken("What shall I do with the old bread?", speaker="en-us+alicia"))
    assert a.distance(b) < SAME < a.distance(c)
    assert a.distance(a) == 0 and a.distance(c) == pytest.approx(c.distance(a))
    assert 0 < a.joined(b).distance(a) < a.distance(b)


def test_a_voice_is_not_told_by_too_little_of_it():
    assert voiceprint(spoken("Yes.")[:2000]) is None
    assert voiceprint(np.zeros(16_000, np.float32)) is None


def test_loudness_is_no_part_of_a_voice():
    x = spoken("What shall I do with the old bread?")
    assert voiceprint(x).distance(voiceprint(x * np.float32(0.1))) < 0.05


# The end of a turn.


@pytest.mark.parametrize(
    "text, language, seconds",
    [
        ("How do I boil an egg?", "en", QUESTION),
        ("I lie awake at night.", "en", CLAUSE),
        ("I would like to cook a sauce with", "en", BROKEN_OFF),
        ("So what I need is, um", "en", BROKEN_OFF),
        ("鸡蛋要煮多久？", "zh", QUESTION),
        ("我晚上睡不着。", "zh", CLAUSE),
        ("我想给家里的老人做那个", "zh", BROKEN_OFF),
        (None, "en", UNKNOWN),
    ],
)
def test_the_wording_decides_how_long_to_wait(text, language, seconds):
    assert patience(text, language) == seconds


def test_how_it_sounds_decides_where_the_words_leave_it_open():
    assert patience("I lie awake at night.", "en", 0.9) == QUESTION
    assert patience("I lie awake at night.", "en", 0.05) > CLAUSE
    assert patience("What can I do?", "en", 0.05) == CLAUSE
    assert patience("I would like to cook a sauce with", "en", 0.99) == BROKEN_OFF


def test_smart_turn_hears_a_whole_question_as_over_and_a_broken_one_as_not():
    from duologue.generate.voices.kokoro import KokoroVoice

    network = SmartTurn()
    try:
        network.load()
        text = "Could you tell me when the next train to the airport leaves?"
        speech = KokoroVoice().synthesise(text, language="en", speaker="af_heart")
    except MissingPartError as error:
        pytest.skip(str(error))
    x = soxr.resample(speech.samples, speech.sample_rate, 16_000).astype(np.float32)
    scale = 16_000 / speech.sample_rate
    rest = np.zeros(3200, np.float32)
    # Cut after "next train", where something has to follow.
    cut = next(w.end for w in speech.words if text[w.char_start : w.char_end] == "train")
    over = network(np.concatenate([x[: round(speech.offset * scale)], rest]))
    assert 0 <= network(np.concatenate([x[: round(cut * scale)], rest])) < 0.5 < over <= 1
    # What lies more than eight seconds back does not count.
    long = np.concatenate([np.ones(16_000, np.float32), np.zeros(8 * 16_000, np.float32)])
    assert network(long) == pytest.approx(network(np.zeros(8 * 16_000, np.float32)), abs=1e-3)


# Wording.


@pytest.mark.parametrize(
    "text, language",
    [
        ("Mm-hm.", "en"), ("Right.", "en"), ("Oh good, I can do that.", "en"), ("I see.", "en"), ("Yeah, okay.", "en"),
        ("嗯。", "zh"), ("对。", "zh"), ("原来如此。", "zh"), ("好，我听着呢。", "zh"),
    ],
)  # fmt: skip
def test_signals_of_a_listener(text, language):
    assert backchannel(text, language) and act(text, language) == "backchannel"


@pytest.mark.parametrize(
    "text, language, kind",
    [
        ("Stop talking, please.", "en", "stop"),
        ("That's enough for now.", "en", "stop"),
        ("Can you repeat that?", "en", "repeat"),
        ("That is too long, make it shorter.", "en", "shorten"),
        ("Please go on.", "en", "continue"),
        ("No, I meant the other train.", "en", "correct"),
        ("Mom, where are my keys", "en", "others"),
        ("Emma, put that down.", "en", "others"),
        ("How do I boil an egg?", "en", "matter"),
        ("Right, but what about the price of it?", "en", "matter"),
        ("Is my mom, who is seventy, too old to swim?", "en", "matter"),
        ("", "en", "nothing"),
        ("先停一下，别说了。", "zh", "stop"),
        ("没听清，再说一遍。", "zh", "repeat"),
        ("太长了，说重点。", "zh", "shorten"),
        ("你接着说吧。", "zh", "continue"),
        ("不是，我说的是高铁票。", "zh", "correct"),
        ("小敏，把门关上。", "zh", "others"),
        ("怎么煮粥？", "zh", "matter"),
    ],
)
def test_kinds_of_wording(text, language, kind):
    assert act(text, language) == kind


def test_a_misheard_phrase_is_found_by_its_sound():
    # 重复 (chong fu) heard as 虫夫, 再说一遍 as 在说一片.
    assert act("请虫夫一下", "zh") == "repeat"
    assert act("在说一片好吗", "zh") == "repeat"


def test_questions_and_broken_off_clauses():
    assert asks("Nice. What is it good for?", "en") and not asks("I was there.", "en")
    assert asks("孩子挑食怎么办", "zh") and not asks("我知道了。", "zh")
    assert unfinished("I was going to the", "en") and not unfinished("Where do you come from?", "en")
    assert not to_others("Actually, I have another question.", "en")


# Knowledge and the manager.


@pytest.mark.parametrize(
    "text, language, wanted",
    [
        ("I lie awake until two most nights. What helps?", "en", "bed"),
        ("How do I get a train ticket with a seat?", "en", "train"),
        ("The leaves of my plant turn yellow.", "en", "water"),
        ("我晚上老是失眠怎么办？", "zh", "床"),
        ("高铁票怎么抢？", "zh", "候补"),
        # Misheard: 绿萝叶子发黄 as 绿罗页子发慌.
        ("绿罗页子发慌怎么办", "zh", "浇"),
    ],
)
def test_everyday_questions_get_an_answer_on_their_matter(text, language, wanted):
    decision = Manager().decide(text, language)
    assert decision.move == "say" and wanted in decision.text and decision.evidence >= CLEAR


def test_knowledge_is_well_formed():
    for language in ("en", "zh"):
        known = entries(language)
        assert len(known) > 80 and len({e.answer for e in known}) == len(known)
        assert all(e.topic and e.keys and e.sentences for e in known)
        # Every entry is found by its own first words.
        found = [search(" ".join(e.keys[:3]) if language == "en" else "，".join(e.keys[:3]), language) for e in known]
        assert all(e in [x for _, x in rows[:2]] for e, rows in zip(known, found, strict=True))


def told(manager: Manager, text: str, language: str = "en", floor: Floor = Floor()) -> str:
    decision = manager.decide(text, language, floor)
    manager.said(decision, text, language)
    return decision.text


def test_a_dialogue_by_rules():
    m = Manager()
    whole = told(m, "How do I save money every month?")
    heard, rest = whole[:40], whole[40:]
    over = Floor(over=True, heard=heard, rest=rest)
    assert m.decide("Mm-hm.", "en", over).move == "ignore"
    assert m.decide("Emma, put that down.", "en", over).move == "ignore"
    assert m.decide("They won again last Sunday.", "en", over).move == "ignore"
    assert m.decide("Okay, stop there please.", "en", over).move == "silence"
    assert m.decide("Sorry, can you say that again?", "en", over).text == heard
    assert m.decide("Go on.", "en", Floor(heard=heard, rest=rest)).text == rest
    shorter = m.decide("That's too long.", "en", over).text
    assert whole.startswith(shorter) and 0 < len(shorter) < len(whole)
    assert "debt" in told(m, "No, I meant how to pay back my credit card debt.", floor=over)
    assert "plant" in told(m, "By the way, why does my plant get yellow leaves?", floor=over)


def test_a_question_that_was_not_understood_is_asked_back():
    assert Manager().decide("What about the glorp of the zibble?", "en").text.startswith("Sorry")
    assert Manager().decide("They won again last Sunday.", "en").move == "ignore"


def test_a_language_model_answers_in_place_of_the_knowledge():
    asked = []

    def model(history, language):
        asked.append((history[-1], language))
        return "By all means."

    m = Manager(model)
    decision = m.decide("Should I learn to juggle?", "en")
    # Deciding asks nobody, so that nothing waits for a slow model.
    assert decision.composed and decision.move == "say" and not asked
    m.said(decision, "Should I learn to juggle?", "en")
    assert m.compose("en") == "By all means."
    assert asked == [(("user", "Should I learn to juggle?"), "en")]
    # What is no matter is still decided by rules: the model is not asked.
    assert m.decide("Stop talking.", "en").move == "silence" and len(asked) == 1


def test_wrong_settings_are_refused():
    from duologue.systems.baseline import Settings
    from duologue.systems.baseline.mouth import Speaker

    with pytest.raises(UserError, match="allowed: en, zh"):
        Settings(language="fr")
    with pytest.raises(UserError, match="espeak, kokoro"):
        Speaker("nobody")


@pytest.mark.parametrize(
    "text, language, kind",
    [
        ("Hold on, how much is it in winter?", "en", "matter"),
        ("Can you stop talking?", "en", "stop"),
        ("There is no need to go on.", "en", "stop"),
        ("Please go on.", "en", "continue"),
        ("Okay, how long does it take?", "en", "matter"),
        ("稍等，冬天要多少钱？", "zh", "matter"),
        ("不用继续了。", "zh", "stop"),
        ("小婷在哪儿买的菜？", "zh", "matter"),
    ],
)
def test_a_request_is_told_from_a_question_that_holds_its_words(text, language, kind):
    assert act(text, language) == kind


@pytest.mark.parametrize(
    "text, language",
    [
        ("Hang on, Nick, what would you like, the sandwich?", "en"),
        ("Oh hey, Amy, look, it's snowing.", "en"),
        ("Excuse me, miss, can I get a bag, please?", "en"),
        ("Wait, Paula, stop doing that.", "en"),
        ("我说，妈，收音机先关一下行吗。", "zh"),
        ("哎，大刘，等等，你东西掉了。", "zh"),
        ("哦对，婷婷，马上。", "zh"),
        ("孩子她妈，你把眼镜放哪儿了？", "zh"),
    ],
)
def test_who_is_called_by_name_is_meant_whatever_is_asked_of_them(text, language):
    assert act(text, language) == "others"


@pytest.mark.parametrize(
    "text, language",
    [
        ("Morning, my boss keeps adding things to my list. What can I do?", "en"),
        ("Noted, how cold does it get at night?", "en"),
        ("Quiet, please.", "en"),
        ("Pardon, which one?", "en"),
        ("My mom, she asked how long it takes.", "en"),
        ("好好，那停电了怎么办？", "zh"),
        ("小心，别切到手，这个怎么切？", "zh"),
        ("不好意思，替小敏问一句，要不要先补语法？", "zh"),
    ],
)
def test_an_opening_is_no_name(text, language):
    assert act(text, language) != "others"


def test_a_question_before_a_remark_is_still_a_question():
    m = Manager()
    assert m.decide("How do I get glue off a window? I am a bit lost.", "en").move == "say"
    assert m.decide("It was a long day. I am a bit lost.", "en").move == "ignore"


def test_the_first_remark_has_to_be_clearer_than_a_later_one():
    m = Manager()
    # One word of a matter, no question: a bystander's as likely as the user's.
    assert m.decide("Look at that puppy over there.", "en", Floor(known=False)).move == "ignore"
    assert m.decide("I lie awake at night and cannot sleep.", "en", Floor(known=False)).move == "say"
    assert m.decide("Look at that puppy over there.", "en", Floor(known=True)).move == "say"


def test_a_long_question_that_holds_a_request_is_answered():
    m = Manager()
    text = "My phone battery drains by noon, how do I make it last longer? Just keep it short."
    assert "charge" in m.decide(text, "en").text


def test_meaning_finds_what_is_asked_in_other_words_than_the_entry_has():
    from duologue.language.meaning import SentenceEncoder

    meaning = Meaning(SentenceEncoder())
    try:
        meaning.load("en")
    except MissingPartError as error:
        pytest.skip(str(error))
    text = "What can I do so that she tastes the carrots?"
    # No entry on food lists a word of it.
    assert search(text, "en")[0][1].topic != "cooking"
    best = search(text, "en", meaning=meaning)[0][1]
    assert best.topic == "cooking" and search(text, "en", meaning=meaning)[0][1] is best
    assert "charge" in search("The battery of my phone", "en", meaning=meaning)[0][1].answer


def test_how_it_sounds_is_asked_only_where_the_words_leave_it_open():
    assert leaves_open("I lie awake at night.", "en")
    assert not leaves_open("What can I do?", "en") and not leaves_open("I would like to go to", "en")
