"""Builds: equal bytes however they run, nothing lost when they die, one clear message for each mistake."""

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from duologue.corpus.check import check
from duologue.corpus.manifest import read_manifest
from duologue.errors import UserError
from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.build import build
from duologue.generate.recipe import Quota, Recipe
from duologue.generate.site import Site

pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

RECIPE = Recipe(
    name="small",
    seed=11,
    voices={"en": "espeak", "zh": "espeak"},
    stems=0.3,
    # Few noises and rooms: each worker makes those that it meets.
    acoustics=AcousticsSettings(noise_kinds=("pink", "hum", "rain"), noise_variants=1, rooms=3),
    counts=(
        Quota(track="emotion", task="trajectory", scenarios=("dialogue",), turns=(3,), train=2, dev=1, test=1),
        Quota(track="emotion", task="recognition", scenarios=("clip", "conflict_clip"), train=2, test=1),
        Quota(track="duplex", scenarios=("follow_up", "third_party", "none"), turns=(1, 2), train=3, dev=1),
    ),
)


def files(root):
    """Every file of a corpus by its path, with the hash of its bytes."""
    paths = sorted(p for p in Path(root).rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def lines(root):
    return {line for p in (root / "dialogues").glob("*.jsonl") for line in p.read_bytes().splitlines()}


def yaml_of(recipe, folder):
    path = folder / "small.yaml"
    path.write_bytes(msgspec.yaml.encode(recipe))
    return path


def command(*arguments, **kwargs):
    code = "from duologue.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """A corpus built in one go by one worker."""
    root = tmp_path_factory.mktemp("reference") / "corpus"
    return build(RECIPE, root, workers=1), root


def test_a_build_is_whole_and_valid(reference):
    report, root = reference
    assert report.dialogues == report.made == sum(c.count for c in RECIPE.cells())
    assert report.seconds > 60 and report.cpu_s > 0 and report.peak_bytes > 2**20
    assert {p.name for p in root.iterdir()} == {"corpus.json", "recipe.yaml", "dialogues", "audio"}
    manifest = read_manifest(root)
    assert manifest.complete and manifest.corpus_sha256 == report.sha256
    assert manifest.recipe_sha256 == RECIPE.identity()
    assert {p.name for p in manifest.parts} >= {"voice:espeak", "writer:embedded", "libsndfile", "plan"}
    for line in lines(root):
        dialogue = msgspec.json.decode(line)
        assert dialogue["provenance"]["recipe_sha256"] == RECIPE.identity()
        assert {"plan", "script", "voice"} <= {s["step"] for s in dialogue["provenance"]["steps"]}
        assert dialogue["canary"].startswith("duologue-canary-")
        assert dialogue["rights"] == {"licence": "CC-BY-4.0", "consent_id": "not-applicable"}


def test_four_workers_give_the_same_bytes_as_one(reference, tmp_path):
    report = build(RECIPE, tmp_path / "c", workers=4)
    assert report.sha256 == reference[0].sha256
    assert files(tmp_path / "c") == files(reference[1])


def test_building_again_changes_nothing(reference, tmp_path):
    small = RECIPE.scaled(0.1)
    first = build(small, tmp_path / "c", workers=2)
    before = files(tmp_path / "c")
    second = build(small, tmp_path / "c", workers=2)
    assert second.made == 0 and second.sha256 == first.sha256 and files(tmp_path / "c") == before


def test_raised_counts_add_and_leave_earlier_bytes_as_they_were(reference, tmp_path):
    root = tmp_path / "c"
    build(RECIPE.scaled(0.4), root, workers=2)
    audio = {p: h for p, h in files(root).items() if p.endswith(".flac")}
    earlier = lines(root)
    report = build(RECIPE, root, workers=2)
    assert report.made == report.dialogues - len(earlier)
    assert report.sha256 == reference[0].sha256
    assert audio.items() <= files(root).items() and earlier <= lines(root)


def test_damaged_and_lost_audio_is_made_again(reference, tmp_path):
    root = tmp_path / "c"
    small = RECIPE.scaled(0.1)
    whole = build(small, root, workers=2)
    good = files(root)
    first, second, *_ = sorted(root.rglob("*.flac"))
    first.write_bytes(first.read_bytes()[:1000])
    second.unlink()
    assert 1 <= build(small, root, workers=1).made <= 2
    shard = next((root / "dialogues").glob("*.jsonl"))
    shard.write_bytes(shard.read_bytes()[:-30])
    again = build(small, root, workers=1)
    assert again.made >= 1 and again.sha256 == whole.sha256 and files(root) == good


def kill_and_resume(root, recipe, moments):
    """Builds ``recipe`` with a SIGKILL after each of ``moments`` seconds, then to its end."""
    killed = 0
    for moment in moments:
        process = command("build", recipe, root, "--workers", 2)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
        manifest = root / "corpus.json"
        if manifest.exists() and not read_manifest(root).complete:
            assert (root / ".build").is_dir()
        # Whatever carries a final name is whole.
        for shard in (root / "dialogues").glob("[!.]*"):
            assert shard.read_bytes().endswith(b"\n")
    process = command("build", recipe, root, "--workers", 2)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return killed


def test_a_killed_build_goes_on_to_the_same_hash(reference, tmp_path):
    recipe = yaml_of(RECIPE, tmp_path)
    kill_and_resume(tmp_path / "c", recipe, [1.0, 1.6, 2.2])
    assert files(tmp_path / "c") == files(reference[1])


@pytest.mark.long
def test_a_build_killed_at_twenty_random_moments_goes_on_to_the_same_hash(tmp_path):
    grown = RECIPE.scaled(12)
    expected = build(grown, tmp_path / "whole", workers=2)
    rng = random.Random(5)
    killed = kill_and_resume(tmp_path / "c", yaml_of(grown, tmp_path), [rng.uniform(0.2, 4.0) for _ in range(20)])
    assert killed >= 10
    assert read_manifest(tmp_path / "c").corpus_sha256 == expected.sha256
    assert files(tmp_path / "c") == files(tmp_path / "whole")


def test_an_interrupt_ends_in_one_line_and_the_next_run_goes_on(reference, tmp_path):
    recipe = yaml_of(RECIPE, tmp_path)
    process = command("build", recipe, tmp_path / "c", "--workers", 1, start_new_session=True)
    wait_for(lambda: list((tmp_path / "c").rglob("*.flac")))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 130 and errors.strip() == "interrupted"
    assert not list((tmp_path / "c").rglob("*.tmp"))
    build(RECIPE, tmp_path / "c", workers=2)
    assert files(tmp_path / "c") == files(reference[1])


def wait_for(something, seconds=120.0):
    end = time.monotonic() + seconds
    while not something():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def children(pid):
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_a_worker_killed_once_is_replaced(reference, tmp_path):
    recipe = yaml_of(RECIPE, tmp_path)
    process = command("build", recipe, tmp_path / "c", "--workers", 1, "--json")
    wait_for(lambda: list((tmp_path / "c").rglob("*.flac")))
    for child in children(process.pid):
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(child, signal.SIGKILL)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert len(msgspec.json.decode(output)["retried"]) == 1
    assert files(tmp_path / "c") == files(reference[1])


@pytest.mark.long
def test_a_full_disk_is_named_and_the_next_run_goes_on(reference, tmp_path):
    recipe = yaml_of(RECIPE, tmp_path)
    root = tmp_path / "c"
    # A limit on the size of files: some audio fits, the rest meets the same error path as a full disk.
    limit = 900_000
    process = command(
        "build", recipe, root, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (
        "the disk is full; free some space and run the same command again" in errors and len(errors.splitlines()) == 1
    )
    assert not list(root.rglob("*.tmp"))
    report = build(RECIPE, root, workers=2)
    assert report.made < report.dialogues, "what was finished is kept"
    assert files(root) == files(reference[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_really_full_disk(reference, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True).returncode:
        pytest.skip("no mounts here")
    try:
        with pytest.raises(UserError, match="the disk is full"):
            build(RECIPE, disk / "c", workers=2)
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        build(RECIPE, disk / "c", workers=2)
        assert files(disk / "c") == files(reference[1])
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o555)
    # Root may write anywhere but into the kernel's own tree.
    out = Path("/sys/duologue") if os.geteuid() == 0 else tmp_path / "c"
    with pytest.raises(UserError, match=f"{out.parent}.*cannot be written; choose another folder"):
        build(RECIPE, out)
    tmp_path.chmod(0o755)


def test_folders_of_something_else_are_refused(reference, tmp_path):
    root = tmp_path / "c"
    small = RECIPE.scaled(0.1)
    build(small, root, workers=2)
    before = files(root)
    for changes, message in (
        ({"seed": 12}, r"corpus of another recipe \(it differs in: seed\); choose another folder"),
        ({"twins": 0.5, "stems": 0.0}, r"differs in: twins, stems"),
        ({"counts": RECIPE.counts[1:]}, "asks for 1 dialogues of emotion/en/trajectory/.* a corpus can only grow"),
    ):
        with pytest.raises(UserError, match=message):
            build(msgspec.structs.replace(small, **changes), root, workers=1)
    assert {k: v for k, v in files(root).items() if not k.startswith(".build")} == before
    assert build(small, root, workers=1).made == 0
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UserError, match=r"not empty and holds no corpus \(cat.jpg"):
        build(small, tmp_path / "photos")
    with pytest.raises(UserError, match="is a file, not a folder"):
        build(small, tmp_path / "photos" / "cat.jpg")
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_corpus_of_other_parts_is_refused(reference, tmp_path, monkeypatch):
    root = tmp_path / "c"
    small = RECIPE.scaled(0.1)
    build(small, root, workers=2)
    monkeypatch.setattr("duologue.generate.build.PLAN_VERSION", "0")
    with pytest.raises(UserError, match=r"built with other parts \(plan 1\).*install those versions again"):
        build(small, root, workers=1)


def test_one_build_at_a_time(tmp_path):
    with Site(tmp_path / "c"), pytest.raises(UserError, match=rf"another build is at work .*process {os.getpid()}\)"):
        build(RECIPE, tmp_path / "c")
    with Site(tmp_path / "c"):
        pass


VOICE = '''
import multiprocessing, os, signal
from duologue.errors import MissingPartError
from duologue.generate.voices.espeak import EspeakVoice

class Dying(EspeakVoice):
    """Kills every worker in which it speaks."""
    def synthesise(self, *args, **kwargs):
        if multiprocessing.parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().synthesise(*args, **kwargs)

class Broken(EspeakVoice):
    def synthesise(self, *args, **kwargs):
        if multiprocessing.parent_process():
            raise ZeroDivisionError("planted")
        return super().synthesise(*args, **kwargs)

class Absent(EspeakVoice):
    def weights_sha256(self):
        raise MissingPartError("the voice is not here", mend="pip install absent-voice")
'''


@pytest.fixture
def voices(tmp_path, monkeypatch):
    """Three voices of another package, found through its entry points."""
    folder = tmp_path / "site"
    (folder / "odd-1.dist-info").mkdir(parents=True)
    (folder / "odd_voices.py").write_text(VOICE)
    (folder / "odd-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    entries = "".join(f"{n.lower()} = odd_voices:{n}\n" for n in ("Dying", "Broken", "Absent"))
    (folder / "odd-1.dist-info" / "entry_points.txt").write_text(f"[duologue.voices]\n{entries}")
    monkeypatch.syspath_prepend(folder)


def with_voice(name):
    return msgspec.structs.replace(RECIPE, voices={"en": name, "zh": name})


def test_a_worker_that_dies_again_names_the_item(voices, tmp_path):
    with pytest.raises(UserError, match=r"dialogue [a-z2-7]{12} \(.* \d+\): a worker was killed \(SIGKILL\) twice"):
        build(with_voice("dying"), tmp_path / "c", workers=1)


def test_a_bug_names_the_item_and_keeps_its_traceback(voices, tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)dialogue [a-z2-7]{12} \(.*\): Traceback.*ZeroDivisionError: planted"):
        build(with_voice("broken"), tmp_path / "c", workers=1)


def test_a_voice_that_is_not_installed_names_the_command_or_is_replaced(voices, tmp_path):
    small = with_voice("absent").scaled(0.1)
    with pytest.raises(UserError, match="the voice is not here; pip install absent-voice"):
        build(small, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    report = build(small, tmp_path / "c", workers=2, fallback_voice="espeak")
    assert report.voices == {"en": "espeak", "zh": "espeak"}
    assert "'absent' is not installed, 'espeak' speaks 'en'" in report.notices[0]
    assert read_manifest(tmp_path / "c").notes["notices"] == list(report.notices)


def test_the_corpus_passes_its_own_check(reference):
    # So small a recipe leaves splits empty; nothing else is wrong.
    assert [f for f in check(reference[1]).findings if f.field != "split"] == []
