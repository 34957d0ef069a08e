"""Reading is lazy, filtered, bounded, and never leaves the corpus."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import duologue
from duologue.corpus.manifest import read_manifest
from duologue.corpus.read import resolve_inside
from duologue.corpus.write import write_manifest, write_shard
from duologue.errors import UserError


def test_filters_narrow_iteration_length_and_get(pristine: Path) -> None:
    assert len(duologue.open(pristine)) == 24
    narrowed = duologue.open(pristine, language="zh", track="duplex", split="dev")
    items = list(narrowed)
    assert len(narrowed) == len(items) == 2
    assert {(i.dialogue.languages, i.dialogue.track, i.dialogue.split) for i in items} == {(("zh",), "duplex", "dev")}
    assert len(duologue.open(pristine, scenario="termination")) == 12
    assert len(duologue.open(pristine, task="trajectory")) == 12
    assert len(duologue.open(pristine, task="empathy")) == 0
    with pytest.raises(UserError, match="no such dialogue"):
        narrowed.get("d0000")


@pytest.mark.parametrize("name", ["language", "track", "scenario", "split", "task"])
def test_a_filter_value_that_cannot_occur_names_the_known(pristine: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: unknown filter value .*allowed: "):
        duologue.open(pristine, **{name: "klingon"})


def test_get_finds_every_dialogue_and_no_other(pristine: Path) -> None:
    corpus = duologue.open(pristine)
    for item in corpus:
        assert corpus.get(item.id).dialogue == item.dialogue
    with pytest.raises(UserError, match="no such dialogue"):
        corpus.get("d9999")


@given(ids=st.sets(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=20), pad=st.lists(st.integers(0, 300)))
def test_get_in_a_shard_of_any_line_lengths(
    tmp_path_factory: pytest.TempPathFactory, ids: set[str], pad: list[int]
) -> None:
    from duologue.corpus.read import _bisect

    path = tmp_path_factory.mktemp("shard") / "s"
    rows = [{"id": id, "pad": "x" * (pad[i % len(pad)] if pad else 0)} for i, id in enumerate(sorted(ids))]
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    with path.open("rb") as f:
        for id in [*ids, "", "d", "bbbbb"]:
            line = _bisect(f, id)
            assert bool(line) == (id in ids)
            assert not line or msgspec.json.decode(line)["id"] == id


def test_get_works_in_a_shard_that_is_out_of_order(corpus: Path) -> None:
    shard = corpus / read_manifest(corpus).shards[0].path
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(reversed(lines)))
    ids = [msgspec.json.decode(line)["id"] for line in lines]
    assert [duologue.open(corpus).get(id).id for id in ids] == ids


def test_audio_by_channel_role_twin_and_segment(pristine: Path) -> None:
    item = next(iter(duologue.open(pristine, track="duplex", language="en")))
    whole, rate = item.audio()
    stored, _ = soundfile.read(item.path(), dtype="float32")
    assert rate == 16_000 and whole.shape == (64_000, 2) and whole.dtype == np.float32
    np.testing.assert_array_equal(whole, stored)
    np.testing.assert_array_equal(item.audio(role="user")[0], whole[:, 0])
    np.testing.assert_array_equal(item.audio(role="system")[0], whole[:, 1])
    np.testing.assert_array_equal(item.audio(1, start=100, end=900)[0], whole[100:900, 1])
    integers, _ = item.audio(0, dtype="int16")
    np.testing.assert_array_equal(integers / np.float32(32768), whole[:, 0])
    twin, _ = item.audio(which="twin")
    start, end = item.file("twin").twin.differs
    assert np.array_equal(twin[:start], whole[:start]) and np.array_equal(twin[end:], whole[end:])
    assert not np.array_equal(twin[start:end], whole[start:end])
    segment = item.dialogue.turns[1].segments[0]
    ((speech, _),) = item.segments(1)
    np.testing.assert_array_equal(speech, whole[segment.start : segment.end, 1])


def test_what_is_not_there_is_named(pristine: Path) -> None:
    item = next(iter(duologue.open(pristine, track="emotion")))
    for ask, message in (
        (lambda: item.audio(which="twin"), "no such audio.*allowed: main, twin, stems"),
        (lambda: item.audio(2), r"no such channel.*0\.\.1"),
        (lambda: item.audio(0, role="user"), "channel or role"),
        (lambda: item.audio(role="addressee"), "no channel carries this role.*system, user"),
        (lambda: item.audio(start=5, end=70_000), "not inside the audio"),
        (lambda: list(item.segments(17)), "no such turn.*0, 1, 2"),
    ):
        with pytest.raises(UserError, match=message):
            ask()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: f.unlink(), "missing file"),
        (lambda f: f.write_bytes(b"no audio here"), "no audio"),
        (lambda f: f.write_bytes(f.read_bytes()[:4000]), "cut short|no audio"),
        (lambda f: soundfile.write(f, np.zeros((9, 2)), 16_000, format="FLAC"), "differs from its entry"),
    ],
)
def test_a_harmed_file_is_one_clear_error(corpus: Path, harm: Callable[[Path], Any], message: str) -> None:
    item = next(iter(duologue.open(corpus)))
    harm(corpus / item.file().path)
    with pytest.raises(UserError, match=message):
        item.audio()


def test_a_broken_line_names_file_line_and_field(corpus: Path) -> None:
    shard = read_manifest(corpus).shards[0]
    data = (corpus / shard.path).read_bytes().splitlines(keepends=True)
    (corpus / shard.path).write_bytes(data[0] + data[1].replace(b'"index":1', b'"index":-1'))
    with pytest.raises(UserError, match=rf"{shard.path}:2: .*index"):
        list(duologue.open(corpus))


def test_no_corpus_and_a_newer_corpus_are_named(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(UserError, match="no corpus here"):
        duologue.open(tmp_path)
    manifest = corpus / "corpus.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 2', 1))
    with pytest.raises(UserError, match=r"newer duologue.*got 2.*up to 1"):
        duologue.open(corpus)


@given(st.text(max_size=30))
def test_no_path_resolves_outside_the_corpus(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = str(tmp_path_factory.getbasetemp().resolve())
    with contextlib.suppress(UserError):
        assert resolve_inside(root, path).startswith(root + "/")


def test_memory_stays_flat_over_many_dialogues(tmp_path: Path, pristine: Path) -> None:
    """Iterating twenty times as many dialogues costs no more memory: lines are read one by one."""
    manifest = read_manifest(pristine)
    shard = manifest.shards[0]
    line = (pristine / shard.path).read_bytes().splitlines(keepends=True)[0]
    peaks = []
    for count in (200, 4_000):
        root = tmp_path / str(count)
        lines = (line.replace(b'"id":"', b'"id":"%06d' % i, 1) for i in range(count))
        entry = write_shard(root, shard.name, lines, sync=False)
        write_manifest(root, msgspec.structs.replace(manifest, shards=(entry,)))
        tracemalloc.start()
        assert sum(1 for _ in duologue.open(root)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1


def test_opening_and_iterating_imports_nothing_heavy(pristine: Path) -> None:
    script = (
        "import sys, duologue\n"
        "first = {'numpy', 'soundfile'} & set(sys.modules)\n"
        "next(iter(duologue.open(sys.argv[1])))\n"
        "print(sorted(first), sorted({'click', 'rich', 'soundfile', 'soxr', 'yaml', 'torch'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", script, str(pristine)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[] []"


def test_the_example_in_the_docs_runs(pristine: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-model.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    narrowed = duologue.open(pristine, language="zh", track="duplex", split="train")
    code = code.replace('"data/demo"', repr(str(pristine))).replace("4f21c0", next(iter(narrowed)).id)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["user"].ndim == 1 and names["samples"].shape[1] == 2 and names["twin"].dtype == np.float32
