"""The worst archives are refused within 5 s of processor time and 300 MB, in a process that dies beyond either."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from submission_bytes import EVERY, OWN, Entry, bomb, sound, wav

from duologue.challenge.submission.expected import Expected

# The processor time is a hard limit of the system's; the peak of memory is the kernel's own count.
CHILD = """
import re, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
import msgspec
from duologue.challenge.submission.check import check
from duologue.challenge.submission.expected import read_expected
report = check(Path(sys.argv[1]), read_expected(Path(sys.argv[2])))
status = Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1000 if status.exists() else 0.0
cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
whats = [c.what for c in report.counts]
print(msgspec.json.encode({"accepted": report.accepted, "peak": peak, "cpu": cpu, "whats": whats}).decode())
"""


def _replace(layout: str, name: bytes, raw: bytes, size: int) -> bytes:
    z = sound(EVERY[layout])
    e = next(e for e in z.entries if e.name == name)
    e.raw = raw
    e.local |= {"size": size}
    e.central |= {"size": size}
    return z.bytes()


def _with(layout: str, name: bytes, data: bytes) -> bytes:
    z = sound(EVERY[layout])
    next(e for e in z.entries if e.name == name).data = data
    return z.bytes()


def _many(count: int) -> bytes:
    row = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 7, 0)
    out, directory = bytearray(), bytearray()
    for i in range(count):
        name = b"%07x" % i
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, len(out))
        directory += name
        out += row + name
    at = len(out)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), at)
    out += directory + record + struct.pack("<4sLQL", b"PK\x06\x07", 0, at + len(directory), 1)
    return bytes(out + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0))


def _claims_many() -> bytes:
    data = bytearray(_many(2))
    at = data.rfind(b"PK\x06\x06")
    struct.pack_into("<2Q", data, at + 24, 1 << 32, 1 << 32)
    return bytes(data)


def _overlapping() -> bytes:
    z = sound(OWN)
    raw = bomb(32)
    z.entries[0].raw = raw
    for x in (z.entries[0].local, z.entries[0].central):
        x |= {"size": 32 << 20}
    z.entries += [Entry(b"run/x%d.wav" % i, b"", central={"offset": 0, "size": 32 << 20}) for i in range(900)]
    return z.bytes()


def _pdf_bomb() -> bytes:
    packer = zlib.compressobj(9)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = block * 2_000
    stream = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n" % len(body)
    return b"%PDF-1.5\n9 0 obj\n" + stream + body + b"\nendstream\nendobj\n%%EOF\n"


def _pdf_of_objects() -> bytes:
    head = b"%PDF-1.5\n"
    return head + b"1 0 obj stream\nendstream\n" * 400_000 + b"endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


def _pdf_of_overlaps() -> bytes:
    pairs = b" ".join(b"%d %d" % (i, (i % 2) * 4_000_000) for i in range(50_000))
    body = zlib.compress(pairs + bytes(4_100_000))
    stream = b"<< /Type /ObjStm /First %d /Filter /FlateDecode /Length %d >>\nstream\n" % (len(pairs), len(body))
    return b"%PDF-1.5\n9 0 obj\n" + stream + body + b"\nendstream\nendobj\n%%EOF\n"


ANSWERS = b"run/answers.jsonl"
MORE = "more data than the archive claims"
UNCOUNTED, UNREAD = "a report whose pages cannot be counted", "far too many lines; the rest was not read"
WORST: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "bomb": ("own", lambda: _replace("own", b"run/a1.wav", bomb(4_000), 4_000 << 20), "too large a member"),
    "bomb that lies": (
        "own",
        lambda: _replace("own", b"run/a1.wav", bomb(10_000), 32_044),
        "more data than the archive claims",
    ),
    "overlapping bombs": ("own", _overlapping, "members overlap"),
    "100,000 members": ("own", lambda: _many(100_000), "too many members: 100,000 where at most 1,012 are allowed"),
    "4 billion members": ("own", _claims_many, "too many members: 4,294,967,296 where at most 1,012 are allowed"),
    "nested zip": ("own", lambda: _with("own", b"run/a1.wav", sound(OWN).bytes()), "not a sound WAV file"),
    "PDF bomb": ("own", lambda: _with("own", b"report.pdf", _pdf_bomb()), UNCOUNTED),
    "PDF of objects": ("own", lambda: _with("own", b"report.pdf", _pdf_of_objects()), UNCOUNTED),
    "PDF of overlaps": ("own", lambda: _with("own", b"report.pdf", _pdf_of_overlaps()), UNCOUNTED),
    "one long line": ("answers", lambda: _with("answers", ANSWERS, b"[" * (30 << 20)), "too long a line"),
    "blank lines": ("answers", lambda: _with("answers", ANSWERS, b"\n" * (30 << 20)), UNREAD),
    "lists of lists": (
        "answers",
        lambda: _with("answers", ANSWERS, (b'{"id": "a1", "answer": [' + b"[]," * 300_000 + b"[]]}\n") * 30),
        "too many values in a line",
    ),
    "lists of numbers": (
        "answers",
        lambda: _with("answers", ANSWERS, (b'{"id": "a1", "answer": [' + b"0," * 500_000 + b"0]}\n") * 30),
        "too many values in a line",
    ),
    "quotes": ("answers", lambda: _with("answers", ANSWERS, (b'"\\' * 500_000 + b"\n") * 30), "broken JSON"),
    "WAV of parts": (
        "own",
        lambda: _with("own", b"run/a1.wav", wav(31.0, rate=48_000)[:12] + b"junk\0\0\0\0" * 372_000),
        "not a sound WAV file",
    ),
}


def _check(folder: Path, data: bytes, expected: Expected) -> dict[str, object]:
    (folder / "s.zip").write_bytes(data)
    (folder / "expected.json").write_bytes(msgspec.json.encode(expected))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder / "s.zip"), str(folder / "expected.json")],
        capture_output=True,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_archives_cost_little(kind: str, tmp_path: Path) -> None:
    layout, make, what = WORST[kind]
    found = _check(tmp_path, make(), EVERY[layout])
    print(kind, found)
    assert found["accepted"] is False
    assert what in found["whats"], found["whats"]  # type: ignore[operator]
    assert isinstance(found["peak"], float) and found["peak"] < 300
