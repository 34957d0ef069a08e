"""Mutated submissions: whatever is done to a sound one, the checker neither crashes nor accepts what it should refuse.

Each mutation is known to spoil a submission or to leave it as good as it was. A change of single bytes is known by its
result: what is accepted must come out as the sound files, byte for byte. No file appears outside the sandbox.
"""

from __future__ import annotations

import json
import random
import stat
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from submission_bytes import EVERY, Entry, Zip, bomb, files, pdf, sound, wav

from duologue.challenge.submission.sandbox import unpacked

Mutation = Callable[[Zip, random.Random], None]


def _one(z: Zip, rng: random.Random, suffix: bytes = b"") -> Entry:
    rows = [e for e in z.entries if e.name.endswith(suffix) and not e.name.startswith(b"__MACOSX") and e.data]
    return rng.choice(rows)


def _bad_name(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng)
    name = rng.choice(
        [
            b"../" + e.name,
            b"/" + e.name,
            b"C:\\" + e.name,
            e.name.replace(b"/", b"\\") + b"\\",
            e.name + b"\0",
            e.name + b" ",
            e.name + b".",
            b"./" + e.name,
            e.name.swapcase(),
            b"run/aux.wav",
            b"\xff" + e.name,
            "你好.wav".encode("gbk"),
            unicodedata.normalize("NFD", "é.wav").encode(),
            "\u202egnp.wav".encode(),
            b"x" * 5_000,
            b"",
            b"run/[red]<script>.wav",
        ]
    )
    e.name = name


def _extra_file(z: Zip, rng: random.Random) -> None:
    name = rng.choice([b"nested.zip", b"run/zz.wav", b"a/b/c/d", b".bashrc", b"run/a1.flac", b"setup.py"])
    z.entries.insert(rng.randrange(len(z.entries) + 1), Entry(name, rng.choice([b"x", sound(EVERY["own"]).bytes()])))


def _missing(z: Zip, rng: random.Random) -> None:
    z.entries.remove(
        rng.choice([e for e in z.entries if b"clean/a1" not in e.name and e.data and b"__MACOSX" not in e.name])
    )


def _twice(z: Zip, rng: random.Random) -> None:
    z.entries.insert(rng.randrange(len(z.entries) + 1), _one(z, rng).copy())


def _link(z: Zip, rng: random.Random) -> None:
    _one(z, rng).mode = (
        rng.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR]) | 0o777
    )


def _flag(z: Zip, rng: random.Random) -> None:
    _one(z, rng).flags |= rng.choice([0x1, 0x20, 0x40, 0x2000])


def _lie(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng)
    field = rng.choice(["crc", "packed", "size", "offset", "method"])
    where = e.central if field == "offset" else rng.choice([e.local, e.central])
    true = {"crc": -1, "packed": -1, "size": len(e.data), "offset": -1, "method": e.method}[field]
    wrong = rng.choice([1, 5, 0x7FFF, 0xFFFF] if field == "method" else [1, 2, 0x7FFF_FFFF, 0xFFFF_FFFE])
    where[field] = wrong if wrong != true else wrong + 1


def _bomb(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng)
    e.method, e.raw = 8, bomb(rng.choice([40, 100]))
    claimed = rng.choice([len(e.data), 0, 100 << 20, 0xFFFF_FFFE])
    e.local["size"] = e.central["size"] = claimed


def _end(z: Zip, rng: random.Random) -> None:
    field = rng.choice(["count", "size", "offset", "disk"])
    z.end[field] = rng.choice([1, 2, 0xFFFE if field in ("count", "disk") else 0xFFFF_FFFE])
    if field == "count" and z.end[field] == len(z.entries):
        z.end[field] += 1


def _hidden(z: Zip, rng: random.Random) -> None:
    data = rng.choice([b"\0", b"hidden", sound(EVERY["answers"]).bytes()])
    place = rng.choice(["prefix", "between", "tail"])
    setattr(z, place, getattr(z, place) + data)


def _wrong_wav(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng, b".wav")
    e.raw = None
    e.data = rng.choice(
        [
            wav(1.0, rate=11_111),
            wav(1.0, channels=2),
            wav(1.0, bits=8),
            wav(1.0, bits=32, tag=3),
            wav(500.0, rate=8_000),
            wav()[:-2],
            wav() + b"xx",
            wav()[:40] + struct.pack("<L", 0xFFFF_FFFF) + wav()[44:],
            b"RIFF",
            b"fLaC" + wav(),
            pdf(),
            b"{}",
            sound(EVERY["own"]).bytes(),
            bytes(rng.randrange(256) for _ in range(300)),
        ]
    )


def _wrong_pdf(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng, b".pdf")
    e.raw = None
    e.data = rng.choice(
        [pdf(1), pdf(60), pdf()[9:], pdf()[:-30], wav(), b"%PDF-1.4\n%%EOF", b"%PDF-" + b"1 0 obj " * 4_000 + b"%%EOF"]
    )


