"""Figures of inspection against numbers worked by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import MissingPartError, UserError
from duologue.inspect.bootstrap import ratio
from duologue.inspect.figures import Curve
from duologue.inspect.lexicon import DistinctCounter, Lexicon, near_duplicates
from duologue.inspect.loudness import GATE, loudness
from duologue.inspect.offsets import curve, distance, measured, published
from duologue.inspect.quality import NoiseListener
from duologue.inspect.sampling import Extremes, Sample
from duologue.inspect.snr import snr
from duologue.listen.level import clipped, silent

AMI = Path(__file__).parents[2] / ".." / "shared" / "data" / "ami_overlap_en" / "tests_data"


def sine(hz: float, amplitude: float, seconds: float, rate: int) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_the_loudness_of_the_recommendations_sine(rate: int) -> None:
    # BS.1770: a full-scale sine of 997 Hz in one channel reads -3.01 LKFS; at -20 dB therefore -23.01.
    assert loudness(sine(997, 1.0, 5, rate), rate) == pytest.approx(-3.01, abs=0.02)
    assert loudness(sine(997, 0.1, 5, rate), rate) == pytest.approx(-23.01, abs=0.02)


def test_the_weighting_is_the_same_at_any_rate() -> None:
    # The shelf lifts high tones by 4 dB, the high-pass takes low ones away: 5 kHz reads more than 997 Hz, 50 Hz less.
    at_997 = loudness(sine(997, 0.1, 5, 48_000), 48_000)
    assert loudness(sine(5000, 0.1, 5, 48_000), 48_000) - at_997 == pytest.approx(3.3, abs=0.2)
    assert loudness(sine(50, 0.1, 5, 48_000), 48_000) - at_997 == pytest.approx(-4.3, abs=0.6)
    for hz in (100, 1500, 5000):
        readings = [loudness(sine(hz, 0.1, 5, rate), rate) for rate in (16_000, 44_100, 48_000)]
        assert max(readings) - min(readings) < 0.05


def test_pauses_do_not_make_it_quieter_and_long_audio_is_as_short() -> None:
    x = sine(997, 0.1, 4, 16_000)
    # Silence is below the absolute gate. Of the blocks that straddle an edge (3 at each) those of a quarter and a half
    # (-6 and -3 dB) stay above the relative gate, so the reading drops a little, never by the 3 dB of the mean power.
    assert loudness(np.concatenate([x, np.zeros(64_000, np.float32)]), 16_000) == pytest.approx(-23.01, abs=0.25)
    assert loudness(np.tile(x, 12), 16_000) == pytest.approx(loudness(x, 16_000), abs=0.02)  # several chunks
    assert loudness(np.zeros(64_000, np.float32), 16_000) == GATE
    assert loudness(x[:1000], 16_000) == GATE


@pytest.mark.parametrize("wanted", [0.0, 10.0, 25.0])
def test_the_snr_of_a_known_mixture(wanted: float) -> None:
    rate, rng = 16_000, np.random.default_rng(3)
    voice = sine(300, 0.2, 2, rate)  # power 0.02
    noise = rng.normal(0, np.sqrt(0.02 / 10 ** (wanted / 10)), 8 * rate).astype(np.float32)
    x = noise.copy()
    x[2 * rate : 4 * rate] += voice
    x[5 * rate : 7 * rate] += sine(500, 0.5, 2, rate)  # somebody else: neither signal nor noise
    speech, other = np.array([[2 * rate, 4 * rate]]), np.array([[5 * rate, 7 * rate]])
    found = snr(x, rate, speech, other)
    assert found == pytest.approx(wanted, abs=0.4)
    # Taken for noise, somebody else's louder voice leaves nothing over it.
    assert snr(x, rate, speech, np.empty((0, 2), np.int64)) is None


def test_no_snr_where_there_is_no_noise_to_hear() -> None:
    x, none = np.zeros(160_00, np.float32), np.empty((0, 2), np.int64)
    x[4000:12_000] = 0.1
    assert snr(x, 16_000, np.array([[4000, 12_000]]), none) is None  # the rest is digital silence
    assert snr(x, 16_000, np.array([[0, 16_000]]), none) is None  # there is no rest
    assert snr(x, 16_000, none, none) is None


def test_clipping_is_a_run_at_full_scale_and_silence_a_run_of_zeros() -> None:
    x = np.full(1000, 0.5, np.float32)
    x[100:103] = 1.0  # three running
    x[200:202] = 1.0  # two: a fair peak
    x[300:306] = -32768 / 32768
    x[400:402], x[402:404] = 1.0, -1.0  # four at full scale, but only two on each side
    assert clipped(x).tolist() == [[100, 103], [300, 306]]
    x[500:580], x[700:779] = 0, 0  # 10 ms at 8 kHz are 80 samples
    assert silent(x, 8000) == 80


def test_the_distance_to_a_measured_distribution_by_hand() -> None:
    # Ours: -0.1, 0.0, 0.2, 0.2 s; real: 0.0, 0.3 s. Cumulative at -0.1: 1/4 and 0; 0.0: 2/4 and 1/2;
    # 0.2: 4/4 and 1/2, the greatest; 0.3: 1 and 1.
    real = curve("real meetings", {0: 1, 30: 1}, "by hand")
    assert real.points == ((0.0, 0.5), (0.3, 1.0))
    assert distance(Counter({-10: 1, 0: 1, 20: 2}), real) == pytest.approx(0.5)
    assert distance(Counter({0: 5, 30: 5}), real) == 0


def test_the_distance_to_a_published_table_is_taken_at_its_points() -> None:
    table = Curve(name="real meetings", unit="s", n=9, source="", points=((-0.5, 0.25), (0.1, 0.5), (0.7, 0.75)))
    # Ours: all at 0.2 s. At -0.5: 0 and 0.25; at 0.1: 0 and 0.5; at 0.7: 1 and 0.75.
    assert distance(Counter({20: 4}), table) == pytest.approx(0.5)


@given(st.lists(st.integers(-200, 200), min_size=1), st.lists(st.integers(-200, 200), min_size=1))
def test_the_distance_is_that_of_scipy(ours: list[int], theirs: list[int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    found = distance(Counter(ours), curve("real meetings", Counter(theirs), ""))
    assert found == pytest.approx(stats.ks_2samp(ours, theirs, method="asymp").statistic)


def test_offsets_of_rttm_by_hand(tmp_path: Path) -> None:
    lines = ["0.0 2.0 A", "1.5 2.0 B", "2.0 1.0 A", "4.0 1.0 B", "5.2 1.0 A"]
    (tmp_path / "m.rttm").write_text(
        "\n".join(f"SPEAKER m 1 {a} {b} <NA> <NA> {who} <NA> <NA>" for a, b, who in (x.split() for x in lines))
    )
    # A to B -0.5; A 2-3 lies inside B; B to B is no transfer; B (to 5.0) to A +0.2.
    assert measured(tmp_path).points == ((-0.5, 0.5), (0.2, 1.0))
    assert measured(tmp_path / "m.rttm").n == 2
    (tmp_path / "m.rttm").write_text("SPEAKER m 1 nought 2 <NA> <NA> A <NA> <NA>\n")
    with pytest.raises(UserError, match=r"m\.rttm:1"):
        measured(tmp_path)
    (tmp_path / "m.rttm").write_text("")
    with pytest.raises(UserError, match="no floor transfers"):
        measured(tmp_path)


def test_real_meetings_overlap_as_the_published_figures_say() -> None:
    if not AMI.is_dir():
        pytest.skip("the real recordings of ../shared/data are not here")
    real, table = measured(AMI), published()
    assert real.n > 50
    counts: Counter[int] = Counter()
    before = 0.0
    for at, share in real.points:
        counts[round(at * 100)] = round((share - before) * real.n)
        before = share
    # 30 s excerpts of the same corpus: nearer to its table than any corpus without long overlaps.
    assert distance(counts, table) < 0.2
    assert [p for _, p in table.points] == sorted(p for _, p in table.points)


def test_an_interval_holds_the_value_repeats_itself_and_draws_whole_dialogues() -> None:
    errors, lengths = [1, 1, 1, 1, 0, 0, 0, 0], [10] * 8
    value, low, high = ratio(errors, lengths, list("abcdefgh"), 5)
    assert value == pytest.approx(0.05) and low is not None and high is not None and low < value < high
    assert ratio(errors, lengths, list("abcdefgh"), 5) == (value, low, high)
    # All errors in one of two dialogues: either may be drawn twice, so the interval is all there is.
    assert ratio(errors, lengths, list("aaaabbbb"), 5) == (value, 0.0, pytest.approx(0.1))
    assert ratio(errors, lengths, ["a"] * 8, 5) == (value, None, None)
    assert ratio([], [], [], 5) == (None, None, None)


def test_different_strings_are_counted_exactly_and_beyond_that_nearly() -> None:
    few = DistinctCounter(kept=1000)
    few.add(str(i % 700) for i in range(5000))
    assert (few.distinct(), few.total, few.exact) == (700, 5000, True)
    many = DistinctCounter(kept=1000)
    many.add(str(i % 50_000) for i in range(120_000))
    assert not many.exact and many.distinct() == pytest.approx(50_000, rel=0.12)  # about four deviations of 3%


def test_distinct_n_by_hand() -> None:
    words = Lexicon()
    # the cat the cat: 2 of 4 words, the pairs the-cat, cat-the, the-cat: 2 of 3, triples 2 of 2.
    assert words.add("The cat, the cat!", "en") == 4
    assert [(g.distinct(), g.total) for g in words.grams] == [(2, 4), (2, 3), (2, 2)]
    assert Lexicon().add("你好吗？", "zh") == 3


def test_duplicates_by_hand() -> None:
    long = "iwouldliketobookatableforfourpeopleonfridayeveningplease"
    texts = [long, long, long[:-6] + "thanks", "somethingaltogetherdifferentaboutthegarden", ""]
    assert near_duplicates(texts) == (1, 1)
    assert near_duplicates([]) == (0, 0)


def test_a_sample_is_the_same_in_any_order_and_another_with_another_seed() -> None:
    def drawn(names: list[str], seed: int) -> list[str]:
        s: Sample[str] = Sample(5, seed)
        for n in names:
            s.offer(n, n)
        return s.things()

    names = [f"d{i}" for i in range(100)]
    assert drawn(names, 1) == drawn(names[::-1], 1)
    assert drawn(names, 1) != drawn(names, 2)
    assert len(drawn(names[:3], 1)) == 3 and drawn([], 1) == []


def test_the_worst_come_first() -> None:
    worst: Extremes[str] = Extremes(2)
    for value, name in ((1, "a"), (3, "b"), (3, "c"), (2, "d"), (9, "e")):
        worst.offer(value, name)
    assert worst.things() == ("e", "b")


def test_noise_lowers_the_background_rating() -> None:
    pytest.importorskip("onnxruntime")
    listener, rng = NoiseListener(), np.random.default_rng(0)
    t = np.arange(32_000) / 16_000
    voice = (0.1 * np.sin(2 * np.pi * 150 * t) * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.float32)
    try:
        clean = listener.hear(voice)
    except MissingPartError:
        pytest.skip("speechmos is not installed")
    noisy = listener.hear(voice + rng.normal(0, 0.05, len(voice)).astype(np.float32))
    assert noisy.background < clean.background
    assert 0.9 < noisy.overall < 5.1
