"""Track 1 as the challenge scored it: submission trees as they come, judgements, totals by hand, nothing for free."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.judge.grades import DIMENSIONS, HEARD
from duologue.score.profiles.humdial2026.emotion.evaluate import EmotionScore, evaluate
from duologue.score.profiles.humdial2026.emotion.judgements import read_judgements, sound_of
from duologue.score.profiles.humdial2026.emotion.read import read
from duologue.score.profiles.humdial2026.emotion.submission import Submission

LABELS = ("anger", "neutral", "happy", "sad")
USER = {"zh": "我今天遇到了一件事情，想和你说说。", "en": "Something happened to me today that I want to tell you."}
REPLY = {
    "zh": "听起来你先是生气，后来慢慢平静，最后又高兴起来了。",
    "en": "It sounds as if you were angry, then calm, and glad at last.",
}
ALL = [d for dimensions in DIMENSIONS.values() for d in dimensions]


def dialogue(language: str, number: int, *, answers: bool = True, labels: tuple[str, ...] = LABELS) -> dict[str, Any]:
    name = f"{language}_0001_{number:04d}"
    turns = [
        {"turn_id": i, "text": f"{USER[language]} {i}", "emotion": e, "split_audio_file": f"{name}_{i}.wav"}
        for i, e in enumerate(labels, 1)
    ]
    if answers:
        for t in turns:
            t["response_text"] = REPLY[language]
            t["response_audio"] = f"/data/out/{name}_{t['turn_id']}_response.wav"
    return {"dialogue_id": name, "turns": turns}


def put(path: Path, lines: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [x if isinstance(x, (str, bytes)) else json.dumps(x, ensure_ascii=False) for x in lines]
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in texts) + b"\n")


def speak(path: Path, level: float = 0.3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.sin(np.arange(4_000) / 9).astype(np.float32), 16_000)


def tree(root: Path, dialogues: int = 2, languages: tuple[str, ...] = ("zh", "en")) -> Path:
    """A submission beside its reference, as the challenge's folders have them."""
    for language in languages:
        for task in (1, 2, 3):
            rows = range(1, dialogues + 1)
            put(root / "HD-Track1-Test" / language / f"HD-Track1-T{task}.jsonl",
                [dialogue(language, n, answers=False) for n in rows])  # fmt: skip
            put(root / "HD-Track1" / language / f"HD-Track1-T{task}.jsonl", [dialogue(language, n) for n in rows])
        for n in range(1, dialogues + 1):
            # The labels are anger, neutral, happy, sad: turn 3 is the second that is not neutral.
            speak(root / "HD-Track1" / language / "HD-Track1-T3" / f"{language}_0001_{n:04d}_3_response.wav")
    return root


def submitted(root: Path, language: str = "en", task: int = 1) -> Path:
    return root / "HD-Track1" / language / f"HD-Track1-T{task}.jsonl"


def only(root: Path, lines: list[Any], *, task: int = 1, expected: int = 2) -> Submission:
    """What is read of a tree whose English submission to one task is ``lines``."""
    tree(root, expected, ("en",))
    put(submitted(root, task=task), lines)
    found = read(root)
    assert [r.id for r in found.replies] == sorted(r.id for r in found.replies)
    assert len(found.replies) == 3 * expected
    return found


def states(found: Submission, task: str = "trajectory") -> list[str]:
    return [r.read for r in found.replies if r.task == task]


def grades(found: Submission, value: float = 5.0) -> list[dict[str, Any]]:
    """A judgement of ``value`` for whatever is expected, deserved or not."""
    return [
        {"dialogue_id": r.dialogue, "task": r.task, "scores": dict.fromkeys(DIMENSIONS[r.task], value)}
        for r in found.replies
    ]


def judged(found: Submission, rows: list[Any], path: Path) -> EmotionScore:
    put(path, rows)
    judgements, problems = read_judgements(path, found)
    return evaluate(found, judgements, problems=problems)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_whole_tree_is_read_without_a_fault(tmp_path: Path) -> None:
    found = read(tree(tmp_path))
    assert len(found.replies) == 12 and not found.problems and not found.own_reference
    assert {r.read for r in found.replies} == {"ok"}
    empathy = [r for r in found.replies if r.task == "empathy"]
    assert {r.turn for r in empathy} == {3} and {r.heard for r in empathy} == {"ok"}
    assert {r.turn for r in found.replies if r.task != "empathy"} == {4}
    first = found.replies[-1].turns[0]
    assert (first.emotion, first.reply) == ("anger", REPLY["zh"]) and first.user.startswith(USER["zh"])


