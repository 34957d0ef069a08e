"""The adaptive user: when each turn begins, what is heard between turns, and what is told when something cannot happen.

Most run in simulated time, where every expectation is exact to a frame (20 ms); one talks to a real server.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from scripted import NOISE, Simulated, scripted, simulate

from duologue.corpus.observation import Observation
from duologue.errors import UserError
from duologue.live.adaptive import AdaptiveSettings, adaptive
from duologue.live.call import CallSettings, call
from duologue.live.instruments import Behaviour, Instrument
from duologue.live.keep import keep
from duologue.live.loop import run_loop
from duologue.live.source import RATE
from duologue.score.hear import exchange
from duologue.systems.spec import open_system

QUERY = ("user", "turn", [(0.5, 1.5)], None)
ANSWER = ("system", "turn", [(2.0, 6.0)], None)
FRAME = 0.02


def spans(source) -> dict[int, tuple[float, float]]:
    rows: dict[int, tuple[float, float]] = {}
    for turn, start, end in (msgspec.to_builtins(s) for s in source.sent):
        rows[turn] = (rows.get(turn, (start / RATE, 0))[0], end / RATE)
    return rows


def test_an_interruption_falls_as_long_after_the_audible_onset_as_in_the_dialogue(tmp_path: Path) -> None:
    # Planned 1.8 s after the onset at 2.0 s. The system answers 1.0 s after the query's end at 1.5 s, so it falls at
    # 1.5 + 1.0 + 1.8 = 4.3 s; a later answer shifts it by as much.
    lines = [QUERY, ANSWER, ("user", "follow_up", [(3.8, 4.8)], 1), ("system", "turn", [(5.0, 6.0)], None)]
    item = scripted(tmp_path, lines)
    for after in (1.0, 2.7):
        source = adaptive(item, RATE)
        simulate(source, Simulated(after=after))
        start, end = spans(source)[2]
        assert start == pytest.approx(1.5 + after + 1.8, abs=2 * FRAME)
        assert end - start == pytest.approx(1.0, abs=1e-3)
        (event,) = source.realised
        assert (event.start / RATE, event.end / RATE) == pytest.approx((start, end), abs=1e-3)
        assert source.not_exercised == {}


def test_a_short_answer_is_met_too(tmp_path: Path) -> None:
    # 3.0 s into the answer as planned, but answers may be short: 2.5 s after the onset at the latest, and once an
    # answer of 2.0 s was heard to its end, 0.6 x 2.0 = 1.2 s after it.
    lines = [
        QUERY,
        ANSWER,
        ("user", "turn", [(6.3, 7.3)], None),
        ("system", "turn", [(8.0, 13.0)], None),
        ("user", "follow_up", [(11.0, 12.0)], 3),
        ("system", "turn", [(12.5, 13.0)], None),
    ]
    source = adaptive(scripted(tmp_path, lines), RATE)
    simulate(source, Simulated(after=0.5, answers=(2.0,)))
    at = spans(source)
    assert at[4][0] == pytest.approx(at[2][1] + 0.5 + 1.2, abs=2 * FRAME)
    assert len(source.realised) == 1
    first = adaptive(scripted(tmp_path, [QUERY, ANSWER, ("user", "follow_up", [(5.0, 5.5)], 1)]), RATE)
    simulate(first, Simulated(after=0.5, answers=(2.8,)))
    assert spans(first)[2][0] == pytest.approx(1.5 + 0.5 + 2.5, abs=2 * FRAME)


def test_an_ordinary_turn_waits_until_the_system_is_done(tmp_path: Path) -> None:
    # The dialogue's own offset is 0.3 s; the system has yielded the floor after 0.8 s of silence.
    item = scripted(
        tmp_path, [QUERY, ANSWER, ("user", "turn", [(6.3, 7.0)], None), ("system", "turn", [(7.5, 8.0)], None)]
    )
    for answer in (2.0, 9.0):
        source = adaptive(item, RATE)
        simulate(source, Simulated(after=0.5, answers=(answer,)))
        assert spans(source)[2][0] == pytest.approx(1.5 + 0.5 + answer + 0.8 + 0.3, abs=0.08)
    # An overlap cannot be repeated, since nobody knows when a machine will end: it counts as no offset.
    item = scripted(
        tmp_path, [QUERY, ANSWER, ("user", "turn", [(5.8, 7.0)], None), ("system", "turn", [(7.5, 8.0)], None)]
    )
    source = adaptive(item, RATE)
    simulate(source, Simulated(after=0.5, answers=(2.0,)))
    assert spans(source)[2][0] == pytest.approx(1.5 + 0.5 + 2.0 + 0.8, abs=0.08)


def test_a_mute_system_exercises_nothing_and_holds_nobody_up(tmp_path: Path) -> None:
    lines = [
        QUERY,
        ANSWER,
        ("user", "follow_up", [(3.8, 4.8)], 1),
        ("system", "turn", [(5.2, 9.0)], None),
        ("user", "backchannel", [(7.0, 7.3)], 3),
        ("user", "turn", [(9.5, 10.0)], None),
        ("system", "turn", [(10.5, 11.0)], None),
    ]
    source = adaptive(scripted(tmp_path, lines), RATE, AdaptiveSettings(patience=2.0))
    user, _ = simulate(source, Simulated(after=None))
    assert source.not_exercised == dict.fromkeys(("e2", "e4"), "the system did not answer within 2 s")
    assert source.realised == ()
    at = spans(source)
    # The interruption's question is asked all the same; a signal of listening to nobody is not given.
    assert sorted(at) == [0, 2, 5]
    assert at[2][0] == pytest.approx(1.5 + 2.0, abs=0.1)
    assert at[5][0] == pytest.approx(at[2][1] + 2.0, abs=0.1)
    assert len(user) / RATE == pytest.approx(at[5][1] + 2.0, abs=0.1)


def test_what_comes_too_late_is_told(tmp_path: Path) -> None:
    lines = [
        QUERY,
        ANSWER,
        ("third_party", "third_party", [(4.0, 4.8)], 1),
        ("user", "turn", [(6.5, 7.0)], None),
        ANSWER,
    ]
    lines[-1] = ("system", "turn", [(7.5, 8.5)], None)
    source = adaptive(scripted(tmp_path, lines), RATE)
    simulate(source, Simulated(after=0.5, answers=(1.2,)))
    assert source.not_exercised == {"e2": "the answer was over after 1.2 s, before anything could be said into it"}
    assert sorted(spans(source)) == [0, 3]


def test_signals_fall_into_the_answer_one_after_another(tmp_path: Path) -> None:
    lines = [
        QUERY,
        ANSWER,
        ("user", "backchannel", [(3.0, 3.3)], 1),
        ("user", "backchannel", [(4.0, 4.3)], 1),
        ("user", "turn", [(6.5, 7.0)], None),
        ("system", "turn", [(7.5, 8.5)], None),
    ]
    source = adaptive(scripted(tmp_path, lines), RATE)
    simulate(source, Simulated(after=0.5, answers=(4.0,), stop=None))
    at = spans(source)
    onset = 2.0
    assert at[2][0] == pytest.approx(onset + 1.0, abs=2 * FRAME)
    assert at[3][0] == pytest.approx(onset + 2.0, abs=2 * FRAME)
    # The user's turn is the answer to the same answer: after its end at 6.0 s.
    assert at[4][0] == pytest.approx(6.0 + 0.8 + 0.5, abs=0.08)
    assert [r.event for r in source.realised] == ["e2", "e3"]


def test_pauses_and_bystanders_before_the_query_are_as_annotated(tmp_path: Path) -> None:
    lines = [
        ("third_party", "third_party", [(0.5, 1.2)], None),
        ("user", "turn", [(1.7, 2.4), (3.3, 4.0)], None),
        ("system", "turn", [(4.5, 6.0)], None),
    ]
    source = adaptive(scripted(tmp_path, lines), RATE)
    # This one answers into the pause, and is then spoken over: the user's turn goes on as it is.
    simulate(source, Simulated(after=0.4, answers=(3.0,)))
    rows = [(s.turn, s.start / RATE, s.end / RATE) for s in source.sent]
    assert np.allclose(rows, [(0, 0.5, 1.2), (1, 1.7, 2.4), (1, 3.3, 4.0)], atol=1e-3)
    pause = next(r for r in source.realised if r.event == "e1")
    assert (pause.start / RATE, pause.end / RATE) == pytest.approx((2.4, 3.3), abs=1e-3)


def test_a_system_that_never_stops_is_spoken_over_in_the_end(tmp_path: Path) -> None:
    lines = [QUERY, ANSWER, ("user", "turn", [(6.3, 7.0)], None), ("system", "turn", [(7.5, 8.0)], None)]
    source = adaptive(scripted(tmp_path, lines), RATE, AdaptiveSettings(longest=3.0))
    user, _ = simulate(source, Simulated(after=0.5, answers=(600.0,), stop=None))
    assert spans(source)[2][0] == pytest.approx(2.0 + 3.0, abs=0.1)
    assert len(user) / RATE < source.seconds


def test_after_a_request_to_stop_the_user_waits_for_silence(tmp_path: Path) -> None:
    lines = [
        QUERY,
        ANSWER,
        ("user", "termination", [(3.5, 4.0)], 1),
        ("user", "turn", [(6.0, 7.0)], None),
        ("system", "turn", [(7.5, 8.5)], None),
    ]
    item = scripted(tmp_path, lines)
    obeys, talks = adaptive(item, RATE), adaptive(item, RATE)
    simulate(obeys, Simulated(after=None, stop=0.2))  # never speaks at all: nothing to stop
    assert "e2" in obeys.not_exercised
    # "Stop" is not said to a system that is silent, and neither is what follows held up by it.
    assert sorted(spans(obeys)) == [0, 3]
    simulate(talks, Simulated(after=0.5, answers=(8.0,), stop=None))
    at = spans(talks)
    # The answer, begun at 2.0 s, runs on until 10.0 s though it was told to stop.
    assert at[2][0] == pytest.approx(3.5, abs=2 * FRAME)
    assert at[3][0] == pytest.approx(10.0 + 0.8, abs=0.1)


def test_the_background_goes_on_under_everything_without_a_seam(tmp_path: Path) -> None:
    lines = [QUERY, ANSWER, ("user", "turn", [(6.3, 7.0)], None), ("system", "turn", [(7.5, 8.0)], None)]
    source = adaptive(scripted(tmp_path, lines), RATE)
    user, _ = simulate(source, Simulated(after=0.5, answers=(2.0,)))
    speech = np.zeros(len(user), bool)
    for s in source.sent:
        speech[s.start : s.end] = True
    quiet = user[~speech].astype(float)
    # As loud as the dialogue's own background everywhere, never digitally silent for as much as 2 ms, nothing louder.
    assert np.abs(quiet).max() <= 2 * NOISE
    level = np.sqrt(np.convolve(quiet**2, np.ones(160) / 160, "valid"))
    assert level.min() > 0.7 * 0.75 * NOISE and level.max() < 1.5 * 0.75 * NOISE
    # The speech itself is the dialogue's own, sample by sample.
    original, _ = scripted(tmp_path, lines).audio(role="user", dtype="int16")
    first = source.sent[0]
    assert np.array_equal(user[first.start : first.end], original[round(0.5 * RATE) : round(1.5 * RATE)])


def test_the_echo_of_the_reference_system_is_not_in_the_background(tmp_path: Path) -> None:
    source = adaptive(scripted(tmp_path, [QUERY, ANSWER], echo=-20.0), RATE)
    user, _ = simulate(source, Simulated(after=None))
    # 5000 at -20 dB would be 500.
    assert np.abs(user[round(1.7 * RATE) :].astype(int)).max() <= 2 * NOISE


def test_equal_systems_meet_equal_users_whatever_the_frames(tmp_path: Path) -> None:
    lines = [QUERY, ANSWER, ("user", "follow_up", [(3.8, 4.8)], 1), ("system", "turn", [(5.0, 6.0)], None)]
    item = scripted(tmp_path, lines)
    a, b = adaptive(item, RATE), adaptive(item, RATE)
    sent_a, heard_a = simulate(a, Simulated())
    sent_b, heard_b = simulate(b, Simulated())
    assert np.array_equal(sent_a, sent_b) and np.array_equal(heard_a, heard_b)
    assert a.sent == b.sent and a.realised == b.realised
    c = adaptive(item, RATE)
    simulate(c, Simulated(), size=160)
    assert spans(c)[2][0] == pytest.approx(spans(a)[2][0], abs=2 * FRAME)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="patience"):
        AdaptiveSettings(patience=0)


def test_a_real_system_is_interrupted_and_scored_where_things_really_fell(tmp_path: Path) -> None:
    lines = [QUERY, ANSWER, ("user", "follow_up", [(3.0, 3.5)], 1), ("system", "turn", [(3.8, 4.8)], None)]
    item = scripted(tmp_path, lines, scenario="follow_up")
    settings = AdaptiveSettings(patience=3.0, settle=0.3, over=0.4)
    with Instrument("realtime", Behaviour(reply_after=0.3, reply=2.0, stop_after=0.2)) as server:
        session = open_system(server.spec).session()  # type: ignore[union-attr]
        make = lambda rate: adaptive(item, rate, settings)  # noqa: E731
        recording = run_loop(call(session, make, CallSettings(tail=0.0)))
    assert recording.failure is None and recording.not_exercised == {}
    seen = keep(tmp_path / "run", item.id, recording)
    assert isinstance(seen, Observation)
    x = exchange(item.dialogue, seen, recording.system.astype(np.float32) / 32_768)
    # The answer is due 0.3 s after the query's end at 1.5 s and cannot come sooner; the interruption 1.0 s later.
    (event,) = x.events
    assert not event.not_exercised
    assert event.start / RATE >= 1.5 + 0.3 + 1.0 - 0.03
    # Far from where the dialogue had it, and the same for the turn that holds it.
    played = x.played(2)
    assert played is not None and played.start == event.start != round(3.0 * RATE)
    assert x.length == len(recording.user) != item.dialogue.audio[0].length
    # The system spoke when it was interrupted, and fell silent 0.2 s later or more.
    loud = np.flatnonzero(np.abs(recording.system.astype(int)) > 500)
    before = loud[loud < event.start]
    assert len(before) and before[-1] > event.start - 0.1 * RATE
    pause = np.flatnonzero(np.diff(loud) > 0.05 * RATE)
    assert loud[pause[0]] / RATE >= event.start / RATE + 0.2 - 0.03
