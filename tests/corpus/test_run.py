"""A run's folder is hostile input: whatever is wrong is told of its dialogue by name, and of no other."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import duologue
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.run import MOST_SAMPLES, Run
from duologue.errors import UserError

RATE = 16_000
LENGTH = 64_000
# The dialogue that every test breaks, and one that has to stay as it was.
BROKEN, SOUND = "d0014", "d0015"


@pytest.fixture(scope="module")
def dialogues(pristine: Path) -> Corpus:
    return duologue.open(pristine, track="duplex")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for id in (BROKEN, SOUND):
        soundfile.write(folder / f"{id}.wav", tone(0.3), RATE, subtype="PCM_16")
        transcript(folder / f"{id}.json", [("yes", 0.5, 0.9)])
    return folder


def tone(level: float, seconds: float = LENGTH / RATE, rate: int = RATE) -> np.ndarray:
    return (level * np.sin(np.arange(round(seconds * rate)) / 20)).astype(np.float32)


def transcript(path: Path, chunks: list[tuple[str, float, float]]) -> None:
    rows = [{"text": t, "timestamp": [a, b]} for t, a, b in chunks]
    path.write_text(json.dumps({"text": " ".join(t for t, *_ in chunks), "chunks": rows}), encoding="utf-8")


def look(run: Path, dialogues: Corpus, id: str = BROKEN) -> tuple[np.ndarray, Observation]:
    opened, item = Run(run), dialogues.get(id)
    return opened.system(opened.observe(item.dialogue), item.dialogue, item)


def untouched(run: Path, dialogues: Corpus) -> None:
    """The other dialogue's observation and audio are those of the sound run."""
    x, seen = look(run, dialogues, SOUND)
    assert seen.status == "ok" and seen.notes == () and seen.words == (SaidWord("yes", 8000, 14400),)
    assert np.abs(x - tone(0.3)).max() < 1e-4


def test_a_sound_run(run: Path, dialogues: Corpus) -> None:
    x, seen = look(run, dialogues)
    assert (len(x), x.dtype, seen.status, seen.words_from, seen.notes) == (LENGTH, np.float32, "ok", "run", ())
    assert Run(run).broken == []


