"""Real recordings as lines: from a recipe over sheets and files to a corpus, and what stops it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus.check import check
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.generate.build import build, choose_voices
from duologue.generate.recipe import read_recipe
from duologue.generate.scripts.write_file import write_file
from duologue.generate.scripts.written import encode_heading, encode_written, read_heading, read_scripts
from duologue.generate.voices.recordings import RecordingsVoice
from duologue.listen.words import Recogniser
from duologue.recordings.check import check as check_recordings
from duologue.recordings.manifest import read_manifest
from duologue.recordings.person import read_people
from duologue.recordings.take import Folder, read_take
from duologue.report.sheets.write import write_sheets

ACTED = Path(__file__).resolve().parents[3] / "shared" / "data" / "ravdess_en_16k"
pytestmark = [
    pytest.mark.skipif(not ACTED.is_dir(), reason="no recordings in ../shared/data/ravdess_en_16k"),
]
KIDS, DOGS = "Kids are talking by the door.", "Dogs are sitting by the door."

RECIPE = """\
name: acted
seed: 5
voices: {en: recordings}
stems: 1.0
twins: 0.0
acoustics: {room_share: 0, noise_share: 0, telephone_share: 0, echo_share: 0, packet_loss_share: 0}
options:
  recordings: {manifest: sheets, folder: recorded, cast: cast.yaml, system: espeak, recogniser: false}
counts:
  - {track: emotion, task: recognition, scenarios: [clip], languages: [en], train: 2, dev: 1, test: 1}
  - {track: duplex, scenarios: [none], languages: [en], turns: [1], train: 1, dev: 1, test: 1}
"""
CAST = """\
people:
  - {name: Ann, languages: [en], sex: female, licence: CC-BY-NC-SA-4.0, consent_id: C-1}
  - {name: Bob, languages: [en], sex: male, licence: CC-BY-NC-SA-4.0, consent_id: C-2}
  - {name: Cy, languages: [en], sex: male, licence: CC-BY-NC-SA-4.0, consent_id: C-3}
"""
# Ravdess: three digits groups say the sentence (01 kids, 02 dogs) and the actor (odd men, even women).
ACTOR = {"Ann": 4, "Bob": 1, "Cy": 7}


def clip(actor: int, sentence: int, n: int) -> Path:
    rows = [r for r in csv.DictReader((ACTED / "labels.csv").open()) if int(r["actor"]) == actor]
    words = (KIDS, DOGS)[sentence - 1].rstrip(".")
    found = [r["file"] for r in rows if r["text"] == words and r["emotion"] in ("neutral", "calm", "happy", "sad")]
    return next(ACTED.rglob(found[n]))


def rows_of(folder: Path) -> list[dict[str, str]]:
    return [
        row
        for table in sorted(folder.glob("*.csv"))
        for row in csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig"), newline=""))
    ]


def say(lines, n):
    """The user's lines of a script as sentences that were recorded; everything that points into the old words goes."""
    texts = iter((KIDS, DOGS) if n % 2 else (DOGS, KIDS))
    return tuple(
        msgspec.structs.replace(x, text=next(texts), text_raw="", emphasis=None, pause_at=()) if x.role == "user" else x
        for x in lines
    )


def stage(folder: Path) -> Path:
    """A recipe, its scripts with known sentences, sheets for three people, and their recordings by key."""
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    (folder / "my.yaml").write_text(RECIPE)
    (folder / "cast.yaml").write_text(CAST)
    planned = read_recipe(folder / "my.yaml")
    planned = msgspec.structs.replace(planned, voices={"en": "espeak"})
    planned, voices, _ = choose_voices(planned)
    write_file(planned, voices, folder / "draft.jsonl")
    lines = [encode_heading(read_heading(folder / "draft.jsonl"))]
    for n, (_, w) in enumerate(read_scripts(folder / "draft.jsonl")):
        script = msgspec.structs.replace(w.script, lines=say(w.script.lines, n), causes=(), events=(), probes=())
        lines.append(encode_written(msgspec.structs.replace(w, script=script)))
    (folder / "scripts.jsonl").write_bytes(b"".join(lines))
    write_sheets(folder / "scripts.jsonl", folder / "sheets", people=read_people(folder / "cast.yaml"))
    (folder / "recorded").mkdir()
    used: dict[tuple[str, str], int] = {}
    for i, row in enumerate(rows_of(folder / "sheets")):
        at = row["speaker"], row["text"]
        take = read_take(clip(ACTOR[row["speaker"]], 1 if row["text"] == KIDS else 2, used.get(at, 0)))
        used[at] = used.get(at, 0) + 1
        # Another rate, format and number of channels each time.
        rate, ending = ((48_000, "wav"), (16_000, "flac"), (44_100, "ogg"))[i % 3]
        samples = soxr.resample(take.samples * 4, take.rate, rate, quality="HQ")
        both = np.stack([samples, samples], 1) if i % 3 == 0 else samples
        subtype = {"wav": "FLOAT", "flac": "PCM_24", "ogg": "VORBIS"}[ending]
        soundfile.write(folder / "recorded" / f"{row['key']}.{ending}", both, rate, subtype=subtype)
    return folder


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage(tmp_path_factory.mktemp("acted"))