@pytest.mark.parametrize("way", ["--reference", "both", "flat"])
def test_the_reference_may_lie_elsewhere(tmp_path: Path, way: str) -> None:
    tree(tmp_path, 2, ("en",))
    if way == "flat":
        # A file a language in one folder, told by its name.
        put(tmp_path / "r" / "HD-Track1-T1_en.jsonl", [dialogue("en", 1, answers=False)])
        found = read(tmp_path / "HD-Track1", tmp_path / "r")
        assert [r.id for r in found.replies] == ["trajectory/en/en_0001_0001"]
        assert found.counts == {"extra dialogue": 5}
        return
    root = tmp_path / "HD-Track1" if way == "both" else tmp_path
    found = read(root, tmp_path / "HD-Track1-Test")
    assert len(found.replies) == 6 and not found.problems


def test_without_a_reference_the_submission_is_its_own(tmp_path: Path) -> None:
    put(submitted(tmp_path), [dialogue("en", 1)])
    found = read(tmp_path)
    assert found.own_reference and states(found) == ["ok"]


@pytest.mark.parametrize(
    ("labels", "second", "last"),
    [
        (("neutral", "anger", "neutral", "happy", "sad"), 4, 5),
        (("anger", "happy", "neutral"), 2, 2),
        (("anger", "neutral", "neutral"), None, 1),
        (("neutral", "neutral", "neutral"), None, None),
        (("Neutral", "NEUTRAL", "fear"), None, 3),
        (("", "neutral", "fear"), 3, 3),
    ],
)
def test_the_turn_of_empathy(tmp_path: Path, labels: tuple[str, ...], second: int | None, last: int | None) -> None:
    put(submitted(tmp_path, task=3), [dialogue("en", 1, labels=labels)])
    for target, turn in (("second", second), ("last", last)):
        found = read(tmp_path, target=target)  # type: ignore[arg-type]
        assert [r.turn for r in found.replies] == ([] if turn is None else [turn])
        if turn is None:
            assert found.left_out == ("empathy/en/en_0001_0001",) and found.counts["no target turn"] == 1


def test_every_fault_of_a_file_is_named_and_costs_one_dialogue(tmp_path: Path) -> None:
    good = dialogue("en", 1)
    broken = json.dumps(dialogue("en", 2))
    lines: list[Any] = [
        b"\xef\xbb\xbf" + json.dumps(good).encode(),
        "",
        "   ",
        json.dumps({**good, "turns": []}),  # line 4: the dialogue again, without turns
        broken[:-20],  # 5
        b'{"dialogue_id": "en_0001_0003", "turns": "\xff\xfe"}',  # 6
        '["en_0001_0004"]',  # 7
        json.dumps({"turns": []}),  # 8
        json.dumps({"dialogue_id": "en_0001_0005", "turns": {"turn_id": 1}}),  # 9
        json.dumps(dialogue("en", 99)),  # 10
        "[" * 100_000,  # 11
        json.dumps({"dialogue_id": "en_0001_0006", "turns": [{"turn_id": 4, "response_text": 5}]}),  # 12
        '{"dialogue_id": "en_0001_0007", "turns": [{"turn_id": ' + "9" * 5000 + "}]}",  # 13
    ]
    found = only(tmp_path, lines, expected=7)
    assert states(found) == ["ok", *["missing"] * 6]
    where = "HD-Track1/en/HD-Track1-T1.jsonl"
    said = {(p.where.split(": ")[0], p.kind) for p in found.problems}
    assert {
        (f"{where}:1", "byte order mark"),
        (f"{where}:2", "blank line"),
        (f"{where}:3", "blank line"),
        (f"{where}:4", "duplicate dialogue"),
        (f"{where}:5", "broken JSON"),
        (f"{where}:6", "not UTF-8"),
        (f"{where}:7", "wrong type"),
        (f"{where}:8", "wrong type"),
        (f"{where}:9", "wrong type"),
        (f"{where}:10", "extra dialogue"),
        (f"{where}:11", "broken JSON"),
        (f"{where}:12", "wrong type"),
        (f"{where}:12", "missing reply"),
        (f"{where}:13", "broken JSON"),
    } <= said
    assert found.counts["missing dialogue"] == 4  # 2, 3, 4 and 7; 5 and 6 are there, without a reply
    # Whatever a judge says of what is not there, it is the lowest grade: 1 of 7 gets 5, (5 + 6 * 1) / 7.
    score = judged(found, grades(found), tmp_path / "j.jsonl")
    assert score.languages["en"].tasks["trajectory"] == {"drop": pytest.approx(11 / 7), "floor": pytest.approx(11 / 7)}


