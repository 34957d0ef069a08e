"""Exports for training, read by the libraries that they are for, and by ours where they come back.

The libraries run in a process of their own, with the first interpreter that has them: this one, the one that
DUOLOGUE_PEERS names, and .venv-peers (``make peers``): some bring torch, which has no place here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from duologue import registry
from duologue.corpus import read
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.truth import emotions
from duologue.corpus.write import encode_dialogue
from duologue.errors import UserError
from duologue.formats.format import ExportOptions, options_of
from duologue.formats.landing import Landing

HERE = Path(__file__).parent
FORMATS = ("huggingface", "lhotse", "webdataset", "croissant", "textgrid", "rttm")


@functools.cache
def python_with(module: str) -> str:
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ({module!r}, 'soundfile'))))"
    for python in (sys.executable, os.environ.get("DUOLOGUE_PEERS", ""), f"{HERE.parents[1]}/.venv-peers/bin/python"):
        if Path(python).is_file() and not subprocess.run([python, "-c", code], capture_output=True).returncode:
            return python
    pytest.skip(f"none of the interpreters has {module} (make peers)")


def peer(module: str, folder: Path, tmp_path: Path) -> Any:
    """What ``module`` reads in ``folder``."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python_with(module), str(HERE / "peers" / "read_export.py"), module, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **offline},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def export(format: str, corpus: read.Corpus, out: Path, **options: Any) -> Any:
    return registry.load("formats", format).export(corpus, out, ExportOptions(**options))


def open_to_all(corpus: read.Corpus) -> dict[str, read.OpenDialogue]:
    return {i.id: i for i in corpus if i.dialogue.split != "test"}


def same_sound(got: dict[str, Any], item: read.OpenDialogue) -> None:
    entry = item.file()
    assert got["pcm"] == entry.pcm_sha256
    assert (got["shape"], got["rate"]) == ([entry.length, len(entry.channels)], entry.sample_rate)


def samples(seconds: float, item: read.OpenDialogue) -> int:
    return round(seconds * item.file().sample_rate)


