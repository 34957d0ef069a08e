"""Every broken invariant is found, named, and nothing raises."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_corpus import build

from duologue.cli import cli
from duologue.corpus.check import check
from duologue.corpus.manifest import Manifest, read_manifest
from duologue.corpus.read import open as open_corpus
from duologue.corpus.write import encode_flac, write_manifest, write_shard
from duologue.errors import UserError

Edit = Callable[..., None]
# d0000 is emotion en train, d0002 emotion en dev, d0012 and d0013 duplex en train, d0014 duplex en dev.


def messages(root: Path, **options: Any) -> list[str]:
    return [f.message for f in check(root, **options).findings]


@pytest.mark.parametrize("options", [{}, {"decode": False}, {"workers": 2}])
def test_a_sound_corpus_has_no_findings(pristine: Path, options: dict[str, Any]) -> None:
    report = check(pristine, **options)
    assert report.findings == []
    assert (report.dialogues, report.files) == (24, 36)
    assert report.seconds == pytest.approx(36 * 4.0)


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change that sets a dotted place: "turns.0.words.1.2"."""
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]

    def change(row: dict[str, Any]) -> None:
        place: Any = row
        for step in way:
            place = place[step]
        place[last] = value

    return change


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]

    def change(row: dict[str, Any]) -> None:
        place: Any = row
        for step in way:
            place = place[step]
        del place[last]

    return change


