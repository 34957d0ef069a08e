"""Which words of a system's transcript were heard, worked by hand."""

from __future__ import annotations

from duologue.corpus.observation import SaidWord
from duologue.live.said import said_words


def test_pieces_are_spread_over_the_sound_until_the_next_piece():
    # "ab cd " over samples 0..60 is 10 a character; "efgh" over 60..100 is 10 a character too.
    found = said_words([(0, "ab cd "), (60, "efgh")], [(0, 100)], 1.0)
    assert found == (SaidWord("ab", 0, 20), SaidWord("cd", 30, 50), SaidWord("efgh", 60, 100))


def test_a_word_that_comes_in_two_pieces_is_one_word():
    assert said_words([(0, "hel"), (30, "lo")], [(0, 50)], 2.0) == (SaidWord("hello", 0, 100),)


def test_hanzi_are_words_of_their_own_and_keep_their_marks():
    found = said_words([(0, "先停水，再换土。")], [(0, 80)], 1.0)
    assert [w.text for w in found] == ["先", "停", "水，", "再", "换", "土。"]
    assert (found[2].start, found[2].end) == (20, 40)


def test_what_no_sound_follows_was_not_heard():
    # The second answer was cut before it began: nothing was played after sample 100.
    assert [w.text for w in said_words([(0, "one"), (100, "two")], [(0, 100)], 1.0)] == ["one"]


def test_two_stretches_keep_their_own_words_and_sound_without_text_has_none():
    found = said_words([(0, "one "), (200, "two")], [(0, 50), (90, 120), (200, 230)], 1.0)
    assert [(w.text, w.start, w.end) for w in found] == [("one", 0, 38), ("two", 200, 230)]