def spoken(item: read.OpenDialogue) -> list[list[Any]]:
    """Text, speaker, stretches and words of each turn, in samples."""
    return [
        [
            t.text,
            t.speaker,
            [[s.channel, s.start, s.end] for s in t.segments],
            [[w.text, w.start, w.end] for w in t.words],
        ]
        for t in item.dialogue.turns
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_the_test_split_stays_behind_unless_asked_for_and_equal_exports_have_equal_bytes(
    format: str, small: read.Corpus, tmp_path: Path
) -> None:
    report = export(format, small, tmp_path / "out")
    assert report.written == {"dev": 2, "train": 3}
    assert not report.notes
    assert report.left_out["of the test split (--answers writes them with their answers)"] == 3
    everything = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").rglob("*")) if p.is_file())
    assert "讲个故事".encode() not in everything
    export(format, small, tmp_path / "again")

    def hashes(folder: Path) -> dict[str, str]:
        files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    first = hashes(tmp_path / "out")
    assert first == hashes(tmp_path / "again")
    assert len(first) == report.files
    with pytest.raises(UserError, match="nothing to export"):
        export(format, read.open(small.root, split="test"), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    told = export(format, read.open(small.root, split="test"), tmp_path / "test", answers=True)
    assert told.written == {"test": 3}
    assert "train nothing on it" in told.notes[0]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_was_changed_is_named_and_nothing_is_written(
    format: str, small: read.Corpus, tmp_path: Path
) -> None:
    entry = small.get("ba").file()
    path = Path(small.root) / entry.path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match=f"{entry.path}: the file's SHA-256"):
        export(format, small, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["small"]


def test_lhotse_reads_manifests_cuts_and_shar(small: read.Corpus, tmp_path: Path) -> None:
    python_with("lhotse")
    export("lhotse", small, tmp_path / "out")
    got = peer("lhotse", tmp_path / "out", tmp_path)
    assert sorted(got) == ["dev", "train"]
    for split, ways in got.items():
        for found in ways.values():
            items = {k: i for k, i in open_to_all(small).items() if i.dialogue.split == split}
            assert sorted(found) == sorted(items)
            for id, item in items.items():
                same_sound(found[id], item)
                # Lhotse sorts supervisions by start; ours are in that order already.
                told = [
                    [
                        t["text"],
                        t["speaker"],
                        [[t["channel"], samples(t["start"], item), samples(t["end"], item)]],
                        [[w, samples(a, item), samples(b, item)] for w, a, b in t["words"]],
                    ]
                    for t in found[id]["turns"]
                ]
                assert told == spoken(item)
    # "Which leaf?" begins inside the answer, on the other channel.
    answer, cut_in = got["train"]["shar"]["ba"]["turns"][1:3]
    assert answer["start"] < cut_in["start"] < answer["end"]
    assert (answer["channel"], cut_in["channel"]) == (1, 0)


def test_hugging_face_reads_card_splits_sound_and_turns(small: read.Corpus, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra huggingface is not installed")
    python_with("datasets")
    export("huggingface", small, tmp_path / "out")
    got = peer("datasets", tmp_path / "out", tmp_path)
    assert sorted(got["configs"]) == ["default", "duplex-en", "emotion-en", "emotion-zh"]
    assert got["audio"] == "Audio"
    items = open_to_all(small)
    assert sorted(got["rows"]) == got["streamed"] == sorted(items)
    for id, item in items.items():
        row, d = got["rows"][id], item.dialogue
        same_sound(row, item)
        assert row["split"] == d.split
        assert msgspec.json.decode(row["dialogue"], type=Dialogue) == d
        felt = emotions(d)
        assert row["emotions"] == [felt[t.index].label if t.index in felt else None for t in d.turns]
        told = [
            [
                t["text"],
                t["speaker"],
                [[c, samples(a, item), samples(b, item)] for c, a, b in t["segments"]],
                [[w, samples(a, item), samples(b, item)] for w, a, b in t["words"]],
            ]
            for t in row["turns"]
        ]
        assert told == spoken(item)


def test_webdataset_reads_sound_and_the_whole_dialogue(small: read.Corpus, tmp_path: Path) -> None:
    python_with("webdataset")
    export("webdataset", small, tmp_path / "out")
    got = peer("webdataset", tmp_path / "out", tmp_path)
    items = open_to_all(small)
    assert sorted(got) == sorted(items)
    for id, item in items.items():
        same_sound(got[id], item)
        assert got[id]["dialogue"].encode().strip() == encode_dialogue(item.dialogue).strip()


def test_croissant_is_valid_and_its_records_are_ours(small: read.Corpus, tmp_path: Path) -> None:
    python_with("mlcroissant")
    export("croissant", small, tmp_path / "out")
    got = peer("mlcroissant", tmp_path / "out", tmp_path)
    assert got["errors"] == []
    items = open_to_all(small)
    assert sorted(got["rows"]) == sorted(items)
    for id, item in items.items():
        row = got["rows"][id]
        same_sound(got["sound"][row["audio"]], item)
        assert row["audio_sha256"] == item.file().sha256
        assert msgspec.json.decode(row["dialogue"], type=Dialogue) == item.dialogue
    described = json.loads((tmp_path / "out" / "croissant.json").read_text())
    for file in (f for f in described["distribution"] if f["@type"] == "cr:FileObject"):
        assert hashlib.sha256((tmp_path / "out" / file["contentUrl"]).read_bytes()).hexdigest() == file["sha256"]


def test_rttm_comes_back_with_the_same_stretches(small: read.Corpus, tmp_path: Path, rights: dict[str, str]) -> None:
    rttm = registry.load("formats", "rttm")
    export("rttm", small, tmp_path / "out")
    report = rttm.import_(
        tmp_path / "out", tmp_path / "back", options_of(rttm.OPTIONS, {**rights, "kind": "synthetic", "language": "en"})
    )
    assert report.written, report.problems

    def stretches(d: Dialogue) -> list[tuple[str, int, int]]:
        return sorted((t.speaker.removeprefix("spk-"), s.start, s.end) for t in d.turns for s in t.segments)

    ours = sorted(stretches(i.dialogue) for i in open_to_all(small).values())
    assert sorted(stretches(i.dialogue) for i in read.open(tmp_path / "back")) == ours


def test_a_dot_in_an_id_does_not_part_its_members(small: read.Corpus, tmp_path: Path) -> None:
    python_with("webdataset")
    item = small.get("be")
    d = msgspec.structs.replace(item.dialogue, id="v1.2", audio=())
    (tmp_path / "dotted").mkdir()
    landing = Landing(tmp_path / "dotted")
    sound, rate = item.audio(dtype="int16")
    entry = landing.store(d, "a0", sound, rate, item.file().channels)
    landing.add(msgspec.structs.replace(d, audio=(entry,)))
    landing.finish("dotted", {})
    export("webdataset", read.open(tmp_path / "dotted"), tmp_path / "out")
    assert list(peer("webdataset", tmp_path / "out", tmp_path)) == ["v1%2E2"]
