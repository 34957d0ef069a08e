"""Logged calls without a script, by hand: every expectation can be read off the spans."""

from __future__ import annotations

import numpy as np
import pytest

from duologue.score.calls import RATE, Call, Interruption, Pause, Response, diagnose, together


def call(user, system, seconds: float = 30.0) -> Call:
    u, s = (np.rint(np.array(x, float).reshape(-1, 2) * RATE).astype(np.int64) for x in (user, system))
    return diagnose("c", u, s, round(seconds * RATE))


def test_replies_are_measured_from_the_end_of_the_turn() -> None:
    # Answered 0.7 s after 2.0; the turn from 8 s is answered 0.3 s before its end; the last is not answered.
    c = call([(1, 2), (8, 10), (15, 16)], [(2.7, 6), (9.7, 12)])
    assert c.responses == (
        Response(end=2.0, offset=0.7),
        Response(end=10.0, offset=-0.3),
        Response(end=16.0, offset=None),
    )
    # Half a second or less before the end is an ordinary change of speakers.
    assert c.interruptions == ()
    assert c.overlap == pytest.approx(0.3)
    t = together([c])
    assert (t.turns, t.unanswered, t.offset_median) == (3, 1, pytest.approx(0.2))


def test_an_answer_after_eight_seconds_is_none() -> None:
    assert call([(1, 2)], [(10.1, 12)]).responses == (Response(end=2.0, offset=None),)


def test_interruptions_of_both_sides_and_who_gives_way() -> None:
    # The user cuts in at 4 s, and the system stops 0.4 s later. The user cuts in at 12 s, and the system outlasts it.
    # At 20 s the system cuts in on the user, who gives way after 0.6 s. A signal of 0.4 s at 26 s is short.
    c = call([(1, 2), (4, 6), (12, 14), (18, 20.6), (26, 26.4)], [(2.5, 4.4), (10, 17), (20, 22), (25, 28)])
    assert c.interruptions == (
        Interruption(start=4.0, by="user", length=2.0, stop=0.4, short=False),
        Interruption(start=12.0, by="user", length=2.0, stop=None, short=False),
        Interruption(start=20.0, by="system", length=2.0, stop=0.6, short=False),
        Interruption(start=26.0, by="user", length=0.4, stop=None, short=True),
    )
    t = together([c])
    assert (t.interruptions, t.unyielded, t.stop_median, t.system_interrupts) == (2, 1, 0.4, 1)
    # The signal wants no reply.
    assert [r.end for r in c.responses] == [2.0, 6.0, 14.0, 20.6]


def test_pauses_of_the_user() -> None:
    # 1 s of silence inside a turn; 1 s into which the system begins to talk and goes on when the user does; 0.1 s is a
    # breath; and 1.5 s with a whole short answer inside are no pause but two turns.
    c = call([(1, 2), (3, 4), (10, 11), (12, 13), (13.1, 14), (20, 21), (22.5, 23.5)], [(11.4, 12.6), (21.2, 22.2)])
    assert c.pauses == (Pause(start=2.0, end=3.0, taken=False), Pause(start=11.0, end=12.0, taken=True))
    assert [r.end for r in c.responses] == [4.0, 11.0, 14.0, 21.0, 23.5]
    assert together([c]).pauses_taken == 1


def test_silence_and_talk_without_end_are_calls_too() -> None:
    assert call([], []).responses == ()
    assert call([(0, 30)], []).responses == (Response(end=30.0, offset=None),)
    assert call([], [(0, 30)]).overlap == 0
    assert together([]).offset_median is None
