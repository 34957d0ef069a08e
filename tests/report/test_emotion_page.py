"""The page of track 1: every figure is on it, nothing is fetched, hostile text stays text in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from browser import look, parse
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus import read
from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.build import build
from duologue.generate.recipe import Quota, Recipe
from duologue.report.emotion_gallery import EmotionTake, choose, gather
from duologue.report.emotion_page import marked, render
from duologue.report.matrix import confusion, transitions
from duologue.report.reliability_chart import diagram
from duologue.score.emotion.answers import AnswerFinding, read_answers
from duologue.score.emotion.card import EmotionCard, EmotionItem
from duologue.score.emotion.cause import CauseSpan
from duologue.score.emotion.evaluate import evaluate, expected
from duologue.score.emotion.reliability import reliability

# One worker builds the corpus for all of these.
pytestmark = pytest.mark.xdist_group("small_emotion_corpus")

HOSTILE = "<script>alert(1)</script>\"'&]]>\x1b[31m\udcff\u202e$x_{"
Made = tuple[read.Corpus, Path, EmotionCard, list[EmotionTake]]


def replace(x, **changes):
    return msgspec.structs.replace(x, **changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two languages, three tasks; the first answer of each task and language is missing, others are half right."""
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    folder = tmp_path_factory.mktemp("felt")
    quotas = [Quota(track="emotion", task=t, scenarios=("dialogue",), turns=(3,), test=2) for t in TASKS[:2]]
    quotas.append(Quota(track="emotion", task="recognition", scenarios=("conflict_clip",), test=2))
    sound = AcousticsSettings(noise_share=0.0, room_share=0.0)
    voices = {"en": "espeak", "zh": "espeak"}
    build(
        Recipe(name="felt", seed=5, voices=voices, acoustics=sound, counts=tuple(quotas)), folder / "corpus", workers=1
    )
    corpus = read.open(folder / "corpus")
    run = folder / "run"
    run.mkdir()
    lines, seen = [], set()
    for e in (e for item in corpus for e in expected(item.dialogue)):
        if (e.task, e.language) not in seen:
            seen.add((e.task, e.language))
            continue
        answer: object
        if e.task == "trajectory":
            answer = [{"turn": t, "emotion": x} for t, x in zip(e.turns, ("sad", *e.labels[1:]), strict=True)]
        elif e.task == "reasoning":
            answer = {"causes": [{"emotion_turn": 0, "evidence_turn": 0, "span": [0, 9]}]}
        else:
            answer = {"emotion": e.words, "distribution": {e.words: 0.75, "sad": 0.25}}
        lines.append(json.dumps({"id": e.id, "probe": e.probe, "answer": answer}))
    (run / "answers.jsonl").write_text("\n".join([*lines, "", "{"]), "utf-8")
    card = evaluate(corpus, run)
    return corpus, run, card, shown(corpus, run, card)


TASKS = ("trajectory", "reasoning", "recognition")


def shown(corpus: read.Corpus, run: Path, card: EmotionCard) -> list[EmotionTake]:
    items, answers = {(i.id, i.probe): i for i in card.items}, read_answers(run)
    return [gather(corpus.get(id), answers, items) for id in choose(card.items)]


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(parse(page).text))


def test_every_figure_and_every_item_is_on_the_page(made: Made) -> None:
    _, _, c, gallery = made
    text = text_of(render(c, gallery, system="made-up"))
    for cell in c.cells:
        assert cell.trajectory is not None and cell.causes is not None and cell.recognition is not None
        for e in (cell.trajectory.edit_similarity, cell.causes.pair, cell.recognition.ua):
            assert f"{e.value:.2f}" in text
    assert "trajectory: 4 expected = 2 scored + 2 missing" in text
    assert "reasoning: 4 expected = 2 scored + 2 missing" in text
    # Each recognition answer gives 0.75 to its label; the voice conflicts with the words that it names.
    assert "2 of 4 answers give a confidence; expected calibration error 0.750" in text
    assert "none of 4 expected answers gives a confidence or a distribution" in text
    assert "blank line 1, broken JSON 1" in text
    assert "it counts as wrong" in text
    for t in gallery:
        assert t.dialogue.id in text
        # Marks cut the words into pieces.
        assert all(turn.text.replace(" ", "") in text.replace(" ", "") for turn in t.dialogue.turns)
    # The worst nine task by task; the best follow.
    tasks = [t.answers[0].item.task for t in gallery[:9]]
    assert tasks == sorted(tasks, key=TASKS.index)


