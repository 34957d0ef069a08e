"""What a listener would have heard: by hand, and for any arrivals."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duologue.live.playback import Cut, Gap, Player

RATE = 1000  # one sample a millisecond


def ones(n: int, value: int = 1) -> np.ndarray:
    return np.full(n, value, np.int16)


def spans(player: Player) -> list[tuple[int, int]]:
    return [(p.start, p.end) for p in player.pieces]


def test_audio_is_played_when_it_comes_or_when_its_turn_comes() -> None:
    p = Player(RATE)
    p.push(0.100, ones(40))  # heard 100..140
    p.push(0.110, ones(40))  # queued: 140..180
    p.push(0.200, ones(40))  # the player ran dry at 180: 200..240
    assert spans(p) == [(100, 140), (140, 180), (200, 240)]
    assert p.gaps == [Gap(180, 200)]
    assert p.heard(90, 110).tolist() == [0] * 10 + [1] * 10
    assert p.heard(175, 205).tolist() == [1] * 5 + [0] * 20 + [1] * 5


def test_silence_between_answers_is_no_stall() -> None:
    p = Player(RATE)
    p.push(0.1, ones(10))
    p.done()
    p.push(0.5, ones(10))
    assert p.gaps == []


def test_a_delay_is_spent_once_a_stretch() -> None:
    p = Player(RATE, delay=0.05)
    p.push(0.100, ones(40))  # held back: 150..190
    p.push(0.180, ones(40))  # 80 ms later instead of 40: in time all the same, 190..230
    p.push(0.300, ones(40))  # dry at 230: held back again, 350..390
    assert spans(p) == [(150, 190), (190, 230), (350, 390)]
    assert p.gaps == [Gap(230, 350)]


def test_a_flush_cuts_what_was_not_heard_and_says_of_which_answer() -> None:
    p = Player(RATE)
    p.push(0.0, ones(100), "a")  # 0..100
    p.push(0.0, ones(50), "b")  # 100..150
    # At 60 ms: of a, 60 were heard and 40 are lost; of b nothing was heard.
    assert p.flush(0.060) == [Cut(60, "a", 60, 40), Cut(60, "b", 0, 50)]
    assert p.heard(0, 200).sum() == 60
    p.push(0.080, ones(10), "c")
    assert spans(p) == [(0, 60), (80, 90)]
    assert p.flush(0.090) == []
    assert p.gaps == []


def test_what_came_before_the_origin_was_played_before_it() -> None:
    # 100 ms that came 60 ms before the origin: 40 ms of it are left, and nothing is put off.
    p = Player(RATE)
    p.push(-0.060, ones(100))
    p.push(-0.010, ones(10, 2))
    assert p.heard(0, 60).tolist() == [1] * 40 + [2] * 10 + [0] * 10
    q = Player(RATE)
    q.push(-0.3, ones(20))
    assert not q.heard(0, 100).any() and q.end == 0
    assert q.flush(-0.1) == []


chunks = st.lists(
    st.tuples(st.floats(0, 0.3), st.integers(1, 200), st.sampled_from(["push", "push", "push", "flush", "done"])),
    min_size=1,
    max_size=40,
)


@given(chunks, st.sampled_from([0.0, 0.03]), st.sampled_from([1000, 16_000, 24_000]))
def test_properties(steps: list[tuple[float, int, str]], delay: float, rate: int) -> None:
    player, now, pushed, lost, value = Player(rate, delay), 0.0, 0, 0, 0
    before: list[tuple[int, np.ndarray]] = []
    for wait, size, kind in steps:
        now += wait
        seen = int(now * rate)
        past = player.heard(0, seen)
        if kind == "push":
            value += 1
            player.push(now, ones(size, value), f"i{value % 3}")
            pushed += size
        elif kind == "flush":
            cuts = player.flush(now)
            lost += sum(c.lost for c in cuts)
            assert all(c.played >= 0 and c.lost > 0 for c in cuts)
            assert not player.playing(now)
        else:
            player.done()
        # What was heard stays heard: no arrival changes the past.
        assert (player.heard(0, seen) == past).all()
        before.append((seen, past))
    heard = player.heard(0, player.end)
    for seen, past in before:
        assert (player.heard(0, seen) == past).all()
    # Every sample is heard once, in order, or was cut off; nothing is heard before it came.
    assert np.count_nonzero(heard) == pushed - lost
    sounding = heard[heard > 0]
    assert (np.diff(sounding.astype(int)) >= 0).all()
    assert all(p.start >= p.at * rate - 1e-3 for p in player.pieces)
    assert all(a.end <= b.start for a, b in zip(player.pieces, player.pieces[1:], strict=False))
    # Gaps are silence.
    assert all(not player.heard(g.start, g.end).any() for g in player.gaps)


@given(chunks, st.integers(1, 97))
def test_reading_piece_by_piece_is_reading_at_once(steps: list[tuple[float, int, str]], size: int) -> None:
    player, now = Player(RATE), 0.0
    for wait, n, kind in steps:
        now += wait
        if kind == "flush":
            player.flush(now)
        else:
            player.push(now, ones(n))
    whole = player.heard(0, player.end)
    parts = [player.heard(i, min(i + size, player.end)) for i in range(0, player.end, size)]
    assert (np.concatenate([*parts, ones(0)]) == whole).all()
