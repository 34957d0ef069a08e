"""``duologue reproduce``: a corpus made again and compared; what differs is told apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus.manifest import read_manifest
from duologue.corpus.read import Corpus
from duologue.corpus.write import encode_dialogue, encode_flac, write_manifest, write_shard
from duologue.errors import UserError
from duologue.generate.build import build
from duologue.generate.recipe import read_recipe
from duologue.generate.reproduce import reproduce

RECIPE = """
name: again
seed: 9
voices: {en: espeak}
acoustics: {room_share: 0.0}
counts:
  - {track: duplex, languages: [en], scenarios: [follow_up, backchannel], turns: [1], train: 2}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reproduce")
    (root / "again.yaml").write_text(RECIPE)
    build(read_recipe(root / "again.yaml"), root / "corpus", workers=1)
    return root / "corpus"


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "corpus"))


def test_a_corpus_comes_out_equal_to_the_byte_and_stays_untouched(corpus: Path) -> None:
    before = {p: p.read_bytes() for p in corpus.rglob("*") if p.is_file()}
    done = CliRunner().invoke(cli, ["reproduce", str(corpus), "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (found["dialogues"], found["compared"], found["equal"], found["parts"]) == (4, 4, 4, [])
    assert found["files"] == found["equal_files"] == 8  # each of the four with its twin
    assert {p: p.read_bytes() for p in corpus.rglob("*") if p.is_file()} == before


def test_a_sample_is_the_same_for_everybody(corpus: Path, tmp_path: Path) -> None:
    a = reproduce(corpus, tmp_path / "a", sample=2)
    assert (a.compared, a.equal, a.reproduced) == (2, 2, True)


def _swap(root: Path, change: object) -> str:
    """Rewrite the corpus's first dialogue and give its id."""
    manifest = read_manifest(root)
    lines = [i.dialogue for i in Corpus(root)]
    lines[0] = change(lines[0])  # type: ignore[operator]
    entry = write_shard(root, manifest.shards[0].name, [encode_dialogue(d) for d in lines])
    write_manifest(root, msgspec.structs.replace(manifest, shards=(entry,)))
    return lines[0].id


def test_a_changed_label_and_changed_sound_are_told_apart(corpus: Path, tmp_path: Path) -> None:
    id = _swap(corpus, lambda d: msgspec.structs.replace(d, scenario="negation"))
    (one,) = reproduce(corpus, tmp_path / "a").differences
    assert (one.id, one.outcome, one.fields, one.files) == (id, "differs", ("scenario",), {})

    def noisy(d):  # type: ignore[no-untyped-def]
        entry = d.audio[0]
        pcm, rate = soundfile.read(corpus / entry.path, dtype="int16", always_2d=True)
        # One step of 16 bits in every tenth sample: far below the speech, as another processor's kernels would be.
        pcm[::10] += np.int16(1)
        flac = encode_flac(pcm, rate)
        (corpus / entry.path).write_bytes(flac.data)
        entry = msgspec.structs.replace(entry, sha256=flac.sha256, pcm_sha256=flac.pcm_sha256)
        return msgspec.structs.replace(d, scenario=first, audio=(entry, *d.audio[1:]))

    first = "follow_up" if "follow_up" in {e.kind for e in Corpus(corpus).get(id).dialogue.events} else "backchannel"
    _swap(corpus, noisy)
    (two,) = reproduce(corpus, tmp_path / "b").differences
    assert (two.id, two.outcome, two.fields) == (id, "close", ())
    assert list(two.files) == [id] and "dB below the sound" in two.files[id]


def test_other_versions_of_parts_are_named(corpus: Path, tmp_path: Path) -> None:
    manifest = read_manifest(corpus)
    parts = tuple(msgspec.structs.replace(p, version="0.0") if p.name == "soxr" else p for p in manifest.parts)
    write_manifest(corpus, msgspec.structs.replace(manifest, parts=parts))
    (part,) = reproduce(corpus, tmp_path / "a", sample=1).parts
    assert (part.name, part.corpus) == ("soxr", "0.0")


def test_what_cannot_be_reproduced_says_why(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without a seal key"):
        reproduce(corpus, tmp_path / "a", seal_key=b"x" * 32)
    (corpus / "recipe.yaml").write_text(RECIPE.replace("seed: 9", "seed: 8"))
    with pytest.raises(UserError, match="not the one that the manifest names"):
        reproduce(corpus, tmp_path / "a")
    write_manifest(corpus, msgspec.structs.replace(read_manifest(corpus), recipe_sha256=""))
    with pytest.raises(UserError, match="no recipe built this corpus"):
        reproduce(corpus, tmp_path / "a")
