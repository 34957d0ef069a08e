"""Reading trajectories: labelled replies, structured answers, and what tries to break the reader."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.corpus.emotion import DUOLOGUE
from duologue.score.emotion.extract import read

HERE = Path(__file__).parent
CORPUS = HERE.parents[2] / ".." / "shared" / "data" / "emotiontalk_text_zh/EmotionTalk/dataset/mm-process"
ROWS = [
    line.split("\t")
    for line in (HERE / "replies.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def right(rows: list[list[str]], said: dict[str, str]) -> float:
    hits = 0
    for id, _, _, told, text in rows:
        gold = () if told == "-" else tuple(told.split(">"))
        hits += read(text or said[id]).labels == gold
    return hits / len(rows)


def test_labelled_file_holds_what_it_says() -> None:
    assert len(ROWS) >= 200 and len({r[0] for r in ROWS}) == len(ROWS)
    assert {r[1] for r in ROWS} == {"zh", "en"}
    for _, _, source, told, text in ROWS:
        assert told == "-" or {*told.split(">")} <= {*DUOLOGUE.labels}
        assert (source == "emotiontalk") == (not text)


def test_replies_are_read_right() -> None:
    """Not below what docs/emotion-measures.md prints."""
    assert right([r for r in ROWS if r[4]], {}) >= 0.92


def test_real_utterances_are_read_right() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the real corpora of ../shared/data are not here")
    with (CORPUS / "transcription.csv").open(encoding="utf-8-sig", newline="") as file:
        said = {r["name"].split("/")[-1]: re.sub(r"\[[^\]]*\]", "", r["chinese"] or "") for r in csv.DictReader(file)}
    assert right([r for r in ROWS if not r[4]], said) >= 0.88


@pytest.mark.parametrize(
    ("answer", "labels", "turns"),
    [
        (["sad", "happy"], ("sad", "happy"), ()),
        ({"trajectory": ["难过", "Joy", "anger"]}, ("sad", "happy", "angry"), ()),
        ([{"turn": 2, "emotion": "angry"}, {"turn": 0, "emotion": "neutral"}], ("neutral", "angry"), (0, 2)),
        ({"1": "sad", "2": "calm"}, ("sad", "calm"), (1, 2)),
        ('```json\n{"emotions": ["sad", "sad"]}\n```', ("sad", "sad"), ()),
        ({"trajectory": "sad>angry"}, ("sad", "angry"), ()),
        ("Turn 1: sad. Turn 2: still sad. Turn 3: happy.", ("sad", "sad", "happy"), (1, 2, 3)),
        ("第一轮难过，第二轮生气。", ("sad", "angry"), (1, 2)),
    ],
)
def test_shapes(answer: object, labels: tuple[str, ...], turns: tuple[int, ...]) -> None:
    found = read(answer)
    assert (found.labels, found.turns) == (labels, turns)


def test_unknown_labels_are_named_and_hold_their_place() -> None:
    found = read({"trajectory": ["sad", "flabbergasted", "happy"]})
    assert found.labels == ("sad", "", "happy") and found.unknown == ("flabbergasted",)


@pytest.mark.parametrize(
    "answer", [None, 3, [], {}, [[]], {"trajectory": None}, '{"trajectory": [', "", [None], "[" * 9999]
)
def test_nothing_to_read(answer: object) -> None:
    assert read(answer).labels == ()


def test_a_flood_is_cut() -> None:
    assert len(read("sad happy " * 500_000).labels) <= 20_000


@settings(max_examples=200)
@given(st.text(max_size=200) | st.recursive(st.none() | st.text(max_size=8) | st.integers(), st.lists, max_leaves=9))
def test_never_raises_and_gives_labels_of_the_taxonomy(answer: object) -> None:
    assert {*read(answer).labels} <= {*DUOLOGUE.labels, ""}
