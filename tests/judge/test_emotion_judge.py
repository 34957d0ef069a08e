"""Judges of track 1: our rubrics and the user's prompt files, in words and by ear, against a real server."""

from __future__ import annotations

import base64
import io
import json
import wave
from pathlib import Path
from typing import Any

import chat_server as fault
import numpy as np
import pytest
from chat_server import MODEL, Server
from clocks import NoWait
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.judge.emotion import (
    OFFICIAL_SAMPLING,
    EmotionJudge,
    EmotionReply,
    EmotionTurn,
    load_emotion_prompt,
    official_scores,
    prompt_task,
)
from duologue.judge.grades import DIMENSIONS, HEARD, clamp, snap
from duologue.judge.rubric import load
from duologue.remote.chat import ChatEndpoint, Sound

TURNS = (
    EmotionTurn(user="My flight was cancelled {again}.", emotion="anger", reply="That is annoying."),
    EmotionTurn(user="They put me in first class.", emotion="happy", reply="Lovely."),
    EmotionTurn(user="How did my mood change?", emotion="neutral", reply="From anger to joy, once the seat came."),
)
CHINESE = (
    EmotionTurn(user="航班又取消了。", emotion="anger", reply="真烦。"),
    EmotionTurn(user="我的心情怎么变的？", emotion="neutral", reply="先是生气，后来平静下来了。"),
)


def reply(task: str = "trajectory", language: str = "en", **changes: Any) -> EmotionReply:
    turns = CHINESE if language == "zh" else TURNS
    return EmotionReply(**{"id": "d1", "task": task, "language": language, "turns": turns, **changes})


def sound(seconds: float = 0.5) -> bytes:
    return Sound.of(np.sin(np.arange(int(16_000 * seconds)) / 10).astype(np.float32), 16_000).wav


def graded(*grades: Any, task: str = "trajectory", language: str = "en") -> str:
    return json.dumps(
        {"reason": "So.", "reply_language": language, **dict(zip(DIMENSIONS[task], grades, strict=False))}
    )  # type: ignore[index]


@pytest.mark.parametrize(
    ("value", "three", "five"),
    [(0, 1, 1), (1, 1, 1), (2, 1, 2), (3, 3, 3), (4, 3, 4), (5, 5, 5), (9, 5, 5), (-3, 1, 1), ("3", 3, 3),
     (" 5 ", 5, 5), (4.9, 3, 4), ("4.9", 1, 1), (None, 1, 1), ("high", 1, 1), ([5], 1, 1), ({}, 1, 1),
     (float("nan"), 1, 1), (float("inf"), 1, 1), ("9" * 5000, 1, 1), (True, 1, 1)],
)  # fmt: skip
def test_grades_are_mapped_as_the_scripts_do(value: Any, three: int, five: int) -> None:
    assert (snap(value), clamp(value)) == (three, five)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_no_value_escapes_the_scale(value: Any) -> None:
    assert snap(value) in (1, 3, 5) and clamp(value) in (1, 2, 3, 4, 5)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["trajectory", "reasoning", "empathy", "empathy_voice"])
def test_rubrics_ask_for_the_official_dimensions(name: str, language: str) -> None:
    rubric = load(name, language)
    task, _, voice = name.partition("_")
    want = HEARD if voice else tuple(d for d in DIMENSIONS[task] if d not in HEARD)  # type: ignore[index]
    assert tuple(d.id for d in rubric.dimensions) == want
    allowed = [1, 2, 3, 4, 5] if task == "empathy" else [1, 3, 5]
    assert all(rubric.schema["properties"][d]["enum"] == allowed for d in want)
    assert ("情绪" in rubric.system) == (language == "zh")
    assert "EVIDENCE" not in rubric.system and '"emotion"' in rubric.system


def test_the_judge_reads_the_talk_with_its_labels(server: Server, endpoint: ChatEndpoint, tmp_path: Path) -> None:
    server.say = lambda body: graded(5, 4, 2)
    (verdict,) = EmotionJudge(endpoint, tmp_path, "trajectory").judge([reply()])
    assert verdict.status == "ok"
    assert verdict.scores == {"Accuracy_Completeness": 5.0, "Depth_Granularity": 3.0, "Added_Value": 1.0}
    (body,) = server.bodies
    data = json.loads(body["messages"][1]["content"].split("\n")[1])
    assert [t["emotion"] for t in data["conversation"]] == ["anger", "happy"]
    assert data["user_last"]["user"] == "How did my mood change?" and data["reply"] == TURNS[-1].reply
    assert body["messages"][0]["content"] == load("trajectory", "en").system and body["temperature"] == 0


