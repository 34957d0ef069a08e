"""Spoken replies: as asked or not, understood or not; what is missing or mute fails and is never passed over."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn", reason="needs the extra 'analysis'")
pytest.importorskip("jiwer", reason="needs the extra 'asr'")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

import soundfile

from duologue.cli import cli
from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.errors import MissingPartError, UserError
from duologue.listen.words import Heard
from duologue.score.emotion.answers import Answers
from duologue.score.emotion.card import EmotionCard, SpokenCard
from duologue.score.emotion.spoken import acted_ear, add_spoken, corpus_ear

RECIPE = """\
name: spoken
seed: 5
voices: {en: espeak}
acoustics: {room_share: 0}
counts:
  - {track: emotion, task: expression, scenarios: [clip], languages: [en], train: 1, dev: 1, test: 4}
  - {track: emotion, task: recognition, scenarios: [clip], languages: [en], train: 24, dev: 1, test: 1}
  - {track: emotion, task: empathy, scenarios: [dialogue], turns: [3], languages: [en], train: 1, dev: 1, test: 1}
"""
EMPTY = EmotionCard(
    profile="corrected",
    corpus="",
    corpus_sha256="",
    cells=(),
    left_to_judges={"empathy": 1, "expression": 4},
    counts={},
    findings=(),
    unknown_labels={},
    read_as={},
)


class Parrot:
    """Hears what it is told, whatever sounds."""

    def __init__(self, text: str) -> None:
        self.text, self.heard = text, 0

    def hear(self, samples, sample_rate, *, language=None, times=True):  # type: ignore[no-untyped-def]
        self.heard += 1
        assert np.any(samples)
        return Heard(text=self.text, words=(), language="en", language_probability=1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from duologue.generate.build import build
    from duologue.generate.recipe import read_recipe

    folder = tmp_path_factory.mktemp("spoken")
    (folder / "recipe.yaml").write_text(RECIPE)
    build(read_recipe(folder / "recipe.yaml"), folder / "corpus", workers=1)
    return folder / "corpus"


@pytest.fixture
def run(tmp_path: Path, corpus: Path) -> Path:
    """The corpus' own replies: what its system really says, from the beginning of the file."""
    folder = tmp_path / "run"
    folder.mkdir()
    for item in expecting(corpus):
        turn = item.dialogue.turns[-1]
        samples = np.concatenate([x for x, _ in item.segments(turn)])
        soundfile.write(folder / f"{item.id}.wav", samples, 16_000)
    return folder


def expecting(corpus: Path):  # type: ignore[no-untyped-def]
    return [i for i in Corpus(corpus, track="emotion", split="test") if i.dialogue.tasks != ("recognition",)]


def scored(corpus: Path, run: Path, listener=None, answers: Answers | None = None, **more) -> SpokenCard:  # type: ignore[no-untyped-def]
    opened = Corpus(corpus, track="emotion", split="test")
    given = {"make_ear": lambda: corpus_ear(opened), "ear_from": "train", "words_from": "parrot", **more}
    card = add_spoken(EMPTY, opened, Run(run), answers or Answers(), listener=listener, **given)
    assert card.left_to_judges == {"empathy": 1}
    assert card.spoken is not None
    return card.spoken


def test_every_reply_is_counted(corpus: Path, run: Path) -> None:
    expression = [i for i in expecting(corpus) if i.dialogue.tasks == ("expression",)]
    (run / f"{expression[0].id}.wav").unlink()
    soundfile.write(run / f"{expression[1].id}.wav", np.zeros(16_000, np.float32), 16_000)
    (run / f"{expression[2].id}.wav").write_bytes(b"no audio")
    said = expression[3].dialogue.probes[0].reference
    found = scored(corpus, run, Parrot(said))
    (cell,) = found.cells
    assert cell.expected == 5 and cell.not_asked == 1
    assert cell.accounted == {"heard": 2, "missing": 1, "mute": 1, "unreadable": 1}
    items = {i.id: i for i in found.items}
    assert [items[i.id].status for i in expression] == ["missing", "mute", "unreadable", "heard"]
    # Of 4 replies one sounds, and its words are right: 1/4, whatever its voice.
    assert cell.scores is not None and cell.scores.intelligible.value == 0.25
    assert cell.scores.heard_as_asked.n == 4 and (cell.scores.heard_as_asked.value or 0) <= 0.25
    assert sum(row.get("", 0) for row in cell.scores.confusion.values()) == 3
    assert found.hearing is not None and found.hearing.speakers >= 2 and 0 <= found.hearing.recall.mean < 1


