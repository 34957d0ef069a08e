"""The reference system's echo is taken out of the microphone that another system hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted import NOISE, scripted

from duologue.live.source import RATE, recorded
from duologue.live.without_echo import user_channel, without_echo

QUERY = ("user", "turn", [(0.5, 1.5)], None)
ANSWER = ("system", "turn", [(2.0, 5.0)], None)
OVER = ("user", "backchannel", [(3.0, 3.4)], 1)


def level(x: np.ndarray) -> float:
    """dB of a sample."""
    return 10 * np.log10(np.mean(x.astype(float) ** 2) + 1e-9)


def coloured(rng: np.random.Generator, seconds: float, amplitude: float) -> np.ndarray:
    """Noise with the slope of speech, on and off three times a second."""
    x = rng.normal(size=round(seconds * RATE))
    for _ in range(2):
        x = np.convolve(x, 0.9 ** np.arange(80))[: len(x)]
    x *= (np.sin(2 * np.pi * 1.5 * np.arange(len(x)) / RATE) > -0.3) * amplitude / x.std()
    return x


@pytest.mark.parametrize("late", [0.02, 0.15])
def test_an_echo_through_a_loudspeaker_and_a_room_is_gone_and_the_user_is_whole(late: float) -> None:
    rng = np.random.default_rng(1)
    reference = np.zeros(20 * RATE)
    reference[3 * RATE : 9 * RATE] = coloured(rng, 6, 3000)
    reference[13 * RATE : 19 * RATE] = coloured(rng, 6, 3000)
    user = np.zeros(20 * RATE)
    user[RATE : round(2.5 * RATE)] = coloured(rng, 1.5, 2500)
    # Over the second answer, where the echo goes on.
    user[15 * RATE : 17 * RATE] = coloured(rng, 2, 2500)
    path = np.zeros(round(late * RATE) + 400)
    for at, gain in ((0, 1.0), (37, -0.35), (113, 0.22), (389, 0.07)):
        path[round(late * RATE) + at] = gain * 10 ** (-25 / 20)
    path = np.convolve(path, np.hanning(17) / np.hanning(17).sum())
    echo = np.convolve(reference, path)[: len(reference)]
    room = rng.normal(size=len(user)) * 8
    mic = np.rint(user + echo + room).astype(np.int16)
    spoken = [(RATE, round(2.5 * RATE)), (15 * RATE, 17 * RATE)]
    clean = without_echo(mic, np.rint(reference).astype(np.int16), RATE, spoken)
    alone = slice(4 * RATE, 9 * RATE)
    assert level(echo[alone]) > level(room[alone]) + 15
    # What is left of the echo is under the room's own noise: alone, and under the user's words.
    for part in (alone, slice(15 * RATE, 17 * RATE)):
        assert level(clean[part] - (user + room)[part]) < level(room[part])
    # Before the reference spoke nothing could be taken away.
    assert np.array_equal(clean[: 3 * RATE], mic[: 3 * RATE])


def test_a_faint_echo_under_noise_is_not_replaced_by_something_louder() -> None:
    rng = np.random.default_rng(2)
    reference = np.zeros(12 * RATE)
    reference[RATE : 11 * RATE] = coloured(rng, 10, 3000)
    room = rng.normal(size=len(reference)) * 300
    mic = np.rint(room).astype(np.int16)
    clean = without_echo(mic, np.rint(reference).astype(np.int16), RATE, [])
    # 800 taps over 160,000 samples: 23 dB under the noise; 10 are promised.
    assert level(clean.astype(float) - mic) < level(room) - 10


def test_what_is_played_to_a_system_holds_no_echo_and_is_as_recorded_without_one(tmp_path: Path) -> None:
    item = scripted(tmp_path, [QUERY, ANSWER, OVER], echo=-20.0)
    mic, rate = item.audio(role="user", dtype="int16")
    played = recorded(item, rate).pcm
    alone = slice(round(2.2 * rate), round(2.9 * rate))
    # The echo of 5000 at -20 dB is 500.
    assert np.abs(mic[alone].astype(int)).max() >= 500
    assert np.abs(played[alone].astype(int)).max() <= 2 * NOISE
    dry = scripted(tmp_path, [QUERY, ANSWER, OVER], id="dry")
    assert np.array_equal(user_channel(dry)[0], dry.audio(role="user", dtype="int16")[0])


def test_where_the_reference_is_never_alone_the_microphone_stays_as_it_is(tmp_path: Path) -> None:
    item = scripted(tmp_path, [("user", "turn", [(0.2, 3.0)], None), ("system", "turn", [(2.8, 3.1)], None)], echo=-20)
    assert np.array_equal(user_channel(item)[0], item.audio(role="user", dtype="int16")[0])
