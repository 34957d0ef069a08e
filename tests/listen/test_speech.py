"""Where speech is: against the frozen output of the official package, by hand, and on real recordings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from duologue.corpus import interval
from duologue.errors import MissingPartError, UserError
from duologue.listen.speech import SpeechDetector, segment
from duologue.models import store
from duologue.models.catalogue import SILERO

Floats = npt.NDArray[np.float32]
GOLDEN = Path(__file__).parent / "fixtures" / "silero"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
HEARS = pytest.mark.skipif(
    not store.installed(SILERO), reason="the speech detector is not there: duologue models fetch silero"
)
FRAME = 512
golden = json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    return SpeechDetector()


@pytest.fixture(scope="module")
def speech() -> Floats:
    samples: Floats = soundfile.read(GOLDEN / "speech.flac", dtype="float32")[0]
    return samples


def frames(*runs: tuple[float, int]) -> Floats:
    """(probability, frames) one after the other."""
    return np.concatenate([np.full(n, p, np.float32) for p, n in runs])


# The official package


@HEARS
def test_probabilities_are_those_of_the_official_network(detector: SpeechDetector, speech: Floats) -> None:
    (heard,) = detector.probabilities([speech])
    assert heard.dtype == np.float32
    assert len(heard) == len(golden["probabilities"]) == -(-len(speech) // FRAME)
    assert np.abs(heard - golden["probabilities"]).max() < 2e-5


@HEARS
@pytest.mark.parametrize("case", golden["cases"], ids=lambda c: ",".join(c["options"]) or "defaults")
def test_segments_are_those_of_the_official_package(
    detector: SpeechDetector, speech: Floats, case: dict[str, Any]
) -> None:
    heard = detector.segments(speech, **case["options"])
    assert heard.dtype == np.int64
    assert heard.tolist() == case["segments"]


@pytest.mark.parametrize("case", golden["cases"], ids=lambda c: ",".join(c["options"]) or "defaults")
def test_post_processing_alone_gives_the_official_segments(speech: Floats, case: dict[str, Any]) -> None:
    p = np.array(golden["probabilities"], np.float32)
    assert segment(p, len(speech), **case["options"]).tolist() == case["segments"]


def plainly(p: list[float], length: int, **o: float) -> list[list[int]]:
    """The documented behaviour, frame by frame."""
    threshold = o.get("threshold", 0.5)
    low = max(threshold - 0.15, 0.01)
    least, hold = 16 * o.get("min_speech_duration_ms", 250), 16 * o.get("min_silence_duration_ms", 100)
    pad = 16 * o.get("speech_pad_ms", 30)
    found: list[list[int]] = []
    start = quiet = None
    for t, value in zip(range(0, FRAME * len(p), FRAME), p, strict=True):
        if value >= threshold:
            quiet = None
            start = t if start is None else start
        elif value < low and start is not None:
            quiet = t if quiet is None else quiet
            if t - quiet >= hold:
                found.append([start, quiet])
                start = quiet = None
    if start is not None:
        found.append([start, length])
    found = [s for s in found if s[1] - s[0] > least]
    out = [list(s) for s in found]
    for i in range(len(found)):
        before = found[i][0] - found[i - 1][1] if i else None
        after = found[i + 1][0] - found[i][1] if i + 1 < len(found) else None
        out[i][0] = int(max(0, found[i][0] - (pad if before is None or before >= 2 * pad else before // 2)))
        out[i][1] = int(min(length, found[i][1] + (pad if after is None or after >= 2 * pad else after // 2)))
    return out


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.35, 0.4, 0.5, 0.9]), st.integers(1, 12)), max_size=14),
    st.integers(0, FRAME - 1),
    st.fixed_dictionaries(
        {},
        optional={
            "threshold": st.sampled_from([0.4, 0.5, 0.8]),
            "min_speech_duration_ms": st.sampled_from([0, 32, 64, 250, 300]),
            "min_silence_duration_ms": st.sampled_from([0, 32, 100, 128, 300]),
            "speech_pad_ms": st.sampled_from([0, 16, 30, 33.3, 64, 200]),
        },
    ),
)
def test_segment_against_the_plain_restatement(runs: list[tuple[float, int]], cut: int, o: dict[str, Any]) -> None:
    p = frames((0.0, 1), *runs)
    length = len(p) * FRAME - cut
    heard = segment(p, length, **o)
    assert heard.tolist() == plainly(p.astype(float).tolist(), length, **o)
    assert not len(heard) or (np.diff(heard.ravel()) >= 0).all()  # sorted and disjoint


# By hand: 512 samples a frame; the defaults hold 100 ms (1600 samples) of silence, drop up to 250 ms (4000 samples),
# pad 30 ms (480 samples)


def test_one_stretch_is_padded_on_both_sides() -> None:
    # 10 frames from 5 * 512 = 2560 to 15 * 512 = 7680; padded 2080 to 8160
    assert segment(frames((0, 5), (0.9, 10), (0, 10)), 25 * FRAME).tolist() == [[2080, 8160]]


def test_what_is_just_long_enough_is_kept() -> None:
    # 7 frames are 3584 samples: dropped; 8 are 4096: kept; a limit of exactly 256 ms = 4096 drops 8 too
    assert segment(frames((0.9, 7), (0, 20)), 27 * FRAME).tolist() == []
    assert segment(frames((0.9, 8), (0, 20)), 28 * FRAME).tolist() == [[0, 4096 + 480]]
    assert segment(frames((0.9, 8), (0, 20)), 28 * FRAME, min_speech_duration_ms=256).tolist() == []


def test_a_short_silence_does_not_cut_and_two_close_stretches_touch() -> None:
    # silence from frame 10: the frame that is 1600 samples later is the 4th after it (2048): four frames do not cut ...
    p = frames((0.9, 10), (0, 4), (0.9, 10), (0, 20))
    assert segment(p, len(p) * FRAME).tolist() == [[0, 24 * FRAME + 480]]
    # ... five do: gap 10 * 512 = 5120 to 15 * 512 = 7680, 2560 wide, room for two pads of 480
    p = frames((0.9, 10), (0, 5), (0.9, 10), (0, 20))
    assert segment(p, len(p) * FRAME).tolist() == [[0, 5600], [7200, 25 * FRAME + 480]]
    # with pads of 100 ms (1600) there is none: both reach its middle, 6400, and touch, and stay two
    assert segment(p, len(p) * FRAME, speech_pad_ms=100).tolist() == [[0, 6400], [6400, 25 * FRAME + 1600]]


def test_frames_between_the_thresholds_decide_nothing() -> None:
    # 0.4 neither starts speech nor ends it nor breaks the silence that ends it: the silence begins at frame 10
    p = frames((0.4, 5), (0.9, 5), (0.4, 10), (0, 1), (0.4, 8), (0, 1), (0.4, 9))
    assert segment(p, len(p) * FRAME, speech_pad_ms=0).tolist() == [[5 * FRAME, 20 * FRAME]]


def test_speech_at_the_end_of_the_file_lasts_to_its_last_sample() -> None:
    p = frames((0, 5), (0.9, 10))
    assert segment(p, 15 * FRAME - 100).tolist() == [[2080, 15 * FRAME - 100]]
    # a silence too short to end it changes nothing
    p = frames((0, 5), (0.9, 10), (0, 3))
    assert segment(p, 18 * FRAME).tolist() == [[2080, 18 * FRAME]]


def test_one_frame_and_no_frame() -> None:
    assert segment(frames((0.9, 1)), 300).shape == (0, 2)
    assert segment(frames((0.9, 1)), 300, min_speech_duration_ms=0).tolist() == [[0, 300]]
    assert segment(np.empty(0, np.float32), 0).shape == (0, 2)


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ({"neg_threshold": 0.6}, "neg_threshold"),
        ({"speech_pad_ms": -1}, "speech_pad_ms"),
        ({"min_silence_duration_ms": float("nan")}, "min_silence_duration_ms"),
    ],
)
def test_wrong_options_are_named(option: dict[str, float], field: str) -> None:
    with pytest.raises(UserError, match=field):
        segment(frames((0.9, 9)), 9 * FRAME, **option)


# Signals


@HEARS
def test_gaps_up_to_the_limit_are_merged(detector: SpeechDetector, speech: Floats) -> None:
    apart = detector.segments(speech)
    gaps = apart[1:, 0] - apart[:-1, 1]
    limit = int(np.sort(gaps)[1])
    merged = detector.segments(speech, merge_gap=limit / 16_000)
    assert merged.tolist() == interval.merge_gaps(apart, limit).tolist()
    assert len(merged) == len(apart) - int((gaps <= limit).sum())


@HEARS
@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
def test_other_rates_are_heard_at_the_same_places(detector: SpeechDetector, speech: Floats, rate: int) -> None:
    here = detector.segments(speech)
    there = detector.segments(soxr.resample(speech, 16_000, rate), rate=rate)
    assert len(there) == len(here)
    assert np.abs(there - here).max() <= 4 * FRAME


@HEARS
def test_silence_a_hum_and_a_click_are_no_speech(detector: SpeechDetector) -> None:
    t = np.arange(3 * 16_000, dtype=np.float32)
    click = np.zeros_like(t)
    click[20_000:20_010] = 1
    for quiet in (np.zeros_like(t), 0.1 * np.sin(2 * np.pi * 50 / 16_000 * t).astype(np.float32), click):
        assert detector.segments(quiet).shape == (0, 2)


@HEARS
def test_clipped_speech_is_heard_where_the_clean_is(detector: SpeechDetector, speech: Floats) -> None:
    clean, clipped = detector.segments(speech), detector.segments(np.clip(20 * speech, -1, 1))
    assert interval.total(interval.intersect(clean, clipped)) > 0.9 * interval.total(clean)


@HEARS
def test_what_else_is_heard_changes_nothing(detector: SpeechDetector, speech: Floats) -> None:
    signals = [speech, speech[7_000:60_001], np.zeros(900, np.float32), speech[:1], speech[:0]]
    together = detector.probabilities(signals)
    aside = SpeechDetector(threads=3).probabilities(signals[::-1])[::-1]
    for signal, first, second in zip(signals, together, aside, strict=True):
        assert np.array_equal(first, second)
        assert np.array_equal(first, detector.probabilities([signal])[0])
        assert len(first) == -(-len(signal) // FRAME)


@HEARS
def test_what_comes_later_does_not_change_what_was_heard(detector: SpeechDetector, speech: Floats) -> None:
    long = np.tile(speech, 4)  # 955 frames: the state is carried over several runs
    cut = 700 * FRAME
    whole, part = detector.probabilities([long, long[:cut]])
    assert np.abs(whole[:700] - part).max() < 1e-5


@HEARS
@pytest.mark.parametrize("threads", [1, 2])
def test_many_streams_in_order_and_one_bad_signal_stays_alone(speech: Floats, threads: int) -> None:
    taken = 0

    def endless() -> Iterator[tuple[int, Floats, int]]:
        nonlocal taken
        for i in itertools.count():
            taken += 1
            bad = np.full(2_000, np.nan, np.float32)
            yield i, bad if i == 2 else speech[: 20_000 + 8_000 * (i % 5)], 16_000

    detector = SpeechDetector(threads)
    heard = list(itertools.islice(detector.many(endless(), merge_gap=0.5), 12))
    assert taken <= 12 + threads + 2
    assert [key for key, _ in heard] == list(range(12))
    for i, found in heard:
        if i == 2:
            assert isinstance(found, UserError) and "not finite" in found.message
        else:
            alone = detector.segments(speech[: 20_000 + 8_000 * (i % 5)], merge_gap=0.5)
            assert isinstance(found, np.ndarray) and found.tolist() == alone.tolist()


@HEARS
@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (np.array([0.0, np.inf, np.nan], np.float32), "2 of 3 samples are not finite, the first at 1"),
        (np.zeros((10, 2), np.float32), "not mono"),
        (np.zeros(10, np.int16), "not mono audio in floats"),
        (np.full(3_000, 12_000, np.float32), "not scaled"),
    ],
)
def test_unusable_signals_are_named(detector: SpeechDetector, signal: npt.NDArray[Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        detector.segments(signal)
    with pytest.raises(UserError, match=said):
        detector.probabilities([signal])


def test_a_detector_needs_a_thread_and_a_rate() -> None:
    with pytest.raises(UserError, match="threads"):
        SpeechDetector(0)
    with pytest.raises(UserError, match="rate"):
        SpeechDetector().segments(np.zeros(4, np.float32), rate=0)


def test_without_the_model_the_message_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    with pytest.raises(MissingPartError, match="duologue models fetch silero"):
        SpeechDetector().segments(np.zeros(4_000, np.float32))


# Real recordings


@HEARS
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings of ../shared/data are not here")
def test_meetings_are_heard_as_they_were_annotated(detector: SpeechDetector) -> None:
    """Against the words' times of AMI, in 14 excerpts of 30 s: most of the speech, little else."""
    folder = SHARED / "ami_overlap_en" / "tests_data"
    both = heard_all = said_all = 0
    for name in ("train", "development", "test"):
        for line in (folder / f"debug.{name}.lst").read_text("utf-8").split():
            rttm = [r.split() for r in (folder / f"debug.{name}.rttm").read_text("utf-8").splitlines()]
            said = interval.normalise(
                [
                    [round(float(r[3]) * 16_000), round((float(r[3]) + float(r[4])) * 16_000)]
                    for r in rttm
                    if r[1] == line
                ]
            )
            samples, rate = soundfile.read(folder / f"{line}.wav", dtype="float32")
            heard = detector.segments(samples, rate=rate)
            said = interval.clip(said, 0, len(samples))
            both += interval.total(interval.intersect(heard, said))
            heard_all += interval.total(heard)
            said_all += interval.total(said)
    assert said_all > 200 * 16_000
    assert both / said_all > 0.7  # far-off speakers are faint
    assert both / heard_all > 0.9


@HEARS
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings of ../shared/data are not here")
def test_very_quiet_acted_speech_is_heard(detector: SpeechDetector) -> None:
    """RAVDESS clips hold one short sentence each, at -32 to -48 dB, at 48 kHz."""
    clips = sorted((SHARED / "ravdess_en").rglob("*.wav"))[::4]
    heard = [detector.segments(s, rate=r) for s, r in (soundfile.read(c, dtype="float32") for c in clips)]
    assert len(clips) >= 10
    assert all(0.5 * 16_000 < interval.total(h) < 4 * 16_000 for h in heard)
