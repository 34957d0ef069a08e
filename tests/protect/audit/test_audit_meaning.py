"""Sentences in other words are told from other sentences, within English and within Chinese; translations are near."""

from __future__ import annotations

import numpy as np
import pytest

from duologue.errors import MissingPartError
from duologue.protect.audit import meaning

TEST = ("The bus was late again, so I missed the start of the lecture.", "我打算下个月把这套旧房子租出去。")
# (in other words, the row of TEST that it says, None for neither)
SAID = (
    ("I got to the lecture after it had begun because the bus didn't come on time again.", 0),
    ("这套老房子，我想从下个月起租给别人。", 1),
    ("Which bus goes from the university to the swimming pool?", None),
    ("这个月的房租我还没有收到。", None),
    ("He plays the violin in a small orchestra.", None),
)


def known() -> np.ndarray:
    try:
        sketched = meaning.sketches(TEST)
    except MissingPartError:
        pytest.skip("the sentence encoder is not fetched")
    return np.frombuffer(b"".join(sketched), np.uint8).reshape(len(TEST), -1)


def test_other_words_are_found_and_other_sentences_are_not() -> None:
    alike = meaning.alike(meaning.vectors([text for text, _ in SAID]), known())
    found = [(int(row.argmax()) if row.max() >= meaning.NEAR else None) for row in alike]
    assert found == [row for _, row in SAID]


def test_a_translation_is_nearer_than_any_other_sentence() -> None:
    own, *others = meaning.alike(
        meaning.vectors(["公交车又晚点了，我没赶上讲座的开头。", *(t for t, _ in SAID)]), known()
    )
    unrelated = [row for row, (_, same) in zip(others, SAID, strict=True) if same is None]
    assert own[0] > own[1] and own[0] > np.max(unrelated)


def test_equal_texts_are_nearest_and_likeness_is_the_cosine_with_the_signs() -> None:
    vectors = meaning.vectors(TEST)
    alike = meaning.alike(vectors, known())
    assert alike.diagonal().min() > 0.7 > meaning.NEARER
    # The cosine of a vector with its own signs is the sum of its magnitudes, over its length times the root of 384.
    by_hand = np.abs(vectors[0]).sum() / (np.linalg.norm(vectors[0]) * np.sqrt(384))
    assert alike[0, 0] == pytest.approx(by_hand, rel=1e-4)
