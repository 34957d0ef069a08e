"""What a submission's check finds: in sound ones nothing, else every fault by name and all in one pass."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from submission_bytes import CARD, EVERY, OWN, RATE, Entry, Zip, bomb, deflate, files, jsonl, pdf, sound, wav

from duologue.challenge.submission.check import Report, check
from duologue.challenge.submission.expected import Expected
from duologue.challenge.submission.rules import AudioRules, ReportRules, SubmissionRules
from duologue.challenge.submission.sandbox import unpacked


def report_on(folder: Path, data: bytes, expected: Expected, rules: SubmissionRules | None = None) -> Report:
    path = folder / "s.zip"
    path.write_bytes(data)
    return check(path, expected, rules)


def whats(report: Report, level: str = "error") -> set[str]:
    return {c.what for c in report.counts if c.level == level}


@pytest.mark.parametrize("layout", EVERY)
def test_a_sound_submission_is_accepted_and_comes_out_as_it_went_in(layout: str, tmp_path: Path) -> None:
    expected = EVERY[layout]
    path = tmp_path / "s.zip"
    path.write_bytes(sound(expected).bytes())
    with unpacked(path, expected, parent=tmp_path) as (report, run):
        assert report.accepted and not report.problems
        assert report.present == report.expected == len(expected)
        assert report.pages == (2 if expected.layout == "duologue" else 3)
        assert run is not None
        root = "run/" if expected.layout == "duologue" else expected.root
        inside = {p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*") if p.is_file()}
        assert inside == {
            n.removeprefix(root): d for n, d in files(expected).items() if n.startswith(root) and not n.endswith(".pdf")
        }
        assert all(p.stat().st_mode & 0o077 == 0 for p in (run, *run.rglob("*")))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zip"]


def _python(names: dict[str, bytes], out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in names.items():
            z.writestr(name, data)


def _folder(names: dict[str, bytes], out: Path) -> Path:
    folder = out.parent / "in"
    for name, data in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _python_tree(names: dict[str, bytes], out: Path) -> None:
    shutil.make_archive(str(out.with_suffix("")), "zip", _folder(names, out))


def _python_stream(names: dict[str, bytes], out: Path) -> None:
    """To a pipe: sizes come behind the data, as Java and macOS write them."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.parts.append(bytes(data))  # type: ignore[call-overload]
            return len(self.parts[-1])

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as z:  # type: ignore[call-overload]
        for name, data in names.items():
            z.writestr(name, data)
    out.write_bytes(b"".join(pipe.parts))


def _info_zip(names: dict[str, bytes], out: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("Info-ZIP is not installed")
    subprocess.run(["zip", "-q", "-r", str(out), "."], cwd=_folder(names, out), check=True)


def _info_zip_pipe(names: dict[str, bytes], out: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("Info-ZIP is not installed")
    done = subprocess.run(["zip", "-q", "-r", "-", "."], cwd=_folder(names, out), check=True, stdout=subprocess.PIPE)
    out.write_bytes(done.stdout)


@pytest.mark.parametrize("writer", [_python, _python_tree, _python_stream, _info_zip, _info_zip_pipe])
@pytest.mark.parametrize("layout", ["answers", "track1"])
def test_zips_of_common_writers_are_accepted(
    writer: Callable[[dict[str, bytes], Path], None], layout: str, tmp_path: Path
) -> None:
    writer(files(EVERY[layout]), tmp_path / "s.zip")
    report = check(tmp_path / "s.zip", EVERY[layout])
    assert report.accepted, report.problems


def test_zip64_comment_folders_stored_members_and_leavings_are_harmless(tmp_path: Path) -> None:
    z = sound(OWN)
    z.zip64, z.comment = True, b"made by hand"
    for e in z.entries[:2]:
        e.method = 0
    z.entries.insert(0, Entry(b"run/", b"", method=0, mode=0o040755))
    z.entries += [Entry(b"__MACOSX/run/._a1.wav", b"x"), Entry(b"run/.DS_Store", b"y")]
    report = report_on(tmp_path, z.bytes(), OWN)
    assert report.accepted
    assert whats(report, "warning") == {"left by the operating system, not read"}


def test_all_faults_come_in_one_pass(tmp_path: Path) -> None:
    names = files(OWN)
    del names["run/b2.wav"]
    names["run/a1.wav"] = wav(1.0, rate=11_025, channels=2)
    names["run/c3.wav"] = wav(40.0, rate=8_000)
    names["run/e5.wav"] = wav()
    names["report.pdf"] = pdf(1)
    names["submission.json"] = json.dumps(CARD | {"team": "YOUR TEAM", "test_set": "another"}).encode()
    names["run/a1.json"] = b'{"text": "x", "chunks": [{"text": "x", "timestamp": [2, 1]}]}'
    report = report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), OWN)
    assert whats(report) == {
        "a missing item",
        "a sample rate that is not allowed",
        "a number of channels that is not allowed",
        "too long audio",
        "an extra file",
        "a report of too few pages",
        "not filled in",
        "made for another test set",
        "a missing field, or of the wrong type",
    }
    assert {p.file for p in report.problems if p.what == "a missing item"} == {"run/b2.wav"}
    # 40 s where the dialogue lasts 1 s, and 30 s more are allowed.
    assert next(p for p in report.problems if p.what == "too long audio").allowed == "0 to 31.00 s"