# -- audio that cannot be used ------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def huge_header(path: Path) -> None:
    """A FLAC that claims 2^36 - 1 samples and holds 4 s."""
    path.unlink()
    flac = path.with_suffix(".flac")
    soundfile.write(flac, tone(0.3), RATE)
    data = bytearray(flac.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    flac.write_bytes(data)


def slow_clock(path: Path) -> None:
    """64,000 samples at 1 Hz: 17 hours, 2 GB once resampled."""
    soundfile.write(path, tone(0.3), 1, subtype="PCM_16")


def leading_out(path: Path) -> None:
    outside = path.parent.parent / "secret.wav"
    soundfile.write(outside, tone(0.5), RATE)
    path.unlink()
    path.symlink_to(outside)


def looping(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside.txt").write_text("x")


def twice(path: Path) -> None:
    soundfile.write(path.with_suffix(".flac"), tone(0.1), RATE)


def nan(path: Path) -> None:
    x = tone(0.3)
    x[100:103] = np.nan
    soundfile.write(path, x, RATE, subtype="FLOAT")


def infinite_tail(path: Path) -> None:
    x = tone(0.3)
    x[-1] = np.inf
    soundfile.write(path, x, RATE, subtype="FLOAT")


def many_channels(path: Path) -> None:
    soundfile.write(path, np.zeros((1000, 9)), RATE, subtype="PCM_16")


@pytest.mark.parametrize(
    ("harm", "status", "why"),
    [
        (Path.unlink, "missing", "no output"),
        (lambda p: p.write_bytes(b""), "failed", "d0014.wav: an empty file"),
        (lambda p: p.write_text("not audio at all " * 50), "failed", "d0014.wav: not audio that can be read"),
        (lambda p: p.write_bytes(p.read_bytes()[:44]), "failed", "d0014.wav: cut short"),
        (lambda p: soundfile.write(p, np.zeros(0), RATE), "failed", "d0014.wav: no samples"),
        (cut, "failed", "d0014.wav: cut short (got '4956 bytes of samples'); allowed: 128000"),
        (huge_header, "failed", "d0014.flac: too long an output (got '6.87e+10 samples')"),
        (slow_clock, "failed", "d0014.wav: too long an output"),
        (leading_out, "failed", "d0014.wav: not a path inside the run"),
        (looping, "failed", "d0014.wav: "),
        (fifo, "failed", "d0014.wav: not a regular file"),
        (folder, "failed", "d0014.wav: not a regular file"),
        (twice, "failed", "several outputs: d0014.flac, d0014.wav"),
        (nan, "failed", "d0014.wav: 3 samples are NaN or infinite, the first at frame 100"),
        (infinite_tail, "failed", "d0014.wav: 1 samples are NaN or infinite, the first at frame 63999"),
        (many_channels, "failed", "d0014.wav: too many channels"),
    ],
)
def test_audio_that_cannot_be_used(
    run: Path, dialogues: Corpus, harm: Callable[[Path], Any], status: str, why: str
) -> None:
    harm(run / f"{BROKEN}.wav")
    x, seen = look(run, dialogues)
    assert seen.status == status and seen.why.startswith(why), seen.why
    assert str(run) not in seen.why
    # Silence as long as the dialogue stands for it.
    assert len(x) == LENGTH and not x.any()
    untouched(run, dialogues)


# -- audio that is used, with what was changed -------------------------------------------------------------


def test_wrong_rate_is_resampled(run: Path, dialogues: Corpus) -> None:
    t = np.arange(4 * 48_000) / 48_000
    soundfile.write(run / f"{BROKEN}.wav", 0.3 * np.sin(2 * np.pi * 440 * t), 48_000, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == ("resampled from 48000 Hz",) and len(x) == LENGTH
    want = 0.3 * np.sin(2 * np.pi * 440 * np.arange(LENGTH) / RATE)
    assert np.abs(x - want)[1000:-1000].max() < 1e-3
    untouched(run, dialogues)


def test_shorter_and_longer(run: Path, dialogues: Corpus) -> None:
    soundfile.write(run / f"{BROKEN}.wav", tone(0.3, 1.5), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == ("2.50 s shorter than the dialogue: silence from there on",)
    assert len(x) == LENGTH and x[:24_000].any() and not x[24_000:].any()
    # 30 s more are listened to: a late answer is an answer. What comes after is left out, by name.
    soundfile.write(run / f"{BROKEN}.wav", tone(0.3, 40), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == ("6.00 s after the dialogue's end left out",) and len(x) == 34 * RATE
    untouched(run, dialogues)


def test_a_missing_tenth_of_a_second_is_no_news(run: Path, dialogues: Corpus) -> None:
    soundfile.write(run / f"{BROKEN}.wav", tone(0.3, 3.95), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == () and len(x) == LENGTH


def user_of(dialogues: Corpus, which: str = "main") -> np.ndarray:
    return dialogues.get(BROKEN).audio(0, which=which)[0]


@pytest.mark.parametrize("which", ["main", "twin"])
@pytest.mark.parametrize("at", [0, 1])
def test_the_users_own_channel_is_recognised(run: Path, dialogues: Corpus, which: str, at: int) -> None:
    """At half the level and through another codec, first or second, of the dialogue or its twin."""
    pair = [0.5 * user_of(dialogues, which), tone(0.3)]
    soundfile.write(run / f"{BROKEN}.wav", np.stack(pair if at == 0 else pair[::-1], axis=1), RATE, subtype="ULAW")
    x, seen = look(run, dialogues)
    assert f"channel {at} is the user's own audio: channel {1 - at} taken" in seen.notes
    assert np.abs(x - tone(0.3)).max() < 0.02
    untouched(run, dialogues)


def test_a_mute_system_beside_the_user_stays_mute(run: Path, dialogues: Corpus) -> None:
    user = user_of(dialogues)
    soundfile.write(run / f"{BROKEN}.wav", np.stack([user, 0 * user], axis=1), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert not x.any() and seen.status == "ok"


def test_other_stereo_is_mixed(run: Path, dialogues: Corpus) -> None:
    """Two channels of a system, or twice the user's own audio (a system that echoes), are one voice."""
    soundfile.write(run / f"{BROKEN}.wav", np.stack([tone(0.4), tone(0.2)], axis=1), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == ("2 channels mixed to one",) and np.abs(x - tone(0.3)).max() < 1e-3
    user = user_of(dialogues)
    soundfile.write(run / f"{BROKEN}.wav", np.stack([user, user], axis=1), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.notes == ("2 channels mixed to one",) and np.abs(x - user).max() < 1e-3
    # Without the corpus nothing tells the user's channel.
    opened, d = Run(run), dialogues.get(BROKEN).dialogue
    assert opened.system(opened.observe(d), d)[1].notes == ("2 channels mixed to one",)
    untouched(run, dialogues)


# -- names ---------------------------------------------------------------------------------------------------


def rename(dialogues: Corpus, id: str) -> OpenDialogue:
    item = dialogues.get(BROKEN)
    return OpenDialogue(msgspec.structs.replace(item.dialogue, id=id), dialogues.root)


def test_names_that_are_not_ascii(run: Path, dialogues: Corpus) -> None:
    """An id and a file name that differ in Unicode form only are the same name."""
    item = rename(dialogues, unicodedata.normalize("NFC", "对话-é-1"))
    (run / f"{BROKEN}.wav").rename(run / (unicodedata.normalize("NFD", "对话-é-1") + ".wav"))
    opened = Run(run)
    seen = opened.observe(item.dialogue)
    assert seen.status == "ok" and opened.system(seen, item.dialogue)[0].any()
    untouched(run, dialogues)


def test_names_of_no_encoding_do_no_harm(run: Path, dialogues: Corpus) -> None:
    path = os.fsencode(run) + b"/\xff\xfe.wav"
    with open(path, "wb") as f:  # noqa: PTH123 - bytes that are no text
        f.write(b"RIFF")
    opened = Run(run)
    for id in (BROKEN, SOUND):
        opened.observe(dialogues.get(id).dialogue)
    assert opened.extra == ["\\udcff\\udcfe.wav"]
    msgspec.json.encode(opened.extra)
    untouched(run, dialogues)


def test_output_names_folders_and_twins(run: Path, dialogues: Corpus) -> None:
    (run / "en").mkdir()
    (run / f"{BROKEN}.wav").rename(run / "en" / f"{BROKEN}_output.WAV")
    (run / "clean").mkdir()
    soundfile.write(run / "clean" / f"{BROKEN}.flac", tone(0.1), RATE)
    soundfile.write(run / f"clean_{SOUND}_output.wav", tone(0.2), RATE)
    opened = Run(run)
    d, other = dialogues.get(BROKEN).dialogue, dialogues.get(SOUND).dialogue
    assert opened.observe(d).audio == f"en/{BROKEN}_output.WAV"
    assert opened.observe(d, twin=True).audio == f"clean/{BROKEN}.flac"
    assert opened.observe(other, twin=True).audio == f"clean_{SOUND}_output.wav"
    assert opened.observe(other).audio == f"{SOUND}.wav"
    assert opened.extra == []
    untouched(run, dialogues)


def test_what_belongs_to_nobody_is_told(run: Path, dialogues: Corpus) -> None:
    soundfile.write(run / "stranger.wav", tone(0.1), RATE)
    (run / "notes.txt").write_text("not audio")
    (run / ".hidden.wav").write_bytes(b"")
    opened = Run(run)
    opened.observe(dialogues.get(BROKEN).dialogue)
    assert opened.extra == [f"{SOUND}.json", f"{SOUND}.wav", "stranger.wav"]


def test_files_of_dialogues_that_are_left_out_are_no_strangers(run: Path, dialogues: Corpus) -> None:
    soundfile.write(run / f"clean_{SOUND}_output.wav", tone(0.1), RATE)
    soundfile.write(run / "stranger.wav", tone(0.1), RATE)
    opened = Run(run)
    opened.observe(dialogues.get(BROKEN).dialogue)
    opened.know([SOUND])
    assert opened.extra == ["stranger.wav"]


def test_folders_inside_folders(run: Path, dialogues: Corpus) -> None:
    """1,100 of them: deeper than Python recurses."""
    handle = os.open(run, os.O_RDONLY)
    try:
        for _ in range(1100):
            os.mkdir("a", dir_fd=handle)
            inner = os.open("a", os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = inner
        untouched(run, dialogues)
    finally:
        os.close(handle)
        # What pytest tidies up with would recurse.
        subprocess.run(["rm", "-r", run / "a"], check=True)


def test_no_run_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        Run(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no run here"):
        Run(tmp_path / "file")


# -- transcripts ---------------------------------------------------------------------------------------------

GOOD = '{"text": "yes", "chunks": [{"text": "yes", "timestamp": [0.5, 0.9]}]}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_transcripts_of_several_encodings(run: Path, dialogues: Corpus, encoding: str) -> None:
    (run / f"{BROKEN}.json").write_text(GOOD.replace("yes", "好的"), encoding=encoding)
    _, seen = look(run, dialogues)
    assert seen.words == (SaidWord("好的", 8000, 14400),) and seen.words_from == "run" and seen.notes == ()


def chunk(**kw: Any) -> bytes:
    return json.dumps({"text": "", "chunks": [{"text": "yes", "timestamp": [0.5, 0.9], **kw}]}).encode()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        ("好的".encode("gbk"), "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"null", "chunks: no list of chunks"),
        (b'{"text": "yes"}', "chunks: no list of chunks"),
        (b'{"chunks": {"0": 1}}', "chunks: no list of chunks"),
        (b'{"chunks": [1]}', "chunks[0]: no text"),
        (chunk(text=None), "chunks[0]: no text"),
        (chunk(text="\ud800"), "chunks[0]: no text"),
        (chunk(timestamp=None), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[0.5, None]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[0.5, float("nan")]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[float("nan"), 0.5]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[0.5, float("inf")]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[-0.1, 0.5]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[0.9, 0.5]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[0, 10**400]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=["0.5", "0.9"]), "chunks[0].timestamp: no times"),
        (chunk(timestamp=[True, False]), "chunks[0].timestamp: no times"),
    ],
)
def test_a_broken_transcript_is_noted_and_the_audio_kept(run: Path, dialogues: Corpus, data: bytes, note: str) -> None:
    (run / f"{BROKEN}.json").write_bytes(data)
    x, seen = look(run, dialogues)
    assert seen.status == "ok" and x.any()
    assert (seen.words, seen.words_from) == ((), "")
    assert len(seen.notes) == 1 and seen.notes[0].startswith(f"transcript not read: {BROKEN}.json: {note}"), seen.notes
    untouched(run, dialogues)


def test_transcripts_that_are_no_files(run: Path, dialogues: Corpus) -> None:
    path = run / f"{BROKEN}.json"
    for harm in (fifo, folder):
        harm(path)
        assert look(run, dialogues)[1].notes == (f"transcript not read: {BROKEN}.json: not a regular file",)
        path.unlink() if path.is_fifo() else (path / "inside.txt").unlink()
        path.rmdir() if path.is_dir() else None
        path.write_text(GOOD)
    (run / f"{BROKEN}_output.json").write_text(GOOD)
    assert look(run, dialogues)[1].notes == (f"several transcripts, none read: {BROKEN}.json, {BROKEN}_output.json",)


def test_words_are_put_in_order_and_empty_ones_left_out(run: Path, dialogues: Corpus) -> None:
    transcript(run / f"{BROKEN}.json", [("two", 1.0, 1.5), (" ", 9, 9), ("one ", 0.25, 0.5)])
    assert look(run, dialogues)[1].words == (SaidWord("one", 4000, 8000), SaidWord("two", 16000, 24000))


# -- run.json and observations.jsonl ------------------------------------------------------------------------


def observed(**kw: Any) -> bytes:
    return msgspec.json.encode({"id": BROKEN, "status": "ok", "audio": f"{BROKEN}.wav", **kw}) + b"\n"


def observe(run: Path, *lines: bytes) -> None:
    (run / "observations.jsonl").write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    "audio",
    ["../secret.wav", "/etc/hostname", "a/../../secret.wav", "./d0014.wav", "", "link.wav", "x\0.wav", "gone.wav", "d"],
)
def test_a_declared_path_stays_inside(run: Path, dialogues: Corpus, audio: str) -> None:
    soundfile.write(run.parent / "secret.wav", tone(0.5), RATE)
    (run / "link.wav").symlink_to("../secret.wav")
    (run / "d").mkdir()
    observe(run, observed(audio=audio, length=LENGTH))
    x, seen = look(run, dialogues)
    assert seen.status == "failed" and not x.any()
    assert any(w in seen.why for w in ("not a path inside the run", "missing file", "not a regular file"))
    untouched(run, dialogues)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (observed(status="fine"), "observations.jsonl:1: Invalid enum value 'fine'"),
        (observed(length=-1), "observations.jsonl:1: Expected `int` >= 0"),
        (observed(length=10**30), "observations.jsonl:1: "),
        (observed(surprise=1), "observations.jsonl:1: Object contains unknown field `surprise`"),
        (observed(words=[["yes", 900, 100]]), "observations.jsonl:1: words[0]: ends before it starts"),
        (observed(sent=[[0, 900, 100]]), "observations.jsonl:1: sent[0]: ends before it starts"),
        (observed(latency={"network": "fast"}), "observations.jsonl:1: "),
    ],
)
def test_a_broken_line_belongs_to_the_dialogue_it_names(run: Path, dialogues: Corpus, line: bytes, why: str) -> None:
    observe(run, line, observed(id=SOUND, audio=f"{SOUND}.wav", words=[["yes", 8000, 14400]], words_from="run"))
    opened = Run(run)
    assert len(opened.broken) == 1 and opened.broken[0].startswith(why), opened.broken
    x, seen = look(run, dialogues)
    assert seen.status == "failed" and seen.why.startswith(why) and not x.any()
    untouched(run, dialogues)


@pytest.mark.parametrize("junk", [b"{", b"\xff\xfe\n", b"[" * 100_000, b"null", b'{"id": "\\ud800"}', b'{"id": ""}'])
def test_a_line_of_nobody_is_told(run: Path, dialogues: Corpus, junk: bytes) -> None:
    observe(run, junk + b"\n", b"\n", b"\xef\xbb\xbf" + observed())
    opened = Run(run)
    assert len(opened.broken) == 1 and opened.broken[0].startswith("observations.jsonl:1: ")
    assert look(run, dialogues)[1].status == "ok"
    untouched(run, dialogues)


def test_a_dialogue_declared_twice(run: Path, dialogues: Corpus) -> None:
    observe(run, observed(notes=["first"]), observed(notes=["second"]))
    assert Run(run).broken == ["observations.jsonl:2: 'd0014' comes twice; the first counts"]
    assert look(run, dialogues)[1].notes == ("first",)


def test_a_declared_length_is_not_memory(run: Path, dialogues: Corpus) -> None:
    observe(run, observed(length=2**53))
    x, seen = look(run, dialogues)
    assert seen.status == "failed" and "too long a run" in seen.why and len(x) == LENGTH
    observe(run, observed(length=LENGTH, sample_rate=1))
    assert LENGTH * RATE > MOST_SAMPLES
    assert look(run, dialogues)[1].status == "failed"


def test_declared_channels(run: Path, dialogues: Corpus) -> None:
    soundfile.write(run / f"{BROKEN}.wav", np.stack([tone(0.1), tone(0.2)], axis=1), RATE, subtype="PCM_16")
    observe(run, observed(channel=1))
    assert np.abs(look(run, dialogues)[0] - tone(0.2)).max() < 1e-3
    observe(run, observed(channel=0, user_channel=1))
    assert np.abs(look(run, dialogues)[0] - tone(0.1)).max() < 1e-3
    observe(run, observed(channel=2))
    assert "no such channel (got 2); allowed: 0..1" in look(run, dialogues)[1].why


def test_samples_that_are_not_those_recorded(run: Path, dialogues: Corpus) -> None:
    import hashlib

    x, _ = soundfile.read(run / f"{BROKEN}.wav", dtype="int16")
    observe(run, observed(pcm_sha256=hashlib.sha256(x.astype("<i2").tobytes()).hexdigest()))
    assert look(run, dialogues)[1].status == "ok"
    soundfile.write(run / f"{BROKEN}.wav", tone(0.31), RATE, subtype="PCM_16")
    x, seen = look(run, dialogues)
    assert seen.status == "failed" and "not the samples that the run recorded" in seen.why and not x.any()


def test_infrastructure_is_told_as_it_was(run: Path, dialogues: Corpus) -> None:
    observe(run, observed(status="infrastructure", why="the socket closed", audio=""))
    x, seen = look(run, dialogues)
    assert (seen.status, seen.why, len(x), x.any()) == ("infrastructure", "the socket closed", LENGTH, False)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{", "broken run manifest"),
        (b'{"mode": "guess"}', "broken run manifest"),
        (b'{"run_version": 2}', "broken run manifest"),
        (b'{"parameters": ' + b"[" * 100_000, "broken run manifest"),
        (b"\xff\xfe{", "broken run manifest"),
    ],
)
def test_a_broken_run_manifest_is_refused_by_name(run: Path, data: bytes, error: str) -> None:
    (run / "run.json").write_bytes(data)
    with pytest.raises(UserError, match=r"run\.json") as caught:
        Run(run)
    assert error in caught.value.message and str(run) not in caught.value.message


@pytest.mark.parametrize("name", ["run.json", "observations.jsonl"])
def test_pipes_and_links_are_not_waited_for(run: Path, dialogues: Corpus, name: str) -> None:
    (run.parent / "outside").write_bytes(observed())
    for make in (lambda p: os.mkfifo(p), lambda p: p.symlink_to("../outside"), lambda p: p.mkdir()):
        make(run / name)
        told: list[str] = []

        def read(told: list[str] = told) -> None:
            try:
                told.extend(Run(run).broken)
            except UserError as error:
                told.append(error.message)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive() and len(told) == 1 and told[0].startswith(f"{name}: not a"), told
        (run / name).rmdir() if (run / name).is_dir() else (run / name).unlink()


@given(data=st.binary(max_size=400), suffix=st.sampled_from([".wav", ".flac", ".json", ".ogg", ".mp3"]))
@settings(max_examples=60, deadline=None)
def test_any_bytes(data: bytes, suffix: str, dialogues: Corpus, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a file holds, its dialogue is accounted for and no error but the one that is told gets out."""
    run = tmp_path_factory.mktemp("run")
    header = b"RIFF" + struct.pack("<I", len(data) + 36) + b"WAVEfmt " if suffix == ".wav" and len(data) % 2 else b""
    (run / f"{BROKEN}{suffix}").write_bytes(header + data)
    x, seen = look(run, dialogues)
    assert len(x) >= LENGTH and np.isfinite(x).all()
    assert seen.status in ("missing", "failed", "ok") and (seen.status == "ok" or seen.why)
    msgspec.json.encode(seen)
