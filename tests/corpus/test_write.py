"""What is written is exact, complete or absent, and the same for the same input."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_corpus import build, make

from duologue.corpus.manifest import Manifest, corpus_hash, read_manifest
from duologue.corpus.migrate import decode_dialogue
from duologue.corpus.write import encode_dialogue, encode_flac, write_atomic, write_error, write_manifest, write_shard
from duologue.errors import UserError


@settings(max_examples=60, deadline=None)
@given(
    samples=arrays(np.int16, st.tuples(st.integers(1, 6000), st.integers(1, 4)), fill=st.just(np.int16(0))),
    rate=st.sampled_from([8_000, 16_000, 22_050, 24_000, 48_000]),
)
def test_flac_holds_every_sample_and_its_hashes(samples: np.ndarray, rate: int) -> None:
    flac = encode_flac(samples, rate)
    back, read_rate = soundfile.read(io.BytesIO(flac.data), dtype="int16", always_2d=True)
    np.testing.assert_array_equal(back, samples)
    assert (read_rate, flac.length, flac.channels) == (rate, len(samples), samples.shape[1])
    assert flac.pcm_sha256 == hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    assert flac.sha256 == hashlib.sha256(flac.data).hexdigest()
    assert encode_flac(np.asfortranarray(samples), rate) == flac


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros(10, np.float32), TypeError),
        (np.zeros((1, 2, 3), np.int16), TypeError),
        (np.zeros(0, np.int16), ValueError),
        (np.zeros((4, 9), np.int16), ValueError),
    ],
)
def test_flac_refuses_what_it_cannot_hold(samples: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_flac(samples, 16_000)


def test_a_dialogue_survives_its_line(tmp_path: Path) -> None:
    d = make(tmp_path, "s", 3, "duplex", "zh", "test")
    line = encode_dialogue(d)
    assert decode_dialogue(line, "s", 1) == d
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    shuffled = msgspec.structs.replace(d, groups=dict(reversed(d.groups.items())))
    assert encode_dialogue(shuffled) == line


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "f"
    write_atomic(target, b"old")
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from duologue.corpus.write import write_atomic\n"
        "from duologue.errors import UserError\n"
        "try: write_atomic(sys.argv[1], b'x' * 5000)\n"
        "except UserError as e: print(e.message)\n"
    )
    out = subprocess.run([sys.executable, "-c", script, str(target)], capture_output=True, text=True, check=True)
    assert "the disk is full" in out.stdout and "free some space" in out.stdout
    assert target.read_bytes() == b"old" and [f.name for f in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "cannot be written")],
)
def test_errors_of_the_disk_say_what_to_do(number: int, message: str) -> None:
    error = write_error(Path("data/x"), OSError(number, os.strerror(number)))
    assert message in error.message and "data" in error.message and error.mend


def test_a_folder_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_atomic(tmp_path / "f", b"x")
    (tmp_path / "g").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomic(tmp_path / "g" / "h", b"x")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["f", "g"]


def test_a_shard_is_the_same_for_any_order_of_its_lines(tmp_path: Path) -> None:
    lines = [encode_dialogue(make(tmp_path, "s", n, "emotion", "en", "train")) for n in range(4)]
    a = write_shard(tmp_path / "a", "s", lines)
    b = write_shard(tmp_path / "b", "s", iter(reversed(lines)))
    assert a == b and (a.dialogues, a.seconds, a.audio_files) == (4, 16.0, 4)
    assert (tmp_path / "a" / a.path).read_bytes() == b"".join(lines)


def test_a_shard_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    one = encode_dialogue(make(tmp_path, "s", 1, "emotion", "en", "train"))
    other = encode_dialogue(make(tmp_path, "s", 2, "emotion", "zh", "train"))
    for lines, message in (([], "at least one"), ([one, one], "comes twice"), ([one, other], "one track, language")):
        with pytest.raises(UserError, match=message):
            write_shard(tmp_path, "s", lines)
    assert not (tmp_path / "dialogues").exists()


def test_one_hash_names_the_corpus(tmp_path: Path, pristine: Path) -> None:
    again = build(tmp_path / "again")
    manifest = read_manifest(pristine)
    assert again == manifest
    assert (tmp_path / "again" / "corpus.json").read_bytes() == (pristine / "corpus.json").read_bytes()
    assert corpus_hash(manifest) == manifest.corpus_sha256
    changed = write_manifest(tmp_path / "again", msgspec.structs.replace(manifest, notes={"a": 1}))
    assert changed.corpus_sha256 != manifest.corpus_sha256
    reordered = Manifest(name="small", duologue="0", shards=manifest.shards[::-1], recipe_sha256="0" * 64)
    assert write_manifest(tmp_path / "again", reordered) == manifest


def test_the_bytes_of_a_file_do_not_grow_with_threads_in_use() -> None:
    """Encoding releases nothing to chance: two runs in fresh processes agree."""
    script = (
        "import numpy as np, duologue.corpus.write as w\n"
        "x = np.random.default_rng(0).integers(-9000, 9000, (16000, 2)).astype(np.int16)\n"
        "print(w.encode_flac(x, 16000).sha256)"
    )
    runs = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_encoding_costs_under_a_thousandth_of_real_time() -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((60 * 16_000, 2)) * 500).astype(np.int16)
    encode_flac(x, 16_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    encode_flac(x, 16_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 60 * 1e-3