def test_faults_of_turns(tmp_path: Path) -> None:
    first, second = dialogue("en", 1), dialogue("en", 2)
    first["turns"].insert(1, {**first["turns"][0], "response_text": "Told twice."})
    first["turns"].append({"turn_id": 9, "response_text": "More."})
    first["turns"].append("turn 5")
    first["turns"][0]["emotion"] = "happy"
    second["turns"] = second["turns"][:2]
    found = only(tmp_path, [first, second])
    assert states(found) == ["ok", "missing"]
    counts = found.counts
    assert counts["duplicate turn"] == 1 and counts["extra turn"] == 1 and counts["missing turn"] == 2
    assert counts["wrong type"] == 1 and counts["differs from the reference"] == 1 and counts["missing reply"] == 1
    # A label that a submission changes is not what a judge is shown, nor what chooses the turn.
    shown = next(r for r in found.replies if r.task == "trajectory")
    assert [t.emotion for t in shown.turns] == list(LABELS) and shown.turns[0].reply == REPLY["en"]


def test_turn_ids_are_numbers_however_they_are_written(tmp_path: Path) -> None:
    d = dialogue("en", 1)
    for t, id in zip(d["turns"], ("1", 2.0, " 3 ", "4"), strict=True):
        t["turn_id"] = id
    d["turns"].reverse()
    found = only(tmp_path, [d, dialogue("en", 2)])
    assert states(found) == ["ok", "ok"] and not found.problems


@pytest.mark.parametrize(
    ("language", "text", "state"),
    [
        ("en", "你先是很生气，后来慢慢高兴起来了。", "wrong-language"),
        ("en", "Au début vous étiez en colère, puis vous avez été très heureux de la nouvelle.", "wrong-language"),
        ("en", "あなたは最初に怒って、それから喜びました。", "wrong-language"),
        ("en", "You were angry about 航班 at first, and then happy again.", "ok"),
        ("en", "OK.", "ok"),
        ("zh", "You were angry at first, and then you became happy.", "wrong-language"),
        ("zh", "你先是 angry，后来就 OK 了，心情越来越好。", "ok"),
        ("zh", "。。。", "missing"),
        ("zh", "assistant\n", "missing"),
        ("zh", "system\nYou are kind.\nassistant\n你先生气，后来高兴。", "ok"),
    ],
)
def test_the_language_of_a_reply(tmp_path: Path, language: str, text: str, state: str) -> None:
    d = dialogue(language, 1)
    d["turns"][-1]["response_text"] = text
    put(submitted(tmp_path, language), [d])
    found = read(tmp_path)
    assert states(found) == [state]
    score = judged(found, grades(found), tmp_path / "j.jsonl")
    accuracy = score.languages[language].dimensions["Accuracy_Completeness"]
    assert accuracy.statuses[state] == 1  # type: ignore[index]
    assert accuracy.drop.value == accuracy.floor.value == (5.0 if state == "ok" else 1.0)


def test_a_reply_in_the_wrong_language_has_the_lowest_grade_for_its_voice_too(tmp_path: Path) -> None:
    tree(tmp_path, 1, ("en",))
    d = dialogue("en", 1)
    d["turns"][2]["response_text"] = REPLY["zh"]
    put(submitted(tmp_path, task=3), [d])
    found = read(tmp_path)
    score = judged(found, grades(found), tmp_path / "j.jsonl")
    for name in DIMENSIONS["empathy"]:
        dimension = score.languages["en"].dimensions[name]
        assert dimension.statuses["wrong-language"] == 1 and dimension.drop.value == 1.0


