"""Whole calls over loopback, with servers of programmed behaviour on the other end, in every protocol.

A busy machine makes everything late but nothing early, so what is asserted are orders and lower bounds;
``benchmarks/live.py`` measures how exact the times are.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from callers import user, voice

from duologue.errors import UserError
from duologue.listen.sound import audible
from duologue.live.call import CallSettings, Recording, call
from duologue.live.heard import Heard
from duologue.live.instruments import PROTOCOLS, Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.live.source import RATE, Recorded, resampled
from duologue.systems.spec import open_system
from duologue.systems.system import Settings

QUICK = CallSettings(tail=1.0)
# The encoder of Moshi's stream smears edges and groups samples; the user's own noise is resampled for the others.
EARLY = {"moshi": 0.030}


def talk(server: Instrument, make, settings: CallSettings = QUICK, **more) -> Recording:
    system = open_system(server.spec, Settings(**more))
    return run_loop(call(system.session(), make, settings))


def heard(recording: Recording) -> list[tuple[float, float]]:
    spans = audible(recording.system.astype(np.float32) / np.float32(32_768), RATE)
    return [(a / RATE, b / RATE) for a, b in spans.tolist()]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_comes_no_sooner_than_it_was_programmed_to(protocol: str) -> None:
    with Instrument(protocol, Behaviour(reply_after=0.4, reply=0.3)) as server:
        r = talk(server, user([(0.1, 0.4)], 0.6))
    assert r.failure is None
    assert len(r.user) == len(r.system) == round(1.6 * RATE)
    start, end = heard(r)[0][0], heard(r)[-1][1]
    early = EARLY.get(protocol, 0.002)
    assert start >= 0.4 + 0.4 - early
    # A reply of 0.3 s is heard whole, however it was cut on the way.
    assert end - start >= 0.3 - early
    assert r.latency["audible/0"] == pytest.approx((start - 0.4) * 1000, abs=1)
    # Audible onset is what network, server and playback took together, and no part of it is imagined.
    assert r.latency["server/0"] + r.latency["network"] <= r.latency["audible/0"] + 2
    assert len(r.pacing) == 80


@pytest.mark.parametrize(
    ("protocol", "burst"),
    [("realtime", False), ("realtime", True), ("realtime-beta", True), ("gemini", True), ("ws", False)],
)
def test_an_interrupted_answer_falls_silent_though_more_had_come(protocol: str, burst: bool) -> None:
    # The user speaks again at 1.1 s into an answer of 5 s that began at 0.7 s or later, and it ends at 1.3 s or later.
    with Instrument(protocol, Behaviour(reply_after=0.3, reply=5.0, burst=burst)) as server:
        r = talk(server, user([(0.1, 0.4), (1.1, 1.4)], 1.5), CallSettings(tail=0.4))
        server_heard = list(server.seen)
    assert r.failure is None
    start, end = heard(r)[0][0], heard(r)[0][1]
    assert start >= 0.7 - 0.002
    assert end >= 1.3 - 0.005
    assert len(r.cuts) == 1
    cut = r.cuts[0]
    assert cut.played / r.player_rate == pytest.approx(end - start, abs=0.01)
    truncated = [m for m in server_heard if m.get("type") in ("conversation.item.truncate", "truncated")]
    if protocol.startswith("realtime"):
        assert [t["audio_end_ms"] for t in truncated] == [int(cut.played * 1000 / r.player_rate)]
        # The server agrees that so much of the item exists: it answers with an error otherwise.
        assert [e.name for e in r.events if e.name in ("error", "conversation.item.truncated")] == [
            "conversation.item.truncated"
        ]
    elif protocol == "ws":
        assert [t["played_ms"] for t in truncated] == [int(cut.played * 1000 / r.player_rate)]


def test_a_stall_is_heard_as_silence_and_counted() -> None:
    with Instrument("ws", Behaviour(reply_after=0.3, reply=0.8, stall_at=0.4, stall=0.5)) as server:
        r = talk(server, user([(0.1, 0.4)], 0.5), CallSettings(tail=1.8))
    spans = heard(r)
    assert len(spans) >= 2
    assert max(g.end - g.start for g in r.gaps) / r.player_rate >= 0.4
    # Nothing is lost by a stall: 0.8 s are heard in all, up to the edges.
    assert sum(b - a for a, b in spans) == pytest.approx(0.8, abs=0.03)


def test_the_user_is_recorded_as_sent() -> None:
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        r = talk(server, user([(0.1, 0.5)], 0.7), CallSettings(tail=0.3))
    # The instrument hears at 16 kHz, the run's own rate: nothing is resampled.
    want = voice([(0.1, 0.5)], 0.7)
    assert (r.user[: len(want)] == want).all()
    assert not r.user[len(want) :].any()
    assert not r.system.any()
    assert len(r.user) == RATE


def test_frames_have_the_length_asked_for_and_cut_nothing() -> None:
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        r = talk(server, user([(0.1, 0.5)], 0.7), CallSettings(tail=0.0, frame_ms=40))
    assert len(r.pacing) == 18  # 700 / 40 = 17.5: the last frame is filled with silence
    assert len(r.user) == round(0.72 * RATE)


def test_transcripts_come_with_their_times_and_sides() -> None:
    with Instrument("realtime", Behaviour(reply_after=0.3, reply=0.2, text="Good evening.")) as server:
        r = talk(server, user([(0.1, 0.4)], 0.6))
    assert [(d.role, d.text) for _, d in r.transcript] == [("system", "Good evening.")]
    assert r.transcript[0][0] >= 0.7 - 0.002
    names = [e.name for e in r.events]
    assert names[0] == "session.created"
    assert "input_audio_buffer.speech_started" in names
    # Audio is heard, not logged.
    assert not any("audio.delta" in n for n in names)


class Impatient:
    """A user who speaks again as soon as the system has been audible for 0.3 s."""

    seconds = 4.0
    sent = realised = ()
    not_exercised: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.first = resampled(voice([(0.0, 0.4)], 0.4), RATE, rate)
        self.again = resampled(voice([(0.0, 0.3)], 0.3), RATE, rate)
        self.began: float | None = None
        self.seen: list[float] = []

    def frame(self, start: int, size: int, heard: Heard) -> np.ndarray | None:
        now = start / self.rate
        assert heard.now == pytest.approx(now)
        if self.began is None and heard.speaking_since is not None and now - heard.speaking_since >= 0.3:
            self.began = now
            self.seen = [heard.speaking_since]
        pcm, at = (self.first, start) if self.began is None else (self.again, start - round(self.began * self.rate))
        if self.began is not None and at >= len(pcm):
            return None
        part = pcm[at : at + size]
        return np.pad(part, (0, size - len(part)))


def test_a_user_can_decide_by_what_it_hears() -> None:
    users: list[Impatient] = []

    def make(rate: int) -> Impatient:
        users.append(Impatient(rate))
        return users[0]

    with Instrument("realtime", Behaviour(reply_after=0.3, reply=4.0)) as server:
        r = talk(server, make, CallSettings(tail=0.6))
    assert r.failure is None
    start, end = heard(r)[0]
    began = users[0].began
    assert began is not None
    assert users[0].seen[0] == pytest.approx(start, abs=0.005)
    # Not before 0.3 s of the answer were heard, and then with the next frame.
    assert 0.3 - 0.005 <= began - start <= 0.3 + 0.05
    assert end >= began + 0.2 - 0.005


def test_a_frame_that_is_no_whole_number_of_samples_is_refused() -> None:
    class Odd:
        input_rate, output_rate = 22_050, 22_050

        async def open(self) -> None:
            pass

        async def close(self) -> None:
            pass

    with pytest.raises(UserError, match="frame_ms"):
        asyncio.run(call(Odd(), lambda rate: Recorded(np.zeros(1, np.int16), rate), CallSettings(frame_ms=25)))  # type: ignore[arg-type]