# change of d0012 (a duplex dialogue with a twin) -> field and message of the one finding
BROKEN = [
    (put("audio.0.channels.0.speakers", ["nobody"]), "audio[0].channels[0].speakers", "unknown speaker"),
    (
        put("audio.0.channels.1.speakers", ["u-train-en"]),
        "audio[0].channels[1].speakers",
        "a role on the wrong channel",
    ),
    (put("audio.1.twin.of", "ghost"), "audio[1].twin.of", "unknown audio"),
    (put("audio.1.twin.differs", [48000, 55000]), "audio[1].twin.differs", "a twin that differs elsewhere"),
    (put("audio.1.twin.differs", [48000, 64001]), "audio[1].twin.differs", "not an interval of the audio"),
    (put("tasks", []), "tasks", "no task"),
    (put("tasks", ["empathy"]), "tasks[0]", "no task of track duplex"),
    (put("scenario", "clip"), "scenario", "no scenario of track duplex"),
    (put("groups.shoe_size", ["9"]), "groups.shoe_size", "unknown kind of group"),
    (put("rights.consent_id", ""), "rights.consent_id", "Expected `str` of length >= 1"),
    (put("speakers.0.synthetic", False), "speakers[0].synthetic", "a real speaker in a synthetic dialogue"),
    (put("turns.2.index", 7), "turns[2].index", "turns are not numbered in order"),
    (put("turns.0.speaker", "ghost"), "turns[0].speaker", "unknown speaker"),
    (put("turns.0.role", "system"), "turns[0].role", "not the role of its speaker"),
    (put("turns.0.addressee", ""), "turns[0].addressee", "unknown addressee"),
    (put("turns.0.language", "zh"), "turns[0].language", "not a language of the dialogue"),
    (put("turns.0.text_raw", "cafe\u0301"), "turns[0].text_raw", "text is not in NFC"),
    (put("turns.2.inside_turn", 9), "turns[2].inside_turn", "no such turn"),
    (put("turns.0.segments.0.start", -1), "turns[0].segments[0].start", "Expected `int` >= 0"),
    (put("turns.0.segments.0.end", 99_999), "turns[0].segments[0]", "not an interval of the audio"),
    (put("turns.0.segments.0.channel", 5), "turns[0].segments[0].channel", "no such channel"),
    (
        put("turns.0.segments.0.channel", 1),
        "turns[0].segments[0].channel",
        "the channel does not carry this turn's speaker",
    ),
    (put("turns.0.segments.0.audio", "ghost"), "turns[0].segments[0].audio", "unknown audio"),
    (put("turns.0.words.1.0", "found"), "turns[0].words[1].text", "differs from the text at its span"),
    (put("turns.0.words.1.2", 999), "turns[0].words[1]", "no span of the text"),
    (put("turns.0.words.1.3", 3000), "turns[0].words[1]", "a word outside its turn or out of order"),
    (put("turns.0.words.16.4", 33_601), "turns[0].words[16]", "a word outside its turn or out of order"),
    (put("events.0.kind", "singing"), "events[0].kind", "unknown kind of event"),
    (put("events.0.expected", []), "events[0].expected", "no expected act"),
    (put("events.0.target_turn", 12), "events[0].target_turn", "no such turn"),
    (put("events.0.target_turn", 1), "events[0].target_turn", "another speaker's turn"),
    (put("events.0.trigger.word", 40), "events[0].trigger.word", "no such word"),
    (drop("events.0.trigger.word"), "events[0].trigger.word", "anchor and word"),
    (put("events.0.position", "before"), "events[0].position", "a position that the scenario does not have"),
    (put("realised", []), "events[0].id", "an event that never happens"),
    (put("realised.0.end", 64_001), "realised[0]", "not an interval of the audio"),
    (put("realised.0.reaction", [9, 9]), "realised[0].reaction", "not an interval of the audio"),
    (put("annotations.0.target", "turn:8"), "annotations[0].target", "unknown target"),
    (put("annotations.0.gold_of", ["a9"]), "annotations[0].gold_of", "unknown annotation"),
    (put("annotations.0.confidence", 1.5), "annotations[0].confidence", "Expected `float` <= 1.0"),
    (put("annotations.0.value.taxonomy", "plutchik/1"), "annotations[0].value.taxonomy", "not the corpus's taxonomy"),
    (
        put("annotations.0.value.distribution", {"sad": 0.5}),
        "annotations[0].value.distribution",
        "shares that do not sum to 1",
    ),
    (
        put("annotations.0.value.acoustic_label", "happy"),
        "annotations[0].value.label",
        "not the acoustic label, though there is one",
    ),
    (put("annotations.2.value.span", [80, 200]), "annotations[2].value.span", "no span of the text"),
    (put("annotations.2.value.evidence_turn", 8), "annotations[2].value.evidence_turn", "no such turn"),
    (put("annotations.3.value.causes", ["a1"]), "annotations[3].value.causes", "unknown cause"),
    (put("acoustics.positions.0.speaker", "ghost"), "acoustics.positions[0].speaker", "unknown speaker"),
    (put("canary", "other"), "canary", "another canary"),
    (put("colour", "red"), "colour", "unknown field"),
    (drop("rights"), "rights", "missing field"),
    (put("source", "dreamt"), "source", "Invalid enum value 'dreamt'"),
]


@pytest.mark.parametrize(("change", "field", "message"), BROKEN, ids=[f"{f}: {m}" for _, f, m in BROKEN])
def test_a_broken_invariant_is_found_by_name(corpus: Path, edit: Edit, change: Any, field: str, message: str) -> None:
    edit(change, "d0012")
    found = [f for f in check(corpus).findings if f.message == message and f.field == field]
    assert len(found) == 1, check(corpus).findings
    assert found[0].dialogue == "d0012"


def test_an_unknown_emotion_names_the_known_ones(corpus: Path, edit: Edit) -> None:
    edit(put("annotations.0.value.label", "hangry"), "d0000")
    found = next(f for f in check(corpus).findings if f.message == "unknown emotion")
    assert found.value == "hangry" and "surprised" in found.allowed


def test_shifts_must_be_those_that_the_turns_show(corpus: Path, edit: Edit) -> None:
    edit(put("annotations.3.value.to_label", "happy"), "d0000")
    assert messages(corpus) == [
        "a shift that the turns' emotions do not show",
        "a shift of emotion that is not annotated",
    ]