def test_audio_that_cannot_be_heard(tmp_path: Path) -> None:
    tree(tmp_path, 4, ("en",))
    folder = tmp_path / "HD-Track1" / "en" / "HD-Track1-T3"
    (folder / "en_0001_0001_3_response.wav").unlink()
    (folder / "en_0001_0002_3_response.wav").write_bytes(b"RIFF no sound at all")
    speak(folder / "en_0001_0003_3_response.wav", level=0.0)
    speak(folder / "en_0001_0077_3_response.wav")
    outside = tmp_path / "elsewhere.wav"
    speak(outside)
    climbing = [dialogue("en", n) for n in range(1, 5)]
    climbing[0]["turns"][2]["response_audio"] = "../../../elsewhere.wav"
    put(submitted(tmp_path, task=3), climbing)
    found = read(tmp_path)
    empathy = [r for r in found.replies if r.task == "empathy"]
    assert [r.heard for r in empathy] == ["missing", "missing", "ok", "ok"]
    assert found.counts == {"missing audio": 1, "unreadable audio": 1, "extra audio": 1}
    # Silence can be opened, so that people may grade it; a judge is not asked to.
    assert [sound_of(r.audio) is not None for r in empathy[2:] if r.audio] == [False, True]
    score = judged(found, grades(found), tmp_path / "j.jsonl")
    heard = score.languages["en"].dimensions[HEARD[0]]
    assert heard.statuses["missing"] == 2 and heard.floor.value == 3.0
    # Its words are there all the same.
    assert score.languages["en"].dimensions["textual_empathy_insight"].floor.value == 5.0


def test_a_huge_reply_is_named_and_read_at_once(tmp_path: Path) -> None:
    d = dialogue("en", 1)
    d["turns"][-1]["response_text"] = "You were angry and then happy. " * 100_000
    found = only(tmp_path, [d, "x" * (17 * 2**20), dialogue("en", 2)])
    assert states(found) == ["ok", "ok"] and found.counts["huge reply"] == 1
    assert found.counts["too long a line"] == 1


def test_labels_that_are_none(tmp_path: Path) -> None:
    labels = ("anger", "wrath of ages", "", "neutral")
    put(submitted(tmp_path, task=3), [dialogue("en", 1, labels=labels)])
    found = read(tmp_path)
    assert found.counts["unknown label"] == 1 and found.counts["no label"] == 1
    assert [r.turn for r in found.replies] == [2]


def test_a_language_or_task_that_nobody_submitted(tmp_path: Path) -> None:
    tree(tmp_path)
    submitted(tmp_path, "en", 2).unlink()
    found = read(tmp_path)
    assert found.counts["missing file"] == 1 and states(found, "reasoning") == ["missing", "missing", "ok", "ok"]
    assert len(read(tmp_path, language="zh").replies) == 6


def test_folders_that_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nothing with the official names"):
        read(tmp_path)
    put(submitted(tmp_path), [dialogue("en", 1)])
    put(tmp_path / "mine" / "en" / "HD-Track1-T1.jsonl", [dialogue("en", 1)])
    with pytest.raises(UserError, match="files of one task and language in two folders"):
        read(tmp_path)
    for split in ("dev", "test"):
        put(tmp_path / "whole" / split / "en" / "HD-Track1-T1.jsonl", [dialogue("en", 1)])
    with pytest.raises(UserError, match="in two folders: reference: dev/"):
        read(tmp_path / "mine", tmp_path / "whole")


