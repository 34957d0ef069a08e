"""Corpora whose audio, canary and splits are the audit's business: each split is scanned alone, and finds its own."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from duologue.cli.audit import command
from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import Dialogue, Split
from duologue.corpus.manifest import Manifest
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.corpus.write import encode_dialogue, write_manifest, write_shard
from duologue.errors import UserError
from duologue.protect.audit import index as test_index
from duologue.protect.audit.corpus_split import of_split
from duologue.protect.audit.scan import scan

RATE = 16_000
SHARED_CANARY = "duologue-canary-0f8e2a6c-1b2d-4c3e-8f90-a1b2c3d4e5f6"
OWN_CANARY = "duologue-canary-11111111-2222-4333-8444-555555555555"
QUICK = frozenset({"meaning", "speakers", "fingerprints"})
TEXTS = {
    "train": "Could you tell me which platform the night train to Denver leaves from?",
    "test": "My sister moved to Boston last summer, so the house feels empty now.",
}


def corpus(folder: Path, test_canary: str = SHARED_CANARY) -> Path:
    """A dialogue of 2 s of noise in each of two splits, whose lines name audio from the root of the corpus."""
    entries = []
    for seed, (split, text) in enumerate(TEXTS.items()):
        shard, id = f"duplex-en-{split}-0", f"d{seed:04d}"
        path = folder / "audio" / shard / f"{id}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 2 * RATE), RATE, subtype="PCM_16")
        canary = test_canary if split == "test" else SHARED_CANARY
        line = encode_dialogue(dialogue(id, split, text, f"audio/{shard}/{id}.wav", canary))
        entries.append(write_shard(folder, shard, [line], sync=False))
    write_manifest(folder, Manifest(name="two", duologue="0", shards=tuple(entries)))
    return folder


def dialogue(id: str, split: Split, text: str, path: str, canary: str) -> Dialogue:
    return Dialogue(
        schema_version=1,
        id=id,
        track="duplex",
        tasks=("rejection",),
        languages=("en",),
        split=split,
        scenario="none",
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        speakers=(Speaker(id="ann", role="user", languages=("en",), synthetic=True),),
        audio=(
            Audio(
                id=id,
                path=path,
                sha256="0" * 64,
                pcm_sha256="0" * 64,
                sample_rate=RATE,
                length=2 * RATE,
                channels=(Channel(kind="user-mic", speakers=("ann",)),),
            ),
        ),
        turns=(Turn(index=0, role="user", speaker="ann", addressee="", language="en", text=text),),
        canary=canary,
    )


def index(folder: Path, split: Split | None, where: Path) -> Path:
    test_index.write(test_index.build(folder, split=split, without=frozenset({"meaning", "speakers"})), where)
    return where


def test_a_split_is_indexed_alone(tmp_path: Path) -> None:
    made = test_index.build(corpus(tmp_path / "c"), split="test", without=frozenset({"meaning", "speakers"}))
    assert made.items == ("d0001",)
    assert [f.name for f in made.files] == ["audio/duplex-en-test-0/d0001.wav"]


def test_the_training_split_is_not_taken_for_the_test_split(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c")
    against = index(folder, "test", tmp_path / "i")
    train = scan(list(of_split(folder, "train")), against, without=QUICK)
    assert (train.findings, train.unreadable, train.scanned) == ((), (), 2)  # a shard and its one recording
    test = scan(list(of_split(folder, "test")), against, without=QUICK)
    assert {f.kind for f in test.findings} == {"bytes", "samples", "text"}


def test_a_canary_of_all_splits_marks_none_of_them(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c")
    one = test_index.build(folder, split="test", without=frozenset({"meaning", "speakers"}))
    assert one.canaries == ()
    assert SHARED_CANARY in one.parts["canaries"]
    whole = test_index.build(folder, without=frozenset({"meaning", "speakers"}))
    assert whole.canaries == (SHARED_CANARY,)
    assert whole.parts["canaries"] == "yes"


def test_a_canary_of_the_test_split_alone_is_kept(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c", test_canary=OWN_CANARY)
    one = test_index.build(folder, split="test", without=frozenset({"meaning", "speakers"}))
    assert one.canaries == (OWN_CANARY,)


def test_the_command_takes_a_split(tmp_path: Path) -> None:
    folder, where = str(corpus(tmp_path / "c")), str(tmp_path / "i")
    run = CliRunner().invoke
    done = run(command, ["index", folder, "--split", "test", "-o", where, "--without", "meaning", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["items"] == 1
    clean = run(command, ["scan", folder, "--split", "train", "--against", where, "--json"])
    assert clean.exit_code == 0, clean.output
    assert run(command, ["scan", folder, "--split", "test", "--against", where, "--json"]).exit_code == 1
    assert isinstance(
        run(command, ["scan", folder, "--split", "exam", "--against", where]).exception, (UserError, SystemExit)
    )


def test_only_a_corpus_has_splits(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("What is the way to the station from here?")
    with pytest.raises(UserError, match="only a corpus has splits"):
        test_index.build(tmp_path / "a.txt", split="test")
    with pytest.raises(UserError, match="unknown split"):
        list(of_split(corpus(tmp_path / "c"), "exam"))
    assert list(of_split(tmp_path / "a.txt", "train")) == [tmp_path / "a.txt"]


@pytest.mark.parametrize(("depth", "found"), [(0, True), (1, True), (3, True), (4, False)])
def test_named_audio_is_looked_for_up_to_three_folders_above(depth: int, found: bool, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c")
    against = index(folder, "test", tmp_path / "i")
    root = tmp_path / "train"
    (root / "clips").mkdir(parents=True)
    (root / "clips" / "x.wav").write_bytes((folder / "audio/duplex-en-test-0/d0001.wav").read_bytes())
    below = root.joinpath(*"abcd"[:depth])
    below.mkdir(parents=True, exist_ok=True)
    (below / "m.jsonl").write_text(json.dumps({"wav": "clips/x.wav"}) + "\n")
    audit = scan([below / "m.jsonl"], against, without=QUICK)
    assert ({f.kind for f in audit.findings} == {"bytes", "samples"}) is found
    assert [u.why.partition(":")[0] for u in audit.unreadable] == ([] if found else ["names audio that is not there"])


def test_named_audio_may_not_climb_above_the_folders_that_are_looked_in(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c")
    against = index(folder, "test", tmp_path / "i")
    data = (folder / "audio/duplex-en-test-0/d0001.wav").read_bytes()
    (tmp_path / "secret.wav").write_bytes(data)
    (tmp_path / "1/near").mkdir(parents=True)
    (tmp_path / "1/near/x.wav").write_bytes(data)
    below = tmp_path / "1/2/3/4"
    below.mkdir(parents=True)
    for name, why in (("../../../near/x.wav", None), ("../../../../secret.wav", "names audio above")):
        (below / "m.jsonl").write_text(json.dumps({"wav": name}) + "\n")
        audit = scan([below / "m.jsonl"], against, without=QUICK)
        assert bool(audit.findings) is (why is None), name
        assert [u.why.startswith(why or "") for u in audit.unreadable] == ([] if why is None else [True])


def test_named_audio_that_the_scan_walks_anyway_is_compared_once(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c")
    against = index(folder, "test", tmp_path / "i")
    audit = scan([folder], against, without=QUICK)
    assert [f.file for f in audit.findings if f.kind == "bytes"] == ["c/audio/duplex-en-test-0/d0001.wav"]
    alone = scan([folder / "dialogues" / "duplex-en-test-0.jsonl"], against, without=QUICK)
    assert [Path(f.file).name for f in alone.findings if f.kind == "bytes"] == ["d0001.wav"]


def spoken_corpus(folder: Path) -> Path:
    """A test dialogue: the user from 0.5 to 5 s; the system, whose voice no split keeps apart, from 6 to 11 s."""
    rng = np.random.default_rng(4)

    def talk(seconds: float) -> np.ndarray:
        n = int(seconds * 10)
        made = np.concatenate([np.sin(np.cumsum(np.full(1_600, f))) for f in rng.uniform(0.1, 1.0, n)])
        return made * np.repeat(rng.uniform(0.05, 0.5, n), 1_600)

    # Both channels hear one noise that comes and goes like talk.
    sounds = np.tile(talk(12.0)[:, None] * 0.05, (1, 2))
    sounds[RATE // 2 : 5 * RATE, 0] += talk(4.5)
    sounds[6 * RATE : 11 * RATE, 1] += talk(5.0)
    path = folder / "audio" / "duplex-en-test-0" / "d0.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, sounds, RATE, subtype="PCM_16")
    base = dialogue("d0", "test", TEXTS["test"], "audio/duplex-en-test-0/d0.wav", OWN_CANARY)
    segment = {
        c: Segment(audio="d0", channel=c, start=a, end=b) for c, a, b in ((0, 8_000, 80_000), (1, 96_000, 176_000))
    }
    turns = (
        msgspec.structs.replace(base.turns[0], segments=(segment[0],)),
        Turn(
            index=1, role="system", speaker="sys", addressee="ann", language="en", text="Sure.", segments=(segment[1],)
        ),
    )
    channels = (Channel(kind="user-mic", speakers=("ann",)), Channel(kind="system", speakers=("sys",)))
    made = msgspec.structs.replace(
        base,
        groups={"speaker": ("ann",)},
        speakers=(*base.speakers, Speaker(id="sys", role="system", languages=("en",), synthetic=True)),
        audio=(msgspec.structs.replace(base.audio[0], length=12 * RATE, channels=channels),),
        turns=turns,
    )
    entry = write_shard(folder, "duplex-en-test-0", [encode_dialogue(made)], sync=False)
    write_manifest(folder, Manifest(name="one", duologue="0", shards=(entry,)))
    return folder


def test_a_voice_of_all_splits_is_no_more_than_a_suspicion(tmp_path: Path) -> None:
    folder = spoken_corpus(tmp_path / "c")
    made = test_index.build(folder, without=QUICK)
    assert [(t.channel, t.shared) for t in made.tracks] == [
        ("channel 1", False),
        ("channel 2", True),
        ("all channels", False),
    ]
    # The sum is kept where the user speaks: to 5 s, of which a last window may hold 60%.
    assert max(made.tracks[2].fingerprint().frames) * 0.02 <= 5.0 - 0.6 * 1.28
    test_index.write(made, tmp_path / "i")
    x, _ = soundfile.read(folder / "audio/duplex-en-test-0/d0.wav")
    (tmp_path / "train").mkdir()
    soundfile.write(tmp_path / "train" / "user.wav", x[: 5 * RATE, 0] * 0.3, RATE)
    soundfile.write(tmp_path / "train" / "system.wav", x[6 * RATE : 11 * RATE, 1] * 0.3, RATE)
    soundfile.write(tmp_path / "train" / "noise.wav", x[5 * RATE :, 0] * 10.0, RATE)
    audit = scan([tmp_path / "train"], tmp_path / "i", without=QUICK - {"fingerprints"})
    found = {Path(f.file).name: f for f in audit.findings}
    assert set(found) == {"user.wav", "system.wav"}
    assert (found["user.wav"].level, found["user.wav"].shared) == ("certain", False)
    assert (found["system.wav"].level, found["system.wav"].shared) == ("suspicion", True)
    assert "all splits share" in found["system.wav"].evidence
    assert found["system.wav"].chance is not None and found["system.wav"].chance < 1e-4