def test_a_gold_label_overrules_the_raw_one_when_shifts_are_checked(corpus: Path, edit: Edit) -> None:
    def adjudicate(row: dict[str, Any]) -> None:
        gold = dict(row["annotations"][1], id="g1", status="gold", gold_of=["a2"], rater_type="human", rater="panel")
        gold["value"] = {"label": "fearful", "intensity": 2}
        row["annotations"].append(gold)

    edit(adjudicate, "d0000")
    assert "a shift that the turns' emotions do not show" in messages(corpus)


def test_all_schema_errors_of_a_line_are_named_not_only_the_first(corpus: Path, edit: Edit) -> None:
    def change(row: dict[str, Any]) -> None:
        row["track"] = "cooking"
        row["turns"][1]["index"] = "one"
        row["audio"][0]["sample_rate"] = 0

    edit(change, "d0000")
    fields = {f.field for f in check(corpus).findings if f.dialogue == "d0000"}
    assert {"track", "turns[1].index", "audio[0].sample_rate"} <= fields


def test_real_speakers_need_consent(corpus: Path, edit: Edit) -> None:
    def change(row: dict[str, Any]) -> None:
        row["source"] = "acted"
        row["speakers"][0]["synthetic"] = False

    edit(change, "d0000")
    assert messages(corpus) == ["a real speaker without consent"]


def test_groups_and_speakers_keep_splits_apart(corpus: Path, edit: Edit) -> None:
    edit(put("groups.noise", ["hum-train"]), "d0014")
    edit(put("groups.source_recording", ["tape-1"]), "d0012", "d0014")
    found = {(f.field, f.value): f.message for f in check(corpus).findings}
    assert set(found) == {("groups.noise", "hum-train"), ("groups.source_recording", "tape-1")}
    assert "dev: d0014" in found["groups.source_recording", "tape-1"]


def test_a_voice_and_its_parent_are_kept_on_one_side(corpus: Path, edit: Edit) -> None:
    edit(put("speakers.0.parent_voice", "u-train-en"), "d0014")
    assert [(f.field, f.value) for f in check(corpus).findings] == [("groups.parent_voice", "u-train-en")]


def test_the_same_words_in_two_splits_are_found_under_another_name_and_punctuation(corpus: Path, edit: Edit) -> None:
    other = next(d.dialogue.turns[0].text for d in open_corpus(corpus) if d.id == "d0012")

    def change(row: dict[str, Any]) -> None:
        text = other
        row["turns"][0].update(text=text.upper() + "!!", words=[])
        row["annotations"][2]["value"]["span"] = [0, 5]

    edit(change, "d0014")
    assert any(m.startswith("the same words in several splits") for m in messages(corpus))


def test_the_same_samples_in_two_splits_are_found(corpus: Path, edit: Edit) -> None:
    rows: dict[str, dict[str, Any]] = {}
    edit(lambda row: rows.update({row["id"]: row}), "d0000", "d0002")
    source, target = rows["d0000"]["audio"][0], rows["d0002"]["audio"][0]
    (corpus / target["path"]).write_bytes((corpus / source["path"]).read_bytes())
    edit(lambda row: row["audio"][0].update(sha256=source["sha256"], pcm_sha256=source["pcm_sha256"]), "d0002")
    assert [f.field for f in check(corpus).findings] == ["audio.pcm_sha256"]


def test_each_task_and_language_needs_three_splits_in_a_built_corpus(corpus: Path) -> None:
    manifest = read_manifest(corpus)
    gone = next(s for s in manifest.shards if s.name.startswith("emotion-zh-dev"))
    (corpus / gone.path).unlink()
    for f in (corpus / "audio" / gone.name).iterdir():
        f.unlink()
    kept = tuple(s for s in manifest.shards if s is not gone)
    write_manifest(corpus, msgspec.structs.replace(manifest, shards=kept))
    (finding,) = check(corpus).findings
    assert finding.value == "trajectory zh dev"
    write_manifest(corpus, msgspec.structs.replace(manifest, shards=kept, recipe_sha256=""))
    assert messages(corpus) == []


