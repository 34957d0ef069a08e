"""A test set is indexed, its parts are hidden in training data in many ways, and the scan finds each and no other."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from duologue.cli.audit import command
from duologue.errors import UserError
from duologue.protect.audit import index as test_index
from duologue.protect.audit.finding import Audit, Finding
from duologue.protect.audit.scan import scan

RATE = 16_000
CANARY = "duologue-canary-0f8e2a6c-1b2d-4c3e-8f90-a1b2c3d4e5f6"
EN = "My sister moved to Boston last summer, so the house feels empty now."
ZH = "我昨天晚上把钥匙忘在办公室里了，只好打电话叫弟弟来开门。"
OTHER = (
    "Could you check whether the train to Denver still leaves at seven?",
    "明天下午两点我们在图书馆门口见面，别迟到。",
)


@pytest.fixture(scope="module")
def voices() -> dict[str, np.ndarray]:
    """Two test sounds and two others, by different voices, 4 s or more each."""
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    from duologue.generate.voices.espeak import EspeakVoice

    voice = EspeakVoice()
    said = {
        "en": (f"{EN} I still set the table for three.", "en", "en-us+f1"),
        "zh": (ZH, "zh", "cmn-latn-pinyin+m3"),
        "other-en": (OTHER[0] + " I have to be there before nine.", "en", "en-us+michael"),
        "other-zh": (OTHER[1] + "记得带上你的学生证。", "zh", "cmn-latn-pinyin+belinda"),
    }
    out = {}
    for name, (text, language, speaker) in said.items():
        x = voice.synthesise(text, language=language, speaker=speaker)
        out[name] = np.asarray(soxr.resample(x.samples, x.sample_rate, RATE) * 0.5, np.float32)
        assert len(out[name]) > 3 * RATE
    return out


@pytest.fixture(scope="module")
def index(voices: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    (folder / "test").mkdir()
    for name in ("en", "zh"):
        soundfile.write(folder / "test" / f"{name}.wav", voices[name], RATE, subtype="PCM_16")
    rows = [{"id": 1, "text": EN}, {"id": 2, "text": ZH}, {"canary": CANARY}, {"text": "好的，谢谢。"}]
    (folder / "test" / "texts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    made = test_index.build(folder / "test", without=frozenset({"meaning", "speakers"}))
    test_index.write(made, folder / "test.index")
    return folder / "test.index"


def kinds(audit: Audit) -> set[str]:
    return {f.kind for f in audit.findings}


def one(audit: Audit, kind: str) -> Finding:
    found = [f for f in audit.findings if f.kind == kind]
    assert len(found) == 1, audit.findings
    return found[0]


def test_the_index_holds_no_text_and_is_the_same_twice(index: Path, tmp_path: Path) -> None:
    again = test_index.build(index.parent / "test", without=frozenset({"meaning", "speakers"}))
    test_index.write(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == index.read_bytes()
    import msgspec

    plain = msgspec.msgpack.encode(again)
    for secret in (EN, ZH, "Boston", "钥匙"):
        assert secret.encode() not in plain


def test_a_copy_of_the_file_is_found_by_bytes_samples_and_sound(index: Path, tmp_path: Path) -> None:
    data = (index.parent / "test" / "en.wav").read_bytes()
    (tmp_path / "renamed.bin").write_bytes(data)
    audit = scan([tmp_path], index)
    assert kinds(audit) == {"bytes", "samples", "fingerprint"}
    assert {f.level for f in audit.findings} == {"certain"}
    assert {f.item for f in audit.findings} == {"test/en.wav"}


def test_another_container_has_the_same_samples(voices: dict[str, np.ndarray], index: Path, tmp_path: Path) -> None:
    x, _ = soundfile.read(index.parent / "test" / "zh.wav", dtype="float32")
    padded = np.concatenate([np.zeros(700, np.float32), x, np.zeros(1_300, np.float32)])
    soundfile.write(tmp_path / "a.flac", np.stack([padded, np.zeros_like(padded)], axis=1), RATE, subtype="PCM_24")
    assert one(scan([tmp_path], index), "samples").item == "test/zh.wav"


@pytest.mark.parametrize("kind", ["mp3", "opus", "telephone", "faster", "higher", "noise", "inside"])
def test_a_changed_sound_is_found_where_it_lies(
    kind: str, voices: dict[str, np.ndarray], index: Path, tmp_path: Path
) -> None:
    x, rng, at = voices["en"], np.random.default_rng(1), 0.0
    if kind == "mp3":
        soundfile.write(tmp_path / "a.mp3", x * 0.1, RATE, format="MP3", compression_level=0.9)
    elif kind == "opus":
        soundfile.write(tmp_path / "a.opus", x, RATE, format="OGG", subtype="OPUS")
    elif kind == "telephone":
        soundfile.write(tmp_path / "a.wav", soxr.resample(x, RATE, 8_000), 8_000, subtype="ULAW")
    elif kind == "faster":
        soundfile.write(tmp_path / "a.wav", soxr.resample(x, RATE * 1.1, RATE), RATE)
    elif kind == "higher":
        # Two semitones by resampling: 12.2% faster, a little beyond the variants that are searched.
        y = soxr.resample(x, RATE * 2 ** (2 / 12), RATE)
        soundfile.write(tmp_path / "a.wav", y, RATE)
    elif kind == "noise":
        noise = rng.standard_normal(len(x)) * np.sqrt(np.mean(x**2)) * 10 ** (-10 / 20)
        soundfile.write(tmp_path / "a.wav", x + noise, RATE)
    else:
        long = np.concatenate([voices["other-zh"], voices["other-en"], x, voices["other-zh"]])
        soundfile.write(tmp_path / "a.wav", long, RATE)
        at = (len(voices["other-zh"]) + len(voices["other-en"])) / RATE
    found = one(scan([tmp_path], index), "fingerprint")
    assert found.item == "test/en.wav"
    assert found.level in ("certain", "likely")
    assert found.offset is not None and found.item_offset is not None
    # The two offsets name the same moment, to a tenth of a second.
    speed = {"faster": 1.1, "higher": 2 ** (2 / 12)}.get(kind, 1.0)
    assert found.offset - at == pytest.approx(found.item_offset / speed, abs=0.15)


def test_other_speech_and_other_texts_are_not_found(voices: dict[str, np.ndarray], index: Path, tmp_path: Path) -> None:
    for name in ("other-en", "other-zh"):
        soundfile.write(tmp_path / f"{name}.wav", voices[name], RATE)
    (tmp_path / "silence.wav").write_bytes(_wav(np.zeros(3 * RATE, np.float32)))
    (tmp_path / "texts.txt").write_text("\n".join([*OTHER, "好的，谢谢。"]))
    audit = scan([tmp_path], index)
    assert audit.findings == ()
    assert audit.unreadable == ()
    assert audit.scanned == 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (EN, "text"),
        ("MY SISTER moved to Boston - last summer; so the house feels empty now", "normalised-text"),
        ("[sigh] Ｍｙ sister moved to Boston last summer, so the house feels empty now!", "normalised-text"),
        ("我昨天晚上把鑰匙忘在辦公室裡了,只好打電話叫弟弟來開門", "normalised-text"),
        (
            "well you know my sister moved to boston last summer so the house feels empty now and so on",
            "contained-text",
        ),
        ("My brother moved to Boston last summer, so the house feels empty now.", "near-text"),
        ("我昨天晚上把钥匙忘在办公室里了，只好打电话叫哥哥来开门。", "near-text"),
    ],
)
def test_texts_are_found_whatever_their_form(text: str, kind: str, index: Path, tmp_path: Path) -> None:
    if "鑰" in text:
        pytest.importorskip("opencc", reason="traditional characters need opencc")
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "x", "turns": [{"text": text}]}) + "\n", "utf-8")
    found = one(scan([tmp_path], index), kind)
    assert found.item == "test/texts.jsonl"
    assert found.offset == 1.0
    assert found.item_offset == (2.0 if "我" in text else 1.0)


def test_a_paraphrase_is_found_by_its_meaning(tmp_path: Path) -> None:
    from duologue.models import store
    from duologue.models.catalogue import E5

    if not store.installed(E5):
        pytest.skip("the sentence encoder's weights are not here")
    (tmp_path / "test.txt").write_text("How do I get to the railway station from here?\n" + ZH)
    test_index.write(test_index.build(tmp_path / "test.txt", without=frozenset({"speakers"})), tmp_path / "i")
    (tmp_path / "train.txt").write_text("What is the way to the railway station from here, please?\n" + OTHER[0])
    found = one(scan([tmp_path / "train.txt"], tmp_path / "i"), "meaning")
    assert (found.offset, found.item_offset) == (1.0, 1.0)


def test_canaries_are_found_in_any_file(index: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(1 << 20) + CANARY.encode() + os.urandom(100))
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as f:
        f.write(json.dumps({"note": f"see {CANARY}."}) + "\n")
    audit = scan([tmp_path], index)
    found = {(f.file.rsplit("/", 1)[1], f.level) for f in audit.findings if f.kind == "canary"}
    assert found == {("weights.bin", "certain"), ("a.jsonl.gz", "certain")}
    assert [u.file.rsplit("/", 1)[1] for u in audit.unreadable] == ["weights.bin"]


def test_lists_of_hashes(index: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((index.parent / "test" / "en.wav").read_bytes()).hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a.wav\n{digest}  b.wav\n")
    found = one(scan([tmp_path], index), "hash")
    assert (found.offset, found.item) == (2.0, "test/en.wav")


def test_webdataset_parquet_and_arrow(index: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="tables need pyarrow")
    from pyarrow import parquet

    data = (index.parent / "test" / "en.wav").read_bytes()
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for name, body in (("0001.wav", data), ("0001.json", json.dumps({"text": ZH}).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    table = pa.table({"audio": [{"bytes": data, "path": "x.wav"}], "text": [ZH]})
    parquet.write_table(table, tmp_path / "part.parquet")
    with pa.OSFile(str(tmp_path / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    audit = scan([tmp_path], index, workers=2)
    where = {(f.file.split("/", 1)[1], f.kind) for f in audit.findings if f.kind in ("bytes", "text")}
    assert where == {
        ("shard.tar!0001.wav", "bytes"),
        ("shard.tar!0001.json", "text"),
        ("part.parquet#0.audio.bytes", "bytes"),
        ("part.parquet#0.text", "text"),
        ("data.arrow#0.audio.bytes", "bytes"),
        ("data.arrow#0.text", "text"),
    }
    assert audit.unreadable == ()
    assert scan([tmp_path], index).findings == audit.findings


def test_what_is_hostile_or_broken_is_listed(index: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(b"not a tar at all" * 100)
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    (tmp_path / "c.jsonl").write_text('{"a": ' + "[" * 100_000)
    (tmp_path / "d.zip").write_bytes(b"PK\3\4")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("../../escape")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    pytest.importorskip("pyarrow", reason="tables need pyarrow")
    audit = scan([tmp_path], index)
    named = {u.file.split("/", 1)[1] for u in audit.unreadable}
    wanted = {"cut.tar", "a.wav", "b.parquet", "c.jsonl:1", "d.zip", "pipe", "evil.tar!../../escape"}
    assert named == wanted
    assert audit.findings == ()


def test_a_bad_index_is_refused(index: Path, tmp_path: Path) -> None:
    whole = index.read_bytes()
    for broken in (b"", whole[:-20], whole[:40] + b"x" + whole[41:], b"{}"):
        (tmp_path / "i").write_bytes(broken)
        with pytest.raises(UserError, match="no test index"):
            test_index.read(tmp_path / "i")


def test_the_command(index: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.txt").write_text(EN)
    (tmp_path / "train" / "b.wav").write_bytes((index.parent / "test" / "zh.wav").read_bytes())
    page = tmp_path / "leaks.html"
    arguments = ["scan", str(tmp_path / "train"), "--against", str(index), "--json"]
    heard = ["--html", str(page), "--test-set", str(index.parent / "test")]
    done = CliRunner().invoke(command, [*arguments, *heard])
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert {"scanned", "unreadable", "findings"} <= set(said)
    assert {"file", "offset", "item", "item_offset", "kind", "level", "evidence"} <= set(said["findings"][0])
    assert any("not checked" in s["note"] for s in said["stages"] if s["name"] == "meaning")
    assert page.read_text("utf-8").count("<audio") == 6  # bytes, samples, fingerprint: both sides of each
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "a.txt").write_text(OTHER[0])
    assert CliRunner().invoke(command, ["scan", str(tmp_path / "clean"), "--against", str(index)]).exit_code == 0


def _wav(x: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, x, RATE, format="WAV")
    return buffer.getvalue()