def planned(folder: Path):
    return msgspec.structs.replace(read_recipe(folder / "my.yaml"), scripts=str(folder / "scripts.jsonl"))


@pytest.fixture(scope="module")
def corpus(staged: Path) -> Corpus:
    report = build(planned(staged), staged / "corpus", workers=1)
    assert report.dialogues == 7
    return Corpus(staged / "corpus")


def copied(staged: Path, folder: Path) -> Path:
    import shutil

    for name in ("my.yaml", "cast.yaml", "scripts.jsonl"):
        shutil.copy(staged / name, folder / name)
    shutil.copytree(staged / "sheets", folder / "sheets")
    shutil.copytree(staged / "recorded", folder / "recorded")
    return folder


def test_people_stay_in_one_split_and_read_only_what_is_theirs(staged: Path) -> None:
    splits = {w.id: w.split for _, w in read_scripts(staged / "scripts.jsonl")}
    rows = rows_of(staged / "sheets")
    assert len({r["speaker"] for r in rows}) == 3
    of = {r["speaker"]: set() for r in rows}
    for r in rows:
        of[r["speaker"]].add(splits[r["key"].rpartition("_")[0]])
    assert sorted(map(len, of.values())) == [1, 1, 1] and set.union(*of.values()) == {"train", "dev", "test"}
    # The system's turns are in nobody's table: no person of the cast reads them.
    assert len(rows) == sum(x.role == "user" for _, w in read_scripts(staged / "scripts.jsonl") for x in w.script.lines)


def test_the_corpus_is_valid_and_says_who_is_a_person(corpus: Corpus) -> None:
    assert check(corpus.root).findings == []
    assert corpus.manifest.notes["synthetic"] is False
    for item in corpus:
        d = item.dialogue
        assert d.source == "acted"
        user = next(s for s in d.speakers if s.role == "user")
        assert (user.synthetic, user.voice, user.parent_voice) == (False, "", "")
        assert user.id.removeprefix("recordings:") in ACTOR and user.consent_id.startswith("C-")
        assert d.rights.consent_id == user.consent_id
        assert d.rights.licence == "CC-BY-4.0 AND CC-BY-NC-SA-4.0"
        assert all(s.synthetic and s.voice.startswith("espeak:") for s in d.speakers if s.role == "system" and s.voice)
        assert all(w.source == "estimated" for t in d.turns if t.role == "user" for w in t.words)
        assert next(t.text for t in d.turns if t.role == "user") in (KIDS, DOGS)


def test_a_stem_is_the_recording_times_one_gain(corpus: Corpus, staged: Path) -> None:
    """Stem = round(32767 g resample(recording)) up to half a unit; g is the same over the line, and over a speaker's
    lines up to the level that each dialogue draws for its user."""
    lines, folder = read_manifest(staged / "sheets"), Folder(staged / "recorded")
    gains: dict[str, list[float]] = {}
    for item in corpus:
        d = item.dialogue
        stem = next(a.id for a in d.audio if a.channels[0].kind == "clean-stem")
        drawn = next(s for s in d.provenance.steps if s.step == "scene").parameters
        # A stem that would clip is turned down as a whole, to -1 dBFS.
        turned_down = np.abs(item.audio(0, which=stem)[0].astype(np.float64)).max() > 0.885
        for turn in (t for t in d.turns if t.role == "user"):
            line = lines[f"{d.id}_{turn.index + 1:02d}"]
            take = read_take(folder.find(line))
            there = (
                soxr.resample(take.samples, take.rate, 16_000, quality="HQ") if take.rate != 16_000 else take.samples
            )
            start, end = turn.segments[0].start, turn.segments[-1].end
            ours, _ = item.audio(0, which=stem, start=start, end=end)
            ours = ours.reshape(-1).astype(np.float64)
            # Where the speech begins in the recording is the one thing that is not known: the best match.
            size = 1 << (len(there) + len(ours)).bit_length()
            spectrum = np.fft.rfft(there, size) * np.conj(np.fft.rfft(ours, size))
            at = int(np.argmax(np.fft.irfft(spectrum, size)[: len(there)]))
            theirs = there[at : at + len(ours)].astype(np.float64)
            gain = float(ours @ theirs / (theirs @ theirs))
            left = ours - gain * theirs
            # Half a unit of 16 bits everywhere, and where the file was cut before it was resampled a little more.
            assert np.sqrt(np.mean(left**2)) < 1 / 32767
            assert np.abs(left[100:-100]).max() < 1.5 / 32767, d.id
            if turned_down:
                continue
            gains.setdefault(line.speaker, []).append(
                20 * np.log10(gain) - drawn["level_db"] - drawn["line_gain_db"][turn.index]
            )
    assert max(map(len, gains.values())) > 1
    for speaker, found in gains.items():
        # Both draws, the level and the distance, are recorded to a hundredth of a dB.
        assert max(found) - min(found) < 0.03, speaker