def first_audio(corpus: Path) -> Path:
    return sorted((corpus / "audio").rglob("*.flac"))[0]


def swap_bytes(f: Path) -> None:
    data = bytearray(f.read_bytes())
    data[len(data) // 2] ^= 0xFF
    f.write_bytes(data)


def other_rate(f: Path) -> None:
    f.write_bytes(encode_flac(np.ones((64_000, 2), np.int16), 8_000).data)


def deeper(f: Path) -> None:
    soundfile.write(f, np.ones((64_000, 2)) / 3, 16_000, format="FLAC", subtype="PCM_24")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda f: f.unlink(), {"missing file"}),
        (swap_bytes, {"the file was changed"}),
        (lambda f: f.write_bytes(f.read_bytes()[:5000]), {"the file was changed", "the file is cut short"}),
        (lambda f: f.write_bytes(b""), {"the file was changed", "no audio"}),
        (lambda f: f.write_bytes(b"not audio at all " * 100), {"the file was changed", "no audio"}),
        (other_rate, {"the file was changed", "another sample rate in the file", "other samples in the file"}),
        (deeper, {"the file was changed", "another format"}),
    ],
    ids=["missing", "changed", "truncated", "empty", "text", "rate", "24-bit"],
)
def test_a_harmed_audio_file_is_a_finding(corpus: Path, harm: Any, expected: set[str]) -> None:
    harm(first_audio(corpus))
    found = messages(corpus)
    for message in expected:
        assert any(m.startswith(message) for m in found), found
    assert expected & {m.split(":")[0] for m in messages(corpus, decode=False)}


def test_a_whole_and_consistent_but_silent_file_is_a_finding(corpus: Path, edit: Edit) -> None:
    flac = encode_flac(np.zeros((64_000, 2), np.int16), 16_000)
    paths: list[str] = []
    edit(lambda row: paths.append(row["audio"][0]["path"]), "d0000")
    (corpus / paths[0]).write_bytes(flac.data)
    edit(lambda row: row["audio"][0].update(sha256=flac.sha256, pcm_sha256=flac.pcm_sha256), "d0000")
    assert messages(corpus) == ["a silent file"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "audio/../../x", "C:/x", "a\\b", "", "audio//x"])
def test_paths_that_leave_the_corpus_are_refused(corpus: Path, edit: Edit, path: str) -> None:
    edit(put("audio.0.path", path), "d0012")
    found = [f for f in check(corpus).findings if f.field == "audio[0].path"]
    assert found and any("path" in f.message or "length" in f.message for f in found)


def test_a_link_out_of_the_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    file = first_audio(corpus)
    (tmp_path / "outside.flac").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "outside.flac")
    assert messages(corpus) == ["not a path inside the corpus"]


def test_a_pipe_in_place_of_a_file_does_not_hang(corpus: Path) -> None:
    file = first_audio(corpus)
    file.unlink()
    os.mkfifo(file)
    assert "not a regular file" in messages(corpus)


def shard_file(corpus: Path) -> Path:
    return corpus / read_manifest(corpus).shards[0].path


def test_a_cut_line_and_a_changed_shard_are_findings(corpus: Path) -> None:
    shard = shard_file(corpus)
    shard.write_bytes(shard.read_bytes()[:-500])
    found = messages(corpus)
    assert "the line is cut off" in found
    assert "the shard differs from its entry in corpus.json" in found
    assert any(m.startswith("broken line") for m in found)


def test_lines_out_of_order_twice_or_of_the_future_are_findings(corpus: Path) -> None:
    shard = shard_file(corpus)
    first, second = shard.read_bytes().splitlines(keepends=True)
    future = first.replace(b'"schema_version":1', b'"schema_version":99')
    shard.write_bytes(second + first + first + future + b"\n" + b"[" * 5000 + b"\n")
    found = messages(corpus)
    assert found.count("ids are not in order") == 2
    assert "an id comes twice" in found
    assert "the line was written by a newer duologue" in found


