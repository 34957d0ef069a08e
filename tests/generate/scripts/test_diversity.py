import pytest

pytest.importorskip("datasketch")
pytest.importorskip("jieba")

from duologue.corpus.dialogue import Situation
from duologue.generate.script import Line, Script
from duologue.generate.scripts.diversity import measure, near_duplicates, shingles, skeleton


def script(*texts: str, language: str = "en") -> Script:
    return Script(
        version=1,
        language=language,
        track="emotion",
        tasks=("recognition",),
        scenario="clip",
        family="x/y",
        situation=Situation(),
        lines=tuple(Line(role="user", text=t, to="system") for t in texts),
    )


def test_skeleton_masks_content_and_keeps_function_words():
    assert skeleton("My landlord raised the rent, and I screamed!", "en") == "my _ _ the _ and i _"
    assert skeleton("My old landlord left 3 notes.", "en", collapse=True) == "my _"
    assert skeleton("我的房东又涨价了", "zh", collapse=True) == "我 的 _ 又 _ 了"


def test_shingles_by_hand():
    assert shingles("one two three four", "en") == {"one two three", "two three four"}
    assert shingles("今天，天气很好", "zh") == {"今天天气很", "天天气很好"}
    assert shingles("oh", "en") == {"oh"}


def test_near_duplicates_are_counted_at_the_threshold():
    base = "the quick brown fox jumps over the lazy dog and then it sleeps in the warm sun all day long"
    assert near_duplicates([base, base + " again"], "en") == 1
    assert near_duplicates([base, "an entirely different sentence about the price of bread in town"], "en") == 0


def test_measure_counts_duplicates_and_the_top_skeleton():
    got = measure([script("Ann left."), script("Ann left."), script("I saw the sea.")], "en")
    assert (got.scripts, got.turns, got.exact_duplicates, got.near_duplicates) == (3, 3, 1, 1)
    assert (got.top_skeleton, got.top_skeleton_share) == ("_ _", pytest.approx(2 / 3))
    assert got.vocabulary == 6
    assert got.distinct_2 == pytest.approx(4 / 5)
