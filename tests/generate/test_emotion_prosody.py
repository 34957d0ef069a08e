"""Emotions are drawn around the table's means, overlap, and are the same for the same seed."""

from __future__ import annotations

import random
from statistics import fmean, pstdev

import pytest

from duologue.corpus.emotion import DUOLOGUE
from duologue.errors import UserError
from duologue.generate.emotion_prosody import LIMITS, MEASURES, Take, draw, read, shipped, tabulate, write


def many(label: str, intensity: int, sex: str = "female", n: int = 800):
    rng = random.Random(1)
    return [draw(label, intensity, sex, rng) for _ in range(n)]


def test_every_label_intensity_and_sex_can_be_drawn_within_limits() -> None:
    rng = random.Random(0)
    for label in DUOLOGUE.labels:
        for intensity in range(4):
            for sex in ("female", "male", "unknown"):
                for _ in range(20):
                    p = draw(label, intensity, sex, rng)
                    for m in MEASURES:
                        low, high = LIMITS[m]
                        assert low <= (-p.breath if m == "hnr" else getattr(p, m)) <= high


def test_means_follow_the_table() -> None:
    drawn = many("angry", 3)
    assert fmean(p.f0_shift for p in drawn) == pytest.approx(8.725, abs=0.5)
    assert fmean(p.gain for p in drawn) == pytest.approx(22.5, abs=1.0)
    assert fmean(p.tempo for p in many("sad", 2)) == pytest.approx(1.065, abs=0.03)
    assert fmean(p.f0_shift for p in many("fearful", 1)) == pytest.approx(0.6 * 4.034, abs=0.4)


def test_neutral_varies_a_little_and_emotions_overlap() -> None:
    neutral, sad = many("neutral", 0), many("sad", 2)
    assert abs(fmean(p.f0_shift for p in neutral)) < 0.2
    assert 0.3 < pstdev([p.f0_shift for p in neutral]) < pstdev([p.f0_shift for p in sad])
    above = sum(s.f0_shift > n.f0_shift for s, n in zip(sad, neutral, strict=True)) / len(sad)
    assert 0.3 < above < 0.8


def test_louder_is_brighter_within_an_emotion() -> None:
    drawn = many("happy", 2)
    gain, tilt = [p.gain for p in drawn], [p.tilt for p in drawn]
    mg, mt = fmean(gain), fmean(tilt)
    r = fmean((g - mg) * (t - mt) for g, t in zip(gain, tilt, strict=True)) / pstdev(gain) / pstdev(tilt)
    assert 0.4 < r < 0.9


def test_same_seed_same_prosody() -> None:
    assert draw("happy", 2, "male", random.Random(5)) == draw("happy", 2, "male", random.Random(5))
    assert draw("happy", 2, "male", random.Random(5)) != draw("happy", 2, "male", random.Random(6))


def test_aliases_and_mistakes() -> None:
    assert draw("joy", 2, "male", random.Random(5)) == draw("happy", 2, "male", random.Random(5))
    with pytest.raises(UserError, match="unknown emotion"):
        draw("hangry", 2, "male", random.Random(0))
    with pytest.raises(UserError, match="unknown intensity"):
        draw("happy", 4, "male", random.Random(0))


def test_tabulate_recovers_what_made_the_takes_and_survives_csv() -> None:
    rng = random.Random(2)
    takes = [
        Take(
            speaker=str(k), emotion="happy", strength="normal", sex="female" if k % 2 else "male",
            measures={m: getattr(p, m, -p.breath) for m in MEASURES},
        )
        for k in range(12)
        for _ in range(60)
        for p in [draw("happy", 2, "unknown", rng)]
    ]  # fmt: skip
    table = tabulate(takes)
    source = shipped().cells["happy", "normal", "all"]
    assert table.cells["happy", "normal", "all"].mean["gain"] == pytest.approx(source.mean["gain"], abs=0.4)
    assert ("happy", "normal", "female") in table.cells
    assert table.correlation[MEASURES.index("gain")][MEASURES.index("tilt")] > 0.4
    again = read(write(table, "made by a test"))
    assert again.cells.keys() == table.cells.keys()
    assert again.within["happy", "normal"]["tempo"] == pytest.approx(table.within["happy", "normal"]["tempo"], rel=1e-3)
    assert again.loadings == table.loadings
