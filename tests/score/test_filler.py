from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.filler import first_content, without_fillers


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("Um, let me think, so you rinse the rice", "you rinse the rice"),
        ("um let me think so you rinse the rice", "you rinse the rice"),
        ("That's a really good question. Only if it's short", "Only if it's short"),
        ("I'm sorry about that. Two cups", "Two cups"),
        ("Let me think about that for a moment. Paris", "Paris"),
        ("Right, um, boil it", "boil it"),
        ("so, like, you know, boil it", "boil it"),
        ("Let's see. A search site", "A search site"),
        # Content that looks like filler: the answer itself, and words that only sometimes are one.
        ("Yes, but brown rice needs more", "Yes, but brown rice needs more"),
        ("No.", "No."),
        ("Like a good bread", "Like a good bread"),
        ("Good bread needs time", "Good bread needs time"),
    ],
)
def test_where_english_content_begins(said: str, content: str) -> None:
    assert without_fillers(said, "en") == content


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("嗯，让我想想，先把肉焯水", "先把肉焯水"),
        ("嗯让我想想先把肉焯水", "先把肉焯水"),
        ("好问题。可以用白糖", "可以用白糖"),
        ("那个嗯先放盐", "先放盐"),
        ("好的，没问题，先把韭菜洗净", "先把韭菜洗净"),
        ("这个问题问得好，水要少放", "水要少放"),
        ("其实，用冷水", "用冷水"),
        ("我来给你讲讲，首先洗米", "首先洗米"),
        ("那个菜要先洗", "那个菜要先洗"),
        ("对面有一家店", "对面有一家店"),
        ("可以，白糖也行", "可以，白糖也行"),
    ],
)
def test_where_chinese_content_begins(said: str, content: str) -> None:
    assert without_fillers(said, "zh") == content


@pytest.mark.parametrize(
    ("words", "language", "expected"),
    [
        (["Um,", "let", "me", "see.", "Two", "cups."], "en", 4),
        (["嗯，", "让", "我", "想想", "，", "先", "洗米"], "zh", 5),
        (["嗯", "好的", "洗米"], "zh", 2),
        (["-", "Um", "-", "no"], "en", 3),
        (["rinse", "it"], "en", 0),
        (["um", "okay"], "en", None),
        (["那个", "嗯"], "zh", None),
        (["…"], "zh", None),
        ([], "en", None),
    ],
)
def test_the_index_of_the_first_content_word(words: list[str], language: str, expected: int | None) -> None:
    assert first_content(words, language) == expected


@given(st.lists(st.text(max_size=8), max_size=12), st.sampled_from(["en", "zh"]))
def test_any_words_give_an_index_of_a_word_with_letters(words: list[str], language: str) -> None:
    at = first_content(words, language)
    assert at is None or any(c.isalnum() for c in words[at])
