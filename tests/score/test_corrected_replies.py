"""Which turns want a reply, where the reply is, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from staging import at, spread, stage

from duologue.score.profiles.corrected.item import Answer, Judged, answers, score
from duologue.score.profiles.corrected.limits import DEFAULT
from duologue.score.profiles.corrected.replies import find, wanted

ASK = ("user", "turn", [(1.0, 3.0)], "How do I boil an egg?")
NEXT = ("user", "turn", [(12.0, 14.0)], "And a soft one?")


def content(words: Sequence[str], language: str) -> int | None:
    """Everything but "um" is content."""
    return next((i for i, w in enumerate(words) if w != "um"), None)


class Words:
    def continues(self, before: str, after: str, language: str) -> float:
        return 1.0

    def repeats(self, reply: str, heard: str, language: str) -> float:
        return 1.0


def found(x, i: int = 0):
    reply = find(x, wanted(x, DEFAULT)[i], DEFAULT)
    return reply and (reply.start / 16000, reply.stop / 16000, reply.early / 16000)


def test_the_first_talk_after_the_turn_is_the_reply():
    assert found(stage("none", [ASK], speech=[(3.5, 6.0), (6.4, 8.0)])) == (3.5, 8.0, 0.0)


def test_talk_that_goes_on_from_before_is_no_reply():
    assert found(stage("none", [ASK], speech=[(0.5, 3.4)])) is None
    assert found(stage("none", [ASK], speech=[(0.5, 3.4), (3.9, 6.0)])) == (3.9, 6.0, 0.0)


def test_a_start_inside_the_turn_is_early_unless_it_is_a_listeners_signal():
    assert found(stage("none", [ASK], speech=[(2.0, 6.0)])) == (2.0, 6.0, 1.0)
    signal = stage("none", [ASK], speech=[(1.8, 2.2), (3.3, 6.0)], words=[("mhm", 1.8, 2.2)])
    assert found(signal) == (3.3, 6.0, 0.0)


def test_a_reply_is_waited_for_until_the_user_speaks_again_or_eight_seconds():
    assert found(stage("none", [ASK, NEXT], speech=[(11.5, 15.0)])) is None  # 8.5 s
    assert found(stage("none", [ASK, NEXT], speech=[(10.9, 11.5)])) == (10.9, 11.5, 0.0)
    near = ("user", "turn", [(5.0, 6.0)], "Hello?")
    assert found(stage("none", [ASK, near], speech=[(6.2, 9.0)])) is None
    assert found(stage("none", [ASK, near], speech=[(6.2, 9.0)]), 1) == (6.2, 9.0, 0.0)


def test_each_reply_belongs_to_one_turn():
    x = stage("none", [ASK, NEXT], speech=[(3.5, 8.0), (14.5, 16.0)])
    assert found(x, 0) == (3.5, 8.0, 0.0)
    assert found(x, 1) == (14.5, 16.0, 0.0)


def test_only_turns_to_the_system_want_a_reply_and_stop_wants_none():
    aside = ("user", "others_directed", [(5.0, 6.0)], "Emma, the door!")
    signal = ("user", "backchannel", [(7.0, 7.3)], "Right.")
    stop = ("user", "interruption", [(12.0, 13.0)], "Be quiet.")
    x = stage("termination", [ASK, aside, signal, stop], event=(3, 12.0, 13.0))
    assert [w.index for w in wanted(x, DEFAULT)] == [0]


def test_what_a_reply_is_held_against():
    # A follow-up is about itself; a correction needs what it corrects; a request to go on is about the first query.
    more = ("user", "interruption", [(12.0, 14.0)], "And a soft one?")
    x = stage("follow_up", [ASK, more], event=(1, 12.0, 14.0))
    assert [(w.query, w.previous) for w in wanted(x, DEFAULT)][1] == ("And a soft one?", "How do I boil an egg?")
    x = stage("negation", [ASK, more], event=(1, 12.0, 14.0))
    assert [(w.query, w.previous) for w in wanted(x, DEFAULT)][1] == ("How do I boil an egg? And a soft one?", "")
    stop = ("user", "interruption", [(6.0, 7.0)], "Be quiet.")
    on = ("user", "turn", [(12.0, 13.0)], "Go on now.")
    x = stage("termination", [ASK, stop, on], event=(1, 6.0, 7.0), acts=("stop", "wait", "resume"))
    assert [(w.index, w.query) for w in wanted(x, DEFAULT)] == [(0, ASK[3]), (2, ASK[3])]


def scored(x, relevance: float = 1.0):
    given = answers(x, content, DEFAULT)
    return score(x, given, {a.wanted.index: Judged(relevance) for a in given if a.text}, Words(), DEFAULT)


@pytest.mark.parametrize(
    ("start", "worth"),
    # Full up to 1 s after the end, then a line to 0 at 5 s; half a second early is full, 1.5 s early is nothing.
    [(3.2, 1.0), (4.0, 1.0), (6.0, 0.5), (8.0, 0.0), (2.6, 1.0), (2.0, 0.5), (1.4, 0.0)],
)
def test_speed(start: float, worth: float):
    x = stage("none", [ASK], speech=[(start, start + 4)], words=spread("eight minutes will do", start, start + 4))
    assert scored(x).utility == pytest.approx(worth)


def test_fillers_are_sound_but_no_content():
    words = [("um", 3.2, 3.6), ("eight", 6.0, 6.5), ("minutes", 6.5, 7.0)]
    x = stage("none", [ASK], speech=[(3.2, 3.6), (6.0, 7.0)], words=words)
    reply = scored(x).replies[0]
    assert (reply.sound, reply.content, reply.speed, reply.text) == (0.2, 3.0, 0.5, "eight minutes")
    only = scored(stage("none", [ASK], speech=[(3.2, 3.6)], words=words[:1]))
    assert only.utility == 0 and only.replies[0].sound == 0.2 and only.replies[0].content is None


def test_one_word_and_a_long_silence_are_a_filler_whatever_the_word():
    words = [("right", 3.2, 3.6), ("eight", 7.0, 7.5), ("minutes", 7.5, 8.0)]
    x = stage("none", [ASK], speech=[(3.2, 3.6), (7.0, 8.0)], words=words)
    reply = scored(x).replies[0]
    assert (reply.sound, reply.content, reply.text) == (0.2, 4.0, "eight minutes")
    # With a short pause, or as all that is said, the word is the answer's own.
    near = scored(stage("none", [ASK], speech=[(3.2, 3.6), (4.0, 5.0)], words=[words[0], ("so", 4.0, 4.4)])).replies[0]
    assert (near.content, near.text) == (0.2, "right so")
    assert scored(stage("none", [ASK], speech=[(3.2, 3.6)], words=words[:1])).replies[0].content == 0.2


def test_the_utility_is_behaviour_times_the_mean_reply():
    # One event at half (a stop after 2 s), replies worth 1 and 1 x 0.6 by relevance.
    more = ("user", "interruption", [(7.0, 9.5)], "And a soft one?")
    x = stage(
        "follow_up",
        [ASK, more],
        event=(1, 7.0, 9.5),
        speech=[(3.5, 9.0), (9.9, 12.0)],
        words=[*spread("eight minutes will do", 3.5, 9.0), *spread("only five", 9.9, 12.0)],
    )
    given = answers(x, content, DEFAULT)
    one = score(x, given, {0: Judged(1.0), 1: Judged(0.6)}, Words(), DEFAULT)
    # behaviour = 0.5 (stop) x 0.6 (answers the new words) = 0.3; replies (1 + 0.6) / 2 = 0.8.
    assert one.behaviour == pytest.approx(0.3)
    assert one.utility == pytest.approx(0.3 * 0.8)
    assert "falls silent" not in one.why and one.clusters["speaker"] == "user"


def test_a_mute_system_gets_nothing_anywhere():
    for kind, how in (("backchannel", "backchannel"), ("pause", "turn"), ("third_party", "third_party")):
        x = stage(kind, [ASK, ("user", how, [(7.0, 9.0)], "Hm")], event=(1, 7.0, 9.0), speech=[])
        assert scored(x).utility == 0


def test_what_the_rules_read_is_in_samples_of_the_exchange():
    x = stage("none", [ASK], speech=[(3.5, 6.0)], words=spread("eight minutes", 3.5, 6.0))
    given: list[Answer] = answers(x, content, DEFAULT)
    assert given[0].content == at(3.5) and given[0].text == "eight minutes"