def test_the_recipe_in_the_corpus_builds_the_same_identity_without_our_paths(corpus: Corpus, staged: Path) -> None:
    assert corpus.manifest.recipe_sha256 == planned(staged).identity()
    moved = msgspec.structs.replace(
        planned(staged), options={"recordings": {"system": "espeak", "recogniser": False, "manifest": "/elsewhere"}}
    )
    assert moved.identity() == corpus.manifest.recipe_sha256
    part = next(p for p in corpus.manifest.parts if p.name == "voice:recordings")
    assert part.version == "1, words by length" and len(part.sha256) == 64
    assert any(p.name == "voice:espeak" for p in corpus.manifest.parts)


def test_a_missing_line_names_its_reader_and_comes_out_as_a_sheet(staged: Path, tmp_path: Path) -> None:
    folder = copied(staged, tmp_path)
    row = rows_of(folder / "sheets")[0]
    next((folder / "recorded").glob(f"{row['key']}.*")).unlink()
    with pytest.raises(UserError) as e:
        build(planned(folder), folder / "corpus", workers=1)
    assert f"{row['speaker']} has to read {row['key']}: {row['text']}" in e.value.message
    assert not (folder / "corpus").exists()
    arguments = ["recordings", "check", str(folder / "sheets"), str(folder / "recorded"), "--no-words"]
    out = CliRunner().invoke(cli, [*arguments, "--sheets", str(folder / "again"), "--html", str(folder / "r.html")])
    assert out.exit_code == 1 and f"{row['speaker']} has 1 lines still to read" in out.output
    again = rows_of(folder / "again")
    assert again == [row]
    assert row["text"] in (folder / "r.html").read_text() and row["key"] in (
        folder / "again" / "index.html"
    ).read_text() + (next((folder / "again").glob("*-en.html")).read_text())
    # What comes in from that sheet completes the manifest as it was.
    assert read_manifest(folder / "again").keys() == {row["key"]}


def test_without_consent_or_licence_the_build_names_the_person(staged: Path, tmp_path: Path) -> None:
    folder = copied(staged, tmp_path)
    for wrong, said in (
        (CAST.replace("C-2", "''"), "Bob gave no consent"),
        (CAST.replace("C-2", "not-applicable"), "Bob gave no consent"),
        (CAST.replace("licence: CC-BY-NC-SA-4.0, consent_id: C-3", "consent_id: C-3"), "recordings of Cy"),
        (CAST.replace("Cy", "Cyril"), "who is Cy?"),
    ):
        (folder / "cast.yaml").write_text(wrong)
        with pytest.raises(UserError, match=said.replace("?", r"\?")):
            build(planned(folder), folder / "corpus", workers=1)


def test_a_person_in_two_splits_and_two_people_in_one_role_stop_the_build(staged: Path, tmp_path: Path) -> None:
    folder = copied(staged, tmp_path)
    for table in sorted((folder / "sheets").glob("*.csv")):
        table.write_bytes(table.read_bytes().replace(b",Bob,", b",Ann,").replace(b",Cy,", b",Ann,"))
    with pytest.raises(UserError, match=r"Ann reads in .* and in "):
        build(planned(folder), folder / "corpus", workers=1)


def test_words_that_are_no_longer_the_scripts_stop_the_build(staged: Path, tmp_path: Path) -> None:
    folder = copied(staged, tmp_path)
    scripts = (folder / "scripts.jsonl").read_bytes()
    (folder / "scripts.jsonl").write_bytes(scripts.replace(b"Kids are talking", b"Cats are talking"))
    with pytest.raises(UserError, match="other words than were read"):
        build(planned(folder), folder / "corpus", workers=1)


