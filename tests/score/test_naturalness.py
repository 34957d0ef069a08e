from __future__ import annotations

import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from duologue.errors import UserError
from duologue.language.tokens import split
from duologue.score.naturalness import WEIGHTS, SpokenReply, distinct_2, naturalness, overall

# Replies in nobody's wording but this test's.
GOOD = {
    "en": (
        "You can prime the pump by filling the hose first, then switch it on and open the tap slowly.",
        "The porter has a quieter room at the back, but you would have to carry your bags up two floors.",
        "I'd sand the shelf before you paint it, otherwise the old varnish will come off with the new coat.",
        "They moved the concert indoors because of the storm, so keep your ticket and bring the receipt.",
    ),
    "zh": (
        "先把水管灌满水，再开水泵，水龙头要慢慢打开。",
        "后面有一间安静一点的房间，不过得自己把行李搬上三楼。",
        "刷漆之前最好先打磨一下，不然旧漆会跟着新漆一起掉。",
        "因为下暴雨，音乐会改到室内了，票留着，发票也带上。",
    ),
}


def said(text: str, language: str, **more: float) -> SpokenReply:
    return SpokenReply(text=text, language=language, **more)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_good_replies_come_before_their_spoilt_versions(language: str) -> None:
    other = GOOD["zh" if language == "en" else "en"]
    rng = random.Random(4)
    lost = []
    for text, foreign in zip(GOOD[language], other, strict=True):
        words = split(text)
        seconds = len(words) / (3 if language == "en" else 4.5)
        clause = re.split("[,，]", text)[0]
        shuffled = rng.sample(words, len(words))
        spoilt = {
            "in disorder": said(" ".join(shuffled), language, seconds=seconds, relevance=0.9),
            "off topic": said(text, language, seconds=seconds, relevance=0.1),
            "repetitive": said(f"{clause}. " * 4, language, seconds=seconds, relevance=0.9),
            "another language": said(foreign, language, seconds=seconds, relevance=0.0),
            "gabbled": said(text, language, seconds=seconds / 3, relevance=0.9),
            "drawled": said(text, language, seconds=seconds * 4, relevance=0.9),
            "one word": said(words[0], language, seconds=0.4, relevance=0.9),
            "other words in the audio": said(text, language, seconds=seconds, relevance=0.9, error_rate=0.5),
            "nothing": said("…", language, seconds=seconds, relevance=0.0),
        }
        good, *rest = naturalness([said(text, language, seconds=seconds, relevance=0.9), *spoilt.values()])
        assert good.overall > 0.85
        lost += [(name, text) for name, m in zip(spoilt, rest, strict=True) if m.overall >= good.overall - 0.02]
    assert lost == []


def test_the_overall_figure_by_hand() -> None:
    # Three measures: (0.5^3 * 1^3 * 0.25^1)^(1/7) = (0.03125)^(1/7) = exp(-3.465736/7) = 0.609507.
    none = dict.fromkeys(WEIGHTS)
    assert overall({**none, "relevance": 0.5, "fluency": 1.0, "quality": 0.25}) == pytest.approx(0.6095, abs=1e-4)
    # A zero counts as 0.01: exp(3 ln 0.01 / 6) = 0.1.
    assert overall({**none, "relevance": 0.0, "fluency": 1.0}) == pytest.approx(0.1, abs=1e-4)
    assert overall(none) == 0.0


def test_the_measures_by_hand() -> None:
    text = "you can boil it in the pot for ten minutes"  # 10 words
    m = naturalness([said(text, "en", seconds=10 / 1.35, error_rate=0.35, quality=4.0)])[0]
    assert m.rate == pytest.approx(0.5, abs=1e-3)  # 1.35 words a second, halfway from 0.9 to 1.8
    assert m.agreement == pytest.approx(0.5)  # (0.6 - 0.35) / 0.5
    assert m.quality == pytest.approx(0.75)  # (4 - 1) / 4
    assert m.length == m.repetition == m.language == 1.0
    assert m.relevance is None
    # 2 words: (2 - 1) / (4 - 1); 12 hanzi a second: above 1.6 x 7 = 11.2.
    assert naturalness([said("boil it", "en")])[0].length == pytest.approx(1 / 3, abs=1e-3)
    assert naturalness([said("先把水管灌满水再开水泵吧", "zh", seconds=1.0)])[0].rate == 0
    # 3 x 80 words and more are no spoken reply; halfway on a log scale is 80 sqrt(3).
    assert naturalness([said("boil it " * 120, "en")])[0].length == 0
    assert naturalness([said("it " * round(80 * math.sqrt(3)), "en")])[0].length == pytest.approx(0.5, abs=0.01)


def test_distinct_pairs() -> None:
    assert distinct_2(["a", "b", "a", "b", "a"]) == 2 / 4
    assert distinct_2(["a"]) == distinct_2([]) == 1.0
    # A long text is measured in stretches: 50 different words, then 50 times one.
    assert distinct_2([*map(str, range(50)), *["x"] * 50]) == pytest.approx((1 + 1 / 49) / 2)


@pytest.mark.parametrize(
    "more", [{"relevance": 1.5}, {"relevance": math.nan}, {"seconds": -1.0}, {"quality": 0.0}, {"error_rate": -0.1}]
)
def test_values_outside_their_range_are_named(more: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(more))):
        naturalness([said("boil it", "en", **more)])
    with pytest.raises(UserError, match="en, zh"):
        naturalness([said("boil it", "de")])


@given(st.text(max_size=80), st.sampled_from(["en", "zh"]), st.one_of(st.none(), st.floats(0, 1e6)))
def test_every_measure_is_a_share_whatever_was_said(text: str, language: str, seconds: float | None) -> None:
    (m,) = naturalness([SpokenReply(text=text, language=language, seconds=seconds)])
    assert all(v is None or 0 <= v <= 1 for v in asdict(m).values())