def test_hostile_text_stays_text(made: Made) -> None:
    _, _, c, gallery = made
    page = render(*hostile(c, gallery), system=HOSTILE)
    page.encode("utf-8")
    reader = parse(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert "\x1b" not in page and "\u202e" not in page
    assert not [a for _, attrs in reader.tags for a in attrs if a.startswith("on")]
    assert "".join(reader.text).count("<script>alert(1)</script>\"'&]]>\ufffd[31m\ufffd\ufffd$x_{") >= 15
    for tag, attrs in reader.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert attrs.get(name, "data:audio/").startswith("data:audio/"), (tag, attrs)
    assert not re.findall(r"url\(|@import|https?://", page)


def hostile(c: EmotionCard, gallery: list[EmotionTake]) -> tuple[EmotionCard, list[EmotionTake]]:
    bad = EmotionItem(id=HOSTILE, probe=HOSTILE, task=HOSTILE, language=HOSTILE, status="missing", gold=(HOSTILE,))
    worst = replace(
        c,
        corpus=HOSTILE,
        profile=HOSTILE,
        warnings=(HOSTILE,),
        unknown_labels={HOSTILE: 2},
        counts={HOSTILE: 1},
        findings=(AnswerFinding(3, HOSTILE),),
        left_to_judges={HOSTILE: 1},
        items=(*c.items, bad),
    )
    takes = []
    for t in gallery[:6]:
        turns = tuple(replace(x, text=HOSTILE) for x in t.dialogue.turns)
        answers = tuple(
            type(a)(a.expected, a.heard, replace(a.item, said=(HOSTILE,), gold=(HOSTILE,))) for a in t.answers
        )
        takes.append(EmotionTake(replace(t.dialogue, id=HOSTILE, turns=turns), answers, t.samples, t.rate))
    return worst, takes


@pytest.mark.parametrize("width", [1280, 375])
def test_a_browser_shows_it_without_complaint_or_overflow(made: Made, width: int, tmp_path: Path) -> None:
    c, gallery = hostile(made[2], made[3])
    seen = look(render(c, [*made[3][:2], *gallery], system=f"{HOSTILE} {'x' * 300}"), width, tmp_path)
    assert seen.complaints == []
    assert seen.scroll <= seen.inner <= width
    assert seen.flat == 0
    assert seen.heard == pytest.approx(made[3][0].seconds, abs=0.2)
    assert seen.sought == pytest.approx(made[3][0].seconds / 2, abs=0.1)
    assert "<script>alert(1)</script>" in seen.text


def test_causes_are_marked_by_code_points() -> None:
    # gold 0..5, told 3..8 of "abc&<defg": gold alone "abc", both "&<", told alone "def".
    spans = [(CauseSpan(2, 0, (0, 5)), True), (CauseSpan(2, 0, (3, 8)), False)]
    wanted = '<mark class="gold">abc</mark><mark class="both">&amp;&lt;</mark><mark class="told">def</mark>g'
    assert marked("abc&<defg", spans) == wanted
    assert marked("ab", [(CauseSpan(2, 0, (-5, 99)), False)]) == '<mark class="told">ab</mark>'
    assert marked("ab", [(CauseSpan(2, 0, (2, 1)), True), (CauseSpan(2, 0), True)]) == "ab"


def test_matrices_say_what_they_count() -> None:
    text = text_of(confusion({"sad": {"sad": 3, "": 1}, "angry": {"sad": 1}}))
    assert "sad 3 0 1 0.75 4" in text and "angry 1 0 0 0.00 1" in text
    # Of 4 changes from sad to angry 3 were found and 2 more were told.
    assert "3 of 4 +2" in text_of(transitions({"sad": {"angry": (4, 5, 3)}}))


def test_reliability_by_hand() -> None:
    # 0.9 right, 0.9 wrong, 0.25 right, one without, one that is no share: error (2 |0.5 - 0.9| + |1 - 0.25|) / 3.
    r = reliability([0.9, 0.9, 0.25, None, 7.0], [True, False, True, True, True])
    assert (r.expected, r.given) == (5, 3) and r.error == pytest.approx((2 * 0.4 + 0.75) / 3)
    assert [(b.n, b.accuracy) for b in r.bins] == [(1, 1.0), (2, 0.5)]
    parse(diagram(r))
    # 1 belongs to the last bin.
    assert reliability([1.0], [True]).error == 0
    assert diagram(reliability([None], [True])) == ""


def test_the_command_writes_it(made: Made, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answers = made[1] / "answers.jsonl"
    ran = CliRunner().invoke(
        cli, ["score", str(made[0].root), str(answers), "--track", "emotion", "--html", str(page), "--split", "test"]
    )
    assert ran.exit_code == 0, ran.output
    assert made[3][0].dialogue.id in text_of(page.read_text("utf-8"))