def test_a_folder_around_everything_is_one_fault(tmp_path: Path) -> None:
    z = Zip([Entry(b"team/" + e.name, e.data) for e in sound(OWN).entries])
    report = report_on(tmp_path, z.bytes(), OWN)
    assert whats(report) == {"a missing report", "everything lies one folder too deep"}
    assert next(p for p in report.problems if "deep" in p.what).file == "team/"


def test_another_case_is_named(tmp_path: Path) -> None:
    names = {n.replace("run/b2.wav", "run/B2.WAV"): d for n, d in files(OWN).items()}
    report = report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), OWN)
    assert next(p for p in report.problems if p.what == "a missing item").value == "there is run/B2.WAV"


def test_short_and_silent_audio_is_a_warning(tmp_path: Path) -> None:
    z = sound(OWN)
    silent = wav(0.5)
    z.entries[0].data = silent[:44] + bytes(len(silent) - 44)
    report = report_on(tmp_path, z.bytes(), OWN)
    assert report.accepted
    assert whats(report, "warning") == {"shorter than its dialogue: silence from there on", "every sample is zero"}


ROWS = json.loads(files(EVERY["track1"])["HD-Track1/zh/HD-Track1-T3.jsonl"])


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"dialogue_id": "zh_0003_0001"}, "a missing field, or of the wrong type"),
        ({"dialogue_id": "zh_9"}, "an extra dialogue"),
        ({**ROWS, "turns": ROWS["turns"][:1]}, "a missing turn"),
        ({**ROWS, "turns": [*ROWS["turns"], {"turn_id": 9}]}, "an extra turn"),
        ({**ROWS, "turns": [*ROWS["turns"], ROWS["turns"][0]]}, "a turn comes twice"),
        ({**ROWS, "turns": [{**t, "response_text": " "} for t in ROWS["turns"]]}, "an empty reply"),
        ({**ROWS, "turns": [{**t, "response_audio": "x.wav"} for t in ROWS["turns"]]}, "names another file"),
        (
            {**ROWS, "turns": [{**t, "response_text": 3} for t in ROWS["turns"]]},
            "a missing field, or of the wrong type",
        ),
        ({**ROWS, "turns": [{**t, "respons_text": "x"} for t in ROWS["turns"]]}, None),
    ],
)
def test_official_fields(row: dict[str, object], what: str | None, tmp_path: Path) -> None:
    expected = EVERY["track1"]
    names = files(expected) | {"HD-Track1/zh/HD-Track1-T3.jsonl": jsonl([row])}
    report = report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), expected)
    assert report.accepted is (what is None)
    assert (what or "an unknown field") in whats(report, "error" if what else "warning")


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (b'{"id": "a1", "probe": "p0", "answer": "sad"}\n{"id": "a1", "turn": 4, "answer": "x"}\n', "answered twice"),
        (b'{"id": "a1", "probe": "p9", "answer": "sad"}\n', "an answer to nothing that was asked"),
        (b'{"id": "a1", "probe": "p0", "answer": ""}\n', "an empty answer"),
        (b'{"id": "a1", "probe": "p0", "answer": NaN}\n', "broken JSON"),
        (b'{"id": "a1", "id": "b2", "answer": "x"}\n', "broken JSON"),
        (b'{"id": "a1", "answer": "\\ud800"}\n', "characters that are no Unicode"),
        (b'{"id": "a1", "answer": ' + b"[" * 4_900 + b"]" * 4_900 + b"}\n", "broken JSON"),
        (b'{"id": "a1", "answer": ' + b"[" * 20 + b"]" * 20 + b"}\n", "nested too deeply"),
        (b"\xff\xfe{}\n", "not UTF-8"),
        (b"[1]\n", "not a JSON object"),
        (b"\n" * 5000, "far too many lines; the rest was not read"),
        (b'{"id": "' + b"x" * (1 << 20) + b'"}\n', "too long a line"),
    ],
)
def test_answers(lines: bytes, what: str, tmp_path: Path) -> None:
    expected = EVERY["answers"]
    names = files(expected) | {"run/answers.jsonl": lines}
    report = report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), expected)
    assert what in whats(report)
    json.dumps(msgspec.to_builtins(report)).encode()