def test_a_dev_set_has_a_file_for_each_number_of_turns(tmp_path: Path) -> None:
    for turns in (3, 4):
        put(tmp_path / "dev" / "zh" / f"task2_{turns}.jsonl", [dialogue("zh", turns, labels=LABELS[:turns])])
    put(submitted(tmp_path, "zh"), [dialogue("zh", 3, labels=LABELS[:3])])
    found = read(tmp_path)
    assert [(r.id, r.turn, r.read) for r in found.replies] == [
        ("trajectory/zh/zh_0001_0003", 3, "ok"),
        ("trajectory/zh/zh_0001_0004", 4, "missing"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["dialogue_id", "turns", "turn_id", "text", "emotion", "response_text", "response_audio", "x"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ODD_TURN = st.fixed_dictionaries(
    {"turn_id": st.sampled_from([1, 2, 3, 4]) | JSON, "response_text": JSON, "emotion": JSON}
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=40)
        | JSON
        | st.fixed_dictionaries(
            {"dialogue_id": st.just("en_0001_0001"), "turns": st.lists(ODD_TURN, max_size=5) | JSON}
        ),
        max_size=5,
    )
)
def test_no_file_is_fatal_and_none_scores_above_what_it_says(tmp_path: Path, lines: list[Any]) -> None:
    put(tmp_path / "ref" / "en" / "HD-Track1-T1.jsonl", [dialogue("en", n, answers=False) for n in (1, 2)])
    put(tmp_path / "HD-Track1" / "en" / "HD-Track1-T1.jsonl", lines)
    found = read(tmp_path)
    assert len(found.replies) == 2 and found.replies[1].read == "missing"
    score = judged(found, grades(found), tmp_path / "j.jsonl")
    assert score.languages["en"].tasks["trajectory"]["drop"] in (1.0, 3.0)
    json.loads(json.dumps([(p.kind, p.where, p.what) for p in found.problems]))


# -- judgements and totals ---------------------------------------------------------------------------------------------


def test_totals_by_hand_under_both_policies(tmp_path: Path) -> None:
    found = read(tree(tmp_path))
    rows: list[Any] = []
    for language in ("zh", "en"):
        one, two = f"{language}_0001_0001", f"{language}_0001_0002"
        rows += [
            # T1: 5, 3, 1 for the first dialogue; the second answer could not be read.
            {"dialogue_id": one, "scores": {"Accuracy_Completeness": 5, "Depth_Granularity": 4, "Added_Value": 2}},
            {"dialogue_id": two, "task": 1, "error": "JSONDecodeError: Expecting value"},
            # T2: 3, 3, 3 and 5, 5, 1 (the last is not there).
            {"dialogue_id": one, "eval_result": {}, "scores": dict.fromkeys(DIMENSIONS["reasoning"], "3")},
            {"dialogue_id": two, "scores": {"Information_Integration": 5, "Insight_RootCause": 7}},
            # T3: D1 by the judge, D2 and D3 by two people each.
            *({"dialogue_id": d, "scores": {"textual_empathy_insight": 4}} for d in (one, two)),
            *({"dialogue_id": d, "rater": r, "scores": {HEARD[0]: g, HEARD[1]: 2}}
              for d in (one, two) for r, g in (("a", 3), ("b", 4.0))),
        ]  # fmt: skip
    rows.append({"final_scores": {"Overall_avg": 5}})
    score = judged(found, rows, tmp_path / "j.jsonl")
    assert score.complete and not score.problems
    zh = score.languages["zh"]
    # drop: T1 = (5 + 3 + 1) / 3 = 3; T2 = (4 + 4 + 2) / 3 = 10 / 3; T3 = 4, 3.5, 2.
    # 0.2 * 3 + 0.2 * 10 / 3 + 0.1 * 4 + 0.25 * 3.5 + 0.25 * 2 = 3.041667
    assert zh.tasks["trajectory"]["drop"] == pytest.approx(3) and zh.tasks["reasoning"]["drop"] == pytest.approx(10 / 3)
    assert zh.tasks["empathy"]["drop"] == pytest.approx(9.5 / 3)
    assert zh.drop.value == pytest.approx(3.0416667) and score.drop.value == pytest.approx(3.0416667)
    # floor: T1 = (3 + 2 + 1) / 3 = 2, so 0.2 less.
    assert zh.tasks["trajectory"]["floor"] == pytest.approx(2) and score.floor.value == pytest.approx(2.8416667)
    accuracy = zh.dimensions["Accuracy_Completeness"]
    assert accuracy.statuses == {"ok": 1, "unparsable": 1, "missing": 0, "wrong-language": 0, "infrastructure": 0}
    assert (accuracy.drop.value, accuracy.floor.value) == (5.0, 3.0)


def test_the_interval_of_a_total_holds_what_the_dialogues_tell(tmp_path: Path) -> None:
    """The error of a weighted sum of means, worked with the covariance of a dialogue's nine grades."""
    found = read(tree(tmp_path, 40))
    random = np.random.default_rng(3)
    drawn = {r.id: random.choice([1, 3, 5], 3).astype(float) for r in found.replies}
    rows = [
        {"dialogue_id": r.dialogue, "task": r.task, "scores": dict(zip(DIMENSIONS[r.task], drawn[r.id], strict=True))}
        for r in found.replies
    ]
    score = judged(found, rows, tmp_path / "j.jsonl")
    variance = 0.0
    w = np.array([0.2 / 3] * 6 + [0.1, 0.25, 0.25])
    for language in ("zh", "en"):
        x = np.hstack([[drawn[r.id] for r in found.replies if (r.task, r.language) == (task, language)]
                       for task in DIMENSIONS])  # fmt: skip
        variance += 0.25 * w @ np.cov(x.T) @ w / len(x)
    assert score.drop.low is not None and score.drop.high is not None and score.drop.value is not None
    half = (score.drop.high - score.drop.low) / 2
    # Student's t with 79 degrees of freedom: 1.990.
    assert half == pytest.approx(1.990 * math.sqrt(variance), rel=1e-3)


def test_what_was_not_judged_is_said_and_not_guessed(tmp_path: Path) -> None:
    found = read(tree(tmp_path))
    nothing = evaluate(found, {})
    assert nothing.drop.value is None and nothing.floor.value is None and not nothing.complete
    assert not any(d.judged or d.statuses for x in nothing.languages.values() for d in x.dimensions.values())
    rows = [r for r in grades(found) if r["task"] != "empathy"]
    some = judged(found, rows, tmp_path / "j.jsonl")
    assert some.languages["en"].tasks["reasoning"]["drop"] == 5.0 and some.drop.value is None
    assert f"en: not judged: {', '.join(DIMENSIONS['empathy'])}" in some.why
    english = evaluate(read(tmp_path, language="en"), {})
    assert "no dialogue in zh" in english.why


def test_a_reply_that_the_file_leaves_out_was_not_judged(tmp_path: Path) -> None:
    found = read(tree(tmp_path, 4, ("en",)))
    score = judged(found, grades(found)[:-1], tmp_path / "j.jsonl")
    last = score.languages["en"].dimensions["Added_Value"]
    assert last.statuses["infrastructure"] == 1 and last.statuses["ok"] == 3
    assert (last.drop.value, last.floor.value) == (5.0, 4.0)


def test_faults_of_a_file_of_judgements(tmp_path: Path) -> None:
    found = read(tree(tmp_path, 1, ("en",)))
    name = found.replies[0].dialogue
    rows = [
        *grades(found),
        "",
        "{",
        "[]",
        '{"scores": {}}',
        {"dialogue_id": "en_0001_0099", "scores": {"Added_Value": 5}},
        {"dialogue_id": name, "scores": {"Added_Value": 5, "Accuracy_Completeness": 5, "Depth_Granularity": 5}},
        {"dialogue_id": name, "task": 2, "scores": {"Added_Value": 5}},
        {"dialogue_id": name, "task": "T9", "scores": {}},
        {"dialogue_id": name, "error": "of which task?"},
        {"dialogue_id": name, "task": 1, "status": "fine"},
        {"dialogue_id": name, "task": 1, "scores": {"Valour": 5}},
        {"dialogue_id": name, "rater": "x", "scores": {HEARD[0]: "loud"}},
        {"dialogue_id": name, "rater": "y", "scores": {HEARD[0]: 7}},
        {"dialogue_id": name, "language": "zh", "scores": {"Added_Value": 5}},
    ]
    score = judged(found, rows, tmp_path / "j.jsonl")
    assert score.faults == {"bad judgement": 13, "extra judgement": 2}
    heard = score.languages["en"].dimensions[HEARD[0]]
    assert heard.floor.value == 5.0 and heard.statuses["ok"] == 1
    with pytest.raises(UserError, match="cannot be read"):
        read_judgements(tmp_path / "nowhere.jsonl", found)


# -- the command -------------------------------------------------------------------------------------------------------


def score_verb(*arguments: object, code: int = 0, key: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from duologue.cli import main; main()", "score", *map(str, arguments),
         "--layout", "humdial", "--track", "emotion"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_API_KEY": key, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done


def test_the_command_without_a_judge_and_with_a_file(tmp_path: Path) -> None:
    found = read(tree(tmp_path))
    shown = score_verb(tmp_path, "--profile", "humdial2026").stdout
    assert "not judged" in shown and "Accuracy_Completeness" in shown
    put(tmp_path / "j.jsonl", [json.dumps(r) for r in grades(found, 3)])
    shown = score_verb(tmp_path, "--judgements", tmp_path / "j.jsonl").stdout
    assert "drop 3.00" in shown and "floor 3.00" in shown and "j.jsonl" in shown
    card = json.loads(score_verb(tmp_path, "--judgements", tmp_path / "j.jsonl", "--json").stdout)
    assert card["drop"]["value"] == 3.0 and card["complete"] and card["expected"] == 12
    pair = ("--judgements", tmp_path / "j.jsonl", "--json")
    again = json.loads(score_verb(tmp_path / "HD-Track1-Test", tmp_path / "HD-Track1", *pair).stdout)
    assert again["drop"] == card["drop"]
    said = score_verb(tmp_path, "--profile", "fdb", code=2).stderr
    assert "--profile" in said and "humdial2026" in said
    assert "no such folder" in score_verb(tmp_path / "nowhere", code=2).stderr


def test_the_command_with_a_judge_that_reads_and_hears(tmp_path: Path) -> None:
    pytest.importorskip("httpx", reason="endpoints are not installed")
    sys.path.insert(0, str(Path(__file__).parents[2] / "remote"))
    from chat_server import KEY, MODEL, serving

    tree(tmp_path, 1)
    mute = dialogue("en", 1)
    mute["turns"][-1]["response_text"] = ""
    put(submitted(tmp_path), [mute])
    with serving() as server:
        judge = (tmp_path, "--judge", server.url, "--judge-model", MODEL, "--cache", tmp_path / "cache", "--json")
        card = json.loads(score_verb(*judge, "--judge-audio", key=KEY).stdout)
        # Two languages: one trajectory (the other is missing), two explanations, two replies read and two heard.
        assert len(server.bodies) == 7
        read_only = json.loads(score_verb(*judge, key=KEY).stdout)
        assert len(server.bodies) == 7  # known by now
        prompt = tmp_path / "p.txt"
        prompt.write_text("{conversation_history} {user_question} {final_model_response} Insight_RootCause "
                          "Information_Integration")  # fmt: skip
        server.say = lambda body: '{"scores": {"Information_Integration": 5, "Insight_RootCause": 4}}'
        own = json.loads(score_verb(*judge, "--judge-prompt", prompt, key=KEY).stdout)
    # The server answers 3 wherever 1, 3, 5 or 1 to 5 is asked for; a mute reply has 1.
    assert card["complete"] and card["languages"]["zh"]["drop"]["value"] == pytest.approx(3.0)
    assert card["languages"]["en"]["tasks"]["trajectory"] == {"drop": 1.0, "floor": 1.0}
    assert MODEL in card["methods"][HEARD[0]]
    assert not read_only["languages"]["zh"]["dimensions"][HEARD[0]]["judged"] and read_only["drop"]["value"] is None
    assert own["languages"]["zh"]["tasks"]["reasoning"]["drop"] == pytest.approx((5 + 3 + 1) / 3)
    for path in (tmp_path / "cache").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_a_judge_that_cannot_be_reached_costs_no_free_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("httpx", reason="endpoints are not installed")
    sys.path.insert(0, str(Path(__file__).parents[2] / "remote"))
    from chat_server import KEY, MODEL, closes, serving
    from clocks import NoWait

    from duologue.judge.emotion import EmotionJudge
    from duologue.remote.chat import ChatEndpoint
    from duologue.score.profiles.humdial2026.emotion.judgements import judge

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = read(tree(tmp_path, 1))
    with serving() as server, ChatEndpoint(server.url, MODEL, clock=NoWait()) as endpoint:
        server.faults.extend([closes] * 10)  # two requests, five attempts each
        seen: list[tuple[int, int]] = []
        judges = [EmotionJudge(endpoint, None, "trajectory"), EmotionJudge(endpoint, None, "empathy", voice=True)]
        judged = judge(found, judges[:1], lambda done, of: seen.append((done, of)))
        heard = judge(found, judges[1:])
    score = evaluate(found, {**judged, **heard})
    statuses = score.languages["zh"].dimensions["Added_Value"].statuses
    assert statuses["infrastructure"] == 1 and seen[-1] == (2, 2)
    # Dropped, there is no grade to average; floored, it is the lowest.
    assert score.languages["zh"].tasks["trajectory"] == {"drop": None, "floor": 1.0}
    assert "zh: no grade for Accuracy_Completeness" in score.why
    assert score.languages["zh"].dimensions[HEARD[1]].statuses["ok"] == 1
