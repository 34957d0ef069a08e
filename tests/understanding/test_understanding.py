"""The understanding baseline learns from train alone, names what it learnt from, and reads no altered weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn", reason="needs the extra 'analysis'")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

import soundfile

from duologue.cli import cli
from duologue.corpus.observation import SaidWord
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.score.emotion.evaluate import evaluate as score
from duologue.understanding.answer import answer
from duologue.understanding.classifier import Classifier, Example, fit
from duologue.understanding.decode import decode
from duologue.understanding.evaluate import evaluate
from duologue.understanding.hearing import HeardDialogue, HeardTurn, hear
from duologue.understanding.model import Chain, load, save
from duologue.understanding.real import read_clips
from duologue.understanding.stretch import Stretch, stretch, voice
from duologue.understanding.train import train
from duologue.understanding.vocabulary import Vocabulary, learn

RECIPE = """\
name: tiny
seed: 3
voices: {en: espeak, zh: espeak}
acoustics: {room_share: 0}
mix: {contrast: 0, several: 0}
counts:
  - {track: emotion, task: trajectory, scenarios: [dialogue], turns: [3], languages: [en], train: 8, dev: 2, test: 2}
  - {track: emotion, task: reasoning, scenarios: [dialogue], turns: [3], languages: [en], train: 8, dev: 2, test: 2}
  - {track: emotion, task: recognition, scenarios: [clip], languages: [en], train: 8, dev: 4, test: 4}
  - track: duplex
    scenarios: [follow_up, backchannel, pause, third_party, none]
    turns: [1]
    languages: [en]
    train: 4
    dev: 1
    test: 1
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from duologue.generate.build import build
    from duologue.generate.recipe import read_recipe

    folder = tmp_path_factory.mktemp("understanding")
    (folder / "recipe.yaml").write_text(RECIPE)
    build(read_recipe(folder / "recipe.yaml"), folder / "corpus", workers=1)
    return folder / "corpus"


