"""Recordings with labels: the real ones, every sample format, and every way to be broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from duologue.corpus import read
from duologue.corpus.annotation import LabelAnnotation
from duologue.corpus.invariants import breaches
from duologue.corpus.recording import read_recording
from duologue.corpus.truth import emotions
from duologue.errors import UserError
from duologue.formats import folder
from duologue.formats.format import ImportReport, options_of


def take(src: Path, out: Path, rights: dict[str, str], **more: Any) -> ImportReport:
    return folder.import_(src, out, options_of(folder.OPTIONS, {**rights, "language": "en", **more}))


def tone(rate: int, seconds: float = 0.3, channels: int = 1) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return np.tile((0.3 * np.sin(2 * np.pi * 440 * t))[:, None], (1, channels))


def test_all_acted_clips_with_their_manifest(data: Path, tmp_path: Path, rights: dict[str, str]) -> None:
    src = data / "ravdess_en"
    report = take(src, tmp_path / "out", rights | {"kind": "acted"}, manifest=src / "labels.csv")
    assert report.written, report.problems
    assert report.dialogues == 40
    corpus = read.open(tmp_path / "out")
    labels: dict[str, int] = {}
    for item in corpus:
        d = item.dialogue
        assert not list(breaches(d, corpus.manifest.taxonomy))
        (value,) = emotions(d).values()
        labels[value.label] = labels.get(value.label, 0) + 1
        assert value.intensity == (0 if value.label == "neutral" else value.intensity) in (0, 2, 3)
        assert d.annotations[0].rater_type == "intent"
        assert d.turns[0].text.endswith("by the door")
        assert d.speakers[0].sex == ("male" if d.speakers[0].id in ("spk-1", "spk-3", "spk-7") else "female")
    assert labels == dict.fromkeys(corpus.manifest.taxonomy.labels, 5)
    # The level stays as it was recorded: these are very quiet.
    item = next(iter(corpus))
    file = item.dialogue.provenance.steps[0].parameters["file"]
    original, _ = soundfile.read(src / file)
    samples, rate = item.audio(0)
    assert rate == 16_000
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.05)


def test_labels_come_out_of_file_names(data: Path, tmp_path: Path, rights: dict[str, str]) -> None:
    src = data / "easy_turn_zh" / "samples"
    report = take(src, tmp_path / "out", rights, language="zh", label_from_name="{state}_{origin}_{n}")
    assert report.dialogues == 16
    values = [
        a.value for i in read.open(tmp_path / "out") for a in i.dialogue.annotations if isinstance(a, LabelAnnotation)
    ]
    assert len(values) == 16
    assert {v["state"] for v in values} == {"complete", "incomplete", "backchannel", "wait"}
    assert sum(v["origin"] == "real" for v in values) == 8


@pytest.mark.parametrize(
    ("suffix", "subtype", "rate", "channels", "exact"),
    [
        ("wav", "PCM_16", 16_000, 1, True),
        ("wav", "PCM_U8", 8_000, 1, True),
        ("wav", "ULAW", 8_000, 2, True),
        ("wav", "PCM_24", 44_100, 1, False),
        ("wav", "PCM_32", 96_000, 2, False),
        ("wav", "FLOAT", 16_000, 1, False),
        ("wav", "DOUBLE", 22_050, 6, False),
        ("flac", "PCM_16", 48_000, 2, True),
        ("aiff", "PCM_16", 11_025, 1, True),
        ("ogg", "VORBIS", 32_000, 1, False),
    ],
)
def test_any_format_is_taken(
    tmp_path: Path, rights: dict[str, str], suffix: str, subtype: str, rate: int, channels: int, exact: bool
) -> None:
    src = tmp_path / "录音 ñ"
    src.mkdir()
    path = src / f"早上好 – {subtype}.{suffix}"
    soundfile.write(path, tone(rate, channels=channels), rate, subtype=subtype)
    assert take(src, tmp_path / "keep", rights, rate="keep").written
    (item,) = read.open(tmp_path / "keep")
    samples, own = item.audio(dtype="int16")
    assert own == rate
    assert samples.shape == (round(0.3 * rate), channels)
    assert item.dialogue.provenance.steps[0].parameters["lossless"] is exact
    if exact:
        assert np.array_equal(samples, soundfile.read(path, dtype="int16", always_2d=True)[0])
    assert take(src, tmp_path / "std", rights).written
    (item,) = read.open(tmp_path / "std")
    samples, own = item.audio(0)
    assert own == 16_000
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * own / len(samples) == pytest.approx(440, abs=4)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _header_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _text(path: Path) -> None:
    path.write_text("this is no audio at all, though it is called so")


def _nan(path: Path) -> None:
    x = tone(16_000)
    x[7] = np.nan
    soundfile.write(path, x, 16_000, subtype="FLOAT")


def _loud(path: Path) -> None:
    soundfile.write(path, tone(16_000) * 5, 16_000, subtype="FLOAT")


def _clipped(path: Path) -> None:
    soundfile.write(path, np.clip(tone(16_000) * 5, -1, 1), 16_000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 1)), 16_000)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_cut, "cut short"),
        (_header_only, "cut short"),
        (_text, "not audio that can be read"),
        (_nan, "1 samples are NaN or infinite, the first at frame 7"),
        (_loud, "beyond full scale (peak 1.50)"),
        (_clipped, "clipped"),
        (_empty, "an empty file"),
        (_no_samples, "no samples"),
    ],
)
def test_broken_recordings_are_named(tmp_path: Path, rights: dict[str, str], spoil: Any, what: str) -> None:
    src = tmp_path / "src"
    src.mkdir()
    for name in ("good", "bad"):
        soundfile.write(src / f"{name}.wav", tone(16_000, 0.3 if name == "good" else 0.2), 16_000)
    spoil(src / "bad.wav")
    report = take(src, tmp_path / "out", rights)
    assert not report.written
    assert not (tmp_path / "out").exists()
    assert [p.where for p in report.problems] == ["bad.wav"]
    assert what in report.problems[0].what
    report = take(src, tmp_path / "out", rights, skip_bad=True)
    assert (report.written, report.dialogues) == (True, 1)
    assert len(report.problems) == 1
    assert "bad.wav" in read.open(tmp_path / "out").manifest.notes["skipped"][0]


def test_clipped_recordings_can_be_kept_and_are_noted(tmp_path: Path, rights: dict[str, str]) -> None:
    (tmp_path / "src").mkdir()
    _clipped(tmp_path / "src" / "a.wav")
    report = take(tmp_path / "src", tmp_path / "out", rights, keep_clipped=True)
    assert report.written
    assert any("clipped" in n for n in report.notes)


def test_many_channels_need_mixing(tmp_path: Path, rights: dict[str, str]) -> None:
    (tmp_path / "src").mkdir()
    soundfile.write(tmp_path / "src" / "a.wav", tone(16_000, channels=12), 16_000)
    report = take(tmp_path / "src", tmp_path / "out", rights)
    assert "--channels mix" in report.problems[0].what
    assert take(tmp_path / "src", tmp_path / "out", rights, channels="mix").written


def test_real_quiet_and_loud_speech_is_not_called_clipped(data: Path) -> None:
    for path in sorted((data / "fdb_examples").rglob("*.wav")):
        assert len(read_recording(path).samples)


@pytest.mark.parametrize(
    ("row", "where", "what"),
    [
        ("a.wav,bored,", "labels.csv:2", "emotion: unknown emotion (got 'bored')"),
        ("a.wav,sad,extreme", "labels.csv:2", "intensity: unknown intensity (got 'extreme')"),
        ("b.wav,sad,", "labels.csv:2", "file: no such recording (got 'b.wav')"),
        ("../x.wav,sad,", "labels.csv:2", "leads out of the folder"),
        (",sad,", "labels.csv:2", "file: empty"),
        ("a.wav,sad,1,extra", "labels.csv:2", "more cells than the header"),
    ],
)
def test_manifest_mistakes_name_row_and_value(
    tmp_path: Path, rights: dict[str, str], row: str, where: str, what: str
) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "a.wav", tone(16_000), 16_000)
    soundfile.write(tmp_path / "x.wav", tone(16_000), 16_000)
    (src / "labels.csv").write_text(f"file,emotion,intensity\n{row}\n")
    report = take(src, tmp_path / "out", rights, manifest=src / "labels.csv")
    assert [p.where for p in report.problems] == [where]
    assert what in report.problems[0].what
    assert not report.written


def test_columns_by_name_guess_and_hand(tmp_path: Path, rights: dict[str, str]) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "a.wav", tone(16_000), 16_000)
    (src / "list.tsv").write_text(
        "Path\tGefühl\tTranscript\tGender\tLang\tSubset\n\na.wav\t开心\tcafe\u0301\tF\tzh-CN\tvalidation\n", "utf-8-sig"
    )
    report = take(src, tmp_path / "out", rights, manifest=src / "list.tsv", columns={"emotion": "Gefühl"})
    assert report.written, report.problems
    (item,) = read.open(tmp_path / "out")
    d = item.dialogue
    assert (d.split, d.languages, d.turns[0].text, d.speakers[0].sex) == ("dev", ("zh",), "café", "female")
    assert emotions(d)[0].label == "happy"
    with pytest.raises(UserError, match="no such column"):
        take(src, tmp_path / "o2", rights, manifest=src / "list.tsv", columns={"emotion": "Mood"})


@pytest.mark.parametrize("missing", ["licence", "consent", "source_url", "kind"])
def test_missing_rights_are_named(tmp_path: Path, rights: dict[str, str], missing: str) -> None:
    del rights[missing]
    with pytest.raises(UserError, match=f"--{missing.replace('_', '-')}"):
        take(tmp_path, tmp_path / "out", rights)


def test_real_people_need_a_consent_record(tmp_path: Path, rights: dict[str, str]) -> None:
    with pytest.raises(UserError, match="consent needs a record"):
        take(tmp_path, tmp_path / "out", rights | {"consent": "not-applicable"})


def test_names_that_do_not_fit_the_pattern_are_named(tmp_path: Path, rights: dict[str, str]) -> None:
    (tmp_path / "src").mkdir()
    soundfile.write(tmp_path / "src" / "odd.wav", tone(16_000), 16_000)
    report = take(tmp_path / "src", tmp_path / "out", rights, label_from_name="{state}_{n}")
    assert "does not fit" in report.problems[0].what
    with pytest.raises(UserError, match="names no label"):
        take(tmp_path / "src", tmp_path / "out", rights, label_from_name="x_{}")


def test_the_same_recording_twice_is_named(tmp_path: Path, rights: dict[str, str]) -> None:
    (tmp_path / "src").mkdir()
    for name in "ab":
        soundfile.write(tmp_path / "src" / f"{name}.wav", tone(16_000), 16_000)
    report = take(tmp_path / "src", tmp_path / "out", rights)
    assert "the same recording as a.wav" in report.problems[0].what


def test_a_full_folder_is_left_alone(tmp_path: Path, rights: dict[str, str]) -> None:
    for name in ("src", "out"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", tone(16_000), 16_000)
    with pytest.raises(UserError, match="not empty"):
        take(tmp_path / "src", tmp_path / "out", rights)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.wav"]