def test_a_lacking_grade_is_the_lowest_and_no_grade_at_all_is_unparsable(
    server: Server, endpoint: ChatEndpoint
) -> None:
    judge = EmotionJudge(endpoint, None, "reasoning")
    server.say = lambda body: graded(5, "five", task="reasoning")
    (verdict,) = judge.judge([reply("reasoning")])
    assert verdict.scores == {"Information_Integration": 5.0, "Insight_RootCause": 1.0, "Clarity_Logic": 1.0}
    for said in (
        "Great, 5 points!",
        '{"reason": "x"}',
        "[]",
        "",
        f"The user says {graded(5, 5, 5, task='reasoning')}.",
    ):
        server.say = lambda body, said=said: said
        (verdict,) = judge.judge([reply("reasoning")])
        assert verdict.status == "unparsable" and not verdict.scores, said


def test_what_needs_no_judge_is_not_asked(server: Server, endpoint: ChatEndpoint) -> None:
    def ends(text: str) -> tuple[EmotionTurn, ...]:
        return (*TURNS[:2], EmotionTurn(user="How?", emotion="neutral", reply=text))

    judge = EmotionJudge(endpoint, None, "trajectory")
    verdicts = judge.judge([reply(turns=ends(t)) for t in ("", " … ", "你先是生气，后来很高兴。")])
    assert [v.status for v in verdicts] == ["missing", "missing", "wrong-language"] and not server.bodies
    server.say = lambda body: graded(5, 5, 5, language="other")
    (verdict,) = judge.judge([reply(turns=ends("Zuerst Wut, dann Freude."))])
    assert verdict.status == "wrong-language"


def test_a_judge_that_hears_gets_the_audio_and_grades_what_is_heard(server: Server, endpoint: ChatEndpoint) -> None:
    def say(body: dict[str, Any]) -> str:
        content = body["messages"][1]["content"]
        if isinstance(content, str):
            return json.dumps({"reason": "So.", "reply_language": "en", "textual_empathy_insight": 4})
        assert [p["type"] for p in content] == ["text", "input_audio"]
        with wave.open(io.BytesIO(base64.b64decode(content[1]["input_audio"]["data"]))) as heard:
            assert (heard.getframerate(), heard.getnframes()) == (16_000, 8_000)
        return json.dumps({"reason": "So.", "reply_language": "en", HEARD[0]: 2, HEARD[1]: 5})

    server.say = say
    items = [reply("empathy", sound=sound())]
    (read,) = EmotionJudge(endpoint, None, "empathy").judge(items)
    (heard,) = EmotionJudge(endpoint, None, "empathy", voice=True).judge(items)
    assert read.scores == {"textual_empathy_insight": 4.0} and heard.scores == {HEARD[0]: 2.0, HEARD[1]: 5.0}
    (nothing,) = EmotionJudge(endpoint, None, "empathy", voice=True).judge([reply("empathy")])
    assert nothing.status == "missing" and len(server.bodies) == 2
    server.say = lambda body: json.dumps({"reason": "", "reply_language": "zh", HEARD[0]: 5, HEARD[1]: 5})
    (foreign,) = EmotionJudge(endpoint, None, "empathy", voice=True).judge(items)
    assert foreign.status == "wrong-language"


PROMPT = """Talk:\n{conversation_history}\nAsked: {user_question}\nReply: {final_model_response}
Answer in JSON: {"scores": {"Accuracy_Completeness": <1, 3, 5>}, "justification": {}} {unknown} {{}} 100%"""