@pytest.fixture(scope="module")
def model(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    save(train(tiny, listener=None), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_test_is_never_opened(tiny: Path, model: Path, tmp_path: Path) -> None:
    """Without the test split's dialogues and audio the model comes out the same, byte for byte."""
    copy = tmp_path / "corpus"
    shutil.copytree(tiny, copy)
    gone = [*copy.glob("dialogues/*-test-*"), *copy.glob("audio/*-test-*")]
    assert len(gone) == 4
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    save(train(copy, listener=None), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(model)
    seen = load(model).manifest.splits
    assert seen["test"].heard == 0 and seen["test"].shards == {} and seen["test"].dialogues == 13
    assert (seen["train"].heard, seen["dev"].heard) == (44, 13)
    assert all("-train-" in name for name in seen["train"].shards)


def test_the_manifest_names_the_corpus_and_every_file(tiny: Path, model: Path) -> None:
    import hashlib

    manifest = load(model).manifest
    assert manifest.corpus_sha256 == Corpus(tiny).manifest.corpus_sha256
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in model.glob("*.npz")}
    assert manifest.files == found and found
    assert {c.task for c in manifest.choices} == {"emotion", "event", "turn_end", "cause"}
    assert "scikit-learn" in {p.name for p in manifest.parts}


@pytest.mark.parametrize("name", ["emotion-en-both.npz", "chain-en.npz", "model.json"])
def test_what_was_altered_is_refused(model: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "m"
    shutil.copytree(model, copy)
    data = bytearray((copy / name).read_bytes())
    if name == "model.json":
        data = data.replace(b'"words": "transcript"', b'"words": "recogniser"')
    else:
        data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(UserError, match="altered"):
        load(copy)


def test_pickles_are_not_read(model: Path, tmp_path: Path) -> None:
    """A hash that fits makes no pickle welcome."""
    import hashlib
    import io

    from duologue.understanding.model import MANIFEST, ModelManifest, model_hash

    copy = tmp_path / "m"
    shutil.copytree(model, copy)
    out = io.BytesIO()
    np.savez(out, about=np.array([{"labels": []}], dtype=object))
    (copy / "chain-en.npz").write_bytes(out.getvalue())
    manifest = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=ModelManifest)
    files = {**manifest.files, "chain-en.npz": hashlib.sha256(out.getvalue()).hexdigest()}
    manifest = msgspec.structs.replace(manifest, files=files)
    manifest = msgspec.structs.replace(manifest, model_sha256=model_hash(manifest))
    (copy / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(UserError, match="not weights"):
        load(copy)


def test_a_name_that_leads_out_is_refused(model: Path, tmp_path: Path) -> None:
    from duologue.understanding.model import MANIFEST, ModelManifest, model_hash

    copy = tmp_path / "m"
    shutil.copytree(model, copy)
    manifest = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=ModelManifest)
    manifest = msgspec.structs.replace(manifest, files={**manifest.files, "../x.npz": "0" * 64})
    manifest = msgspec.structs.replace(manifest, model_sha256=model_hash(manifest))
    (copy / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(UserError, match="no name of a file"):
        load(copy)


def test_a_test_dialogue_among_train_is_refused(tiny: Path, tmp_path: Path) -> None:
    import hashlib

    from duologue.corpus.manifest import read_manifest
    from duologue.corpus.write import write_manifest

    copy = tmp_path / "corpus"
    shutil.copytree(tiny, copy)
    manifest = read_manifest(copy)
    shard = next(s for s in manifest.shards if s.split == "train" and s.track == "emotion")
    lines = (copy / shard.path).read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b'"split":"train"', b'"split":"test"')
    (copy / shard.path).write_bytes(b"".join(lines))
    with pytest.raises(UserError, match="not what the manifest says"):
        train(copy, listener=None)
    fixed = msgspec.structs.replace(shard, sha256=hashlib.sha256(b"".join(lines)).hexdigest())
    write_manifest(
        copy,
        msgspec.structs.replace(manifest, shards=tuple(fixed if s.name == shard.name else s for s in manifest.shards)),
    )
    with pytest.raises(UserError, match="another split"):
        train(copy, listener=None)


def test_answers_are_scored(tiny: Path, model: Path, tmp_path: Path) -> None:
    corpus = Corpus(tiny, track="emotion", split="test")
    assert answer(corpus, load(model), tmp_path / "run", listener=None) == 8
    card = score(corpus, tmp_path / "run")
    assert card.counts == {} and card.findings == ()
    for task, n in card.cells[0].expected.items():
        assert card.cells[0].accounted[task] == {"scored": n}
    # The voice of a turn is mostly told by words like these, and a cause lies mostly in the turn itself.
    assert card.cells[0].causes is not None and (card.cells[0].causes.pair.value or 0) > 0.3


def test_evaluation_counts_everything(tiny: Path, model: Path) -> None:
    found = evaluate(Corpus(tiny, split="test"), load(model), split="test", listener=None)
    by_task = {(r.task, r.cue): r for r in found.results}
    # 4 dialogues of 3 user turns and 4 clips.
    assert by_task["emotion", "both"].n == 16
    # One event or ordinary turn a dialogue of 5, and more where a turn comes before the event.
    assert by_task["event", "both"].n == by_task["action", "both"].n >= 5
    assert by_task["turn_end", "both"].by_class.keys() == {"complete", "incomplete"}
    assert sum(r.chosen for r in found.results if r.task == "emotion") == 1


def test_an_untrained_language_is_refused(tiny: Path, model: Path, tmp_path: Path) -> None:
    loaded = load(model)
    item = next(iter(Corpus(tiny, track="emotion", split="test")))
    d = msgspec.structs.replace(item.dialogue, languages=("zh",))
    from duologue.understanding.answer import answers

    (heard, *_) = hear(Corpus(tiny, track="emotion", split="test"), listener=None)
    with pytest.raises(UserError, match="not trained on feelings in this language"):
        list(answers([HeardDialogue(d, heard.turns)], loaded))


def test_verbs(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    words = ["--words", "transcript", "--json"]
    done = CliRunner().invoke(cli, ["baseline", "train", str(tiny), "-o", str(out), "--most", "10", *words])
    assert done.exit_code == 0, done.output
    assert msgspec.json.decode(done.stdout)["splits"]["train"]["heard"] == 20
    done = CliRunner().invoke(cli, ["baseline", "answer", str(tiny), str(out), "-o", str(tmp_path / "run"), *words])
    assert msgspec.json.decode(done.stdout)["answers"] == 8
    done = CliRunner().invoke(cli, ["baseline", "evaluate", str(tiny), str(out), "--words", "transcript"])
    assert done.exit_code == 0 and "recall by class" in done.stdout and "turn_end" in done.stdout


def test_a_folder_of_other_things_is_not_written_to(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not a model's folder"):
        save(load(model), tmp_path)


# -- by hand ------------------------------------------------------------------------------------------------------


def test_tf_idf_by_hand() -> None:
    # "a" and "^ a" are in all 3 texts: idf 1 + log(4/4) = 1; "b", "a b" and "b $" in two: 1 + log(4/3); "c" in one:
    # left out.
    v = learn(["a b", "a b", "a c"])
    assert v.terms == ("^ a", "a", "a b", "b", "b $")
    more = 1 + np.log(4 / 3)
    assert v.idf == pytest.approx((1, 1, more, more, more))
    row = np.array(v.idf)
    np.testing.assert_allclose(v.rows(["a b", "z"]), [row / np.linalg.norm(row), np.zeros(5)])
    # Twice "a" at the end: "a" counts 1 + log 2, "a b" and the rest once; "b" is no last word.
    row = np.array([1, 1 + np.log(2), more, more, 0])
    np.testing.assert_allclose(v.rows(["a b a"]), [row / np.linalg.norm(row)])


def test_the_chain_outvotes_one_turn() -> None:
    """Two labels; the voice says A (log 3), B by a hair, A: with steps that stay, B is not believed."""
    numbers = Classifier(
        labels=("angry", "sad"),
        cue="voice",
        vocabulary=Vocabulary((), ()),
        mean=np.zeros(1),
        sd=np.ones(1),
        weights=np.array([[10.0], [0.0]]),
        bias=np.zeros(2),
    )
    d = _dialogue()
    turns = tuple(HeardTurn(2 * k, Stretch((), (x,))) for k, x in enumerate((0.3, -0.05, 0.3)))
    heard = HeardDialogue(d, turns)
    assert list(decode(numbers, None, heard).values()) == ["angry", "sad", "angry"]
    stay = Chain(("angry", "sad"), np.log(np.array([[0.9, 0.1], [0.1, 0.9]])))
    assert list(decode(numbers, stay, heard).values()) == ["angry", "angry", "angry"]


def _dialogue():  # type: ignore[no-untyped-def]
    from duologue.corpus.dialogue import Dialogue
    from duologue.corpus.rights import Rights

    return Dialogue(
        schema_version=1,
        id="d",
        track="emotion",
        tasks=("trajectory",),
        languages=("en",),
        split="test",
        scenario="dialogue",
        source="acted",
        rights=Rights(licence="CC0-1.0", consent_id="none"),
    )


def test_fitting_repeats_itself_and_learns() -> None:
    rng = np.random.default_rng(0)
    rows = [
        Example(id=str(i), label="sad" if i % 2 else "happy", text="", numbers=(float(rng.normal() + 3 * (i % 2)),))
        for i in range(40)
    ]
    a, b = fit(rows, "voice", 1.0), fit(rows, "voice", 1.0)
    assert a.weights.tobytes() == b.weights.tobytes()
    assert sum(x == y.label for x, y in zip(a.tell(rows), rows, strict=True)) > 35
    # What cannot be heard counts as average: no label is much likelier.
    shares = np.exp(a.log_shares([Example(id="x", label="", text="", numbers=None)]))
    assert shares.sum() == pytest.approx(1) and shares.max() < 0.8


def test_clauses_end_at_pauses_and_marks() -> None:
    words = [
        SaidWord("I", 0, 100),
        SaidWord("fell,", 120, 200),
        SaidWord("badly", 210, 300),
        SaidWord("so", 4000, 4100),
    ]
    found = stretch(np.zeros(5000, np.float32), ((0, 5000),), words)
    assert [c.text for c in found.clauses] == ["I fell,", "badly", "so"]
    assert found.voice is None
    assert found.text("en") == "I fell, badly so"


def test_silence_has_no_voice_and_level_does_not_count() -> None:
    t = np.arange(16_000) / 16_000
    turns = 2 * np.pi * (150 * t + 3 * np.sin(6 * t))
    tone = (0.2 * sum(np.sin(k * turns) / k for k in range(1, 30))).astype(np.float32)
    loud, soft = voice(tone), voice(tone / 8)
    assert voice(np.zeros(16_000, np.float32)) == (None, 0.0)
    assert loud[0] is not None and soft[0] is not None
    np.testing.assert_allclose(loud[0], soft[0], atol=1e-3)
    assert loud[1] - soft[1] == pytest.approx(20 * np.log10(8), abs=1e-3)


def test_clips_are_read_and_bad_rows_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000, np.float32), 16_000)
    (tmp_path / "labels.csv").write_text("file,emotion,actor\na.wav,disgust,1\n")
    assert read_clips(tmp_path)[0].label == "disgusted"
    (tmp_path / "labels.csv").write_text("file,emotion,actor\n../../etc/passwd,sad,1\n")
    with pytest.raises(UserError, match=r"labels\.csv:2.*no such clip"):
        read_clips(tmp_path)
    (tmp_path / "labels.csv").write_text("file,emotion\na.wav,sad\n")
    with pytest.raises(UserError, match="actor"):
        read_clips(tmp_path)
    (tmp_path / "labels.csv").write_text("file,emotion,actor\na.wav,gloomy,1\n")
    with pytest.raises(UserError, match="unknown emotion"):
        read_clips(tmp_path)


def test_words_that_were_heard_are_kept(tmp_path: Path) -> None:
    from duologue.listen.words import Heard, HeardWord
    from duologue.understanding.stretch import RememberedListener

    class Counting:
        asked = 0

        def hear(self, samples, sample_rate, *, language=None, times=True):  # type: ignore[no-untyped-def]
            self.asked += 1
            word = HeardWord("hello", 0.2, 0.5, 1.0)
            return Heard(text="hello", words=(word,), language="en", language_probability=1.0)

    inner = Counting()
    remembered = RememberedListener(inner, tmp_path)
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    first = remembered.words(sound, [(0, 16_000)], "en")
    assert remembered.words(sound, [(0, 16_000)], "en") == first and inner.asked == 1
    remembered.words(sound * 0.5, [(0, 16_000)], "en")
    assert inner.asked == 2
