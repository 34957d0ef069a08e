"""The split of a delay, worked by hand."""

from __future__ import annotations

import numpy as np

from duologue.corpus.observation import SentTurn
from duologue.live.latency import split_latency
from duologue.live.playback import Player

RATE = 16_000


def tone(seconds: float, rate: int, *, silence: float = 0.0) -> np.ndarray:
    n = np.arange(round(seconds * rate))
    loud = (8000 * np.cos(2 * np.pi * 300 * n / rate)).astype(np.int16)
    return np.concatenate([np.zeros(round(silence * rate), np.int16), loud])


def test_network_server_and_audible_by_hand() -> None:
    # Turn 0 ends at 1.0 s. The answer arrives at 1.5 s and begins with 0.1 s of silence, so it is heard at 1.6 s:
    # audible 600 ms. A round trip takes 40 ms: server 1500 - 1000 - 40 = 460 ms. Turn 2 ends at 3.0 s, its answer
    # comes at 3.2 s while nothing is playing and is loud at once: audible 200, server 160 ms.
    player = Player(RATE)
    player.push(1.5, tone(0.5, RATE, silence=0.1))
    player.done()
    player.push(3.2, tone(0.5, RATE))
    sent = (SentTurn(0, 0, RATE), SentTurn(2, round(2.5 * RATE), 3 * RATE))
    found = split_latency(sent, player.heard(0, 5 * RATE), RATE, player.pieces, RATE, (0.039, 0.040, 0.3))
    want = {
        "network": 40.0,
        "audible/0": 600.0,
        "server/0": 460.0,
        "audible/2": 200.0,
        "server/2": 160.0,
        "audible": 400.0,
        "server": 310.0,
    }
    assert found.keys() == want.keys()
    for name, value in want.items():
        assert abs(found[name] - value) <= 0.2, name


def test_an_answer_under_way_and_one_that_comes_after_the_next_turn_are_no_reply() -> None:
    # Sound in 0.8..1.3 s spans the end of turn 0 at 1.0 s; turn 2 ends at 3.0 s and turn 4 begins at 3.5 s, before
    # anything is heard at 4.0 s.
    player = Player(RATE)
    player.push(0.8, tone(0.5, RATE))
    player.done()
    player.push(4.0, tone(0.5, RATE))
    sent = tuple(SentTurn(t, round(a * RATE), round(b * RATE)) for t, a, b in ((0, 0, 1), (2, 2, 3), (4, 3.5, 4.8)))
    found = split_latency(sent, player.heard(0, 5 * RATE), RATE, player.pieces, RATE, ())
    assert found == {}


def test_a_turn_in_pieces_ends_with_its_last() -> None:
    player = Player(RATE)
    player.push(1.5, tone(0.3, RATE))
    sent = (SentTurn(0, 0, RATE // 2), SentTurn(0, RATE // 2 + 1000, RATE))
    found = split_latency(sent, player.heard(0, 2 * RATE), RATE, player.pieces, RATE, ())
    assert found == {"audible/0": 500.0, "audible": 500.0}
