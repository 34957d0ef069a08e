"""Trajectories: golden cases worked by hand, and what must hold whatever is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.score.emotion.trajectory import changes, distance, edit_similarity, exact, laid, score, traced

LABELS = st.sampled_from(["happy", "sad", "angry", "neutral"])
GOLD = st.lists(LABELS, min_size=1, max_size=6)
SAID = st.lists(LABELS, max_size=7)


def test_golden_case() -> None:
    # a: gold n n s h, said n s s h, a label a turn.  Changes: gold (2,n,s) (3,s,h); said (1,n,s) (3,s,h).
    # b: gold s s a, said "first sad, then angry": an order of two, not placed. Changes: gold (2,s,a); said s>a.
    # c: gold h n, nothing said. Changes: gold (1,h,n); said none.
    a = traced(("neutral", "neutral", "sad", "happy"), ("neutral", "sad", "sad", "happy"))
    b = traced(("sad", "sad", "angry"), ("sad", "angry"))
    c = traced(("happy", "neutral"), ())
    assert (a.placed, b.placed, c.placed) == (True, False, False)
    found = score([a, b, c], {})
    # Whole: b alone.
    assert found.exact.value == pytest.approx(1 / 3)
    # a: one of four substituted, 3/4; b: joined orders are equal, 1; c: nothing, 0.
    assert found.edit_similarity.value == pytest.approx((0.75 + 1 + 0) / 3)
    # Strict: hits 1 (3,s,h) of a. Gold 2 + 1 + 1, said 2 + 1 + 0: 2 * 1 / (4 + 3).
    assert found.transition_strict.value == pytest.approx(2 / 7)
    # Order: a n>s and s>h, b s>a: 3 hits.
    assert found.transition_order.value == pytest.approx(6 / 7)
    # Turns at which something changes: a {2,3} and {1,3} share 3; b is not placed.
    assert found.trigger_turn.value == pytest.approx(2 / 7)
    # Turns, gold/said: a nn ns ss hh, b ss ss aa (laid over the runs), c h- n-.
    # neutral: hits 1, gold 3, said 1 -> 2/4. sad: hits 1+2, gold 1+2, said 2+2 -> 6/7. happy: 1, 2, 1 -> 2/3.
    # angry: 1, 1, 1 -> 1.
    assert found.turn_macro_f1.value == pytest.approx((2 / 4 + 6 / 7 + 2 / 3 + 1) / 4)
    assert found.placed.value == pytest.approx(1 / 3)


def test_order_alone_is_compared_with_equal_neighbours_joined() -> None:
    assert exact(traced(("sad", "sad", "angry"), ("sad", "angry")))
    assert not exact(traced(("sad", "sad", "angry"), ("sad", "angry"), placed=True))
    assert laid(traced(("sad", "sad", "angry"), ("happy", "sad", "angry", "neutral"))) == (
        "happy",
        "happy",
        "sad",
        "angry",
        "neutral",
    )


def test_a_gap_is_no_change() -> None:
    assert changes(("sad", "", "angry", "happy")) == [(3, "angry", "happy")]


def test_one_label_said_for_every_turn_does_not_win() -> None:
    golds = [("neutral", "sad", "neutral"), ("neutral", "happy", "neutral"), ("angry", "neutral", "sad")]
    found = score([traced(g, ("neutral",) * 3) for g in golds], {})
    assert (found.exact.value, found.transition_order.value, found.trigger_turn.value) == (0, 0, 0)
    assert (found.turn_macro_f1.value or 0) < 0.25


@given(GOLD)
def test_telling_gold_is_perfect(gold: list[str]) -> None:
    found = score([traced(gold, gold)], {})
    assert found.exact.value == found.edit_similarity.value == found.turn_macro_f1.value == 1
    for part in (found.transition_strict, found.transition_order, found.trigger_turn):
        assert part.value == (1 if len({*gold}) > 1 else None)


@given(GOLD, SAID)
def test_bounds_and_strictness(gold: list[str], said: list[str]) -> None:
    t = traced(gold, said)
    found = score([t], {})
    for e in (found.exact, found.edit_similarity, found.turn_macro_f1, found.transition_order):
        assert e.value is None or 0 <= e.value <= 1
    assert (found.transition_strict.value or 0) <= (found.transition_order.value or 0) + 1e-12
    assert (found.transition_strict.value or 0) <= (found.trigger_turn.value or 0) + 1e-12
    assert exact(t) == (edit_similarity(t) == 1)


@given(SAID, SAID, SAID)
def test_distance_is_a_metric(a: list[str], b: list[str], c: list[str]) -> None:
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c)
    assert (distance(a, b) == 0) == (a == b)


def test_intervals_widen_with_clusters() -> None:
    items = [traced(("sad", "angry"), ("sad", "angry") if i % 40 < 20 else ("sad", "sad")) for i in range(200)]
    families = [str(i % 40) for i in range(200)]
    alone, clustered = score(items, {}), score(items, {"script_family": families})
    for a, c in ((alone.turn_macro_f1, clustered.turn_macro_f1), (alone.transition_order, clustered.transition_order)):
        assert a.value == c.value
        assert a.low is not None and c.low is not None and a.high is not None and c.high is not None
        assert c.high - c.low > 1.5 * (a.high - a.low)
