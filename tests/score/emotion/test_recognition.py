"""Recognition: golden cases worked by hand, references of well-kept libraries, words against voice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.emotion.recognition import concordance, conflict, jensen_shannon, recognise, soft_distance


def test_golden_case() -> None:
    gold = ["happy"] * 6 + ["sad"] * 2
    said = ["happy"] * 5 + ["sad"] + ["sad", ""]
    found = recognise(gold, said, {})
    assert found.ua.value == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert found.wa.value == pytest.approx(6 / 8)
    # happy: 2*5 / (6 + 5); sad: 2*1 / (2 + 2).
    assert found.macro_f1.value == pytest.approx((10 / 11 + 2 / 4) / 2)
    assert found.confusion == {"happy": {"happy": 5, "sad": 1}, "sad": {"": 1, "sad": 1}}


def test_macro_f1_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    names = np.array(["angry", "happy", "neutral", "sad"])
    gold, said = names[rng.integers(0, 4, 300)].tolist(), names[rng.integers(0, 4, 300)].tolist()
    found = recognise(gold, said, {})
    assert found.macro_f1.value == pytest.approx(metrics.f1_score(gold, said, average="macro"))
    assert found.ua.value == pytest.approx(metrics.balanced_accuracy_score(gold, said))


def test_jensen_shannon_is_that_of_scipy() -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    p, q = {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.1, "b": 0.1, "c": 0.8}
    wanted = distance.jensenshannon([0.5, 0.3, 0.2], [0.1, 0.1, 0.8], base=2)
    assert jensen_shannon(p, q) == pytest.approx(wanted)
    # Nothing in common: 1. (1/2, 1/2) against (1, 0), m = (3/4, 1/4):
    # [log2(2/3) / 2 + log2(2) / 2 + log2(4/3)] / 2 bits.
    assert jensen_shannon({"a": 1}, {"b": 1}) == 1
    assert jensen_shannon({"a": 1, "b": 1}, {"a": 1}) == pytest.approx(math.sqrt(0.311278), abs=1e-6)
    assert soft_distance([p, p], [p, {}], {}).value == 0.5


def test_concordance_by_hand() -> None:
    # x 1 0 -1, y = x / 2: s_xy 1/3, s_xx 2/3, s_yy 1/6, equal means: 2/3 / (5/6) = 0.8. Pearson's r would be 1.
    assert concordance([1, 0, -1], [0.5, 0, -0.5], {}).value == pytest.approx(0.8)
    # A shift costs too: y = x + 0.5 cut to 1 gives y 1 .5 -.5.
    assert (concordance([1, 0, -1], [1, 0.5, -0.5], {}).value or 0) < 1


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), st.data())
def test_concordance_stays_in_bounds(gold: list[float], data: st.DataObject) -> None:
    said = data.draw(st.lists(st.floats(-1, 1), min_size=len(gold), max_size=len(gold)))
    quiet = [None if i == 0 else s for i, s in enumerate(said)]
    a, b = concordance(gold, said, {}), concordance(gold, quiet, {})
    assert a.value is not None and b.value is not None and -1 <= a.value <= 1 and -1 <= b.value <= 1


def test_words_against_voice() -> None:
    voice = ["sad", "happy", "sad", "angry", "happy", "sad"]
    words = ["sad", "happy", "happy", "happy", "sad", "angry"]
    said = ["sad", "happy", "happy", "angry", "neutral", "angry"]
    found = conflict(voice, words, said, {})
    # Agree: both right. Conflict: 1 of 4 right, 2 with the words, 1 neither.
    assert (found.agree.value, found.conflict.value, found.gap.value) == (1, 0.25, 0.75)
    assert (found.words_win.value, found.neither.value) == (0.5, 0.25)


def test_expression_states_the_ears_error() -> None:
    pytest.importorskip("sklearn")
    from duologue.listen.emotion import FEATURES
    from duologue.score.emotion.expression import ear, express

    rng = np.random.default_rng(1)

    def clip(label: str) -> dict[str, float]:
        shift = {"sad": -1.0, "happy": 1.0, "neutral": 0.0}[label]
        return {f: shift + float(rng.normal()) for f in FEATURES}

    labels = ["sad", "happy", "neutral"] * 40
    speakers = [str(i // 12) for i in range(120)]
    trained = ear([clip(x) for x in labels], labels, speakers, loudness=True)
    error = trained.hearing.recall
    assert 0.5 < error.mean < 1
    assert (trained.hearing.clips, trained.hearing.speakers) == (120, 10)
    assert trained.hearing.chance == pytest.approx(1 / 3)
    asked = ["sad", "happy", "calm", "sad"]
    heard = [*trained.listener.hear([clip("sad"), clip("happy"), clip("neutral")]), ""]
    found = express(asked, heard, trained.hearing, {}, word_errors=[0, 0.5, 2, None])
    # The missing reply stays in the denominator; calm is heard as neutral.
    assert found.heard_as_asked.n == 4 and (found.heard_as_asked.value or 0) <= 0.75
    right = express(asked, ["sad", "happy", "neutral", ""], trained.hearing, {})
    assert right.heard_as_asked.value == 0.75 and right.confusion["sad"] == {"sad": 1, "": 1}
    assert express(asked, None, None, {}).heard_as_asked.value is None
    assert found.intelligible.value == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    by = error.by_class
    assert found.ceiling == pytest.approx((2 * by["sad"] + by["happy"] + by["neutral"]) / 4)
    with pytest.raises(ValueError, match="two speakers"):
        ear([clip("sad")], ["sad"], ["one"], loudness=True)
