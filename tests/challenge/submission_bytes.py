"""Submissions as bytes: sound ones of every layout, and a zip writer that can lie about anything."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from duologue.challenge.submission.expected import Expected, ExpectedAnswer, ExpectedAudio, ExpectedDialogue

RATE = 16_000


@dataclass
class Entry:
    """A member; ``local`` and ``central`` override what the headers say of it (name, flags, method, crc, packed, size,
    offset, extra), ``raw`` its packed data."""

    name: bytes
    data: bytes
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    descriptor: bytes | None = None
    raw: bytes | None = None
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> Entry:
        return replace(self, local=dict(self.local), central=dict(self.central))


@dataclass
class Zip:
    entries: list[Entry]
    prefix: bytes = b""
    between: bytes = b""
    comment: bytes = b""
    tail: bytes = b""
    end: dict[str, int] = field(default_factory=dict)
    zip64: bool = False

    def copy(self) -> Zip:
        return replace(self, entries=[e.copy() for e in self.entries], end=dict(self.end))

    def bytes(self) -> bytes:
        out, directory = bytearray(self.prefix), bytearray()
        for i, e in enumerate(self.entries):
            if i:
                out += self.between
            packed = e.raw
            if packed is None:
                packed = deflate(e.data) if e.method == 8 else e.data
            flags = e.flags | (0 if e.name.isascii() else 0x800) | (8 if e.descriptor is not None else 0)
            base: dict[str, Any] = {
                "name": e.name,
                "flags": flags,
                "method": e.method,
                "crc": zlib.crc32(e.data),
                "packed": len(packed),
                "size": len(e.data),
                "offset": len(out),
                "extra": b"",
            }
            c = base | e.central
            local = base | ({"crc": 0, "packed": 0, "size": 0} if e.descriptor is not None else {}) | e.local
            out += struct.pack(
                "<4s5H3L2H",
                b"PK\x03\x04",
                20,
                local["flags"],
                local["method"],
                0,
                33,
                local["crc"],
                local["packed"],
                local["size"],
                len(local["name"]),
                len(local["extra"]),
            )
            out += local["name"] + local["extra"] + packed
            if e.descriptor is not None:
                out += e.descriptor + struct.pack("<3L", base["crc"], base["packed"], base["size"])
            directory += struct.pack(
                "<4s6H3L5H2L",
                b"PK\x01\x02",
                (3 << 8) | 20,
                20,
                c["flags"],
                c["method"],
                0,
                33,
                c["crc"],
                c["packed"],
                c["size"],
                len(c["name"]),
                len(c["extra"]),
                0,
                0,
                0,
                e.mode << 16,
                c["offset"],
            )
            directory += c["name"] + c["extra"]
        at = len(out)
        said = {"count": len(self.entries), "size": len(directory), "offset": at, "disk": 0} | self.end
        out += directory
        if self.zip64:
            record = struct.pack(
                "<4sQ2H2L4Q",
                b"PK\x06\x06",
                44,
                45,
                45,
                0,
                0,
                said["count"],
                said["count"],
                said["size"],
                said["offset"],
            )
            out += record + struct.pack("<4sLQL", b"PK\x06\x07", 0, at + len(directory), 1)
            said |= {"count": 0xFFFF, "size": 0xFFFF_FFFF, "offset": 0xFFFF_FFFF}
        out += struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            said["disk"],
            0,
            said["count"],
            said["count"],
            said["size"],
            said["offset"],
            len(self.comment),
        )
        return bytes(out + self.comment + self.tail)


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def bomb(mebibytes: int) -> bytes:
    """Deflated zeros: a mebibyte whose block stands alone, as often as wanted."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + packer.flush()