def test_planted_faults_are_found_and_clean_lines_are_not_blamed(staged: Path, tmp_path: Path) -> None:
    folder = copied(staged, tmp_path)
    recorded, rows = folder / "recorded", rows_of(folder / "sheets")
    clean = check_recordings("m", read_manifest(folder / "sheets"), Folder(recorded), None)
    assert clean.good and clean.recorded == len(rows) == 7 and not clean.flaws, clean.flaws

    def put(n: int, samples: np.ndarray, rate: int) -> str:
        key = rows[n]["key"]
        for old in recorded.glob(f"{key}.*"):
            old.unlink()
        soundfile.write(recorded / f"{key}.wav", samples, rate, subtype="FLOAT")
        return key

    takes = [read_take(next(recorded.glob(f"{r['key']}.*"))) for r in rows]
    loud = takes[0].samples * 60
    clipped = put(0, np.clip(loud, -1, 1) * 0.5, takes[0].rate)  # clipped, then turned down
    copy = put(1, np.clip(loud, -1, 1) * 0.5, takes[0].rate)
    rng = np.random.default_rng(3)
    noisy = put(2, takes[2].samples + rng.normal(0, 0.01, len(takes[2].samples)).astype(np.float32), takes[2].rate)
    silent = put(3, np.zeros(16_000, np.float32), 16_000)
    dead = put(4, np.stack([takes[4].samples, np.zeros_like(takes[4].samples)], 1), takes[4].rate)
    (recorded / "holiday.wav").write_bytes(next(recorded.glob("*.wav")).read_bytes())
    found = check_recordings("m", read_manifest(folder / "sheets"), Folder(recorded), None)
    kinds = {(f.key, f.kind): f for f in found.flaws}
    assert kinds[clipped, "clipped"].severity == "error"
    assert kinds[copy, "duplicate"].what == f"the same samples as {clipped}"
    assert kinds[noisy, "noise"].severity == "warning"
    assert kinds[silent, "silent"].severity == "error"
    assert "1 without sound" in kinds[dead, "channel"].what
    assert found.strangers == ("holiday.wav",) and not found.good
    assert set(found.again) == {clipped, copy, silent}


@pytest.fixture(scope="module")
def ear() -> Recogniser:
    pytest.importorskip("faster_whisper", reason="no recogniser installed")
    ear = Recogniser(threads=1)
    try:
        ear.hear(np.full(160, 0.1, np.float32), 16_000, language="en", times=False)
    except UserError as error:
        pytest.skip(error.message)
    return ear


def test_wrong_words_are_heard(staged: Path, tmp_path: Path, ear: Recogniser) -> None:
    folder = copied(staged, tmp_path)
    lines = read_manifest(folder / "sheets")
    wrong, right = list(lines)[:2]
    two = {k: lines[k] for k in (wrong, right)}
    two[wrong] = msgspec.structs.replace(two[wrong], text="Please cancel my order for nine blue umbrellas.")
    found = check_recordings("m", two, Folder(folder / "recorded"), ear)
    (flaw,) = [f for f in found.flaws if f.kind == "words"]
    assert (flaw.key, flaw.severity) == (wrong, "error") and "by the door" in flaw.what
    assert found.lines[1].error_rate is not None and found.lines[1].error_rate <= 0.25
    assert found.recogniser == "" and 0 < found.error_rates["en"] < 1


def test_the_voice_times_its_words_and_refuses_others(staged: Path, tmp_path: Path, ear: Recogniser) -> None:
    folder = copied(staged, tmp_path)
    voice = RecordingsVoice(folder / "sheets", folder / "cast.yaml", folder / "recorded")
    key, line = next(iter(voice.lines.items()))
    speech = voice.synthesise(line.text, language="en", speaker=line.speaker, key=key)
    assert voice.version == "1, words by Whisper base" and speech.source == "estimated"
    assert [line.text[w.char_start : w.char_end] for w in speech.words] == line.text.rstrip(".").split()
    assert speech.onset <= speech.words[0].start and speech.words[-1].end <= speech.offset
    table = next((folder / "sheets").glob(f"{line.speaker}-en.csv"))
    other = "Please cancel my order for nine blue umbrellas."
    table.write_bytes(table.read_bytes().replace(line.text.encode(), other.encode()))
    voice = RecordingsVoice(folder / "sheets", folder / "cast.yaml", folder / "recorded")
    with pytest.raises(UserError, match="seems to say something else"):
        voice.synthesise(other, language="en", speaker=line.speaker, key=key)
