"""The judges without a model: the same everywhere, and honest about what they are."""

from __future__ import annotations

import msgspec
import pytest
from test_naturalness_judge import exchange
from test_tag_judge import ITEM, both, said

from duologue import registry
from duologue.judge.deterministic import RuleJudge, RuleTagJudge
from duologue.judge.naturalness import DIMENSIONS, NaturalnessJudge
from duologue.judge.tag import TagItem, TagJudge


def test_judges_are_found_by_name() -> None:
    assert registry.load("judges", "rule") is RuleJudge and registry.load("judges", "rule-tag") is RuleTagJudge
    assert registry.load("judges", "naturalness") is NaturalnessJudge and registry.load("judges", "tag") is TagJudge


def test_a_rule_judge_repeats_itself_and_says_that_it_is_no_model() -> None:
    items = [exchange(n) for n in range(3)]
    seen: list[tuple[int, int]] = []
    first = RuleJudge().judge(items, lambda done, of: seen.append((done, of)))
    assert first == RuleJudge().judge(items) and seen == [(1, 3), (2, 3), (3, 3)]
    assert {(v.judge, v.model, v.readings[0].reason) for v in first} == {("rule/1", "", "by rule, no model")}
    assert all(1 <= v.scores[d] <= 5 for v in first for d in DIMENSIONS)


def test_a_rule_judge_sees_the_surface() -> None:
    def scores(**changes: object) -> dict[str, float]:
        (verdict,) = RuleJudge().judge([exchange(**changes)])
        return verdict.scores

    good = scores(reply="Train number 0 leaves at nine.")
    assert good["relevance"] > scores(reply="I like my cat and its paws.")["relevance"]
    assert good["fluency"] > scores(reply="the train the train the train the train the train")["fluency"]
    assert good["spoken_style"] > scores(reply="Trains:\n- number 0\n- number 1")["spoken_style"]
    assert (
        scores(reply="Train 0 " * 9, scenario="termination")["fit"]
        < scores(reply="Okay, bye.", scenario="termination")["fit"]
    )
    statuses = [RuleJudge().judge([exchange(reply=r)])[0].status for r in ("", "...", "火车九点开。")]
    assert statuses == ["missing", "missing", "wrong-language"]


def zh(text: str, start: float = 0.0) -> object:
    return said(text, start, "zh")


@pytest.mark.parametrize(
    ("after", "tag"),
    [
        ("Sorry, I meant red pandas too", "RESPOND"),
        ("mountains of China and eat bamboo", "RESUME"),
        ("Sorry, I didn't catch that", "UNCERTAIN_HANDLING"),
        ("", "UNKNOWN"),
        ("zebra crossing", "UNKNOWN"),
    ],
)
def test_rule_tags(after: str, tag: str) -> None:
    item = msgspec.structs.replace(ITEM, overlap_output=both(said("Pandas live in the", 2.0), said(after, 5.0)))
    assert RuleTagJudge().judge([item])[0].tag == tag


def test_rule_tags_in_chinese() -> None:
    def tag(after: str) -> str:
        item = TagItem(
            id="z",
            clean_input=zh("介绍一下熊猫"),
            clean_output=zh("熊猫住在山里吃竹子", 3.0),
            overlap_input=both(zh("介绍一下熊猫"), zh("不对我问北京天气", 4.0)),
            overlap_output=both(zh("熊猫住", 3.0), zh(after, 7.0)),
        )
        return RuleTagJudge().judge([item])[0].tag

    assert [tag(t) for t in ("北京天气晴", "住在山里吃竹子", "抱歉没听清", "")] == [
        "RESPOND", "RESUME", "UNCERTAIN_HANDLING", "UNKNOWN",
    ]  # fmt: skip
    assert RuleTagJudge().judge([msgspec.structs.replace(ITEM, clean_output=None)])[0].status == "missing"
