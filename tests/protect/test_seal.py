"""Sealed test sets: nothing public tells an answer, the answers come back as they were, and a run on them scores."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from duologue.corpus.check import check
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import read_manifest
from duologue.corpus.read import open as open_corpus
from duologue.corpus.write import is_main, write_manifest, write_shard
from duologue.errors import UserError
from duologue.generate.build import build
from duologue.generate.recipe import Quota, Recipe
from duologue.live.run import run
from duologue.protect.canary import canaries
from duologue.protect.commitment import Opening
from duologue.protect.given_away import Label, given_away
from duologue.protect.key import Secret, new_key
from duologue.protect.plain_flac import plain_length
from duologue.protect.release import MTIME, SEALED, VAULT, read_card
from duologue.protect.seal import SealReport, seal
from duologue.protect.unseal import named, open_map, unseal, verify
from duologue.protect.vault import Tampered, Truncated, WrongKey
from duologue.shortcuts.guess import guess
from duologue.systems.files import FilesSystem

pytest.importorskip("cryptography", reason="the package that encrypts is not installed")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

KEY = Secret(bytes(range(32)))
# Both tracks, half of the duplex items with twins, 112 public items in all.
RECIPE = Recipe(
    name="contest",
    seed=3,
    voices={"en": "espeak", "zh": "espeak"},
    twins=1.0,
    counts=(
        Quota(track="emotion", task="recognition", scenarios=("clip", "conflict_clip"), languages=("en",), test=14),
        Quota(track="duplex", scenarios=("termination", "backchannel", "none"), turns=(1,), languages=("en",), test=16),
    ),
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set built from a key."""
    from duologue.generate.acoustics.settings import AcousticsSettings

    recipe = msgspec.structs.replace(RECIPE, acoustics=AcousticsSettings(room_share=0.0))
    folder = tmp_path_factory.mktemp("answers") / "corpus"
    build(recipe, folder, workers=1, seal_key=KEY.derive("recipe seeds"))
    return folder


@pytest.fixture(scope="module")
def sealed(answers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SealReport]:
    public = tmp_path_factory.mktemp("sealed") / "public"
    return public, seal(answers, public, KEY)


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_answers_come_back_byte_for_byte(answers: Path, sealed: tuple[Path, SealReport], tmp_path: Path) -> None:
    public, report = sealed
    back = unseal(public, tmp_path / "back", KEY)
    assert files_of(tmp_path / "back") == files_of(answers)
    assert back.corpus_sha256 == report.corpus_sha256 == read_manifest(answers).corpus_sha256


def test_the_public_part_is_a_corpus_without_answers(answers: Path, sealed: tuple[Path, SealReport]) -> None:
    public, report = sealed
    assert check(public).findings == []
    items = [item.dialogue for item in open_corpus(public)]
    twins = sum(a.twin is not None for item in open_corpus(answers) for a in item.dialogue.audio)
    assert twins > 20 and len(items) == report.items == 2 * 14 + 3 * 16 + twins and report.twins == twins
    for d in items:
        assert d.scenario == SEALED and len(d.audio) == 1 and [c.kind for c in d.audio[0].channels] == ["user-mic"]
        told = {k for k, v in msgspec.to_builtins(d).items() if v not in ("", {}, [], ())}
        assert told <= {"schema_version", "id", "track", "tasks", "languages", "split", "scenario", "source", "rights",
                        "audio", "probes", "canary"}  # fmt: skip
        assert d.tasks == (("interruption", "rejection") if d.track == "duplex" else ("recognition",))
        assert all(p.answer == p.reference == p.question == "" and p.target_turn is None for p in d.probes)