def wav(
    seconds: float = 1.0, *, rate: int = RATE, channels: int = 1, bits: int = 16, tag: int = 1, seed: int = 1
) -> bytes:
    """A WAV of a cheap noise."""
    frames = round(seconds * rate)
    block = channels * bits // 8
    noise = bytes((i * 37 + seed * 11) & 0xFF for i in range(997))
    samples = (noise * (frames * block // 997 + 1))[: frames * block]
    head = struct.pack(
        "<4sL4s4sL2H2L2H",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        tag,
        channels,
        rate,
        rate * block,
        block,
        bits,
    )
    return head + struct.pack("<4sL", b"data", len(samples)) + samples


def pdf(pages: int = 2, *, packed: bool = False) -> bytes:
    """A PDF of empty pages; with ``packed`` its objects lie in an object stream, as LaTeX writes them."""
    kids = " ".join(f"{3 + i} 0 R" for i in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>"]
    objects += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << /Font << /Type /X >> >> >>"] * pages
    out = b"%PDF-1.5\n"
    if packed:
        offsets, body = [], ""
        for text in objects:
            offsets.append(len(body))
            body += text + "\n"
        head = " ".join(f"{i + 1} {at}" for i, at in enumerate(offsets)) + "\n"
        inside = zlib.compress((head + body).encode())
        number, count = len(objects) + 1, len(objects)
        stream = f"/Type /ObjStm /N {count} /First {len(head)} /Length {len(inside)} /Filter /FlateDecode"
        out += f"{number} 0 obj\n<< {stream} >>\nstream\n".encode() + inside + b"\nendstream\nendobj\n"
        out += f"{number + 1} 0 obj\n<< /Type /XRef /Root 1 0 R /Length 0 >>\nstream\n\nendstream\nendobj\n".encode()
        return out + b"startxref\n0\n%%EOF\n"
    for i, text in enumerate(objects, 1):
        out += f"{i} 0 obj\n{text}\nendobj\n".encode()
    return out + b"trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n"


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()


SET = "c0ffee"
CARD = {"format": "duologue-submission/1", "team": "Team", "system": "one", "test_set": SET}

OWN = Expected(
    layout="duologue",
    track="duplex",
    test_set=SET,
    audio=(
        *(ExpectedAudio(file=f"run/{x}.wav", item=x, language="en", seconds=1.0) for x in ("a1", "b2", "c3")),
        ExpectedAudio(file="run/clean/a1.wav", item="a1", language="en", seconds=1.0, required=False),
    ),
)
ANSWERS = Expected(
    layout="duologue",
    track="emotion",
    test_set=SET,
    audio=(ExpectedAudio(file="run/d4.wav", item="d4", language="zh"),),
    answers=(
        ExpectedAnswer(item="a1", probe="p0", turn=4, language="en"),
        ExpectedAnswer(item="b2", probe="p0", turn=6, language="zh"),
    ),
)
TRACK2 = Expected(
    layout="humdial",
    track="duplex",
    test_set="HD-Track2-Test",
    audio=tuple(
        ExpectedAudio(file=f"HD-Track2/{k}/{k}-{n:06d}_output.wav", item=f"{k}-{n:06d}", language="en", seconds=1.0)
        for k in ("test", "clean")
        for n in (1, 2)
    ),
)
TRACK1 = Expected(
    layout="humdial",
    track="emotion",
    test_set="HD-Track1-Test",
    audio=tuple(
        ExpectedAudio(
            file=f"HD-Track1/zh/HD-Track1-T3/zh_0003_0001_{n}_response.wav", item="zh_0003_0001", language="zh"
        )
        for n in (1, 2)
    ),
    dialogues=(
        ExpectedDialogue(
            file="HD-Track1/en/HD-Track1-T1.jsonl", item="en_0001_0001", language="en", turns=(1, 2, 3), replies=(3,)
        ),
        ExpectedDialogue(
            file="HD-Track1/zh/HD-Track1-T3.jsonl",
            item="zh_0003_0001",
            language="zh",
            turns=(1, 2),
            replies=(1, 2),
            audio="HD-Track1/zh/HD-Track1-T3/",
        ),
    ),
)
EVERY = {"own": OWN, "answers": ANSWERS, "track2": TRACK2, "track1": TRACK1}


def files(expected: Expected) -> dict[str, bytes]:
    """The files of a sound submission."""
    found = {a.file: wav(a.seconds or 0.5, seed=i) for i, a in enumerate(expected.audio)}
    if expected.answers:
        found["run/answers.jsonl"] = jsonl(
            [{"id": a.item, "probe": a.probe, "answer": ["sad", "happy"]} for a in expected.answers]
        )
    for file in dict.fromkeys(d.file for d in expected.dialogues):
        found[file] = jsonl([_record(d) for d in expected.dialogues if d.file == file])
    if expected.layout == "duologue":
        found["submission.json"] = json.dumps(CARD).encode()
        found["report.pdf"] = pdf()
    else:
        found[f"{expected.root}Team_System_Description.pdf"] = pdf(3, packed=True)
    return found


def _record(d: ExpectedDialogue) -> dict[str, Any]:
    said = "你先是难过，后来开心了。" if d.language == "zh" else "You were sad at first, and then you were happy."
    turns = []
    for n in d.turns:
        turn: dict[str, Any] = {"turn_id": n}
        if n in d.replies:
            turn["response_text"] = said
            if d.audio:
                turn["response_audio"] = f"{d.item}_{n}_response.wav"
        turns.append(turn)
    return {"dialogue_id": d.item, "turns": turns}


def sound(expected: Expected) -> Zip:
    return Zip([Entry(name.encode(), data) for name, data in files(expected).items()])
