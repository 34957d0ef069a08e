"""A quotation is found where it was meant, also where a word of it was misheard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duologue.score.emotion.quote import place


def test_words_that_stand_there_are_found_as_they_are() -> None:
    assert place("my bike", "They stole my bike. My bike!") == (11, 18)
    assert place("自行车", "我的自行车被偷了") == (2, 5)


def test_misheard_words_are_found_where_they_were_meant() -> None:
    text = "Well, they stole my bike last night, and I cried."
    # "steal" for "stole": two letters of 24.
    start, end = place("they steal my bike last night", text) or (0, 0)
    assert text[start:end] == "they stole my bike last night"
    text = "昨天我的自行车被人偷走了，真倒霉"
    start, end = place("我的自行车被人透走", text) or (0, 0)
    assert text[start:end] == "我的自行车被人偷走"


def test_what_stands_nowhere_is_not_placed() -> None:
    assert place("she passed the exam", "They stole my bike last night.") is None
    assert place("", "text") is None and place("xy", "text") is None
    assert place("a" * 5_000, "a b" * 4_000) is None


@given(st.text("abcdef ", min_size=6, max_size=40), st.integers(0, 39), st.sampled_from("xyz"))
def test_one_wrong_letter_never_moves_a_quotation_by_more_than_a_letter(text: str, at: int, wrong: str) -> None:
    # The whole text is quoted with one letter wrong: what is found is the whole text, but for that letter at an edge.
    at %= len(text)
    start, end = place(text[:at] + wrong + text[at + 1 :], text) or (99, 0)
    assert start <= 1 and end >= len(text) - 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_place_lies_inside_the_text(quoted: str, text: str) -> None:
    found = place(quoted, text)
    assert found is None or 0 <= found[0] <= found[1] <= len(text)
