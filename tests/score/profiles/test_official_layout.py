"""The challenge's folders read as they come: every name, every broken file, and nothing read twice or silently."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from duologue.errors import UserError
from duologue.models import store
from duologue.models.catalogue import SILERO
from duologue.score.profiles.humdial2026.evaluate import evaluate
from duologue.score.profiles.humdial2026.intervals import merge
from duologue.score.profiles.humdial2026.item import OfficialItem
from duologue.score.profiles.humdial2026.layout import find, language_of, scenario_of
from duologue.score.profiles.humdial2026.read import read_item, read_items

RATE = 16_000
MANDARIN = Path(__file__).parents[3] / ".." / "shared" / "data" / "easy_turn_zh" / "samples"


class Loud:
    """Speech is what is loud: frames of 10 ms above -40 dB."""

    def segments(self, samples: npt.NDArray[np.float32], *, merge_gap: float = 0.0) -> npt.NDArray[np.int64]:
        frames = len(samples) // 160
        loud = np.abs(samples[: frames * 160].reshape(frames, 160)).max(axis=1, initial=0) > 0.01
        edges = np.flatnonzero(np.diff(np.r_[False, loud, False].astype(np.int8))).reshape(-1, 2) * 160
        rows = merge([(s / RATE, e / RATE) for s, e in edges.tolist()], merge_gap)
        return np.array([(round(s * RATE), round(e * RATE)) for s, e in rows], np.int64).reshape(-1, 2)


def tone(*spans: tuple[float, float], length: float = 12.0, rate: int = RATE) -> npt.NDArray[np.float32]:
    x = np.zeros(int(length * rate), np.float32)
    for start, end in spans:
        x[int(start * rate) : int(end * rate)] = 0.5
    return x


def transcript(*words: tuple[str, float, float]) -> dict[str, Any]:
    return {"text": " ".join(w for w, *_ in words), "chunks": [{"text": w, "timestamp": [s, e]} for w, s, e in words]}


def put(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def recording(folder: Path, base: str) -> None:
    """The user speaks at 0-2 and 6-8 s, the system at 3-6.5 and 9-11."""
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{base}.wav", tone((0, 2), (6, 8)), RATE)
    soundfile.write(folder / f"{base}_output.wav", tone((3, 6.5), (9, 11)), RATE)
    sentence = {"final_duration": 12.0, "speech_segments": [{"xmin": 0.0, "xmax": 2.0}, {"xmin": 6.0, "xmax": 8.0}]}
    put(folder / f"{base}_sentence.json", sentence)
    put(folder / f"{base}.json", transcript(("hi", 0.1, 1.9), ("and", 6.1, 7.9)))
    put(folder / f"{base}_output.json", transcript(("well", 3.1, 3.4), ("so", 9.1, 9.3)))


def only(root: Path, **options: Any) -> OfficialItem:
    folder = find(root, **options)
    assert len(folder.files) == 1, folder
    return read_item(folder.files[0], Loud())


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("Follow-up_Questions", "follow_up"),
        ("Follow-up Questions", "follow_up"),
        ("ask", "follow_up"),
        ("Negation_or_Dissatisfaction", "negation"),
        ("Negation-Dissatisfaction", "negation"),
        ("deny", "negation"),
        ("Repetition Requests", "repetition"),
        ("repeat", "repetition"),
        ("Topic_Switching", "topic_switch"),
        ("Topic Switch", "topic_switch"),
        ("shift", "topic_switch"),
        ("Silence_or_Termination", "termination"),
        ("Silence or Stop", "termination"),
        ("wait", "termination"),
        ("User_Real-time_Backchannels", "backchannel"),
        ("User Real-time Backchannels", "backchannel"),
        ("Pause_Handling", "pause"),
        ("Third-party_Speech", "third_party"),
        ("Third-party Speech_before", "third_party"),
        ("Third-party Speech after", "third_party"),
        ("others_talk_to_user_before", "third_party"),
        ("Speech_Directed_at_Others", "others_directed"),
        ("Speech_Directe_at_Others", "others_directed"),
        ("Speech_Directe at Others", "others_directed"),
        ("talk_to_others", "others_directed"),
        ("third_party", "third_party"),
        ("No_Event", "none"),
        ("json_group", None),
        ("test", None),
    ],
)
def test_every_spelling_of_a_scenario(name: str, scenario: str | None) -> None:
    assert scenario_of(name) == scenario


@pytest.mark.parametrize(
    ("name", "language"),
    [("dev_zh", "zh"), ("cn_test_nondev", "zh"), ("en", "en"), ("EN-dev", "en"), ("Chinese", "zh"), ("dev", None)],
)
def test_every_spelling_of_a_language(name: str, language: str | None) -> None:
    assert language_of(name) == language


def test_a_recording_from_audio(tmp_path: Path) -> None:
    recording(tmp_path / "dev_zh" / "Follow-up_Questions", "0001_0004_add")
    item = only(tmp_path)
    assert (item.id, item.language) == ("dev_zh/Follow-up_Questions/0001_0004_add", "zh")
    assert (item.user_segments, item.system_segments) == (((0.0, 2.0), (6.0, 8.0)), ((3.0, 6.5), (9.0, 11.0)))
    assert item.speech_segments == ((0.0, 2.0), (6.0, 8.0))
    assert item.system_words is not None and item.system_words[0].start == 3.1
    assert item.notes == ()
    scenario = evaluate([item]).languages["zh"].scenarios["follow_up"]
    # Overlap 6.0-6.5; responses 2.0 -> 3.0 and 8.0 -> 9.0; first word 3.1 - 2.0.
    assert (scenario.stop_latency, scenario.response_latency, scenario.first_response_delay) == (0.5, 1.0, 1.1)


def test_a_recording_from_transcripts_alone(tmp_path: Path) -> None:
    folder = tmp_path / "en" / "Pause_Handling"
    recording(folder, "0001_0001")
    for wav in folder.glob("*.wav"):
        wav.unlink()
    found = find(tmp_path)
    assert found.problems == ((".", "no output comes with audio: the system's speech is taken from its words"),)
    item = read_item(found.files[0], Loud())
    assert item == read_item(found.files[0])
    assert item.notes == ()
    assert item.user_segments == ((0.0, 2.0), (6.0, 8.0))
    assert item.system_segments == ((3.1, 3.4), (9.1, 9.3))
    assert evaluate([item]).languages["en"].scenarios["pause"].rejection_rate == 1.0


def test_one_output_without_audio_among_others_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "en" / "Follow-up_Questions"
    for base in ("0001_0001", "0001_0002"):
        recording(folder, base)
    (folder / "0001_0002_output.wav").unlink()
    score = evaluate(read_items(find(tmp_path), Loud()))
    assert score.missing == ("en/Follow-up_Questions/0001_0002",)
    # Its words are there, and count where words alone are asked for.
    assert score.languages["en"].scenarios["follow_up"].first_responses == 2
    assert score.languages["en"].scenarios["follow_up"].stops == 1


def test_the_names_of_the_released_test_set(tmp_path: Path) -> None:
    folder = tmp_path / "test" / "cn_test_nondev" / "others_talk_to_user_before"
    recording(folder, "0003_0006")
    (folder / "0003_0006.json").rename(folder / "0003_0006_timestamp.json")
    (folder / "0003_0006_sentence.json").rename(folder / "0003_0006.json")
    soundfile.write(folder / "clean_0003_0006.wav", tone((0, 2)), RATE)
    put(folder / "clean_0003_0006_timestamp.json", transcript(("hi", 0.1, 1.9)))
    files = find(tmp_path).files[0]
    assert (files.scenario, files.position, files.language) == ("third_party", "before", "zh")
    assert files.clean_user is not None and files.clean_user_words is not None and files.user_words is not None
    assert read_item(files, Loud()).speech_segments == ((0.0, 2.0), (6.0, 8.0))


def test_before_and_after(tmp_path: Path) -> None:
    folder = tmp_path / "en" / "Third-party_Speech"
    for base in ("0001_0001_before", "0001_0002"):
        recording(folder, base)
    assert [f.position for f in find(tmp_path).files] == ["before", "after"]


def test_segments_of_one_turn_are_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "en" / "Pause_Handling"
    recording(folder, "0001_0001")
    rows = [
        {"xmin": 0.0, "xmax": 1.0, "turn": 0},
        {"xmin": 1.4, "xmax": 2.0, "turn": 0},
        {"xmin": 6.0, "xmax": 8.0, "turn": 2},
    ]
    put(folder / "0001_0001_sentence.json", {"final_duration": 12, "speech_segments": rows})
    assert only(tmp_path).speech_segments == ((0.0, 2.0), (6.0, 8.0))


# Tags


def tagged(tmp_path: Path, lines: str, name: str = "json_group/Follow-up_Questions_content_tags.json") -> Any:
    for base in ("0001_0001", "0001_0001_add", "0011_0001"):
        recording(tmp_path / "en" / "Follow-up_Questions", base)
    recording(tmp_path / "en" / "Topic_Switching", "0001_0001")
    path = tmp_path / "en" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines, encoding="utf-8")
    folder = find(tmp_path)
    return {f.id.removeprefix("en/"): f.tags for f in folder.files if f.tags is not None}, dict(folder.problems)


def test_tags_go_to_their_recordings(tmp_path: Path) -> None:
    lines = [
        {"key": "Follow-up_Questions_0001_0001", "behaviour": ["C_RESPOND"]},
        {"key": "Follow-up_Questions_0001_0001_add", "behaviour": ["C_RESUME", "C_UNKNOWN"]},
        {"key": "Follow-up_Questions_0011_0001", "behaviour": []},
    ]
    tags, problems = tagged(tmp_path, "\n".join(map(json.dumps, lines)))
    assert tags == {
        "Follow-up_Questions/0001_0001": ("C_RESPOND",),
        "Follow-up_Questions/0001_0001_add": ("C_RESUME", "C_UNKNOWN"),
        "Follow-up_Questions/0011_0001": (),
    }
    assert problems == {}


def test_tags_as_one_list_and_without_the_folders_name(tmp_path: Path) -> None:
    rows = [{"key": "0001_0001", "behaviour": "RESPOND"}]
    tags, problems = tagged(tmp_path, json.dumps(rows), "Topic Switching/Topic Switching_content_tags.json")
    assert (tags, problems) == ({"Topic_Switching/0001_0001": ("RESPOND",)}, {})


def test_tags_that_fit_nothing_are_named_with_their_line(tmp_path: Path) -> None:
    lines = [
        '{"key": "Follow-up_Questions_0001_0001", "behaviour": ["C_RESPOND"]}',
        '{"key": "Follow-up_Questions_0001_0001", "behaviour": ["C_RESUME"]}',
        '{"key": "Follow-up_Questions_0009_0009", "behaviour": ["C_RESUME"]}',
        '{"key": 7}',
        "{broken",
        '{"key": "Follow-up_Questions_0011_0001", "behaviour": [{"x": 1}, null]}',
    ]
    tags, problems = tagged(tmp_path, "\n".join(lines))
    assert tags["Follow-up_Questions/0001_0001"] == ("C_RESPOND",)
    assert tags["Follow-up_Questions/0011_0001"] == ('{"x": 1}', "null")
    where = "en/json_group/Follow-up_Questions_content_tags.json"
    assert sorted(problems) == [f"{where}:{n}" for n in (2, 3, 4, 5)]
    assert "second verdict" in problems[f"{where}:2"]
    score = evaluate(list(read_items(find(tmp_path), Loud())))
    assert sorted(text for _, text in score.bad_tags) == ["null", '{"x": 1}']


def test_tags_in_another_encoding_are_a_problem_of_their_file(tmp_path: Path) -> None:
    for base in ("0001_0001",):
        recording(tmp_path / "en" / "Follow-up_Questions", base)
    path = tmp_path / "en" / "Follow-up_Questions_content_tags.json"
    path.write_bytes('{"key": "Follow-up_Questions_0001_0001", "behaviour": ["C_RESPOND"]}'.encode("utf-16"))
    folder = find(tmp_path)
    assert folder.problems == (("en/Follow-up_Questions_content_tags.json", "not UTF-8"),)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().decode("utf-16").encode())
    assert find(tmp_path).files[0].tags == ("C_RESPOND",)


# Shuffled test sets


def key_row(language: str, test: str, scenario: str = "pause", name: str = "0007_0001") -> dict[str, Any]:
    sentence = {"final_duration": 12.0, "speech_segments": [{"xmin": 0.0, "xmax": 2.0}, {"xmin": 6.0, "xmax": 8.0}]}
    clean = test.replace("test", "clean")
    return {
        "test": test,
        "clean": clean,
        "language": language,
        "scenario": scenario,
        "name": name,
        "dialogue": f"d-{test}",
        "sentence": sentence,
        "transcript": transcript(("hi", 0.1, 1.9)),
    }


def submission(folder: Path, *names: str) -> None:
    for name in names:
        set_ = name.partition("-")[0]
        (folder / set_).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / set_ / f"{name}_output.wav", tone((3, 6.5), (9, 11)), RATE)
        put(folder / set_ / f"{name}_output.json", transcript(("well", 3.1, 3.4)))


def key(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def test_a_submission_with_its_key(tmp_path: Path) -> None:
    root = tmp_path / "HD-Track2"
    submission(root, "test-003126", "test-000002", "clean-003126", "test-000009")
    rows = key(
        tmp_path / "key.jsonl",
        key_row("zh", "test-003126"),
        key_row("en", "test-000002", "third_party", "0008_0001_before"),
        key_row("en", "test-000003"),
        key_row("en", "test-000004", "none"),
    )
    folder = find(root, key=rows)
    assert [(f.id, f.scenario, f.position) for f in folder.files] == [
        ("en/test-000002", "third_party", "before"),
        ("en/test-000003", "pause", ""),
        ("zh/test-003126", "pause", ""),
    ]
    assert folder.files[2].clean_system is not None
    assert dict(folder.problems)["test/test-000009_output.wav"] == "the key has no row for it"
    assert "key.jsonl:4" in dict(folder.problems)
    items = {i.id: i for i in read_items(folder, Loud())}
    assert items["zh/test-003126"].system_segments == ((3.0, 6.5), (9.0, 11.0))
    # The set's own audio is not there, so the key says when the user spoke.
    assert items["zh/test-003126"].user_segments == ((0.0, 2.0), (6.0, 8.0))
    assert items["en/test-000003"].system_segments is None
    assert evaluate(items.values()).missing == ("en/test-000003",)


def test_a_submission_beside_the_set(tmp_path: Path) -> None:
    submission(tmp_path / "run", "test-000001")
    (tmp_path / "set" / "test").mkdir(parents=True)
    soundfile.write(tmp_path / "set" / "test" / "test-000001.wav", tone((0.5, 2), (6, 8)), RATE)
    rows = key(tmp_path / "key.jsonl", key_row("en", "test-000001"))
    item = only(tmp_path / "run", beside=tmp_path / "set", key=rows)
    assert (item.user_segments, item.notes) == (((0.5, 2.0), (6.0, 8.0)), ())


def test_one_name_in_two_languages(tmp_path: Path) -> None:
    rows = key(tmp_path / "key.jsonl", key_row("zh", "test-0001"), key_row("en", "test-0001"))
    flat = tmp_path / "flat"
    submission(flat, "test-0001")
    items = list(read_items(find(flat, key=rows), Loud()))
    assert all(i.system_segments is None and "give each language its own folder" in i.notes[0] for i in items)
    apart = tmp_path / "apart"
    for language in ("zh", "en"):
        submission(apart / "test" / language, "test-0001")
    assert all(i.system_segments is not None for i in read_items(find(apart, key=rows), Loud()))


def test_a_shuffled_set_without_its_key_is_not_passed_over(tmp_path: Path) -> None:
    submission(tmp_path, "test-0001", "test-0002")
    assert find(tmp_path).problems == ((".", "2 recordings of a shuffled test set cannot be told without its key"),)


@pytest.mark.parametrize(
    "line", ["{broken", "[1]", '{"test": 3, "language": "en"}', '{"test": "test-1"}', "[" * 100_000]
)
def test_a_broken_key_names_its_line(tmp_path: Path, line: str) -> None:
    submission(tmp_path, "test-0001")
    path = tmp_path / "key.jsonl"
    path.write_text(json.dumps(key_row("en", "test-0001")) + "\n" + line + "\n")
    with pytest.raises(UserError, match=r"key\.jsonl:2"):
        find(tmp_path, key=path)


# Broken files


def _nan(path: Path) -> None:
    x = tone((3, 6.5))
    x[100] = np.nan
    soundfile.write(path, x, RATE, subtype="FLOAT", format="WAV")


def _huge_header(path: Path) -> None:
    # One sample a second, for hours: resampled to 16 kHz it would fill the memory.
    soundfile.write(path, np.zeros(20_000, np.int16), 1, format="WAV")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BROKEN_AUDIO: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: p.unlink(), "output missing"),
    "empty": (lambda p: p.write_bytes(b""), "an empty file"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:1000]), "cut short"),
    "headless": (lambda p: p.write_bytes(p.read_bytes()[:44]), "cut short"),
    "no samples": (lambda p: soundfile.write(p, np.zeros(0, np.int16), RATE), "no samples"),
    "text": (lambda p: p.write_text("silence"), "not audio"),
    "NaN": (_nan, "NaN or infinite"),
    "hours at 1 Hz": (_huge_header, "no such recording"),
    "a pipe": (_pipe, "not a regular file"),
    "a dangling link": (lambda p: (p.unlink(), p.symlink_to(p.parent / "nowhere")), "not a regular file"),
}


def three(tmp_path: Path) -> Path:
    for base in ("0001_0001", "0001_0002", "0001_0003"):
        recording(tmp_path / "en" / "Follow-up_Questions", base)
    return tmp_path / "en" / "Follow-up_Questions"


@pytest.mark.parametrize("kind", BROKEN_AUDIO)
def test_broken_audio_is_named_and_touches_nobody_else(tmp_path: Path, kind: str) -> None:
    folder = three(tmp_path)
    before = {i.id: i for i in read_items(find(tmp_path), Loud())}
    spoil, why = BROKEN_AUDIO[kind]
    spoil(folder / "0001_0002_output.wav")
    after = {i.id: i for i in read_items(find(tmp_path), Loud())}
    bad = "en/Follow-up_Questions/0001_0002"
    assert {k: v for k, v in after.items() if k != bad} == {k: v for k, v in before.items() if k != bad}
    assert after[bad].system_segments is None
    assert any(why in note for note in after[bad].notes), after[bad].notes
    assert str(tmp_path) not in " ".join(after[bad].notes)
    score = evaluate(after.values())
    assert score.missing == (bad,)
    assert bad in dict(score.notes)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda p: soundfile.write(p, tone((3, 6.5), (9, 11), rate=8000), 8000), "resampled from 8000 Hz"),
        (
            lambda p: soundfile.write(p, np.stack([tone((3, 6.5), (9, 11))] * 2, axis=1), RATE),
            "2 channels mixed to one",
        ),
        (lambda p: soundfile.write(p, tone((3, 6.5), (9, 11), length=20), RATE), "output lasts 20.00 s"),
        (lambda p: soundfile.write(p, tone((3, 6.5), (9, 11), length=11), RATE), "output lasts 11.00 s"),
        (lambda p: soundfile.write(p, 4 * tone((3, 6.5), (9, 11)), RATE, subtype="FLOAT"), "beyond full scale"),
    ],
    ids=["rate", "stereo", "longer", "shorter", "loud"],
)
def test_odd_audio_is_used_and_what_was_done_is_noted(
    tmp_path: Path, change: Callable[[Path], object], note: str
) -> None:
    folder = three(tmp_path)
    change(folder / "0001_0002_output.wav")
    item = read_item(find(tmp_path).files[1], Loud())
    assert item.system_segments is not None
    # Resampling smears an edge by a frame of the detector at most.
    np.testing.assert_allclose(item.system_segments, [(3.0, 6.5), (9.0, 11.0)], atol=0.011)
    assert any(note in n for n in item.notes), item.notes


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "PCM_U8"])
def test_mixed_sample_formats(tmp_path: Path, subtype: str) -> None:
    folder = three(tmp_path)
    soundfile.write(folder / "0001_0002_output.wav", tone((3, 6.5), (9, 11)), RATE, subtype=subtype)
    item = read_item(find(tmp_path).files[1], Loud())
    assert item.system_segments == ((3.0, 6.5), (9.0, 11.0))


BROKEN_WORDS = {
    "not JSON": (b"{", "no JSON"),
    "empty": (b"", "no JSON"),
    "a list": (b"[]", "no JSON object"),
    "UTF-16": ('{"text": "", "chunks": []}'.encode("utf-16"), "not UTF-8"),
    "GBK": ('{"text": "你好", "chunks": []}'.encode("gbk"), "not UTF-8"),
    "NaN": (b'{"text": "a", "chunks": [{"text": "a", "timestamp": [NaN, 1]}]}', "first chunk has no start"),
    "infinite": (b'{"text": "a", "chunks": [{"text": "a", "timestamp": [1e999, 1]}]}', "first chunk has no start"),
    "negative": (b'{"text": "a", "chunks": [{"text": "a", "timestamp": [-1, 1]}]}', "first chunk has no start"),
    "null": (b'{"text": "a", "chunks": [{"text": "a", "timestamp": [null, 1]}]}', "first chunk has no start"),
    "true": (b'{"text": "a", "chunks": [{"text": "a", "timestamp": [true, 1]}]}', "first chunk has no start"),
    "no timestamp": (b'{"text": "a", "chunks": [{"text": "a"}]}', "first chunk has no start"),
    "a huge number": (b'{"chunks": [{"timestamp": [' + b"9" * 5000 + b", 1]}]}", "no JSON"),
    "chunks of text": (b'{"text": "a", "chunks": "abc"}', "no list of chunks"),
    "deep": (b"[" * 200_000, "no JSON"),
}


@pytest.mark.parametrize("kind", BROKEN_WORDS)
def test_a_broken_transcript_is_named_and_leaves_the_audio_alone(tmp_path: Path, kind: str) -> None:
    folder = three(tmp_path)
    content, why = BROKEN_WORDS[kind]
    (folder / "0001_0002_output.json").write_bytes(content)
    items = list(read_items(find(tmp_path), Loud()))
    assert items[1].system_words is None
    assert items[1].system_segments == items[0].system_segments
    assert any(why in note for note in items[1].notes), items[1].notes
    unscored = {(u.item, u.measure): u.why for u in evaluate(items).unscored}
    assert unscored["en/Follow-up_Questions/0001_0002", "first response"] == "no transcript of the output"


def test_a_word_without_an_end_counts_and_one_without_a_start_does_not(tmp_path: Path) -> None:
    folder = three(tmp_path)
    chunks = [{"text": "a", "timestamp": [3.1, None]}, {"text": "b", "timestamp": [None, None]}, {"text": "c"}]
    put(folder / "0001_0002_output.json", {"text": "a b c", "chunks": chunks})
    item = read_item(find(tmp_path).files[1], Loud())
    assert item.system_words is not None and [(w.text, w.start, w.end) for w in item.system_words] == [("a", 3.1, 3.1)]
    assert item.notes == ("0001_0002_output.json: 2 chunks without times left out",)


@pytest.mark.parametrize(
    "rows",
    [None, "x", [{"xmin": 0}], [{"xmin": 2.0, "xmax": 1.0}], [{"xmin": 0.0, "xmax": float("nan")}], [[0, 1]]],
)
def test_broken_sentences_are_named(tmp_path: Path, rows: object) -> None:
    folder = three(tmp_path)
    put(folder / "0001_0002_sentence.json", {"final_duration": 1, "speech_segments": rows})
    item = read_item(find(tmp_path).files[1], Loud())
    assert item.speech_segments == ()
    assert any("sentences not read" in note for note in item.notes)
    assert "speech_segments has no entry 0" in {u.why for u in evaluate([item]).unscored}


def test_the_users_audio_missing(tmp_path: Path) -> None:
    folder = three(tmp_path)
    (folder / "0001_0002.wav").unlink()
    item = read_item(find(tmp_path).files[1], Loud())
    assert item.user_segments == ((0.0, 2.0), (6.0, 8.0))
    assert item.notes == ("user's audio missing: speech taken from the transcript",)


def test_a_transcript_too_large_is_not_opened(tmp_path: Path) -> None:
    folder = three(tmp_path)
    with (folder / "0001_0002_output.json").open("wb") as f:
        f.truncate(17 * 2**20)
    item = read_item(find(tmp_path).files[1], Loud())
    assert any("too large" in note for note in item.notes)


def test_a_header_that_promises_the_moon(tmp_path: Path) -> None:
    folder = three(tmp_path)
    path = folder / "0001_0002_output.wav"
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0x7FFF_FFFE)
    path.write_bytes(bytes(data))
    assert "cut short" in " ".join(read_item(find(tmp_path).files[1], Loud()).notes)


def test_a_transcriber_hears_what_comes_without_words(tmp_path: Path) -> None:
    folder = three(tmp_path)
    (folder / "0001_0002_output.json").unlink()
    heard: list[tuple[int, str]] = []

    def transcribe(samples: npt.NDArray[np.float32], language: str) -> list[tuple[str, float, float]]:
        heard.append((len(samples), language))
        return [("well", 3.2, 3.5)]

    items = list(read_items(find(tmp_path), Loud(), transcribe=transcribe))
    assert heard == [(12 * RATE, "en")]
    assert [i.system_words[0].start for i in items if i.system_words] == [3.1, 3.2, 3.1]


def test_files_that_belong_to_nobody_are_listed(tmp_path: Path) -> None:
    folder = three(tmp_path)
    (folder / "0001_0003.wav").unlink()
    (folder / "0001_0003_sentence.json").unlink()
    (folder / "0001_0003.json").unlink()
    shutil.copytree(folder, tmp_path / "en" / "Speech_Directe at Others_eval")
    recording(tmp_path / "en" / "Odd_Folder", "0005_0001")
    recording(tmp_path / "somewhere" / "Pause_Handling", "0006_0001")
    recording(tmp_path / "en" / "No_Event", "0006_0002")
    put(folder / "metadata.json", {"a": 1})
    put(folder / "Follow-up_Questions_latency_results.json", {})
    found = find(tmp_path)
    assert [f.id for f in found.files] == [f"en/Follow-up_Questions/0001_000{n}" for n in (1, 2)]
    problems = dict(found.problems)
    assert "belongs to no recording" in problems["en/Follow-up_Questions/0001_0003_output.wav"]
    assert "belongs to no recording" in problems["en/Follow-up_Questions/metadata.json"]
    assert "_eval" in problems["en/Speech_Directe at Others_eval/0001_0001.wav"]
    assert problems["en/Odd_Folder/0005_0001.wav"] == "its folder names no scenario"
    assert "language" in problems["somewhere/Pause_Handling/0006_0001"]
    assert "without an event" in problems["en/No_Event/0006_0002"]
    assert find(tmp_path, language="zh").files[-1].language == "zh"


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nothing with the official names"):
        find(tmp_path)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    folder = three(tmp_path)
    (folder / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(find(tmp_path).files) == 3


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = three(tmp_path)
    odd = os.fsdecode(b"0001_0004\xff.wav")
    shutil.copy(folder / "0001_0001.wav", folder / odd)
    score = evaluate(read_items(find(tmp_path), Loud()))
    assert score.missing == ("en/Follow-up_Questions/0001_0004\\udcff",)
    assert msgspec.json.encode(score)


def test_folders_in_folders_in_folders(tmp_path: Path) -> None:
    three(tmp_path)
    here = Path.cwd()
    try:
        # Step by step, as the whole path is longer than the system takes at once.
        os.chdir(tmp_path)
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
        os.chdir(here)
        assert len(find(tmp_path).files) == 3
    finally:
        os.chdir(here)
        # Too deep for Python's own removal, which would fail every later run.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_keys_of_tags_that_never_end(tmp_path: Path) -> None:
    lines = [json.dumps({"key": "_" * 200_000 + "0001_0001", "behaviour": ["C_RESPOND"]})] * 20
    tags, problems = tagged(tmp_path, "\n".join(lines))
    assert tags == {"Follow-up_Questions/0001_0001": ("C_RESPOND",)}
    assert len(problems) == 19


@pytest.mark.skipif(
    not store.installed(SILERO), reason="the speech detector is not there: duologue models fetch silero"
)
@pytest.mark.skipif(not MANDARIN.is_dir(), reason="no recordings in ../shared/data/easy_turn_zh")
def test_real_speech_by_the_real_detector(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from duologue.listen.speech import SpeechDetector

    folder = tmp_path / "zh" / "Follow-up_Questions"
    query, _ = soundfile.read(MANDARIN / "complete_real_1.wav", dtype="float32")
    answer, _ = soundfile.read(MANDARIN / "complete_real_2.wav", dtype="float32")
    detector = SpeechDetector()
    asked, said = (detector.segments(x, merge_gap=0.6) for x in (query, answer))
    # The answer's first speech is put 0.8 s after the query's last.
    start = int(asked[-1, 1]) + round(0.8 * RATE) - int(said[0, 0])
    recording(folder, "0001_0001")
    length = max(len(query), start + len(answer)) + RATE
    for name, x, at in (("0001_0001", query, 0), ("0001_0001_output", answer, start)):
        channel = np.zeros(length, np.float32)
        channel[at : at + len(x)] = x
        soundfile.write(folder / f"{name}.wav", channel, RATE)
    item = read_item(find(tmp_path).files[0], detector)
    assert item.notes == ()
    cell = evaluate([item]).languages["zh"].scenarios["follow_up"]
    # Frames of 32 ms lie elsewhere in the shifted channel.
    assert cell.response_latency == pytest.approx(0.8, abs=0.07)
    assert (cell.stops, cell.responses) == (0, 1)
