"""When speech begins and ends: tones of known place by hand, noise, real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.listen.edges import refine
from duologue.listen.speech import SpeechDetector
from duologue.models import store
from duologue.models.catalogue import SILERO

Floats = npt.NDArray[np.float32]
RATE = 16_000
MS = RATE // 1000
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SPEECH = Path(__file__).parent / "fixtures" / "silero" / "speech.flac"
HEARS = pytest.mark.skipif(
    not store.installed(SILERO), reason="the speech detector is not there: duologue models fetch silero"
)


def tones(length: int, *places: tuple[int, int, float], rate: int = RATE) -> Floats:
    """Digital silence with a buzz of amplitude ``a`` in each [start, end), in samples."""
    out = np.zeros(length, np.float32)
    for start, end, a in places:
        t = np.arange(end - start) / rate
        buzz = sum(np.sin(2 * np.pi * 210 * k * t + k) / k for k in range(1, 16))
        out[start:end] = (a * buzz / np.abs(buzz).max()).astype(np.float32)
    return out


def rows(*pairs: tuple[int, int]) -> npt.NDArray[np.int64]:
    return np.array(pairs, np.int64).reshape(-1, 2)


def near(found: npt.NDArray[np.int64], true: npt.NDArray[np.int64], ms: float = 1.0) -> bool:
    return found.shape == true.shape and bool((np.abs(found - true) <= ms * MS).all())


# On digital silence every edge is right to a block of 1 ms


def test_both_edges_are_found_from_a_segment_that_is_too_wide_or_too_narrow() -> None:
    true = rows((10_000, 24_000))
    x = tones(40_000, (10_000, 24_000, 0.3))
    for rough in ((9_300, 26_000), (11_000, 21_000), (10_000, 24_000), (0, 40_000)):
        assert near(refine(x, RATE, rows(rough)), true)


def test_sound_40_db_below_the_loudest_is_the_last_that_counts() -> None:
    # after 0.3 (0 dB) comes 100 ms at -37 dB, then 100 ms at -43 dB: the end is after the first of them
    x = tones(
        40_000, (8_000, 16_000, 0.3), (16_000, 17_600, 0.3 * 10 ** (-37 / 20)), (17_600, 19_200, 0.3 * 10 ** (-43 / 20))
    )
    assert near(refine(x, RATE, rows((8_000, 20_000))), rows((8_000, 17_600)))


def test_a_closure_of_80_ms_belongs_to_the_word_and_one_of_100_ms_does_not() -> None:
    for pause, end in ((70 * MS, 16_000 + 70 * MS + 480), (100 * MS, 16_000)):
        burst = (16_000 + pause, 16_000 + pause + 480, 0.1)
        x = tones(40_000, (8_000, 16_000, 0.3), burst)
        assert near(refine(x, RATE, rows((8_000, 15_500))), rows((8_000, end)), 1.5)


def test_what_the_detector_missed_is_found_while_the_sound_goes_on() -> None:
    x = tones(60_000, (20_000, 40_000, 0.3))
    assert near(refine(x, RATE, rows((30_000, 33_000))), rows((20_000, 40_000)))


def test_an_edge_does_not_pass_the_middle_of_the_gap_to_the_next_segment() -> None:
    # one sound, two segments with the gap 20000 to 22000: they meet at 21000
    x = tones(60_000, (10_000, 40_000, 0.3))
    assert near(refine(x, RATE, rows((10_000, 20_000), (22_000, 40_000))), rows((10_000, 21_000), (21_000, 40_000)))


def test_touching_segments_keep_their_common_edge() -> None:
    x = tones(60_000, (10_000, 40_000, 0.3))
    found = refine(x, RATE, rows((9_000, 20_000), (20_000, 42_000)))
    assert near(found, rows((10_000, 20_000), (20_000, 40_000)))
    assert found[0, 1] <= found[1, 0]


def test_sound_to_the_first_and_the_last_sample() -> None:
    x = tones(16_007, (0, 16_007, 0.3))
    assert near(refine(x, RATE, rows((0, 16_007))), rows((0, 16_007)))


def test_clipped_sound_and_a_very_quiet_one() -> None:
    for gain in (30.0, 0.001):
        x = np.clip(gain * tones(40_000, (10_000, 24_000, 0.3)), -1, 1)
        assert near(refine(x, RATE, rows((9_000, 25_000))), rows((10_000, 24_000)))


def test_silence_stays_as_it_was_and_nothing_gives_nothing() -> None:
    assert refine(np.zeros(9_000, np.float32), RATE, rows((2_000, 5_000))).tolist() == [[2_000, 5_000]]
    assert refine(np.zeros(9_000, np.float32), RATE, rows()).shape == (0, 2)
    assert refine(np.zeros(0, np.float32), RATE, rows()).shape == (0, 2)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_other_rates(rate: int) -> None:
    start, end = round(0.7 * rate), round(1.6 * rate)
    x = tones(2 * rate, (start, end, 0.3), rate=rate)
    found = refine(x, rate, rows((start - rate // 20, end + rate // 12)))
    assert np.abs(found - [[start, end]]).max() <= rate / 1000 + 1


# On a background


def test_a_quiet_room_does_not_move_the_edges() -> None:
    rng = np.random.default_rng(0)
    true = rows((16_000, 32_000), (48_000, 60_000))
    x = tones(80_000, (16_000, 32_000, 0.3), (48_000, 60_000, 0.3)) + rng.normal(0, 10**-3.4, 80_000)
    rough = true + rows((-500, 1_400), (700, 1_400))
    assert near(refine(x.astype(np.float32), RATE, rough), true, 3)


def test_in_noise_what_stands_out_of_its_spectrum_decides() -> None:
    """A buzz at 6 dB in rumble: the level alone is lost, the edges are found to 20 ms."""
    rng = np.random.default_rng(1)
    rumble = np.cumsum(rng.normal(0, 1, 96_000))
    rumble -= np.convolve(rumble, np.ones(800) / 800, "same")
    x = tones(96_000, (32_000, 56_000, 0.3))
    x += (rumble / rumble.std() * x[32_000:56_000].std() / 2).astype(np.float32)
    found = refine(x, RATE, rows((31_200, 58_800)))
    assert near(found, rows((32_000, 56_000)), 20)


def test_speech_that_was_missed_does_not_count_as_background() -> None:
    rng = np.random.default_rng(2)
    x = tones(96_000, (5_000, 20_000, 0.3), (40_000, 56_000, 0.3)) + rng.normal(0, 10**-3.4, 96_000)
    assert near(refine(x.astype(np.float32), RATE, rows((39_500, 57_500))), rows((40_000, 56_000)), 3)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(400, 9_000), st.integers(400, 9_000)), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_rows_stay_in_order_inside_the_signal_and_one_to_one(gaps: list[tuple[int, int]], noise: int) -> None:
    at, places = 0, []
    for gap, size in gaps:
        places.append((at + gap, at + gap + size))
        at += gap + size
    x = tones(at + 100, *((s + 100, e, 0.2) for s, e in places))
    x += np.random.default_rng(noise).normal(0, 0.02 * noise, len(x)).astype(np.float32)
    found = refine(x, RATE, rows(*places))
    assert found.shape == (len(places), 2)
    flat = found.ravel()
    assert flat[0] >= 0 and flat[-1] <= len(x) and (np.diff(flat) >= 0).all() and (found[:, 1] > found[:, 0]).all()
    assert (found[1:, 0] >= found[:-1, 1]).all()


@pytest.mark.parametrize(
    ("samples", "segments", "said"),
    [
        (np.full(900, np.nan, np.float32), rows((0, 100)), "not finite"),
        (np.zeros((900, 2), np.float32), rows((0, 100)), "not mono"),
        (np.zeros(900, np.float32), rows((0, 901)), "inside the signal"),
        (np.zeros(900, np.float32), rows((500, 600), (0, 100)), "sorted"),
        (np.zeros(900, np.float32), rows((0, 200), (100, 300)), "disjoint"),
        (np.zeros(900, np.float32), rows((100, 100)), "non-empty"),
    ],
)
def test_unusable_input_is_named(samples: Floats, segments: npt.NDArray[np.int64], said: str) -> None:
    with pytest.raises(UserError, match=said):
        refine(samples, RATE, segments)


# Speech


def exchange(user: Floats, system: Floats, interruption: Floats) -> tuple[Floats, Floats, int, int]:
    """Two channels, and the true response and stop latency: the clips stand at known places on digital silence."""
    reply = 12_000 + len(user) + 9_137
    onset = reply + len(system) - 5_555
    length = onset + len(interruption) + 16_000
    channels = np.zeros((2, length), np.float32)
    channels[0, 12_000 : 12_000 + len(user)] = user
    channels[0, onset : onset + len(interruption)] = interruption
    channels[1, reply : reply + len(system)] = system
    return channels[0], channels[1], 9_137, 5_555


def measured(user: Floats, system: Floats, *, refined: bool) -> tuple[int, int]:
    detector = SpeechDetector()
    found = []
    for x, gap in ((user, 0.6), (system, 0.5)):
        segments = detector.segments(x, merge_gap=gap)
        found.append(refine(x, RATE, segments) if refined else segments)
    (first, second), (answer,) = found
    return int(answer[0] - first[1]), int(answer[1] - second[0])


def cut(x: Floats, share: float = 0.016) -> Floats:
    loud = np.flatnonzero(np.abs(x) >= share * np.abs(x).max())
    return x[loud[0] : loud[-1] + 1]


@HEARS
def test_latencies_of_synthetic_speech_are_right_to_10_ms() -> None:
    x, _ = soundfile.read(SPEECH, dtype="float32")
    user, system, cut_in = cut(x[4_000:50_000]), cut(x[80_000:112_000]), cut(x[57_000:70_000])
    a, b, response, stop = exchange(user, system, cut_in)
    got = measured(a, b, refined=True)
    assert abs(got[0] - response) <= 10 * MS and abs(got[1] - stop) <= 10 * MS


@HEARS
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings of ../shared/data are not here")
def test_latencies_of_real_speech_are_right_where_the_detector_alone_is_far_off() -> None:
    """RAVDESS clips chosen by eye: nothing but speech passes 1.6% of the largest amplitude, at which they are cut."""
    names = (
        ("01-01-01-02-03", "02-01-01-01-02", "03-01-01-01-04"),
        ("03-01-02-02-03", "05-01-01-01-01", "05-02-01-01-09"),
        ("03-02-01-01-05", "06-01-01-01-10", "08-01-01-01-07"),
        ("04-01-01-02-01", "05-01-02-02-07", "07-01-01-01-12"),
    )
    ours, plain = [], []
    for trio in names:
        clips = [soundfile.read(SHARED / "ravdess_en_16k" / f"03-01-{n}.flac", dtype="float32")[0] for n in trio]
        a, b, response, stop = exchange(*(cut(c) / np.abs(c).max() / 3 for c in clips))
        for errors, refined in ((ours, True), (plain, False)):
            got = measured(a, b, refined=refined)
            errors += [abs(got[0] - response) / MS, abs(got[1] - stop) / MS]
    assert np.median(ours) <= 2 and max(ours) <= 40
    assert np.median(plain) > 30