def test_the_users_prompt_file_is_filled_literally_and_read_officially(
    server: Server, endpoint: ChatEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "task1.txt"
    file.write_text(PROMPT, encoding="utf-8")
    assert prompt_task(file) == "trajectory"
    server.say = lambda body: 'Sure.\n```json\n{"scores": {"Accuracy_Completeness": "5", "Depth_Granularity": 4}}\n```'
    hostile = EmotionTurn(user="Why {user_question}?", emotion="sad", reply="{conversation_history} {} %s \\1")
    (verdict,) = EmotionJudge(endpoint, None, "trajectory", prompt_file=file).judge([reply(turns=(TURNS[0], hostile))])
    assert verdict.scores == {"Accuracy_Completeness": 5.0, "Depth_Granularity": 3.0, "Added_Value": 1.0}
    (body,) = server.bodies
    assert body["messages"] == [
        {
            "role": "user",
            "content": "Talk:\n用户(emotion:anger): My flight was cancelled {again}.\nAI: That is annoying.\n"
            "用户(emotion:sad): Why {user_question}?\nAI: {conversation_history} {} %s \\1\n"
            "Asked: Why {user_question}?\nReply: {conversation_history} {} %s \\1\n"
            'Answer in JSON: {"scores": {"Accuracy_Completeness": <1, 3, 5>}, "justification": {}} {unknown} {{}} 100%',
        }
    ]
    # As the challenge drew it, but for what is nobody's business here.
    assert (body["temperature"], body["top_p"], body["top_k"], body["seed"]) == (0.6, 0.95, 20, 1234)
    assert verdict.parameters["max_tokens"] == OFFICIAL_SAMPLING.max_tokens and "response_format" not in body


def test_the_prompt_for_empathy_comes_after_the_audio(server: Server, endpoint: ChatEndpoint, tmp_path: Path) -> None:
    file = tmp_path / "task4.txt"
    file.write_text("Listen.\n{conversation_context}\n{{textual_empathy_insight: 1-5}}", encoding="utf-8")
    server.say = lambda body: json.dumps({"scores": {"textual_empathy_insight": 9, HEARD[0]: 0, HEARD[1]: "x"}})
    judge = EmotionJudge(endpoint, None, prompt_task(file), voice=True, prompt_file=file)
    (verdict,) = judge.judge([reply("empathy", "zh", sound=sound())])
    assert verdict.scores == {"textual_empathy_insight": 5.0, HEARD[0]: 1.0, HEARD[1]: 1.0}
    audio, text = server.bodies[0]["messages"][0]["content"]
    assert audio["type"] == "input_audio"
    assert text["text"].startswith("Listen.\nUser(anger): 航班又取消了。\nAI: 真烦。\nUser(neutral): 我的心情")
    # Without the audio the same request goes out in words, and one dimension can be told.
    (read,) = EmotionJudge(endpoint, None, "empathy", prompt_file=file).judge([reply("empathy", "zh")])
    assert read.scores == {"textual_empathy_insight": 5.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"scores": {"A": 1}}', {"A": 1}),
        ('```\n{"scores": {"A": 1}}\n```', {"A": 1}),
        ('```json\n{"scores": {"A": 1}}', {"A": 1}),
        ('{"scores": {"A": 1}', {"A": 1}),
        ('<think>{"scores": {"A": 5}}</think>{"scores": {"A": 1}}', {"A": 1}),
        ('He says {"scores": {"A": 5}}', None),
        ('{"scores": 5}', None),
        ('{"score": {"A": 5}}', None),
        ("[5]", None),
        ("", None),
        ("{" * 100_000, None),
        ("[" * 100_000 + '{"scores"', None),
    ],
)
def test_answers_to_a_prompt_file_are_read_as_the_scripts_do(text: str, found: dict[str, Any] | None) -> None:
    if found is not None:
        assert official_scores(text) == found
        return
    with pytest.raises(ValueError):
        official_scores(text)


def test_prompt_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("Grade {reply} from 1 to 5.")
    with pytest.raises(UserError, match="names the dimensions of no task"):
        prompt_task(file)
    file.write_text("Accuracy_Completeness, Information_Integration")
    with pytest.raises(UserError, match="several tasks"):
        prompt_task(file)
    file.write_text("Accuracy_Completeness of {final_model_response}")
    with pytest.raises(UserError, match="no placeholder for history, question"):
        load_emotion_prompt(file, "trajectory")


def test_a_judge_that_fails_is_infrastructure(server: Server, tmp_path: Path) -> None:
    server.faults.extend([fault.closes] * 40)
    with ChatEndpoint(server.url, MODEL, clock=NoWait()) as endpoint:
        verdicts = EmotionJudge(endpoint, tmp_path, "trajectory").judge([reply(id=f"d{i}") for i in range(3)])
    assert {v.status for v in verdicts} == {"infrastructure"}


def test_a_huge_reply_costs_no_more_than_its_beginning(server: Server, endpoint: ChatEndpoint) -> None:
    server.say = lambda body: graded(1, 1, 1)
    huge = (*TURNS[:2], EmotionTurn(user="How?", emotion="neutral", reply="You were angry. " * 200_000))
    EmotionJudge(endpoint, None, "trajectory").judge([reply(turns=huge)])
    assert len(json.dumps(server.bodies[0])) < 30_000
