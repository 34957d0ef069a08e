"""Text corpora with emotions: RECCON, ECF, MELD and EmotionTalk, sound and broken, every row accounted for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from duologue.corpus.annotation import CauseAnnotation, EmotionAnnotation
from duologue.corpus.check import check
from duologue.corpus.read import Corpus
from duologue.formats import ecf, emotiontalk, meld, reccon
from duologue.formats.conversation import TextOptions
from duologue.formats.emotiontalk import unmarked
from duologue.formats.format import ImportReport

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "emotiontalk_text_zh"
RIGHTS = TextOptions(licence="CC-BY-4.0", consent="c1", source_url="https://example.org", kind="human-human")
LOOSE = TextOptions(
    licence="CC-BY-4.0", consent="c1", source_url="https://example.org", kind="human-human", skip_bad=True
)

RECCON: dict[str, Any] = {
    "tr_1": [
        [
            {"turn": 1, "speaker": "A", "utterance": "I got the job !", "emotion": "happiness",
             "expanded emotion cause evidence": [1], "expanded emotion cause span": ["got the job!"],
             "type": ["no-context"]},
            {"turn": 2, "speaker": "B", "utterance": "No way! That is great.", "emotion": "surprise",
             "expanded emotion cause evidence": [1, "b"], "expanded emotion cause span": ["I got the job !", ""],
             "type": ["inter-personal"]},
        ]
    ]
}  # fmt: skip
ECF: list[Any] = [
    {
        "conversation_ID": 5,
        "conversation": [
            {"utterance_ID": 1, "text": "Look , they paid me .", "speaker": "Ann", "emotion": "joy"},
            {"utterance_ID": 2, "text": "And mine is late .", "speaker": "Bo", "emotion": "anger"},
        ],
        "emotion-cause_pairs": [["1_joy", "1_they paid me"], ["2_anger", "2_1_4"], ["2_anger", "1"]],
    }
]
MELD = """Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID
1,"Hello, there",Ann,neutral,neutral,0,0
2,Go away!,Bo,anger,negative,0,1
3,Sorry.,Ann,sadness,negative,1,0
"""


def made(module: Any, folder: Path, name: str, text: str, options: TextOptions = RIGHTS) -> tuple[ImportReport, Corpus]:
    source, out = folder / name, folder / "corpus"
    source.write_text(text, "utf-8")
    report = module.import_(source, out, options)
    return report, Corpus(out) if report.written else None  # type: ignore[return-value]


def spans(corpus: Corpus) -> list[tuple[int, int, str]]:
    return [
        (
            a.value.emotion_turn,
            a.value.evidence_turn,
            d.dialogue.turns[a.value.evidence_turn].text[slice(*a.value.span)],
        )
        for d in corpus
        for a in d.dialogue.annotations
        if isinstance(a, CauseAnnotation)
    ]


def test_reccon(tmp_path: Path) -> None:
    report, corpus = made(reccon, tmp_path, "train.json", json.dumps(RECCON))
    assert report.written and not report.problems
    assert "2 rows: 2 turns, 0 left out; 2 emotions, 2 causes" in report.notes
    assert any("background" in n for n in report.notes)
    # The words are found though the space before "!" differs.
    assert spans(corpus) == [(0, 0, "got the job !"), (1, 0, "I got the job !")]
    assert not check(tmp_path / "corpus").findings


def test_ecf(tmp_path: Path) -> None:
    report, corpus = made(ecf, tmp_path, "train.json", json.dumps(ECF))
    assert report.written and not report.problems
    assert spans(corpus) == [(0, 0, "they paid me"), (1, 1, "mine is late"), (1, 0, "Look , they paid me .")]
    assert not check(tmp_path / "corpus").findings


def test_meld(tmp_path: Path) -> None:
    report, corpus = made(meld, tmp_path, "train.csv", "\ufeff" + MELD)
    assert report.written and report.dialogues == 2 and not report.problems
    (two,) = [d.dialogue for d in corpus if len(d.dialogue.turns) == 2]
    assert [t.text for t in two.turns] == ["Hello, there", "Go away!"]
    assert not check(tmp_path / "corpus").findings


@pytest.mark.parametrize(
    ("module", "name", "text", "words"),
    [
        (meld, "a.csv", MELD.replace("anger", "fury!"), "unknown emotion"),
        (meld, "a.csv", MELD.replace("Go away!", " "), "no words"),
        (meld, "a.csv", MELD.replace(",0,1", ",0,0"), "comes twice"),
        (meld, "a.csv", MELD.replace(",0,1", ",,x"), "no place in a dialogue"),
        (ecf, "a.json", json.dumps(ECF).replace("they paid me\"]", "never said\"]"), "not in its utterance"),
        (ecf, "a.json", json.dumps(ECF).replace('"1"]', '"9"]'), "which is not there"),
        (ecf, "a.json", json.dumps(ECF).replace('"1"]', '7]').replace('"2_anger", 7', '7, 7, 7'), "not a pair"),
        (reccon, "a.json", json.dumps(RECCON).replace('"turn": 2', '"turn": "x"'), "not an utterance"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_and_the_rest_can_be_kept(
    tmp_path: Path, module: Any, name: str, text: str, words: str
) -> None:
    report, _ = made(module, tmp_path, name, text)
    assert not report.written and any(words in p.what for p in report.problems)
    assert all(p.where.startswith("a.") for p in report.problems)
    report, corpus = made(module, tmp_path, name, text, LOOSE)
    assert report.written and any(words in p.what for p in report.problems)
    rows, turns, left = map(int, re.search(r"(\d+) rows: (\d+) turns, (\d+) left", " ".join(report.notes)).groups())  # type: ignore[union-attr]
    assert rows == turns + left and turns == sum(len(d.dialogue.turns) for d in corpus)
    assert not check(tmp_path / "corpus").findings


def test_broken_files_are_a_users_mistake(tmp_path: Path) -> None:
    from duologue.errors import UserError

    for module, name, text in ((ecf, "a.json", "[{"), (meld, "a.csv", "Utterance,Speaker\nx,y\n")):
        with pytest.raises(UserError):
            made(module, tmp_path, name, text)
    with pytest.raises(UserError, match="rights"):
        made(meld, tmp_path, "b.csv", MELD, TextOptions())


@pytest.mark.parametrize(
    ("text", "words", "marks", "odd"),
    [
        ("[over/]对[/over]，好[laughing]！", "对，好！", {"overlap", "laughter"}, False),
        ("[over/我敲您]说", "我敲您说", {"overlap"}, True),
        ("[over/]呀[[/over]", "呀", {"overlap"}, True),
        ("[over]还有[interrupted][over]！", "还有！", {"overlap", "interrupted"}, True),
        ("[over/呀[/over]来", "呀来", {"overlap"}, True),
        ("没有标记", "没有标记", set(), False),
    ],
)
def test_marks(text: str, words: str, marks: set[str], odd: bool) -> None:
    found = unmarked(text)
    assert (found[0], {*found[1]}, found[2]) == (words, marks, odd)


def test_all_of_emotiontalk(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the real corpora of ../shared/data are not here")
    report = emotiontalk.import_(REAL, tmp_path / "corpus", LOOSE)
    assert report.written and report.dialogues == 742
    note = next(n for n in report.notes if " rows: " in n)
    rows, turns, left = map(int, re.search(r"(\d+) rows: (\d+) turns, (\d+) left", note).groups())  # type: ignore[union-attr]
    assert rows == 19250 == turns + left and left == sum("no words" in p.what for p in report.problems)
    emotions = 0
    for d in Corpus(tmp_path / "corpus"):
        assert not any(c in t.text for t in d.dialogue.turns for c in "[]")
        emotions += sum(isinstance(a, EmotionAnnotation) for a in d.dialogue.annotations)
    # By text, by voice and by all channels.
    assert emotions == 3 * turns
    assert not check(tmp_path / "corpus").findings
