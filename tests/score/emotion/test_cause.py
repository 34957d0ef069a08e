"""Causes: golden cases worked by hand, and what the public evaluators get wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.emotion.cause import Caused, CauseSpan, phrases, score, token_overlap

TEXT = "老板抢了我的功劳，我很生气。"  # 0-7 "老板抢了我的功劳" is [0, 8)
TEXTS = {0: TEXT, 2: "I lost my keys, and then the train left."}


def one(gold: list[CauseSpan], said: list[CauseSpan]) -> Caused:
    return Caused(tuple(gold), tuple(said), TEXTS)


def test_golden_case() -> None:
    gold = [CauseSpan(0, 0, (0, 8)), CauseSpan(2, 2, (0, 14))]
    # The first with two of its eight characters missing, the second pair missed, one pair invented.
    said = [CauseSpan(0, 0, (2, 8)), CauseSpan(2, 0, (0, 4))]
    found = score([one(gold, said)], {})
    assert found.pair.value == pytest.approx(2 * 1 / (2 + 2))
    assert found.span_strict.value == 0
    # Precision: (6/6 + 0/4) / 2 = 1/2. Recall: (6/8 + 0) / 2 = 3/8. F1 = 2 * 3/16 / (7/8) = 3/7.
    assert found.span_proportional.value == pytest.approx(3 / 7)


def test_two_halves_of_one_span_count_once() -> None:
    gold = [CauseSpan(0, 0, (0, 8))]
    whole = score([one(gold, [CauseSpan(0, 0, (0, 8))])], {})
    halves = score([one(gold, [CauseSpan(0, 0, (0, 4)), CauseSpan(0, 0, (4, 8))])], {})
    assert whole == halves
    one_half = score([one(gold, [CauseSpan(0, 0, (0, 4))])], {})
    # Precision 1, recall 1/2: 2/3, and it stays so however often the half is given.
    assert one_half.span_proportional.value == pytest.approx(2 / 3)
    assert one_half == score([one(gold, [CauseSpan(0, 0, (0, 4))] * 5)], {})


def test_punctuation_and_space_at_the_ends_do_not_matter() -> None:
    assert score([one([CauseSpan(0, 0, (0, 8))], [CauseSpan(0, 0, (0, 9))])], {}).span_strict.value == 1


def test_chinese_is_compared_by_characters() -> None:
    # Seven of eight characters are shared: as one token without spaces it would be 0.
    p, r, f = token_overlap("老板抢了我的功劳", "老板抢我的功劳")
    assert (p, r) == (1, 7 / 8) and f == pytest.approx(14 / 15)


def test_phrases_take_the_best_reference() -> None:
    found = phrases([["I lost my keys", "the train left"], ["丢了钱包"]], ["The train left!", ""], {})
    assert found.exact.value == found.token_f1.value == found.token_recall.value == 0.5


def test_spans_beyond_the_text_give_nothing() -> None:
    found = score([one([CauseSpan(0, 0, (0, 8))], [CauseSpan(0, 0, (500, 900)), CauseSpan(7, 9, (0, 3))])], {})
    assert found.span_proportional.value == found.span_strict.value == 0


SPANS = st.lists(
    st.builds(
        lambda e, v, a, n: CauseSpan(e, v, (a, a + n)),
        st.sampled_from([0, 2]),
        st.sampled_from([0, 2]),
        st.integers(0, 12),
        st.integers(1, 8),
    ),
    max_size=4,
)


@given(SPANS, SPANS)
def test_bounds_and_symmetry(gold: list[CauseSpan], said: list[CauseSpan]) -> None:
    a, b = score([one(gold, said)], {}), score([one(said, gold)], {})
    for x, y in ((a.pair, b.pair), (a.span_strict, b.span_strict), (a.span_proportional, b.span_proportional)):
        assert (x.value is None) == (y.value is None)
        assert x.value is None or (0 <= x.value <= 1 and x.value == pytest.approx(y.value))


@given(SPANS.filter(bool))
def test_telling_gold_is_perfect(gold: list[CauseSpan]) -> None:
    found = score([one(gold, gold)], {})
    assert found.pair.value == 1
    assert found.span_proportional.value in (None, pytest.approx(1))