def _wrong_json(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng, rng.choice([b".jsonl"]) if any(x.name.endswith(b".jsonl") for x in z.entries) else b".json")
    e.raw = None
    e.data = rng.choice(
        [
            e.data[: max(0, len(e.data) // 2)],
            e.data.replace(b'"', b"'"),
            e.data + e.data,
            b"[" * 60_000,
            b'{"id": 1}\n',
            b"null\n",
            b"\xff" + e.data,
            e.data.replace(b"{", b'{"a": NaN, ', 1),
            b"\n" * 9_000,
            b"{}",
        ]
    )


SPOILING: list[Mutation] = [
    _bad_name,
    _extra_file,
    _missing,
    _twice,
    _link,
    _flag,
    _lie,
    _bomb,
    _end,
    _hidden,
    _wrong_wav,
    _wrong_pdf,
    _wrong_json,
]


def _order(z: Zip, rng: random.Random) -> None:
    rng.shuffle(z.entries)


def _stored(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng)
    if e.raw is None:
        e.method = 0


def _descriptor(z: Zip, rng: random.Random) -> None:
    _one(z, rng).descriptor = rng.choice([b"", b"PK\x07\x08"])


def _comment(z: Zip, rng: random.Random) -> None:
    z.comment = b"a comment" * rng.randrange(1, 9)


def _zip64(z: Zip, rng: random.Random) -> None:
    z.zip64 = True


def _extra_field(z: Zip, rng: random.Random) -> None:
    e = _one(z, rng)
    e.local["extra"] = b"UT\x05\x00\x03\x01\x02\x03\x04"
    e.central["extra"] = b"UT\x05\x00\x03\x01\x02\x03\x04"


def _junk(z: Zip, rng: random.Random) -> None:
    name = b"__MACOSX/._%d" % rng.randrange(1 << 30)
    z.entries.append(Entry(name, b"x"))


HARMLESS: list[Mutation] = [_order, _stored, _descriptor, _comment, _zip64, _extra_field, _junk]
KNOWN = {f.__name__: f for f in SPOILING + HARMLESS}
SPOILS = {f.__name__ for f in SPOILING}


def _bytes_changed(data: bytes, rng: random.Random) -> bytes:
    at, kind = rng.randrange(len(data)), rng.randrange(5)
    some = bytes(rng.randrange(256) for _ in range(rng.choice([1, 1, 2, 4, 8])))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + some + data[at:]
    if kind == 2:
        return data[:at] + data[at + len(some) :]
    if kind == 3:
        # In the headers at the end, where most depends on a byte.
        at = max(0, len(data) - 1 - rng.randrange(min(600, len(data))))
    return data[:at] + some + data[at + len(some) :]


def _tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def _try(folder: Path, layout: str, names: list[str], changes: int, seed: int) -> None:
    expected, rng = EVERY[layout], random.Random(seed)
    z = sound(expected)
    applied = []
    # What is taken away goes first, so that no mutation takes away what another has put there.
    for name in sorted(names, key=lambda n: n != "_missing"):
        try:
            KNOWN[name](z, rng)
            applied.append(name)
        except IndexError:
            # An earlier mutation took what this one would change.
            continue
    data = z.bytes()
    for _ in range(changes):
        if data:
            data = _bytes_changed(data, rng)
    path, box = folder / "s.zip", folder / "box"
    path.write_bytes(data)
    before = _tree(folder)
    spoilt = bool(SPOILS & set(applied))
    with unpacked(path, expected, parent=box) as (report, run):
        assert report.accepted == (run is not None)
        json.dumps(msgspec.to_builtins(report), ensure_ascii=False).encode()
        assert report.accepted or report.errors
        if not changes:
            assert report.accepted is not spoilt, (applied, report.problems)
        assert not (spoilt and report.accepted), (applied, report.problems)
        if run is None:
            assert _tree(folder) == before
        else:
            root = "run/" if expected.layout == "duologue" else expected.root
            wanted = {n: d for n, d in files(expected).items() if n.startswith(root) and not n.endswith(".pdf")}
            found = {root + p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*") if p.is_file()}
            assert found == wanted
            (made,) = box.iterdir()
            assert [p for p in _tree(folder) if not p.startswith(f"box/{made.name}")] == before
    assert _tree(folder) == before


_cases = {
    "layout": st.sampled_from(sorted(EVERY)),
    "names": st.lists(st.sampled_from(sorted(KNOWN)), max_size=3, unique=True),
    "changes": st.sampled_from([0, 0, 1, 2]),
    "seed": st.integers(0, 2**32 - 1),
}
_loose = {"suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


def _fuzz(examples: int, folder: Path) -> None:
    (folder / "box").mkdir()
    (folder / "elsewhere").mkdir()

    @settings(max_examples=examples, **_loose)
    @given(**_cases)
    def attack(layout: str, names: list[str], changes: int, seed: int) -> None:
        _try(folder, layout, names, changes, seed)

    attack()


def test_no_mutated_submission_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    _fuzz(300, tmp_path)
    assert _tree(tmp_path / "cwd") == _tree(tmp_path / "elsewhere") == []


@pytest.mark.long
def test_none_of_10_000_mutated_submissions_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    _fuzz(10_000, tmp_path)
    assert _tree(tmp_path / "cwd") == _tree(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("mutation", sorted(KNOWN))
@pytest.mark.parametrize("layout", sorted(EVERY))
def test_each_mutation_is_what_it_is_said_to_be(mutation: str, layout: str, tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    for seed in range(6):
        _try(tmp_path, layout, [mutation], 0, seed)
