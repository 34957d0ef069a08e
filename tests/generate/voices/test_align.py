"""Estimated word times: joined to the known text, worked by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duologue.generate.voices.align import align, spread
from duologue.listen.words import HeardWord


def test_a_misheard_word_keeps_its_time_and_a_missed_one_fills_the_gap() -> None:
    heard = [HeardWord("could", 0.0, 0.2, 1.0), HeardWord("you", 0.2, 0.3, 1.0), HeardWord("rise", 0.9, 1.0, 1.0)]
    words = align("Could you cook rice?", "en", heard, onset=0, offset=1_000, rate=1_000)
    # "rice" was heard as "rise"; "cook" was not heard and lies between 0.3 and 0.9 s.
    assert [(w.start, w.end) for w in words] == [(0, 200), (200, 300), (300, 900), (900, 1000)]
    assert [(w.char_start, w.char_end) for w in words] == [(0, 5), (6, 9), (10, 14), (15, 19)]


def test_chinese_goes_by_characters_and_time_is_shared_by_length() -> None:
    words = align("你好吗", "zh", [HeardWord("你好", 0.0, 0.4, 1.0)], onset=0, offset=600, rate=1_000)
    assert [(w.start, w.end) for w in words] == [(0, 200), (200, 400), (400, 600)]
    # 2 and 6 letters over 800 samples: 200 and 600.
    assert [(w.start, w.end) for w in spread("go slowly", "en", onset=0, offset=800)] == [
        (0, 200),
        (200, 800),
    ]


TIMES = st.floats(0, 3, allow_nan=False)


@given(st.text("ab 好,$3.5", max_size=30), st.lists(st.tuples(st.sampled_from(["a", "ab", "好", "3"]), TIMES, TIMES)))
def test_words_stay_in_order_and_inside_whatever_was_heard(text: str, heard: list[tuple[str, float, float]]) -> None:
    words = align(text, "zh", [HeardWord(t, *sorted((a, b)), 1.0) for t, a, b in heard], onset=50, offset=900, rate=500)
    clock = 50
    for w in words:
        assert clock <= w.start < w.end <= 900
        clock = w.end
