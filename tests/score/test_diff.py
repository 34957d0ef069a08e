"""Two runs compared: worked differences, each rule of a regression, and cards that may not be compared."""

from __future__ import annotations

import msgspec
import pytest

from duologue.errors import UserError
from duologue.score.diff import diff
from duologue.score.scorecard import Estimate, ItemScore, Outcome, Scorecard


def replace(x, **changes):
    return msgspec.structs.replace(x, **changes)


def item(
    n: int, utility: float, *, scenario: str = "pause", language: str = "en", outcome: Outcome = "scored"
) -> ItemScore:
    return ItemScore(
        id=f"{scenario}-{language}-{n:02}",
        language=language,
        scenario=scenario,
        split="test",
        outcome=outcome,
        utility=utility if outcome == "scored" else 0.0,
        why="" if outcome == "scored" else "no output",
        clusters={"script_family": f"f{n}", "speaker": f"s{n}"},
    )


def card(items: list[ItemScore], **changes) -> Scorecard:
    accounted: dict[str, int] = {}
    for i in items:
        if i.outcome != "scored":
            accounted[i.outcome] = accounted.get(i.outcome, 0) + 1
    made = Scorecard(
        profile="corrected",
        system="s",
        mode="files",
        comparable="files",
        corpus="c",
        corpus_sha256="ab" * 32,
        expected=len(items),
        scored=len(items) - sum(accounted.values()),
        accounted=accounted,
        headline=Estimate(value=None),
        cells=(),
        items=tuple(items),
    )
    return replace(made, **changes)


def test_a_run_against_itself_is_no_regression() -> None:
    one = card([item(n, n / 24) for n in range(24)])
    d = diff(one, one)
    assert not d.regression and d.reasons == d.regressed == d.improved == d.unscored == d.warnings == ()
    assert (d.headline.difference.value, d.headline.p) == (0.0, 1.0)


def test_differences_are_paired_and_scenarios_weigh_alike() -> None:
    # 20 pauses lose 0.1 or 0.3 in turn: mean -0.2. 4 negations gain 0.4 or 0.2: mean +0.3. The headline gives the two
    # scenarios equal weight whatever their sizes: (-0.2 + 0.3) / 2 = +0.05; over items it would be -0.117.
    a = [item(n, 0.5) for n in range(20)] + [item(n, 0.5, scenario="negation") for n in range(20, 24)]
    b = [item(n, 0.4 if n % 2 else 0.2) for n in range(20)]
    b += [item(n, 0.9 if n % 2 else 0.7, scenario="negation") for n in range(20, 24)]
    d = diff(card(a), card(b))
    assert d.headline.n == 24
    assert d.headline.difference.value == pytest.approx(0.05)
    assert (d.headline.a, d.headline.b) == (pytest.approx(0.5), pytest.approx(0.55))
    by = {(c.scenario, c.language): c for c in d.cells}
    assert by["pause", "all"].difference.value == pytest.approx(-0.2)
    assert by["negation", "en"].difference.value == pytest.approx(0.3)
    assert by["all", "en"].difference.value == pytest.approx(0.05)
    # Two cells are tested, so Holm doubles the smaller p.
    assert by["pause", "en"].p_holm == pytest.approx(min(1.0, 2 * by["pause", "en"].p))
    assert by["pause", "all"].p_holm is None
    assert len(d.regressed) == 20 and len(d.improved) == 4
    assert [c.difference for c in d.items] == sorted(c.difference for c in d.items)
    # The headline rose, but pauses fell beyond chance, over 20 families.
    assert d.regression and d.reasons == (f"pause in en fell by 0.200, p {by['pause', 'en'].p_holm:.3g} after Holm",)


def test_a_clear_drop_of_the_headline_is_a_regression() -> None:
    a = card([item(n, 0.8) for n in range(24)])
    d = diff(a, card([item(n, 0.75 - 0.02 * (n % 3)) for n in range(24)]))
    assert d.regression and d.reasons[0].startswith("the headline fell by 0.070, p ")
    # A drop that is the same everywhere leaves no spread to build an interval on, and is as clear as can be.
    even = diff(a, card([item(n, 0.7) for n in range(24)]))
    assert even.regression and even.headline.difference.low is None


def test_few_clusters_claim_nothing_but_a_bound_holds() -> None:
    a = card([item(n, 0.8) for n in range(10)])
    b = card([item(n, 0.6 - 0.02 * (n % 3)) for n in range(10)])
    d = diff(a, b)
    assert not d.regression and "10 clusters" in d.warnings[0]
    assert diff(a, b, max_drop=0.3).regression is False
    assert diff(a, b, max_drop=0.1).reasons == ("the headline fell by 0.218, more than the 0.1 allowed",)


def test_clusters_and_not_items_count() -> None:
    # 40 items of 2 families that answer alike: a drop in one of them is no news, though 20 items lost.
    def run(lost: float) -> Scorecard:
        rows = [item(n, 0.8 if n % 2 else 0.8 - lost) for n in range(40)]
        return card([replace(i, clusters={"script_family": f"f{n % 2}"}) for n, i in enumerate(rows)])

    d = diff(run(0.0), run(0.4))
    assert d.headline.difference.clusters == 2 and not d.regression


@pytest.mark.parametrize("outcome", ["missing", "failed", "infrastructure"])
def test_an_item_that_is_not_scored_any_more_is_a_regression(outcome: Outcome) -> None:
    a = [item(n, 0.0) for n in range(24)]
    b = [*a[:23], item(23, 0.0, outcome=outcome)]
    d = diff(card(a), card(b))
    assert d.headline.difference.value == 0.0
    assert d.unscored == ("pause-en-23",)
    assert d.reasons == (f"1 items are not scored any more: pause-en-23 ({outcome})",)
    assert not diff(card(b), card(a)).regression


def test_tolerance_says_which_items_regressed() -> None:
    a, b = card([item(n, 0.8) for n in range(3)]), card([item(0, 0.76), item(1, 0.7), item(2, 0.9)])
    assert diff(a, b).regressed == ("pause-en-01",)
    assert diff(a, b, tolerance=0.0).regressed == ("pause-en-01", "pause-en-00")
    assert diff(a, b, tolerance=0.2).improved == ()


@pytest.mark.parametrize(
    ("field", "value"), [("profile", "humdial2026"), ("corpus_sha256", "cd" * 32), ("comparable", "live")]
)
def test_what_cannot_be_compared_is_refused(field: str, value: str) -> None:
    one = card([item(0, 0.5)])
    with pytest.raises(UserError, match=f"{field}: cards that cannot be compared"):
        diff(one, replace(one, **{field: value}))


def test_other_items_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"2 items are in one card only.*pause-en-01"):
        diff(card([item(0, 0.5), item(1, 0.5)]), card([item(0, 0.5), item(2, 0.5)]))
    with pytest.raises(UserError, match="without its items"):
        diff(card([]), card([item(0, 0.5)]))
    with pytest.raises(UserError, match="tolerance"):
        diff(card([item(0, 0.5)]), card([item(0, 0.5)]), tolerance=float("nan"))


def test_a_change_of_method_is_a_warning() -> None:
    one = card([item(n, 0.5) for n in range(24)], methods={"words": "run"})
    d = diff(one, replace(one, methods={"words": "recogniser", "judge": "m"}))
    assert d.warnings == ("judge differs: none and m", "words differs: run and recogniser")