def test_missing_and_extra_files_and_left_overs_are_findings(corpus: Path) -> None:
    (corpus / "answers.txt").write_text("42")
    first_audio(corpus).with_name(".x.flac.77-1.tmp").write_bytes(b"")
    (corpus / read_manifest(corpus).shards[-1].path).unlink()
    found = messages(corpus)
    assert {"a file that no entry names", "left over from a write that was cut off", "missing file"} <= set(found)


def test_hostile_names_neither_break_the_json_nor_reach_the_terminal(corpus: Path, edit: Edit) -> None:
    (corpus / os.fsdecode(b"bad\xff\x1b[2J.txt")).write_text("")
    edit(put("canary", "\x1b[31mred\u202e"), "d0012")
    out = CliRunner().invoke(cli, ["check", str(corpus), "--json"])
    assert out.exit_code == 1 and len(json.loads(out.stdout)["findings"]) == 2
    table = CliRunner().invoke(cli, ["check", str(corpus)], env={"COLUMNS": "200"})
    assert table.exit_code == 1 and "\x1b" not in table.stdout and "\u202e" not in table.stdout


def test_the_manifest_is_checked_against_itself(corpus: Path) -> None:
    text = (corpus / "corpus.json").read_text()
    (corpus / "corpus.json").write_text(text.replace('"small"', '"grand"'))
    assert messages(corpus) == ["the manifest was changed"]
    (corpus / "corpus.json").write_text(text.replace('"dialogues": 24', '"dialogues": 25'))
    assert "not the sum" in messages(corpus)
    (corpus / "corpus.json").write_text(text[:300])
    assert messages(corpus)[0].startswith("broken manifest")
    (corpus / "corpus.json").unlink()
    assert messages(corpus) == ["no corpus here"]
    with pytest.raises(UserError, match="no such folder"):
        check(corpus / "nowhere")


def test_files_beside_the_shards_are_hashed(tmp_path: Path) -> None:
    root = tmp_path / "c"
    build(root, files={"recipe.yaml": "0" * 64})
    assert messages(root) == ["missing file"]
    (root / "recipe.yaml").write_text("seed: 1")
    assert messages(root) == ["the file was changed"]


