"""The official layouts: round trips, what is withheld, malformed files named."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from duologue.corpus import read
from duologue.corpus.check import check
from duologue.corpus.invariants import breaches
from duologue.corpus.truth import emotions
from duologue.errors import UserError
from duologue.formats import humdial
from duologue.formats.format import ExportOptions, ImportReport, options_of


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def take(src: Path, out: Path, rights: dict[str, str], **more: Any) -> ImportReport:
    return humdial.import_(src, out, options_of(humdial.OPTIONS, {**rights, **more}))


@pytest.mark.parametrize("answers", [True, False])
def test_export_import_export_gives_equal_files(
    small: read.Corpus, tmp_path: Path, rights: dict[str, str], answers: bool
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    keys = tmp_path / "key1.jsonl", tmp_path / "key2.jsonl"
    humdial.export(small, one, ExportOptions(answers=answers, key=keys[0]))
    report = take(one, tmp_path / "back", rights, key=keys[0])
    assert report.written
    assert report.dialogues == 8
    back = read.open(tmp_path / "back")
    assert not [b for i in back for b in breaches(i.dialogue, back.manifest.taxonomy)]
    humdial.export(back, two, ExportOptions(answers=answers, key=keys[1]))
    assert tree(one) == tree(two)
    # A test set has no system audio, so the key that is written again knows the user's side alone.
    ours, theirs = ([json.loads(line) for line in k.open(encoding="utf-8")] for k in keys)
    for x, y in zip(ours, theirs, strict=True):
        assert {k: x[k] for k in x.keys() - {"dialogue", "sentence"}} == {
            k: y[k] for k in y.keys() - {"dialogue", "sentence"}
        }
        times = [[(r["xmin"], r["xmax"], r["text"]) for r in z["sentence"]["speech_segments"]] for z in (x, y)]
        assert times[0] == times[1]


def test_import_keeps_texts_emotions_audio_twins_and_times(
    small: read.Corpus, tmp_path: Path, rights: dict[str, str]
) -> None:
    humdial.export(small, tmp_path / "one", ExportOptions(answers=True))
    take(tmp_path / "one", tmp_path / "back", rights)
    back = read.open(tmp_path / "back")

    def by_text(corpus: read.Corpus) -> dict[tuple[str, ...], read.OpenDialogue]:
        return {tuple(t.text for t in i.dialogue.turns if t.role == "user"): i for i in corpus}

    ours, theirs = by_text(small), by_text(back)
    assert ours.keys() == theirs.keys()
    for texts, a in ours.items():
        b = theirs[texts]
        assert not list(breaches(b.dialogue, back.manifest.taxonomy))
        assert [t.text_raw for t in a.dialogue.turns] == [t.text_raw for t in b.dialogue.turns][: len(a.dialogue.turns)]
        labels = [[v.label for v in emotions(i.dialogue).values()] for i in (a, b)]
        assert labels[0] == labels[1]
        assert (a.dialogue.split, a.dialogue.languages) == (b.dialogue.split, b.dialogue.languages)
        if a.dialogue.track == "duplex":
            assert a.dialogue.scenario == b.dialogue.scenario
            assert [t.segments for t in a.dialogue.turns] == [t.segments for t in b.dialogue.turns]
            assert [[tuple(w)[:5] for w in map(_plain, t.words)] for t in a.dialogue.turns] == [
                [tuple(w)[:5] for w in map(_plain, t.words)] for t in b.dialogue.turns
            ]
            for x, y in zip(a.dialogue.audio, b.dialogue.audio, strict=True):
                assert x.pcm_sha256 == y.pcm_sha256
                assert x.twin == y.twin
        else:
            for s, t in zip(a.dialogue.turns, b.dialogue.turns, strict=False):
                if s.role == "user":
                    assert np.array_equal(next(a.segments(s))[0], next(b.segments(t))[0])


def _plain(word: Any) -> list[Any]:
    return [word.text, word.char_start, word.char_end, word.start, word.end]


def test_the_test_split_goes_out_without_its_answers(small: read.Corpus, tmp_path: Path) -> None:
    out, key = tmp_path / "out", tmp_path / "key.jsonl"
    humdial.export(small, out, ExportOptions(key=key))
    for path in (out / "HD-Track1" / "test").rglob("*.jsonl"):
        for line in path.open(encoding="utf-8"):
            for turn in json.loads(line)["turns"]:
                assert turn.keys() == {"turn_id", "text", "split_audio_file"}
    names = {p.name for p in (out / "HD-Track2" / "test").rglob("*") if p.is_file()}
    assert names == {"test-0001.wav", "test-0002.wav", "clean-0001.wav"}
    rows = [json.loads(line) for line in key.open(encoding="utf-8")]
    assert {r["scenario"] for r in rows} == {"backchannel", "pause"}
    with pytest.raises(UserError, match="key holds the answers"):
        humdial.export(small, tmp_path / "again", ExportOptions(key=tmp_path / "again" / "key.jsonl"))


def test_a_shuffled_test_set_without_its_key_is_taken_as_audio(
    small: read.Corpus, tmp_path: Path, rights: dict[str, str]
) -> None:
    humdial.export(small, tmp_path / "out", ExportOptions())
    report = take(tmp_path / "out" / "HD-Track2" / "test", tmp_path / "back", rights, split="test")
    assert report.dialogues == 2
    assert any("without answers" in n for n in report.notes)
    assert {i.dialogue.scenario for i in read.open(tmp_path / "back")} == {"none"}


def test_foreign_files_of_the_official_shape(tmp_path: Path, rights: dict[str, str]) -> None:
    """Only official keys, a byte order mark, blank lines, an ``_add`` suffix, 48 kHz, a shorter output."""
    two = tmp_path / "src" / "dev" / "zh" / "Topic_Switching"
    two.mkdir(parents=True)
    rng = np.random.default_rng(0)
    soundfile.write(two / "0003_0042_add.wav", rng.integers(-900, 900, 96_000).astype(np.int16), 48_000)
    soundfile.write(two / "0003_0042_add_output.wav", rng.integers(-900, 900, 48_000).astype(np.int16), 48_000)
    (two / "0003_0042_add_sentence.json").write_text(
        json.dumps(
            {"final_duration": 2.0, "speech_segments": [{"xmin": 0.1, "xmax": 0.9}, {"xmin": 1.2, "xmax": 1.9}]}
        ),
        encoding="utf-8-sig",
    )
    chunks = [{"text": c, "timestamp": [t, t + 0.2]} for c, t in (("你", 0.05), ("好", 0.2), ("走", 1.3))]
    (two / "0003_0042_add.json").write_text(json.dumps({"text": "你好走", "chunks": chunks}), encoding="utf-8")
    one = tmp_path / "src" / "train" / "en"
    (one / "task2_3").mkdir(parents=True)
    for n in (1, 2):
        soundfile.write(one / "task2_3" / f"en_0007_0001_{n}.wav", rng.normal(0, 0.1, 8_000), 16_000, subtype="FLOAT")
    turns = [
        {"turn_id": n, "text": t, "emotion": e, "split_audio_file": f"en_0007_0001_{n}.wav"}
        for n, t, e in ((2, "How did I feel?", "neutral"), (1, "[laughter] I won!", "happy"))
    ]
    (one / "task2_3.jsonl").write_text(
        "\n" + json.dumps({"dialogue_id": "en_0007_0001", "turns": turns}) + "\n\n", encoding="utf-8-sig"
    )
    report = take(tmp_path / "src", tmp_path / "out", rights)
    assert report.written, report.problems
    duplex, emotion = sorted((i.dialogue for i in read.open(tmp_path / "out")), key=lambda d: d.track)
    assert (duplex.scenario, duplex.split, duplex.languages) == ("topic_switch", "dev", ("zh",))
    assert [t.text for t in duplex.turns] == ["你好", "走"]
    assert duplex.audio[0].sample_rate == 48_000
    assert duplex.turns[0].segments[0].end == 43_200
    assert duplex.turns[0].words[0].start == 4_800  # Cut to its segment: a recogniser heard it 50 ms before.
    assert (emotion.tasks, emotion.turns[0].text, emotion.turns[0].text_raw) == (
        ("trajectory",),
        "I won!",
        "[laughter] I won!",
    )
    assert [v.label for v in emotions(emotion).values()] == ["happy", "neutral"]


def _bad_json(folder: Path) -> None:
    path = folder / "HD-Track1/train/en/HD-Track1-T1.jsonl"
    path.write_text(path.read_text() + "\n{broken\n")


def _missing_wav(folder: Path) -> None:
    (folder / "HD-Track1/train/en/HD-Track1-T1/en_0001_0001_2.wav").unlink()


def _truncated_wav(folder: Path) -> None:
    path = folder / "HD-Track2/train/en/Follow-up_Questions/0001_0001.wav"
    path.write_bytes(path.read_bytes()[:-100])


def _unknown_emotion(folder: Path) -> None:
    path = folder / "HD-Track1/train/en/HD-Track1-T1.jsonl"
    path.write_text(path.read_text().replace('"happy"', '"meh"'))


def _missing_user(folder: Path) -> None:
    (folder / "HD-Track2/train/en/Follow-up_Questions/0001_0001.wav").unlink()


def _missing_sentence(folder: Path) -> None:
    (folder / "HD-Track2/train/en/Follow-up_Questions/0001_0001_sentence.json").unlink()


def _time_beyond(folder: Path) -> None:
    path = folder / "HD-Track2/train/en/Follow-up_Questions/0001_0001_sentence.json"
    path.write_text(path.read_text().replace('"xmax": 0.5625', '"xmax": 99'))


def _not_utf8(folder: Path) -> None:
    (folder / "HD-Track1/train/en/HD-Track1-T1.jsonl").write_bytes(b"\n\xff\xfe{}")


@pytest.mark.parametrize(
    ("spoil", "where", "what"),
    [
        (_bad_json, "HD-Track1/train/en/HD-Track1-T1.jsonl:3", "broken JSON"),
        (_missing_wav, "HD-Track1/train/en/HD-Track1-T1.jsonl:1", "missing audio (got 'en_0001_0001_2.wav')"),
        (_truncated_wav, "HD-Track2/train/en/Follow-up_Questions/0001_0001", "cut short"),
        (_unknown_emotion, "HD-Track1/train/en/HD-Track1-T1.jsonl:1", "unknown emotion (got 'meh')"),
        (_missing_user, "HD-Track2/train/en/Follow-up_Questions/0001_0001", "missing audio"),
        (_missing_sentence, "HD-Track2/train/en/Follow-up_Questions/0001_0001", "0001_0001_sentence.json"),
        (_time_beyond, "HD-Track2/train/en/Follow-up_Questions/0001_0001", "speech_segments[0]"),
        (_not_utf8, "HD-Track1/train/en/HD-Track1-T1.jsonl", "not UTF-8"),
    ],
)
def test_malformed_input_is_named_and_nothing_is_written(
    small: read.Corpus, tmp_path: Path, rights: dict[str, str], spoil: Any, where: str, what: str
) -> None:
    src, out = tmp_path / "src", tmp_path / "out"
    humdial.export(small, src, ExportOptions(answers=True))
    spoil(src)
    report = take(src, out, rights)
    assert not report.written
    assert not out.exists()
    assert [p.where for p in report.problems] == [where]
    assert what in report.problems[0].what
    report = take(src, out, rights, skip_bad=True)
    assert report.written
    assert report.dialogues == (8 if spoil is _bad_json else 7)
    assert len(report.problems) == 1
    assert list(tmp_path.glob(".*")) == []


def test_wavs_that_leave_the_folder_are_refused(tmp_path: Path, rights: dict[str, str]) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(tmp_path / "secret.wav", np.zeros(100), 16_000)
    row = {"turn_id": 1, "text": "x", "split_audio_file": "../secret.wav"}
    (src / "HD-Track1-T1.jsonl").write_text(json.dumps({"dialogue_id": "en_1", "turns": [row]}))
    report = take(src, tmp_path / "out", rights)
    assert "missing audio" in report.problems[0].what


def test_wav_headers_are_plain(small: read.Corpus, tmp_path: Path) -> None:
    humdial.export(small, tmp_path / "out", ExportOptions(answers=True))
    data = next((tmp_path / "out").rglob("*.wav")).read_bytes()
    assert struct.unpack_from("<HHI", data, 20) == (1, 1, 16_000)


def test_a_synthetic_official_set_imports_without_findings(
    small: read.Corpus, tmp_path: Path, rights: dict[str, str]
) -> None:
    """Nobody's consent is missing, and no addressee is asked for where the layout has none."""
    humdial.export(small, tmp_path / "one", ExportOptions(answers=True))
    take(tmp_path / "one", tmp_path / "back", {**rights, "kind": "synthetic", "consent": "not-applicable"})
    assert [f for f in check(tmp_path / "back").findings if "split" not in f.field] == []