def test_a_reply_in_the_other_language_is_a_warning(tmp_path: Path) -> None:
    expected = EVERY["track1"]
    names = files(expected)
    text = (
        names["HD-Track1/en/HD-Track1-T1.jsonl"].decode().replace("You were sad at first", "你先是难过，后来又开心了")
    )
    names["HD-Track1/en/HD-Track1-T1.jsonl"] = text.encode()
    report = report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), expected)
    assert report.accepted and whats(report, "warning") == {"a reply in another language"}


def test_the_challenge_can_change_the_rules(tmp_path: Path) -> None:
    rules = SubmissionRules(
        audio=AudioRules(rates=(24_000,), formats=("FLOAT",)), report=ReportRules(least=4), declaration="required"
    )
    report = report_on(tmp_path, sound(OWN).bytes(), OWN, rules)
    assert whats(report) == {
        "a sample rate that is not allowed",
        "a sample format that is not allowed",
        "a report of too few pages",
        "a missing declaration",
    }
    names = files(OWN)
    for n in names:
        if n.endswith(".wav"):
            names[n] = wav(1.0, rate=24_000, bits=32, tag=3)
    free = SubmissionRules(audio=rules.audio, report=ReportRules(wanted="optional"))
    del names["report.pdf"]
    assert report_on(tmp_path, Zip([Entry(n.encode(), d) for n, d in names.items()]).bytes(), OWN, free).accepted


# -- hostile archives: each is told by name, and nothing of it is read


def _spoil(change: Callable[[Zip], None]) -> bytes:
    z = sound(OWN)
    change(z)
    return z.bytes()


def _extra(name: bytes, **more: object) -> Callable[[Zip], None]:
    return lambda z: z.entries.append(Entry(name, b"x", **more))  # type: ignore[arg-type]


def _set(place: str, **values: object) -> Callable[[Zip], None]:
    return lambda z: getattr(z.entries[1], place).update(values)


def _end(**values: int) -> Callable[[Zip], None]:
    return lambda z: z.end.update(values)


def _attribute(name: str, value: object) -> Callable[[Zip], None]:
    return lambda z: setattr(z, name, value)


def _nfd(z: Zip) -> None:
    z.entries.append(Entry(unicodedata.normalize("NFD", "run/é.wav").encode(), b"x"))


def _two_forms(z: Zip) -> None:
    z.entries.append(Entry("run/é.wav".encode(), b"x"))
    _nfd(z)


def _same_data(z: Zip) -> None:
    z.entries[1].central["offset"] = 0


def _deflated(raw: bytes, **more: object) -> Callable[[Zip], None]:
    def change(z: Zip) -> None:
        z.entries[0].raw = raw
        z.entries[0].local |= more
        z.entries[0].central |= more

    return change