def test_no_answer_or_name_of_the_original_is_in_any_public_file(
    answers: Path, sealed: tuple[Path, SealReport]
) -> None:
    """Every id, hash, seed, text, voice and label of the answers is looked for in every byte of the public part."""
    public, _ = sealed
    secrets: set[str] = set()
    for item in open_corpus(answers):
        d = item.dialogue
        # The samples of a file that holds the user alone are public, and so is their hash.
        secrets |= {a.pcm_sha256 for a in d.audio if len(a.channels) > 1}
        secrets |= {d.id, d.canary, *(a.sha256 for a in d.audio)}
        secrets |= {t.text for t in d.turns} | {s.id for s in d.speakers} | {s.seed for s in d.provenance.steps}
        secrets |= {v for values in d.groups.values() for v in values}
        secrets |= {p.answer for p in d.probes} | {p.reference for p in d.probes} | {p.question for p in d.probes}
        secrets |= {d.scenario, d.situation.domain, *(x for e in d.events for x in (e.kind, *e.expected))}
    # Words that the format itself uses, and emotions, which the taxonomy lists for everybody.
    secrets -= {"", "none", "respond", "stop", "clip"}
    emotions = set(read_manifest(public).taxonomy.labels)
    assert len(secrets) > 500
    for path, data in files_of(public).items():
        if path != VAULT:
            found = {s for s in secrets - emotions if s.encode() in data or s in path}
            assert not found, (path, found)


def test_files_have_one_time_one_owner_and_lengths_that_only_duration_sets(sealed: tuple[Path, SealReport]) -> None:
    public, _ = sealed
    for path in [public, *public.rglob("*")]:
        assert path.stat().st_mtime == MTIME
    for item in open_corpus(public):
        a = item.dialogue.audio[0]
        assert (public / a.path).stat().st_size == plain_length(a.length, 1)
        info = soundfile.info(public / a.path)
        assert (info.frames, info.samplerate, info.channels) == (a.length, a.sample_rate, 1)
        with soundfile.SoundFile(public / a.path) as file:
            assert file.copy_metadata() == {}


def test_every_text_file_holds_the_release_s_own_canary(sealed: tuple[Path, SealReport], answers: Path) -> None:
    public, report = sealed
    for path, data in files_of(public).items():
        if not path.endswith((".flac", ".sealed")):
            lines = data.decode().splitlines() if path.endswith(".jsonl") else [data.decode()]
            assert all(canaries(line) == {report.canary} for line in lines), path
    assert report.canary != next(iter(open_corpus(answers))).dialogue.canary


# -- can labels be recovered? -----------------------------------------------------------------------------------------


def metadata(public: Path) -> dict[str, list[float]]:
    """Everything about each public item that is no sample and not the length of its content, as numbers.

    What differs with duration alone (bytes of the file) is taken relative to it.
    """
    rows: dict[str, list[float]] = {}
    for order, item in enumerate(open_corpus(public)):
        d, a = item.dialogue, item.dialogue.audio[0]
        path = public / a.path
        data = path.read_bytes()
        line = msgspec.json.encode(d)
        status = path.stat()
        rows[d.id] = [
            order,
            int(d.id.encode().hex()[:12], 16),
            int(a.sha256[:12], 16),
            int(a.pcm_sha256[:12], 16),
            status.st_size - plain_length(a.length, 1),
            status.st_mtime,
            stat.S_IMODE(status.st_mode),
            status.st_ino,
            len(line) - len(str(a.length)),
            len(d.probes),
            len(d.tasks),
            a.sample_rate,
            *data[4:26],
            data.find(b"\xff\xf8") / len(data),
            len(os.fsencode(path.name)),
        ]
    # Where the sound begins in the file is padding less what the sound compresses to: looked at as well, below.
    return rows


def labels(answers: Path, public: Path) -> dict[str, Label]:
    audio: dict[tuple[str, str], Label] = {}
    for item in open_corpus(answers):
        for a in item.dialogue.audio:
            audio[item.id, a.id] = Label.of(item.dialogue, a)
    return {i.public: audio[i.dialogue, i.audio] for i in open_map(public, KEY).items}


TARGETS = ("scenario", "emotion", "action", "side")


def guessed(rows: dict[str, list[float]], known: dict[str, Label], target: str) -> float:
    ids = [i for i in sorted(rows) if getattr(known[i], target)]
    found = guess(
        np.array([rows[i] for i in ids], float),
        [getattr(known[i], target) for i in ids],
        [known[i].dialogue for i in ids],
        [known[i].stratum for i in ids],
        permutations=199,
    )
    assert found is not None, target
    return found.p


@pytest.mark.parametrize("target", TARGETS)
def test_labels_cannot_be_recovered_from_public_metadata(
    answers: Path, sealed: tuple[Path, SealReport], target: str
) -> None:
    """A permutation test: the guesser does no better on the true labels than on shuffled ones."""
    public, _ = sealed
    assert guessed(metadata(public), labels(answers, public), target) > 0.0051


