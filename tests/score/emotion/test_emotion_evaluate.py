"""The card of track 1: every expected answer counted, whatever is wrong with the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_dialogues import dialogues

from duologue.cli import cli
from duologue.corpus.annotation import EmotionAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.probe import Probe
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.formats.landing import Landing
from duologue.score.emotion.answers import read_answers
from duologue.score.emotion.card import EmotionCard
from duologue.score.emotion.evaluate import Expected, evaluate, expected, foreign, score

DIALOGUES = list(dialogues(60, tasks=("trajectory", "reasoning")))
WANTED = [e for d in DIALOGUES for e in expected(d)]


def card(folder: Path, lines: list[Any], wanted: list[Expected] = WANTED) -> EmotionCard:
    path = folder / "answers.jsonl"
    rows = [x if isinstance(x, bytes) else json.dumps(x, ensure_ascii=False).encode() for x in lines]
    path.write_bytes(b"\n".join(rows))
    return score(wanted, read_answers(path))


def perfect(e: Expected) -> dict[str, Any]:
    if e.task == "trajectory":
        return {"id": e.id, "probe": e.probe, "answer": {"trajectory": list(e.labels)}}
    causes = [{"emotion_turn": c.emotion_turn, "evidence_turn": c.evidence_turn, "span": c.span} for c in e.causes]
    return {"id": e.id, "probe": e.probe, "answer": {"causes": causes}}


def test_gold_is_perfect_and_named_by_turn_too(tmp_path: Path) -> None:
    for lines in (
        [perfect(e) for e in WANTED],
        [{"id": e.id, "turn": e.turn, "answer": perfect(e)["answer"]} for e in WANTED],
        [{"id": e.id, "answer": perfect(e)["answer"]} for e in WANTED],
    ):
        found = card(tmp_path, lines)
        assert [c.language for c in found.cells] == ["all", "en", "zh"]
        for cell in found.cells:
            assert cell.trajectory is not None and cell.causes is not None
            assert cell.trajectory.exact.value == cell.trajectory.transition_strict.value == 1
            assert cell.causes.pair.value == cell.causes.span_strict.value == 1
            assert cell.causes.span_proportional.value == pytest.approx(1)
        assert all(i.right for i in found.items) and not found.counts


def test_references_of_the_corpus_are_read(tmp_path: Path) -> None:
    """A careful listener's own words: the order is read right, and the reasons are all named."""
    lines = [{"id": d.id, "probe": p.id, "answer": p.reference} for d in DIALOGUES for p in d.probes]
    cell = card(tmp_path, lines).cells[0]
    assert cell.trajectory is not None and cell.reasons is not None
    assert (cell.trajectory.exact.value or 0) > 0.85 and (cell.reasons.token_recall.value or 0) > 0.85


def test_nothing_gives_nothing_and_stays_in_every_denominator(tmp_path: Path) -> None:
    found = card(tmp_path, [])
    cell = found.cells[0]
    assert cell.accounted == {t: {"missing": n} for t, n in cell.expected.items()}
    assert sum(cell.expected.values()) == len(WANTED)
    assert cell.trajectory is not None and cell.reasons is not None and cell.causes is not None
    for e in (cell.trajectory.exact, cell.trajectory.edit_similarity, cell.trajectory.turn_macro_f1, cell.causes.pair):
        assert e.value == 0 and e.n == (cell.expected["trajectory"] if e is not cell.causes.pair else e.n)


def test_hostile_lines_are_named_and_counted(tmp_path: Path) -> None:
    t = next(e for e in WANTED if e.task == "trajectory" and e.language == "zh")
    rest = [e for e in WANTED if e is not t]
    lines = [
        b"\xef\xbb\xbf" + json.dumps(perfect(rest[0])).encode(),
        b"",
        b'{"id": "x", "answer": ',
        b"[1, 2]",
        b"\xff\xfe\x00",
        {"id": 3, "answer": "sad"},
        {"id": rest[1].id, "probe": rest[1].probe},
        {"id": rest[1].id, "probe": None, "answer": 1},
        perfect(rest[2]),
        perfect(rest[2]),
        perfect(rest[3]),
        perfect(rest[3]) | {"answer": "sad"},
        {"id": "nobody", "probe": "p0", "answer": "sad"},
        {"id": t.id, "probe": t.probe, "answer": "sad, angry " * 9000},
    ]
    found = card(tmp_path, lines)
    assert found.counts == {
        "answered twice": 1,
        "blank line": 1,
        "broken JSON": 2,
        "byte order mark": 1,
        "huge answer": 1,
        "no answer": 1,
        "no id": 1,
        "no probe or turn": 1,
        "not an object": 1,
        "nothing asked": 1,
        "repeated": 1,
    }
    assert {f.line for f in found.findings} == {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14}
    by = {i.id: i for i in found.items}
    assert by[rest[0].id].right and by[rest[2].id].right
    assert by[rest[3].id].status == "answered twice" and not by[rest[3].id].right
    assert sum(sum(a.values()) for a in found.cells[0].accounted.values()) == len(WANTED)


