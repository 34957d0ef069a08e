import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.generate.scripts.grammar import expand, parse, variants


def draw(template: str, seed: int = 0, language: str = "en", **slots: str | tuple[str, ...]):
    return expand(template, slots, random.Random(seed), language=language)


def test_slots_alternatives_and_sentence_capitals():
    got = draw("so {who} left. {who} cried, and i'm {fine}.", who="Ann", fine="fine")
    assert got.text == "So Ann left. Ann cried, and i'm fine."
    assert {draw("{a cat|two dogs} ran", s).text for s in range(20)} == {"A cat ran", "Two dogs ran"}


@pytest.mark.parametrize(
    ("word", "article"), [("apple", "an"), ("pear", "a"), ("hour", "an"), ("uniform", "a"), ("one-way street", "a")]
)
def test_articles_follow_the_word(word: str, article: str):
    assert draw("it was {a} {w}", w=word).text == f"It was {article} {word}"


def test_spans_index_the_finished_text():
    got = draw("oh, {x|} <cause>{who} left</cause>, i <emph>cried</emph>.", who="Ann")
    (cause,), (emph,) = got.spans["cause"], got.spans["emph"]
    assert got.text[slice(*cause)] == "Ann left"
    assert got.text[slice(*emph)] == "cried"


def test_sound_marks_are_in_raw_alone():
    got = draw("I tried. [sigh] it failed.")
    assert got.text == "I tried. It failed."
    assert got.raw == "I tried. [sigh] It failed."


def test_low_keeps_a_sentence_going_but_not_the_word_i():
    assert draw("Right, <low/>Not now.").text == "Right, not now."
    assert draw("Right, <low/>I know.").text == "Right, I know."
    assert draw("Right, <low/>A pity.").text == "Right, a pity."


@pytest.mark.parametrize("bad", ["{a|b", "a}", "a|b", "<cause>x", "x</cause>"])
def test_a_broken_template_is_named(bad: str):
    with pytest.raises(UserError) as error:
        draw(bad)
    assert bad in str(error.value)


def test_an_unknown_slot_and_an_endless_slot():
    with pytest.raises(UserError, match="nobody"):
        draw("{nobody}")
    with pytest.raises(UserError, match="without end"):
        draw("{x}", x="{x}")


def test_variants_counts_choices():
    assert variants("{a|b} {c|d|{e|f}}") == 8


@given(st.text(alphabet="ab {}|<>/[].,!", max_size=40), st.integers(0, 9))
def test_any_text_expands_or_says_what_is_wrong(template: str, seed: int):
    try:
        parse(template)
        got = draw(template, seed, a="x", b="y")
    except UserError:
        return
    assert "  " not in got.text or "  " in template
    for spans in got.spans.values():
        assert all(0 <= s <= e <= len(got.text) for s, e in spans)
