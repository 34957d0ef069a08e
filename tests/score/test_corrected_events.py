"""The rules of the corrected profile, scenario by scenario, on exchanges written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staging import stage

from duologue.score.profiles.corrected.events import judge
from duologue.score.profiles.corrected.limits import DEFAULT
from duologue.score.scorecard import EventScore, ReplyScore

USER = ("user", "turn", [(1.0, 3.0)], "How do I boil an egg?")


class Plain:
    """Reads by words alone: what follows goes on unless it says something that was said; a repeat is shared words."""

    def continues(self, before: str, after: str, language: str) -> float:
        new = [w for w in after.split() if w not in before.split()]
        return len(new) / max(1, len(after.split()))

    def repeats(self, reply: str, heard: str, language: str) -> float:
        said = reply.split()
        return sum(w in heard.split() for w in said) / max(1, len(said))


def reply(turn: int, relevance: float = 1.0, text: str = "For eight minutes") -> dict[int, ReplyScore]:
    return {turn: ReplyScore(turn=turn, end=9.0, limit=8.0, score=relevance, relevance=relevance, text=text)}


def judged(x, replies=None) -> EventScore:
    return judge(x, x.events[0], replies or {}, Plain(), DEFAULT)


def interruption(speech, *, sound=None, kind="follow_up", words=()):
    turns = [USER, ("user", "interruption", [(7.0, 9.0)], "And a soft one?")]
    return stage(kind, turns, event=(1, 7.0, 9.0), speech=speech, sound=sound, words=words)


# -- interruptions ------------------------------------------------------------------------------------------------


def test_a_prompt_stop_and_an_answer_score_in_full():
    # Speaks 4.0-7.6, so 0.6 s after the onset at 7.0; answers at 9.4.
    e = judged(interruption([(4.0, 7.6), (9.4, 12.0)]), reply(1))
    assert (e.score, e.stop, e.exercised) == (1.0, 0.6, True)


def test_a_late_stop_is_marked_down_on_the_line():
    # Two seconds: halfway between 1 (full) and 3 (none).
    e = judged(interruption([(4.0, 9.0), (9.5, 12.0)]), reply(1))
    assert e.score == pytest.approx(0.5)


def test_never_stopping_scores_nothing_however_good_the_words():
    e = judged(interruption([(4.0, 15.0)]), reply(1))
    assert e.score == 0 and e.stop is None and e.stop_limit == 3.0


def test_a_breath_inside_the_users_words_is_no_stop():
    # A silence of 0.4 s at 7.5, then it talks on through the interruption.
    assert judged(interruption([(4.0, 7.5), (7.9, 14.0)]), reply(1)).score == 0


def test_a_hum_after_the_words_is_not_silence():
    assert judged(interruption([(4.0, 7.5)], sound=[(0.0, 30.0)]), reply(1)).score == 0


def test_a_reply_that_overlaps_the_last_half_second_leaves_the_stop_alone():
    e = judged(interruption([(4.0, 7.6), (8.7, 12.0)]), reply(1))
    assert e.stop == 0.6 and e.score == 1.0


@pytest.mark.parametrize("speech", [[], [(4.0, 5.0)], [(4.0, 6.7)], [(9.4, 12.0)]])
def test_an_interruption_of_a_silent_system_was_not_exercised(speech):
    # Mute, brief, silent 0.3 s before the onset (a system that knew), late.
    e = judged(interruption(speech), reply(1))
    assert e.score == 0 and not e.exercised and "when the event fell" in e.why


def test_the_words_must_be_answered():
    x = interruption([(4.0, 7.6), (9.4, 12.0)])
    assert judged(x, reply(1, relevance=0.25)).score == 0.25
    assert judged(x).score == 0


def test_a_repetition_has_to_repeat_what_was_heard():
    words = [("boil", 4.0, 5.0), ("it", 5.0, 5.5), ("gently", 5.5, 7.5), ("later", 20.0, 21.0)]
    x = interruption([(4.0, 7.6), (9.4, 12.0)], kind="repetition", words=words)
    assert judged(x, reply(1, text="boil it gently")).score == 1.0
    assert judged(x, reply(1, text="boil it later still")).score == 0.5  # "later" was never heard before the event
    assert judged(x, reply(1, text="")).score == 0


def test_after_stop_the_system_waits():
    turns = [USER, ("user", "interruption", [(7.0, 8.0)], "Be quiet please.")]

    def end(speech):
        return judged(stage("termination", turns, event=(1, 7.0, 8.0), speech=speech))

    assert end([(4.0, 7.5)]).score == 1.0
    assert end([(4.0, 7.5), (8.3, 8.9)]).score == 1.0  # "okay"
    # 2.25 s of talk: halfway from 1.5 to 3.
    assert end([(4.0, 7.5), (9.0, 11.25)]).score == pytest.approx(0.5)
    assert end([(4.0, 7.5), (9.0, 20.0)]).score == 0


def test_a_stopped_answer_is_taken_up_when_asked_for():
    turns = [
        USER,
        ("user", "interruption", [(7.0, 8.0)], "Be quiet please."),
        ("user", "turn", [(15.0, 16.0)], "Now go on."),
    ]
    x = stage(
        "termination",
        turns,
        event=(1, 7.0, 8.0),
        acts=("stop", "wait", "resume"),
        speech=[(4.0, 7.5), (16.5, 20.0)],
    )
    assert judged(x, reply(2)).score == 1.0
    assert judged(x).score == 0


# -- what is to be talked through ---------------------------------------------------------------------------------


def backchannel(speech, words=()):
    turns = [USER, ("user", "backchannel", [(7.0, 7.5)], "Right.")]
    return stage("backchannel", turns, event=(1, 7.0, 7.5), speech=speech, words=words)


def test_going_on_over_a_backchannel_is_right():
    assert judged(backchannel([(4.0, 12.0)])).score == 1.0
    # Its own breath of half a second.
    assert judged(backchannel([(4.0, 7.2), (7.7, 12.0)])).score == 1.0


def test_stopping_for_a_backchannel_is_wrong():
    e = judged(backchannel([(4.0, 7.4)]))
    assert e.score == 0 and "did not come back" in e.rules[0].why


def test_a_pause_for_a_backchannel_is_measured_and_what_follows_is_read():
    # 1.4 s of silence: halfway from 0.8 to 2; the words are new.
    before = [("boil", 4.0, 5.0), ("it", 5.0, 7.0)]
    x = backchannel([(4.0, 7.2), (8.6, 12.0)], [*before, ("then", 8.6, 9.0), ("peel", 9.0, 9.5)])
    assert judged(x).score == pytest.approx(0.5)
    # It starts over instead.
    x = backchannel([(4.0, 7.2), (8.6, 12.0)], [*before, ("boil", 8.6, 9.0), ("it", 9.0, 9.5)])
    assert judged(x).score == 0


def bystander(speech, words=(), kind="third_party"):
    role, how = ("third_party", "third_party") if kind == "third_party" else ("user", "others_directed")
    return stage(kind, [USER, (role, how, [(7.0, 9.0)], "Dinner!")], event=(1, 7.0, 9.0), speech=speech, words=words)


@pytest.mark.parametrize("kind", ["third_party", "others_directed"])
def test_over_a_bystander_one_may_go_on_or_wait(kind):
    assert judged(bystander([(4.0, 12.0)], kind=kind)).score == 1.0
    words = [("boil", 4.0, 7.0), ("then", 10.0, 10.5), ("peel", 10.5, 11.0)]
    assert judged(bystander([(4.0, 7.5), (10.0, 14.0)], words, kind)).score == 1.0
    # Back 4.5 s after it: halfway from 3 to 6.
    words = [("boil", 4.0, 7.0), ("then", 13.5, 14.0), ("peel", 14.0, 14.5)]
    assert judged(bystander([(4.0, 7.5), (13.5, 15.0)], words, kind)).score == pytest.approx(0.5)
    assert judged(bystander([(4.0, 7.5)], kind=kind)).score == DEFAULT.lost


def test_a_third_party_before_the_query_gets_no_reply():
    turns = [
        ("third_party", "third_party", [(1.0, 3.0)], "Who left the door open?"),
        ("user", "turn", [(5.0, 7.0)], "How do I boil an egg?"),
    ]

    def before(speech, words=()):
        x = stage(
            "third_party",
            turns,
            event=(0, 1.0, 3.0),
            acts=("ignore", "respond"),
            position="before",
            speech=speech,
            words=words,
        )
        return judged(x).score

    assert before([(7.5, 10.0)]) == 1.0
    assert before([(3.4, 6.0), (7.5, 10.0)]) == 0
    assert before([(3.4, 3.8)], [("mhm", 3.4, 3.8)]) == 1.0  # a listener's signal is no reply
    assert before([]) == 1.0  # that the query went unanswered is the reply's score, not the event's


def test_nothing_is_to_start_in_a_pause():
    turns = [("user", "turn", [(1.0, 2.0), (4.0, 6.0)], "There is water, what do I check?")]

    def paused(speech, words=()):
        return judged(stage("pause", turns, event=(0, 2.0, 4.0), speech=speech, words=words)).score

    assert paused([(6.4, 9.0)]) == 1.0
    assert paused([(5.7, 9.0)]) == 1.0  # people overlap the last half second
    assert paused([(2.8, 9.0)]) == 0
    assert (
        paused([(4.5, 5.4), (6.4, 9.0)], [(w, 4.5 + i / 4, 4.7 + i / 4) for i, w in enumerate(["you", "see", "it"])])
        == 0
    )


def test_an_event_that_the_harness_could_not_play_scores_nothing():
    x = stage("backchannel", [USER], event=(0, 7.0, 8.0), speech=[(4.0, 12.0)], not_exercised="the system was late")
    e = judged(x)
    assert e.score == 0 and not e.exercised and e.why == "the system was late"


SPANS = st.lists(st.tuples(st.floats(0, 29), st.floats(0.05, 6)), max_size=8).map(
    lambda xs: [(a, min(30.0, a + d)) for a, d in xs]
)


@given(SPANS, st.sampled_from(["follow_up", "termination", "backchannel", "third_party", "pause", "others_directed"]))
def test_every_score_is_a_share_and_silence_never_wins(spans, kind):
    how = {"backchannel": "backchannel", "third_party": "third_party", "others_directed": "others_directed"}
    role = "third_party" if kind == "third_party" else "user"
    turns = [USER, (role, how.get(kind, "interruption"), [(7.0, 9.0)], "And now?")]
    e = judged(stage(kind, turns, event=(1, 7.0, 9.0), speech=spans), reply(1))
    assert 0 <= e.score <= 1
    if kind not in ("pause",) and not spans:
        assert e.score == 0
