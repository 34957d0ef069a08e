from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.generate.voices.normalise import normalise

CASES = [
    ("en", "I paid $3.50 for 2 coffees.", "I paid three dollars and fifty cents for two coffees."),
    ("en", "On May 6, 2024 at 7:05 pm", "On May sixth, twenty twenty-four at seven oh five p m"),
    ("en", "It rose 15%, to 1,250,000.", "It rose fifteen percent, to one million two hundred fifty thousand."),
    ("en", "since 1999, 1st of 3-5", "since nineteen ninety-nine, first of three to five"),
    ("en", "Call 555-1234 & ask Dr. Lee", "Call five five five one two three four and ask doctor Lee"),
    ("en", "well-known, it's 20°C", "well-known, it's twenty degrees Celsius"),
    ("en", "That is [laughter] so <sigh> funny (laughs) 😀!", "That is so funny !"),
    ("zh", "2024年5月6日14:30见", "二零二四年五月六日十四点三十分见"),
    ("zh", "涨了45%，花了¥20.5", "涨了百分之四十五，花了二十点五元"),
    ("zh", "买2个苹果，第2次，3-5天", "买两个苹果，第二次，三到五天"),
    ("zh", "电话13812345678", "电话一三八一二三四五六七八"),
    ("zh", "[笑]好的😀，OK", "好的，OK"),
    ("zh", "1005、20000、110、10086", "一千零五、两万、一百一十、一万零八十六"),
    ("zh", "１２３米，-5℃，2/3", "一百二十三米，负五摄氏度，三分之二"),
]


@pytest.mark.parametrize(("language", "text", "spoken"), CASES)
def test_written_forms_are_read_as_people_say_them(language: str, text: str, spoken: str) -> None:
    assert normalise(text, language).text == spoken


def test_a_span_points_at_the_token_that_was_written_out() -> None:
    text = "I paid $3.50 today"
    spoken = normalise(text, "en")
    pairs = [(spoken.text[a:b], text[c:d]) for a, b, c, d in spoken.spans]
    assert pairs == [
        ("I", "I"),
        ("paid", "paid"),
        ("three dollars and fifty cents", "$3.50"),
        ("today", "today"),
    ]


def test_each_hanzi_is_a_span_of_its_own() -> None:
    assert [s[2:] for s in normalise("我爱3D打印", "zh").spans] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize("text", ["", "   ", "[sigh]", "😀🎉", "\x00\u200b", "【笑】"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_to_say_gives_nothing(text: str, language: str) -> None:
    assert normalise(text, language).spans == ()


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(UserError, match="allowed: en, zh"):
        normalise("hola", "es")


@given(
    st.text(max_size=80) | st.text("0123456789.,:/-$%年月日 ampst（）[]<>", max_size=40), st.sampled_from(["en", "zh"])
)
def test_any_text_is_taken_and_spans_stay_in_order(text: str, language: str) -> None:
    spoken = normalise(text, language)
    before_spoken = before_source = 0
    for a, b, c, d in spoken.spans:
        assert before_spoken <= a < b <= len(spoken.text)
        assert before_source <= c < d <= len(text)
        before_spoken, before_source = b, d


@given(st.integers(0, 10**12 - 1))
def test_no_digit_is_left(n: int) -> None:
    for language in ("en", "zh"):
        assert not any(c.isdigit() and c.isascii() for c in normalise(f"{n}", language).text)


def test_hangul_is_no_hanzi():
    from duologue.corpus.spoken import _HANZI

    assert not _HANZI.search("안녕하세요") and _HANZI.search("你") and _HANZI.search("\uf900")
