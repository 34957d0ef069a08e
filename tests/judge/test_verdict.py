from __future__ import annotations

from typing import Any

import pytest

from duologue.judge.family import families, kinship_warning
from duologue.judge.verdict import Reading, Verdict, merge, tally


def reading(seed: int, status: str = "ok", **more: Any) -> Reading:
    return Reading(seed=seed, status=status, **more)  # type: ignore[arg-type]


def test_a_foreign_language_needs_more_than_half_of_what_could_be_read() -> None:
    ok, foreign, bad = reading(1, scores={"fit": 4}), reading(2, "wrong-language", detail="x"), reading(3, "unparsable")
    assert merge([ok, foreign])["status"] == "ok"
    assert merge([ok, foreign, foreign])["status"] == "wrong-language"
    assert merge([foreign, bad, bad])["status"] == "wrong-language"
    assert merge([bad, reading(4, "infrastructure")])["status"] == "unparsable"
    assert merge([reading(4, "infrastructure", detail="down")]) == {"status": "infrastructure", "detail": "down"}


def test_both_policies_and_the_tally_by_hand() -> None:
    verdicts = [
        Verdict(id="a", status="ok", judge="j", scores={"fit": 5.0}, variance={"fit": 0.5}),
        Verdict(id="b", status="ok", judge="j", scores={"fit": 2.0}, variance={"fit": 1.5}),
        Verdict(id="c", status="unparsable", judge="j"),
        Verdict(id="d", status="infrastructure", judge="j"),
        Verdict(id="e", status="missing", judge="j"),
        Verdict(id="f", status="wrong-language", judge="j"),
    ]
    found = tally(verdicts, ["fit"])
    assert found.expected == 6 == sum(found.statuses.values())
    assert found.statuses == {"ok": 2, "unparsable": 1, "missing": 1, "wrong-language": 1, "infrastructure": 1}
    # drop: a, b, and the system's own failures e and f at 1: (5 + 2 + 1 + 1) / 4
    assert found.drop == {"fit": 2.25}
    # floor: c and d count 1 as well: (5 + 2 + 1 + 1 + 1 + 1) / 6
    assert found.floor == {"fit": pytest.approx(11 / 6)}
    assert found.variance == {"fit": 1.0}


def test_nothing_judged_is_no_score() -> None:
    found = tally([Verdict(id="c", status="infrastructure", judge="j")], ["fit"])
    assert (found.drop, found.floor, found.variance) == ({"fit": None}, {"fit": 1.0}, {"fit": None})


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-08-06", {"GPT"}),
        ("openai/o3-mini", {"GPT"}),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", {"Qwen"}),
        ("qwq-32b", {"Qwen"}),
        ("deepseek-chat", {"DeepSeek"}),
        ("DeepSeek-R1-Distill-Qwen-7B", {"DeepSeek", "Qwen"}),
        ("meta-llama/Llama-3.1-8B", {"Llama"}),
        ("claude-sonnet", {"Claude"}),
        ("google/gemma-2-9b", {"Gemini"}),
        ("chatglm3-6b", {"GLM"}),
        ("Mixtral-8x7B", {"Mistral"}),
        ("my-own-model", {"my-own-model"}),
        ("foo1", {"foo1"}),
    ],
)
def test_families_by_name(model: str, family: set[str]) -> None:
    assert families(model) == family


def test_a_judge_of_the_writers_family_is_warned_of() -> None:
    warning = kinship_warning("Qwen3-Omni-30B", ["embedded", "qwen2.5-72b-instruct"])
    assert "Qwen" in warning and "qwen2.5-72b-instruct" in warning and "embedded" not in warning
    assert kinship_warning("deepseek-chat", ["embedded", "qwen2.5-72b-instruct", ""]) == ""
    assert kinship_warning("in-house-7", ["In-House-7"]) != ""