def test_an_unfinished_build_says_so(tmp_path: Path) -> None:
    root = tmp_path / "c"
    build(root, complete=False)
    (root / "audio" / "more.flac").write_bytes(b"")
    assert messages(root) == ["the corpus is not finished: run its build again"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(cut=26, junk=b"\x80")
@given(cut=st.integers(0, 4000), junk=st.binary(max_size=40))
def test_no_bytes_in_a_shard_raise(pristine: Path, corpus: Path, cut: int, junk: bytes) -> None:
    source = (pristine / read_manifest(pristine).shards[0].path).read_bytes()
    shard_file(corpus).write_bytes(source[:cut] + junk + source[cut + len(junk) :])
    changed = source[:cut] + junk + source[cut + len(junk) :] != source
    assert bool(check(corpus, decode=False).findings) == changed


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_no_bytes_in_an_audio_file_raise(pristine: Path, corpus: Path, place: float, junk: bytes, cut: bool) -> None:
    file = first_audio(corpus)
    whole = first_audio(pristine).read_bytes()
    at = int(place * len(whole))
    file.write_bytes(whole[:at] + junk + (b"" if cut else whole[at + len(junk) :]))
    assert bool(check(corpus).findings) == (file.read_bytes() != whole)


def test_a_corpus_without_dialogues_is_a_finding(tmp_path: Path) -> None:
    write_manifest(tmp_path, Manifest(name="empty", duologue="0"))
    assert messages(tmp_path) == ["a corpus without dialogues"]


def test_workers_find_the_same(corpus: Path, edit: Edit) -> None:
    edit(put("groups.noise", ["hum-train"]), "d0014")
    swap_bytes(first_audio(corpus))
    one, two = check(corpus), check(corpus, workers=2)
    assert one == two and len(one.findings) >= 2


def test_the_command_exits_0_or_1_and_prints_json(corpus: Path, edit: Edit) -> None:
    run = CliRunner().invoke
    sound = run(cli, ["check", str(corpus), "--json"])
    assert sound.exit_code == 0 and json.loads(sound.stdout) == {"dialogues": 24, "findings": []}
    edit(put("canary", "[red]other"), "d0012")
    broken = run(cli, ["check", str(corpus), "--json"])
    (finding,) = json.loads(broken.stdout)["findings"]
    assert broken.exit_code == 1 and set(finding) == {"file", "dialogue", "field", "value", "allowed", "message"}
    table = run(cli, ["check", str(corpus)])
    assert table.exit_code == 1 and "24 dialogues, 36 audio files" in table.stdout and "1 finding" in table.stdout


def test_nearly_the_same_words_in_two_splits_are_found(corpus: Path, edit: Edit) -> None:
    """d0014 says what d0012 says but for its last word."""
    other = next(d.dialogue.turns[0].text for d in open_corpus(corpus) if d.id == "d0012")

    def change(row: dict[str, Any]) -> None:
        row["turns"][0].update(text=other.removesuffix("it") + "them", words=[])
        row["annotations"][2]["value"]["span"] = [0, 5]

    edit(change, "d0014")
    found = [f for f in check(corpus).findings if f.message.startswith("nearly the same words")]
    assert [(f.field, f.dialogue) for f in found] == [("turns.text", "d0014")]
    assert "dev: d0014, train: d0012" in found[0].message


def babble(seconds: float, rate: int) -> np.ndarray:
    """Noise whose colour changes five times a second, as that of speech does: int16 [n, 2]."""
    rng = np.random.default_rng(5)
    n = rate // 5
    pieces = []
    for _ in range(round(seconds * 5)):
        spectrum = np.fft.rfft(rng.normal(size=n)) * np.exp(rng.normal(size=12).repeat(n // 24 + 1)[: n // 2 + 1])
        pieces.append(np.fft.irfft(spectrum, n))
    x = np.concatenate(pieces)
    x = (x / np.abs(x).max() * 20_000).astype(np.int16)
    return np.stack([x, x[::-1]], axis=1)


@pytest.mark.parametrize("change", ["quiet", "telephone"])
def test_a_recording_of_train_under_another_name_in_test_is_found(corpus: Path, change: str) -> None:
    """d0012 (train) comes again as d0016 (test): at a third of its level, or without what is above
    4 kHz; no sample is the same."""
    rate = 16_000
    sound = babble(4, rate)
    if change == "quiet":
        copy = (sound * 0.33).astype(np.int16)
    else:
        copy = soxr.resample(soxr.resample(sound, rate, 8_000), 8_000, rate)[: len(sound)]
    manifest = read_manifest(corpus)
    shards = {s.name: s for s in manifest.shards}
    for id, split, samples in (("d0012", "train", sound), ("d0016", "test", copy)):
        shard = shards[f"duplex-en-{split}-00000"]
        rows = [msgspec.json.decode(line) for line in (corpus / shard.path).read_bytes().splitlines()]
        row = next(r for r in rows if r["id"] == id)
        flac = encode_flac(samples, rate)
        row["audio"] = [row["audio"][0] | {"sha256": flac.sha256, "pcm_sha256": flac.pcm_sha256}]
        (corpus / row["audio"][0]["path"]).write_bytes(flac.data)
        (corpus / f"audio/{shard.name}/{id}-twin.flac").unlink()
        shards[shard.name] = write_shard(corpus, shard.name, [msgspec.json.encode(r) + b"\n" for r in rows])
    write_manifest(corpus, msgspec.structs.replace(manifest, shards=tuple(shards.values())))
    findings = check(corpus).findings
    assert [(f.field, f.dialogue) for f in findings] == [("audio", "d0016")]
    assert findings[0].message == "nearly the same recording in several splits (test: d0016, train: d0012)"
    assert check(corpus, decode=False).findings == []
