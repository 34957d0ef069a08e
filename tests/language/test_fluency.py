from __future__ import annotations

import csv
import math
import random
import re
from pathlib import Path

import pytest

from duologue.errors import UserError
from duologue.language.fluency import PairModel, fluency, known_share, word_class
from duologue.language.tokens import split

DIALOGUES = (
    Path(__file__).resolve().parents[3]
    / "shared/data/emotiontalk_text_zh/EmotionTalk/dataset/mm-process/transcription.csv"
)


def test_a_model_counted_by_hand() -> None:
    # Pairs: a b, b c, a b, b a (two sentences; the repeated first one counts once).
    model = PairModel.count(["a b c", "a b c", "a b a"], vocabulary=3)
    assert model.table() == "a b 2\nb a 1 c 1\n"
    # After: of 3 distinct pairs, one ends in each of a, b, c: (1 + .5) / (3 + 1.5) = 1/3 each.
    # Single: b 2, a 1, c 1 of 4: b (2 + .5) / (4 + 1.5) = 5/11, a and c 1.5/5.5 = 3/11.
    # p(b | a) = (2 - .75)/2 + .75 * 1/2 * 1/3 = .625 + .125 = .75
    # p(c | b) = (1 - .75)/2 + .75 * 2/2 * 1/3 = .125 + .25 = .375
    expected = (math.log(0.75 / (5 / 11)) + math.log(0.375 / (3 / 11))) / 2
    assert model.fluency("a b c") == pytest.approx(expected)
    assert model.fluency("a") is None and model.fluency("…") is None


def test_a_table_reads_back() -> None:
    model = PairModel.count(["the cat sat on the mat", "她在桌子上睡觉"], vocabulary=5)
    assert PairModel.parse(model.table()).table() == model.table()


@pytest.mark.parametrize(
    ("word", "expected"), [("stirring", "<ing>"), ("12", "<num>"), ("锅", "<h>"), ("bus", "<w>"), ("red", "<w>")]
)
def test_unknown_words_count_by_their_ending(word: str, expected: str) -> None:
    assert word_class(word) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The pump in the cellar has to be primed before you can switch it on again."),
        ("en", "You could ask the porter whether there's a quieter room at the back."),
        ("zh", "水泵要先灌满水，不然开了也抽不上来。"),
        ("zh", "你可以问问前台，后面有没有安静一点的房间。"),
    ],
)
def test_order_is_heard(language: str, text: str) -> None:
    good = fluency(text, language)
    assert good is not None
    rng = random.Random(1)
    for _ in range(10):
        words = split(text)
        rng.shuffle(words)
        spoilt = fluency(" ".join(words), language)
        assert spoilt is not None and spoilt < good


def test_invented_syllables_hold_no_everyday_word() -> None:
    assert known_share("bako lumi fendra tostu", "en") == 0
    assert (known_share("you can rinse it in cold water", "en") or 0) > 0.7
    assert known_share("", "en") is None
    with pytest.raises(UserError, match="en, zh"):
        fluency("hallo du", "de")


@pytest.mark.skipif(not DIALOGUES.is_file(), reason="no real dialogues in ../shared/data/emotiontalk_text_zh")
def test_order_is_heard_in_real_talk() -> None:
    with DIALOGUES.open(encoding="utf-8-sig", newline="") as f:
        texts = [re.sub(r"\[[^\]]*\]", "", row["chinese"]) for row in csv.DictReader(f)]
    rng = random.Random(2)
    texts = rng.sample([t for t in texts if len(split(t)) >= 10], 300)
    wins = 0
    for text in texts:
        words = split(text)
        rng.shuffle(words)
        wins += (fluency(text, "zh") or 0) > (fluency("".join(words), "zh") or 0)
    assert wins / len(texts) > 0.95