def test_the_guesser_would_find_a_leak(answers: Path, sealed: tuple[Path, SealReport]) -> None:
    """The same test finds the side of a twin at once where files are written in the order of the originals."""
    public, _ = sealed
    known = labels(answers, public)
    rows = metadata(public)
    leaking = {i: [*row, float(known[i].side == "twin")] for i, row in rows.items()}
    assert guessed(leaking, known, "side") <= 0.0051


def test_what_duration_gives_away_is_measured(sealed: tuple[Path, SealReport]) -> None:
    _, report = sealed
    assert {row.target for row in report.given_away} == {"scenario", "emotion", "expected action", "twin side"}
    # Where duration is all that tells: long dialogues have one scenario and short ones the other.
    made = [
        Label(dialogue=str(i), stratum="s", seconds=5 + i % 3 + 30 * (i % 2), rate=16000,
              scenario="ab"[i % 2], emotion="", action="", side="")
        for i in range(80)
    ]  # fmt: skip
    (row,) = given_away(made)
    assert row.target == "scenario" and row.accuracy is not None and row.accuracy > 0.95 and row.p == 0.005


# -- keys, tampering, commitment ---------------------------------------------------------------------------------------


def test_wrong_key_altered_and_cut_files_are_told_apart_and_leave_nothing(
    sealed: tuple[Path, SealReport], tmp_path: Path
) -> None:
    public = tmp_path / "public"
    shutil.copytree(sealed[0], public)
    whole = (public / VAULT).read_bytes()
    with pytest.raises(WrongKey):
        unseal(public, tmp_path / "out", Secret(bytes(32)))
    altered = bytearray(whole)
    altered[len(whole) // 2] ^= 1
    (public / VAULT).write_bytes(altered)
    with pytest.raises(Tampered, match="altered between bytes"):
        unseal(public, tmp_path / "out", KEY)
    assert "the file was changed" in {f.message for f in check(public, decode=False).findings}
    (public / VAULT).write_bytes(whole[:-5000])
    with pytest.raises(Truncated):
        unseal(public, tmp_path / "out", KEY)
    assert not (tmp_path / "out").exists() and [p.name for p in tmp_path.iterdir()] == ["public"]


def test_answers_that_were_changed_later_do_not_fit_the_commitment(
    answers: Path, sealed: tuple[Path, SealReport], tmp_path: Path
) -> None:
    """The organiser, who has the key, changes one label and seals again under the old commitment."""
    public, _ = sealed
    changed = tmp_path / "changed"
    shutil.copytree(answers, changed)
    manifest = read_manifest(changed)
    shard = next(s for s in manifest.shards if s.track == "emotion")
    lines = (changed / shard.path).read_bytes().splitlines(keepends=True)
    row = msgspec.json.decode(lines[0])
    row["probes"][0]["answer"] = "another"
    new = write_shard(changed, shard.name, [msgspec.json.encode(row) + b"\n", *lines[1:]])
    write_manifest(changed, msgspec.structs.replace(manifest, shards=tuple(
        new if s.name == shard.name else s for s in manifest.shards
    )))  # fmt: skip
    again = tmp_path / "again"
    report = seal(changed, again, KEY)
    card = json.loads((again / "seal.json").read_text()) | {"commitment": read_card(public).commitment}
    (again / "seal.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match="not the ones that the public commitment names"):
        unseal(again, tmp_path / "out", KEY)
    assert report.commitment != read_card(public).commitment


def test_the_commitment_is_proven_without_the_key(
    answers: Path, sealed: tuple[Path, SealReport], tmp_path: Path
) -> None:
    public, _ = sealed
    opening = unseal(public, tmp_path / "back", KEY).opening
    verify(public, opening, tmp_path / "back")
    with pytest.raises(UserError, match="does not open the commitment"):
        verify(
            public, Opening(salt="0" * 64, corpus_sha256=opening.corpus_sha256, map_sha256=opening.map_sha256), answers
        )
    other = tmp_path / "other"
    shutil.copytree(answers, other)
    write_manifest(other, msgspec.structs.replace(read_manifest(other), name="other"))
    with pytest.raises(UserError, match="not the one that was committed to"):
        verify(public, opening, other)


def test_the_test_split_of_a_whole_corpus_is_sealed_alone(duplex_corpus: Path, tmp_path: Path) -> None:
    report = seal(duplex_corpus, tmp_path / "public", KEY, twins=False)
    assert report.dialogues == report.items == 4 and not report.keyed
    assert any("without a key" in notice for notice in report.notices)
    unseal(tmp_path / "public", tmp_path / "back", KEY)
    assert check(tmp_path / "back").findings == []
    manifest, whole = read_manifest(tmp_path / "back"), read_manifest(duplex_corpus)
    assert manifest.notes["part_of"] == {"corpus_sha256": whole.corpus_sha256, "split": "test"}
    assert {s.name: s.sha256 for s in manifest.shards} == {s.name: s.sha256 for s in whole.shards if s.split == "test"}


def test_a_corpus_that_was_changed_is_not_sealed(answers: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(answers, changed)
    victim = next(iter(sorted((changed / "audio").rglob("*.flac"))))
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x00")
    with pytest.raises(UserError):
        seal(changed, tmp_path / "public", KEY)
    assert not (tmp_path / "public").exists()


# -- a run on the public part ------------------------------------------------------------------------------------------


def test_a_run_on_the_public_part_scores_like_one_on_the_answers(
    answers: Path, sealed: tuple[Path, SealReport], tmp_path: Path
) -> None:
    """The reference system answers every public item under its public id; its outputs land where they belong."""
    public, report = sealed
    table = {i.public: i for i in open_map(public, KEY).items}
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    corpus = open_corpus(answers, track="duplex")
    for id, item in table.items():
        entry = next((e for e in corpus if e.id == item.dialogue), None)
        if entry is not None:
            samples, rate = entry.audio(role="system", which=item.audio)
            soundfile.write(outputs / f"{id}.wav", samples, rate)
    items = list(open_corpus(public, track="duplex"))
    sha = read_manifest(public).corpus_sha256
    asyncio.run(run(FilesSystem(str(outputs)), items, tmp_path / "RUN", mode="files", corpus_sha256=sha))
    (tmp_path / "RUN" / "answers.jsonl").write_text(
        "".join(
            json.dumps({"id": i, "probe": "p0", "answer": x.dialogue}) + "\n"
            for i, x in table.items()
            if not x.twin and x.dialogue not in {e.id for e in corpus}
        )
        + '{"id": "stranger", "probe": "p0", "answer": "?"}\n'
    )
    done = named(public, tmp_path / "RUN", tmp_path / "NAMED", KEY)
    assert (done.items, done.expected, done.notices) == (len(items), report.items, ())
    assert done.strangers == ("answers.jsonl:29",)
    # Track 1: each answer is under the id of the dialogue that it was about.
    rows = [json.loads(line) for line in (tmp_path / "NAMED" / "answers.jsonl").read_text().splitlines()]
    assert len(rows) == 28 and all(row["id"] == row["answer"] for row in rows)
    # Track 2: each output is the reference system's own audio of that dialogue, the twin's in clean/.
    from duologue.corpus.run import Run

    opened = Run(tmp_path / "NAMED")
    for entry in corpus:
        for twin in (False, True):
            if twin and all(a.twin is None for a in entry.dialogue.audio):
                continue
            x, seen = opened.system(opened.observe(entry.dialogue, twin=twin), entry.dialogue, entry)
            assert seen.status == "ok", seen
            y, _ = entry.audio(role="system", which="twin" if twin else "main")
            n = min(len(x), len(y))
            assert np.abs(x[:n] - y[:n]).max() < 2e-4
    assert opened.broken == [] and opened.manifest.corpus_sha256 == read_manifest(answers).corpus_sha256


def test_the_verbs_from_key_to_proof(duplex_corpus: Path, tmp_path: Path) -> None:
    """A key, a seal, a run by the command line, its names, a proof; the key shows nowhere."""

    def duologue(*arguments: object, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from duologue.cli import main; main()", *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, env=os.environ | env,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    said = duologue("seal", "--new-key", "--key", "k")
    key = (tmp_path / "k").read_text().split(":")[1].strip()
    said += duologue("seal", duplex_corpus, "-o", "public", "--key", "k")
    assert "by duration alone" in said or "too few items" in said
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    for item in open_corpus(tmp_path / "public"):
        a = item.dialogue.audio[0]
        soundfile.write(outputs / f"{item.id}.wav", np.zeros(a.length, np.int16), a.sample_rate)
    said += duologue("run", "public", "--system", "files:outputs", "-o", "RUN")
    # An adaptive user would need to know who speaks when.
    live = ("run", "public", "--system", "ws:ws://127.0.0.1:1/", "--mode", "adaptive", "-o", "LIVE")
    assert "allowed: fixed" in duologue(*live, code=2)
    said += duologue("unseal", "public", "--key", "k", "-o", "answers", "--write-opening", "opening.json",
                     "--run", "RUN", "--run-out", "NAMED")  # fmt: skip
    assert "8 of 8 items have an output" in said
    said += duologue("unseal", "public", "--opening", "opening.json", "--against", "answers")
    assert "the answers that public committed to" in said
    said += duologue(
        "unseal", "public", "-o", "x", "--passphrase-env", "PHRASE", code=2, PHRASE="correct horse battery"
    )
    assert "sealed with a key file" in said
    assert key not in said
    for path, data in files_of(tmp_path).items():
        assert path == "k" or key.encode() not in data


# -- keyed seeds -------------------------------------------------------------------------------------------------------


def small(**changes: object) -> Recipe:
    from duologue.generate.acoustics.settings import AcousticsSettings

    recipe = Recipe(
        name="keyed",
        seed=5,
        voices={"en": "espeak"},
        acoustics=AcousticsSettings(room_share=0.0),
        counts=(
            Quota(track="duplex", scenarios=("backchannel",), turns=(1,), languages=("en",), train=3, dev=1, test=4),
        ),
    )
    return msgspec.structs.replace(recipe, **changes)


def planned(secret: bytes | None) -> dict[str, list[tuple[str, object]]]:
    from duologue.generate.build import choose_voices
    from duologue.generate.plan import Plan
    from duologue.generate.scripts.embedded import EmbeddedWriter

    recipe, voices, _ = choose_voices(small())
    found: dict[str, list[tuple[str, object]]] = {}
    for item in Plan(recipe, EmbeddedWriter(), voices, secret):
        found.setdefault(item.split, []).append((item.id, item))
    return found


def test_a_key_draws_another_test_and_the_same_train_and_dev() -> None:
    plain, one, again, other = (planned(s) for s in (None, b"1" * 32, b"1" * 32, b"2" * 32))
    assert one == again
    assert one["train"] == plain["train"] and one["dev"] == plain["dev"]
    ids = [{id for id, _ in p["test"]} for p in (plain, one, other)]
    assert not ids[0] & ids[1] and not ids[1] & ids[2] and len(ids[1]) == 4
    seeds = [{item.seed for _, item in p["test"]} for p in (plain, one, other)]
    assert not seeds[0] & seeds[1] and not seeds[1] & seeds[2]


def test_a_keyed_corpus_says_so_and_is_built_again_with_its_key_alone(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    secret = new_key(tmp_path / "k").derive("recipe seeds")
    first = build(small(), out, workers=1, seal_key=secret)
    manifest = read_manifest(out)
    assert [p.version for p in manifest.parts if p.name == "key"] == ["split test"]
    keyed = [
        d.split
        for d in (item.dialogue for item in open_corpus(out))
        if any(s.parameters.get("keyed") for s in d.provenance.steps)
    ]
    assert Counter(keyed) == {"test": 4}
    assert check(out).findings == []
    for other in (None, b"2" * 32):
        with pytest.raises(UserError, match="built with another key"):
            build(small(), out, workers=1, seal_key=other)
    again = build(small(), tmp_path / "again", workers=1, seal_key=secret)
    assert again.sha256 == first.sha256
    assert re.search(secret.hex(), (out / "corpus.json").read_text()) is None


def test_a_dialogue_without_audio_is_refused(tmp_path: Path) -> None:
    from test_split_deal import corpus, dialogue

    made: list[Dialogue] = [dialogue(1, "a", split="test")]
    assert not any(is_main(a) for d in made for a in d.audio)
    with pytest.raises(UserError, match="has no audio"):
        seal(corpus(tmp_path / "in", made), tmp_path / "out", KEY)