def test_nothing_said_is_nothing_earned(corpus: Path, tmp_path: Path) -> None:
    """A run without any audio scores 0, without an ear being trained or a recogniser asked."""
    (tmp_path / "mute").mkdir()

    def never():  # type: ignore[no-untyped-def]
        raise AssertionError("nothing sounds")

    found = scored(corpus, tmp_path / "mute", Parrot("x"), make_ear=never)
    scores = found.cells[0].scores
    assert scores is not None and scores.heard_as_asked.value == 0 and scores.intelligible.value == 0
    assert found.cells[0].accounted == {"missing": 5}


def test_without_a_recogniser_the_row_says_so(corpus: Path, run: Path) -> None:
    class Missing:
        def hear(self, *a, **k):  # type: ignore[no-untyped-def]
            raise MissingPartError("the recogniser needs the package 'faster_whisper'")

    found = scored(corpus, run, Missing())
    assert "faster_whisper" in found.words_from
    assert found.cells[0].scores is not None and found.cells[0].scores.intelligible.value is None
    assert found.cells[0].scores.heard_as_asked.value is not None


def test_without_an_ear_the_row_says_so(corpus: Path, run: Path, tmp_path: Path) -> None:
    found = scored(corpus, run, make_ear=lambda: acted_ear(tmp_path))
    assert found.ear_from.startswith("no ear: ") and "no acted clips here" in found.ear_from
    assert found.cells[0].scores is not None and found.cells[0].scores.heard_as_asked.value is None


def test_wrong_words_and_an_empathetic_reply(corpus: Path, run: Path) -> None:
    """Where no feeling is asked, the words are held against what the run itself wrote."""
    empathy = next(i for i in expecting(corpus) if i.dialogue.tasks == ("empathy",))
    answers = Answers(given={(empathy.id, empathy.dialogue.probes[0].id): "one two three four"})
    found = scored(corpus, run, Parrot("one two three five"), answers)
    item = next(i for i in found.items if i.task == "empathy")
    # One word of four is another: WER 1/4.
    assert (item.asked, item.status, item.error, item.right) == ("", "heard", 0.25, False)
    assert found.cells[0].scores is not None and (found.cells[0].scores.intelligible.value or 0) < 0.2


def test_on_the_dialogues_clock_the_reply_comes_after_the_question(corpus: Path, run: Path) -> None:
    """Sound before the turn that asks has ended, in a run that was kept on the clock, is no reply."""
    item = next(i for i in expecting(corpus) if i.dialogue.tasks == ("expression",))
    user, rate = item.audio(role="user")
    end = item.dialogue.turns[0].segments[-1].end
    early = np.zeros(len(user), np.float32)
    early[:end] = user[:end]
    soundfile.write(run / f"{item.id}.wav", early, rate)
    line = {"id": item.id, "status": "ok", "audio": f"{item.id}.wav", "sample_rate": rate, "length": len(user)}
    assert next(i for i in scored(corpus, run).items if i.id == item.id).status == "heard"
    (run / "observations.jsonl").write_bytes(msgspec.json.encode(line) + b"\n")
    assert next(i for i in scored(corpus, run).items if i.id == item.id).status == "mute"


def test_the_verb_prints_the_error_of_the_ear(corpus: Path, run: Path) -> None:
    (run / "answers.jsonl").write_text("")
    given = ["score", str(corpus), str(run), "--track", "emotion", "--split", "test", "--words", "run"]
    done = CliRunner().invoke(cli, given)
    assert done.exit_code == 0, done.output
    assert "heard as the feeling asked for" in done.output and "speakers it never heard" in done.output
    assert "not heard: --words run" in done.output
    card = msgspec.json.decode(CliRunner().invoke(cli, [*given, "--json"]).stdout)
    assert card["spoken"]["cells"][0]["accounted"] == {"heard": 5}


def test_bad_clips_are_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,emotion,actor\nx.wav,sad,1\n")
    with pytest.raises(UserError, match=r"labels\.csv:2"):
        acted_ear(tmp_path)