GBK = "a name that is neither ASCII nor marked as UTF-8 (perhaps cp437 or GBK)"
HOSTILE: dict[str, tuple[Callable[[Zip], None], str]] = {
    "climbing": (_extra(b"run/../../evil.wav"), "a path that climbs or has an empty part"),
    "absolute": (_extra(b"/etc/cron.d/evil"), "an absolute path"),
    "drive": (_extra(b"C:/evil.wav"), "a path with a drive"),
    "backslash": (_extra(b"..\\evil.wav"), "a backslash in a name"),
    "empty part": (_extra(b"run//a.wav"), "a path that climbs or has an empty part"),
    "empty name": (_extra(b""), "an empty name"),
    "NUL": (_extra(b"run/a1.wav\0.txt"), "a control or invisible character in a name"),
    "escape": (_extra(b"run/\x1b[2J.wav"), "a control or invisible character in a name"),
    "turned": (_extra("run/\u202egpj.wav".encode()), "a control or invisible character in a name"),
    "device": (_extra(b"run/NUL.wav"), "the name of a device"),
    "device with a dot": (_extra(b"run/com1.a.wav"), "the name of a device"),
    "trailing dot": (_extra(b"run/a1.wav."), "a name that begins or ends with a space, or ends with a dot"),
    "trailing space": (_extra(b"run/a1.wav "), "a name that begins or ends with a space, or ends with a dot"),
    "stream": (_extra(b"run/a1.wav:hidden"), "a character that some systems forbid in a name"),
    "long": (_extra(b"run/" + b"x" * 300), "too long a name"),
    "twice": (lambda z: z.entries.append(z.entries[0].copy()), "a member comes twice"),
    "case": (_extra(b"run/A1.WAV"), "two names that are one file on some systems"),
    "width": (_extra("run/\uff411.wav".encode()), "two names that are one file on some systems"),
    "NFD": (_nfd, "a name that is not in Unicode NFC"),
    "NFC and NFD": (_two_forms, "two names that are one file on some systems"),
    "file and folder": (_extra(b"run/a1.wav/b.wav"), "a file that is also a folder"),
    "GBK": (
        _extra("run/你好.wav".encode("gbk"), central={"flags": 0}, local={"flags": 0}),
        GBK,
    ),
    "GBK called UTF-8": (
        _extra("run/你好.wav".encode("gbk")),
        GBK,
    ),
    "link": (_extra(b"run/link.wav", mode=0o120777), "a link in place of a file"),
    "pipe": (_extra(b"run/pipe.wav", mode=0o010644), "a device, pipe or socket in place of a file"),
    "encrypted": (lambda z: setattr(z.entries[1], "flags", 1), "an encrypted member"),
    "AES": (_set("central", extra=b"\x01\x99\x07\x00\x02\x00AE\x03\x08\x00"), "an encrypted member"),
    "another method": (_set("central", method=14), "a member packed by another method"),
    "two names": (_set("local", name=b"run/b3.wav"), "the local header contradicts the directory"),
    "two sizes": (_set("local", size=5), "the local header contradicts the directory"),
    "two checksums": (_set("local", crc=5), "the local header contradicts the directory"),
    "Unicode path": (_set("central", extra=b"\x75\x70\x09\x00\x01\0\0\0\0evil"), "a member with two names"),
    "overlap": (_same_data, "members overlap"),
    "gap": (_attribute("between", b"hidden"), "hidden data between the members"),
    "prefix": (_attribute("prefix", b"#!/bin/sh\n"), "not a zip file"),
    "prefix of a zip": (_attribute("prefix", sound(OWN).bytes()), "hidden data between the members"),
    "suffix": (_attribute("tail", b"hidden"), "something follows the zip file, or its comment is cut short"),
    "zip after zip": (_attribute("tail", sound(OWN).bytes()), "the directory does not lie where the end record says"),
    "disks": (_end(disk=1), "a part of an archive of several disks"),
    "fewer": (_end(count=2), "a broken directory"),
    "more": (_end(count=99), "a broken directory"),
    "many": (_end(count=60_000), "too many members: 60,000 where at most 1,012 are allowed"),
    "none": (lambda z: z.entries.clear(), "an archive without members"),
    "checksum": (_set("central", crc=7), "the local header contradicts the directory"),
    "bomb": (_deflated(bomb(64), size=64 << 20), "too much once unpacked"),
    "liar": (_deflated(bomb(2)), "more data than the archive claims"),
    "impossible": (_deflated(deflate(b"x"), size=10_000_000), "a member that claims more than its data can hold"),
    "short": (_deflated(deflate(wav()[:-9])), "less data than the archive claims"),
    "garbage": (_deflated(b"\x07\x07\x07\x07"), "a member that claims more than its data can hold"),
    "two streams": (
        lambda z: setattr(z.entries[0], "raw", deflate(z.entries[0].data) + b"more"),
        "data behind the end of a deflated member",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    change, what = HOSTILE[kind]
    box = tmp_path / "box"
    box.mkdir()
    (tmp_path / "s.zip").write_bytes(_spoil(change))
    with unpacked(tmp_path / "s.zip", OWN, parent=box) as (report, run):
        assert run is None
        assert list(box.iterdir()) == []
    assert not report.accepted
    assert what in whats(report), report.problems


def test_a_central_header_that_moves_within_the_archive_is_refused(tmp_path: Path) -> None:
    """A better zip bomb (Fifield 2019): many rows of the directory, one lot of data."""
    z = sound(OWN)
    for _ in range(200):
        z.entries.append(Entry(f"run/x{len(z.entries)}.wav".encode(), b"", central={"offset": 0}))
    report = report_on(tmp_path, z.bytes(), OWN)
    assert not report.accepted
    assert whats(report) & {"members overlap", "the local header contradicts the directory"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "an empty file"),
        (b"RIFF", "too short for a WAV file"),
        (b"PK\x03\x04" + bytes(60), "a zip archive in place of WAV"),
        (b"fLaC" + bytes(60), "FLAC in place of WAV"),
        (b"<html><body onload=alert(1)>" + bytes(60), "HTML or XML in place of WAV"),
        (b"version https://git-lfs.github.com/spec/v1\n" + bytes(60), "a Git LFS pointer in place of WAV"),
        (wav()[:-2], "the header claims 32,044 bytes, the file has 32,042"),
        (wav() + b"more", "the header claims 32,044 bytes, the file has 32,048"),
        (
            wav()[:40] + b"\xff\xff\xff\xff" + wav()[44:],
            "a part of the header claims 4,294,967,295 bytes, 32,000 are left",
        ),
        (wav()[:4] + b"\xff\xff\xff\xff" + wav()[8:], "the header claims 4,294,967,303 bytes, the file has 32,044"),
        (wav()[:20] + b"\x55\x00" + wav()[22:], "an unknown format (tag 85, 16 bits)"),
        (wav()[:22] + b"\x00\x00" + wav()[24:], "no channels"),
        (wav()[:24] + bytes(4) + wav()[28:], "no sample rate"),
        (wav()[:28] + b"\x01\x02\x03\x04" + wav()[32:], "a format that contradicts itself"),
        (wav()[:12] + b"LIST" + wav()[16:], "samples without a format"),
        (wav()[:36] + b"junk" + wav()[40:], "no samples"),
    ],
)
def test_wavs_that_are_something_else(data: bytes, why: str, tmp_path: Path) -> None:
    z = sound(OWN)
    z.entries[0].data = data
    report = report_on(tmp_path, z.bytes(), OWN)
    assert [p.value for p in report.problems if p.what == "not a sound WAV file"] == [why]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no PDF file"),
        (wav(), "no PDF file"),
        (b"PK\x03\x04", "a zip archive in place of a PDF"),
        (b"%PDF-1.7\nnothing\n%%EOF\n", "no tree of pages"),
        (pdf()[:-20], "cut short: no end mark"),
        (pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 9 0 R"), "encrypted"),
        (pdf().replace(b"[3 0 R 4 0 R]", b"[3 0 R 2 0 R]"), "a tree of pages that runs in a circle"),
        (pdf().replace(b"[3 0 R 4 0 R]", b"[3 0 R 9 0 R]"), "a page is missing"),
        (pdf().replace(b"/Type /Page /P", b"/Type /Font /P"), "a tree of pages with something else in it"),
    ],
)
def test_reports_that_are_something_else(data: bytes, why: str, tmp_path: Path) -> None:
    z = sound(OWN)
    next(e for e in z.entries if e.name == b"report.pdf").data = data
    report = report_on(tmp_path, z.bytes(), OWN)
    assert [p.value for p in report.problems if p.what == "a report whose pages cannot be counted"] == [why]


def test_a_wav_of_another_writer_is_read_alike(tmp_path: Path) -> None:
    """libsndfile's own files, in every format that both know; with parts before and after the samples."""
    import numpy as np
    import soundfile

    from duologue.challenge.submission.wav import FORMATS, read_wav

    x = (np.sin(np.arange(2 * 800) / 9) * 0.3).reshape(-1, 2)
    for form in FORMATS:
        for kind in ("WAV", "WAVEX"):
            path = tmp_path / "x.wav"
            with soundfile.SoundFile(path, "w", RATE, 2, form, format=kind) as f:
                f.title = "a title"
                f.write(x)
            data = path.read_bytes()
            pieces = (data[i : i + 100] for i in range(0, len(data), 100))
            facts = read_wav(pieces, len(data))
            assert (facts.rate, facts.channels, facts.format, facts.frames) == (RATE, 2, form, 800)
            assert not facts.silent