def test_unknown_labels_and_other_languages(tmp_path: Path) -> None:
    t = [e for e in WANTED if e.task == "trajectory" and e.language == "zh"][:3]
    found = card(
        tmp_path,
        [
            {"id": t[0].id, "probe": "p0", "answer": ["sad", "flummoxed"]},
            {"id": t[1].id, "probe": "p0", "answer": "At first you were sad and then you became very angry about it."},
            {"id": t[2].id, "probe": "p0", "answer": "   "},
        ],
        t,
    )
    assert found.unknown_labels == {"flummoxed": 1}
    assert [i.status for i in found.items] == ["scored", "wrong language", "empty"]
    assert not foreign("sad, angry", "zh") and not foreign("先难过，后来开心。", "zh")
    assert foreign("先是难过，后来慢慢开心起来。", "en")


def recognised() -> list[Dialogue]:
    found = []
    for d, (voice, words) in zip(DIALOGUES, [("sad", "sad"), ("angry", "happy"), ("happy", "sad")], strict=False):
        value = EmotionValue(label=voice, intensity=2, semantic_label=words, acoustic_label=voice, valence=0.5)
        note = EmotionAnnotation(id="e", target="turn:0", rater="r", rater_type="intent", status="gold", value=value)
        probe = Probe(id="p0", task="recognition", turn=0, target_turn=0, question="?")
        found.append(msgspec.structs.replace(d, annotations=(note,), probes=(probe,)))
    return found


def test_recognition_and_conflict(tmp_path: Path) -> None:
    wanted = [e for d in recognised() for e in expected(d)]
    answers: list[Any] = [
        {"emotion": "sadness", "valence": 0.4},
        "Your words sound happy, but your voice tells me you are angry.",
        "sad",
    ]
    lines = [{"id": e.id, "probe": "p0", "answer": a} for e, a in zip(wanted, answers, strict=True)]
    wanted = [e if e.id != wanted[1].id else msgspec.structs.replace(e, language="en") for e in wanted]
    cell = card(tmp_path, lines, wanted).cells[0]
    assert cell.recognition is not None and cell.conflict is not None and cell.valence is not None
    assert cell.recognition.wa.value == pytest.approx(2 / 3)
    assert (cell.conflict.agree.value, cell.conflict.conflict.value, cell.conflict.words_win.value) == (1, 0.5, 0.5)
    assert cell.arousal is None


KEYS = st.sampled_from(["trajectory", "causes", "emotion_turn", "evidence_turn", "span", "emotion", "1"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
ANSWERS = st.recursive(
    LEAVES,
    lambda x: st.lists(x, max_size=4) | st.dictionaries(KEYS | st.text(max_size=12), x, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_no_answer_is_fatal_or_free(tmp_path_factory: pytest.TempPathFactory, answer: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    wanted = WANTED[:4] + [e for d in recognised() for e in expected(d)]
    found = card(folder, [{"id": e.id, "probe": e.probe, "answer": answer} for e in wanted], wanted)
    assert sum(sum(a.values()) for a in found.cells[0].accounted.values()) == len(wanted)


def test_command_line(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    landing = Landing(fresh)
    for d in DIALOGUES:
        landing.add(d)
    landing.reveal(tmp_path / "corpus", "test", [], [])
    corpus = tmp_path / "corpus"
    run = tmp_path / "run"
    run.mkdir()
    (run / "answers.jsonl").write_text("".join(json.dumps(perfect(e)) + "\n" for e in WANTED), "utf-8")
    assert evaluate(Corpus(corpus), run).corpus == "corpus"
    invoke = CliRunner().invoke
    result = invoke(cli, ["score", str(corpus), str(run), "--track", "emotion", "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["cells"][0]["trajectory"]["exact"]["value"] == 1
    result = invoke(cli, ["score", str(corpus), str(run), "--track", "emotion", "--language", "zh"])
    assert result.exit_code == 0 and "whole trajectory right" in result.stdout
    with pytest.raises(UserError, match="no answers"):
        invoke(cli, ["score", str(corpus), str(tmp_path), "--track", "emotion"], catch_exceptions=False)

    asked, key = tmp_path / "q.jsonl", tmp_path / "key.jsonl"
    made = ["questions", str(corpus), "--permutations", "2"]
    assert invoke(cli, [*made, "-o", str(asked), "--key", str(key)]).exit_code == 0
    rows = [json.loads(line) for line in asked.read_text("utf-8").splitlines()]
    keys = {k["id"]: k["answer"] for k in map(json.loads, key.read_text("utf-8").splitlines())}
    assert rows and all("answer" not in r and not any(o.get("distractor") for o in r["options"]) for r in rows)
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"id": i, "answer": "ABCD"[k]}) + "\n" for i, k in keys.items())
    )
    result = invoke(cli, [*made, "--answers", str(tmp_path / "a.jsonl"), "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["every_order"]["value"] == 1
