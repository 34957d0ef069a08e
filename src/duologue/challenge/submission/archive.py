"""Read a zip that may be hostile.

Not :mod:`zipfile`, which builds an object for every entry that an archive claims, takes its first word for names and
sizes, and tolerates entries that overlap. Here the whole file has to be accounted for, byte by byte: local headers,
data and descriptors one after the other from byte 0, then the directory, then the end records, with nothing between,
before or behind. So no two readers can see different contents in it. Format: PKWARE APPNOTE 6.3.10.

Refused: other methods than stored and deflated, encryption, several disks, links and devices, names that are not one
file everywhere (see ``name.py``), names neither ASCII nor marked as UTF-8, local headers that contradict the directory,
and sizes beyond :class:`Limits` or beyond what deflate can hold.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from duologue.challenge.submission import name as names
from duologue.challenge.submission.limits import Limits
from duologue.challenge.submission.problem import Problems

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64, _DESCRIPTOR = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
_S_LOCAL, _S_CENTRAL, _S_END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_S_END64, _S_LOCATOR64 = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_ZIP64, _UNICODE_PATH, _AES = 0x0001, 0x7075, 0x9901
_FULL16, _FULL32 = 0xFFFF, 0xFFFF_FFFF
STORED, DEFLATED = 0, 8
_DESCRIBED, _UTF8, _ENCRYPTED, _PATCHED = 0x8, 0x800, 0x1 | 0x40 | 0x2000, 0x20
# One byte of deflated data holds at most 1,032 bytes (258 for a code of 2 bits), besides the ends.
_DEFLATE_MOST = 1032
CHUNK = 1 << 16


class BadArchive(Exception):  # noqa: N818 - a finding, never shown as an exception
    """The archive, or the data of one member, is not what it claims to be."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the archive. ``size`` and ``packed`` are bytes, ``start`` is where its data begin."""

    name: str
    size: int
    packed: int
    crc: int
    method: int
    start: int
    folder: bool = False


class _Entry(msgspec.Struct, kw_only=True):
    """A row of the directory, believed in nothing yet."""

    raw: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    folder: bool
    start: int = 0


class Archive:
    """An open archive. ``members`` are the sound files and folders, in the order of their data.

    ``sound`` is False where anything about the archive itself is wrong; ``problems`` were told each. Use it as a
    context, since it holds the file open.
    """

    def __init__(self, path: Path, limits: Limits, problems: Problems) -> None:
        self.members: tuple[Member, ...] = ()
        self._problems, self._limits = problems, limits
        self._file = -1
        before = problems.errors
        try:
            self._open(path)
            self._read()
        except BadArchive as error:
            problems.add(str(error))
        except OSError as error:
            problems.add(f"cannot be read: {error.strerror}")
        self.sound = problems.errors == before

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def stream(self, member: Member) -> Iterator[bytes]:
        """The member's bytes in pieces of at most 64 KiB, and never more than it claims; BadArchive where they are not
        as long as claimed, do not fit their checksum, or are no deflated data."""
        got, crc = 0, 0
        for piece in self._unpacked(member):
            got += len(piece)
            if got > member.size:
                raise BadArchive("more data than the archive claims")
            crc = zlib.crc32(piece, crc)
            yield piece
        if got != member.size:
            raise BadArchive("less data than the archive claims")
        if crc != member.crc:
            raise BadArchive("data do not fit their checksum")

    def read(self, member: Member, most: int) -> bytes:
        """The whole member, of at most ``most`` bytes."""
        if member.size > most:
            raise BadArchive("too large")
        return b"".join(self.stream(member))

    # -- data

    def _unpacked(self, member: Member) -> Iterator[bytes]:
        left, at = member.packed, member.start
        packer = zlib.decompressobj(-15) if member.method == DEFLATED else None
        while left:
            piece = self._at(at, min(CHUNK, left))
            at, left = at + len(piece), left - len(piece)
            if packer is None:
                yield piece
                continue
            while piece:
                if packer.eof:
                    raise BadArchive("data behind the end of a deflated member")
                try:
                    out = packer.decompress(piece, CHUNK)
                except zlib.error:
                    raise BadArchive("broken deflated data") from None
                if out:
                    yield out
                piece = packer.unconsumed_tail or packer.unused_data
        if packer is not None:
            # What the window still holds once the input has ended.
            while not packer.eof:
                try:
                    out = packer.decompress(b"", CHUNK)
                except zlib.error:
                    raise BadArchive("broken deflated data") from None
                if not out:
                    raise BadArchive("deflated data cut short")
                yield out

    def _at(self, offset: int, length: int) -> bytes:
        data = os.pread(self._file, length, offset)
        if len(data) != length:
            raise BadArchive("cut short")
        return data

    # -- structure

    def _open(self, path: Path) -> None:
        # Not blocking, so that a pipe in place of a file does not hang.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        told = os.fstat(self._file)
        if not stat.S_ISREG(told.st_mode):
            raise BadArchive("not a regular file")
        self._size = told.st_size
        if self._size > self._limits.archive:
            raise BadArchive("the archive is too large")

    def _read(self) -> None:
        count, size, offset = self._end()
        if count > self._limits.members:
            raise BadArchive(f"too many members: {count:,} where at most {self._limits.members:,} are allowed")
        if not count:
            raise BadArchive("an archive without members")
        if size > self._limits.directory:
            raise BadArchive("the archive's directory is too large")
        if self._at(0, 4) != _LOCAL:
            raise BadArchive("something precedes the archive's first member")
        entries = self._directory(self._at(offset, size), count)
        entries.sort(key=lambda e: e.offset)
        at = 0
        for i, e in enumerate(entries):
            limit = entries[i + 1].offset if i + 1 < len(entries) else offset
            if e.offset != at:
                raise BadArchive("members overlap" if e.offset < at else "hidden data between the members")
            at = self._local(e, limit)
        if at != offset:
            raise BadArchive("hidden data before the directory" if at < offset else "members overlap")
        self._names(entries)
        self._sizes(entries)
        self.members = tuple(
            Member(
                name=e.name, size=e.size, packed=e.packed, crc=e.crc, method=e.method, start=e.start, folder=e.folder
            )
            for e in entries
        )

    def _end(self) -> tuple[int, int, int]:
        """(members, bytes of the directory, its offset), which has to end where the end records begin."""
        if self._size < _S_END.size or self._at(0, 2) != b"PK":
            raise BadArchive("not a zip file")
        tail_at = max(0, self._size - _S_END.size - 0xFFFF)
        tail = self._at(tail_at, self._size - tail_at)
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < _S_END.size:
            raise BadArchive("no end record: the zip file is cut short, or something follows it")
        _, disk, first, here, count, size, offset, comment = _S_END.unpack_from(tail, at)
        if at + _S_END.size + comment != len(tail):
            raise BadArchive("something follows the zip file, or its comment is cut short")
        end_at = tail_at + at
        if end_at >= _S_LOCATOR64.size and self._at(end_at - _S_LOCATOR64.size, 4) == _LOCATOR64:
            said = (disk, first, here, count, size, offset)
            disk, first, here, count, size, offset, end_at = self._end64(end_at - _S_LOCATOR64.size, said)
        elif _FULL16 in (here, count) or _FULL32 in (size, offset):
            raise BadArchive("the zip64 end record is missing")
        if disk or first or here != count:
            raise BadArchive("a part of an archive of several disks")
        if offset + size != end_at:
            raise BadArchive("the directory does not lie where the end record says")
        return count, size, offset

    def _end64(self, locator_at: int, said: tuple[int, ...]) -> tuple[int, int, int, int, int, int, int]:
        _, disk, record_at, disks = _S_LOCATOR64.unpack(self._at(locator_at, _S_LOCATOR64.size))
        if disk or disks > 1 or record_at + _S_END64.size > locator_at:
            raise BadArchive("a contradictory zip64 end record")
        row = _S_END64.unpack(self._at(record_at, _S_END64.size))
        mark, length, found = row[0], row[1], row[4:]
        if mark != _END64 or record_at + 12 + length != locator_at:
            raise BadArchive("a contradictory zip64 end record")
        full = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
        if any(old not in (new, most) for old, new, most in zip(said, found, full, strict=True)):
            raise BadArchive("a contradictory zip64 end record")
        return *found, record_at

    def _directory(self, data: bytes, count: int) -> list[_Entry]:
        entries, at = [], 0
        for _ in range(count):
            if at + _S_CENTRAL.size > len(data) or data[at : at + 4] != _CENTRAL:
                raise BadArchive("a broken directory")
            _, _, _, flags, method, _, _, crc, packed, size, n, m, k, disk, _, attributes, offset = (
                _S_CENTRAL.unpack_from(data, at)
            )
            at += _S_CENTRAL.size
            if at + n + m + k > len(data):
                raise BadArchive("a broken directory")
            raw, extra = data[at : at + n], data[at + n : at + n + m]
            at += n + m + k
            name = self._name(raw, flags)
            fields = _extra(extra)
            if fields is None:
                raise BadArchive("a broken extra field")
                size, packed, offset = _zip64(fields.get(_ZIP64), size, packed, offset)
            if disk:
                raise BadArchive("a part of an archive of several disks")
            entries.append(
                _Entry(
                    raw=raw,
                    name=name,
                    flags=flags,
                    method=method,
                    crc=crc,
                    packed=packed,
                    size=size,
                    offset=offset,
                    folder=name.endswith("/"),
                )
            )
            self._kind(entries[-1], attributes, fields)
        if at != len(data):
            raise BadArchive("a broken directory")
        return entries

    def _name(self, raw: bytes, flags: int) -> str:
        """The name as text; one in another encoding is told and comes back with escapes."""
        if raw.isascii() or flags & _UTF8:
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                pass
        shown = raw.decode("utf-8", "backslashreplace")
        self._problems.add(
            "a name that is neither ASCII nor marked as UTF-8 (perhaps cp437 or GBK)",
            file=shown,
            allowed="ASCII, or UTF-8 with its flag: duologue submission pack",
        )
        return shown

    def _kind(self, e: _Entry, attributes: int, fields: dict[int, bytes]) -> None:
        """What the row alone shows to be wrong."""
        if e.flags & _ENCRYPTED or _AES in fields or e.method == 99:
            self._problems.add("an encrypted member", file=e.name)
        elif e.method not in (STORED, DEFLATED) or e.flags & _PATCHED:
            self._problems.add("a member packed by another method", file=e.name, value=e.method, allowed="0, 8")
        if e.method == STORED and e.packed != e.size:
            self._problems.add("a stored member with two sizes", file=e.name)
        if e.method == DEFLATED and e.size > e.packed * _DEFLATE_MOST + 1024:
            self._problems.add("a member that claims more than its data can hold", file=e.name, value=e.size)
        unix = stat.S_IFMT(attributes >> 16)
        if unix not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "a link" if unix == stat.S_IFLNK else "a device, pipe or socket"
            self._problems.add(f"{kind} in place of a file", file=e.name)
        elif (unix == stat.S_IFDIR and not e.folder) or (unix == stat.S_IFREG and e.folder):
            self._problems.add("a file that is also a folder", file=e.name)
        if e.folder and (e.size or e.packed > 2):
            self._problems.add("a folder with data", file=e.name)
        told = fields.get(_UNICODE_PATH)
        if told is not None and told[5:] != e.name.encode("utf-8", "replace"):
            self._problems.add("a member with two names", file=e.name, value=told[5:].decode("utf-8", "replace"))

    def _local(self, e: _Entry, limit: int) -> int:
        """Where the member ends, its local header held against the directory; ``limit`` is where the next begins."""
        row = _S_LOCAL.unpack(self._at(e.offset, _S_LOCAL.size))
        mark, _, flags, method = row[:4]
        crc, packed, size, n, m = row[6:]
        if mark != _LOCAL:
            raise BadArchive("no member where the directory says")
        rest = self._at(e.offset + _S_LOCAL.size, n + m)
        if rest[:n] != e.raw or flags != e.flags or method != e.method:
            self._problems.add(
                "the local header contradicts the directory", file=e.name, value=rest[:n].decode("utf-8", "replace")
            )
        fields = _extra(rest[n:])
        if fields is None:
            raise BadArchive("a broken extra field")
        if (told := fields.get(_UNICODE_PATH)) is not None and told[5:] != e.name.encode("utf-8", "replace"):
            self._problems.add("a member with two names", file=e.name, value=told[5:].decode("utf-8", "replace"))
        if _FULL32 in (size, packed):
            size, packed, _ = _zip64(fields.get(_ZIP64), size, packed, 0)
        described = bool(e.flags & _DESCRIBED)
        pairs = ((crc, e.crc), (packed, e.packed), (size, e.size))
        # Where the sizes follow the data, what is not known yet is 0.
        if any(said != true and not (described and not said) for said, true in pairs):
            self._problems.add("the local header contradicts the directory", file=e.name)
        e.start = e.offset + _S_LOCAL.size + n + m
        end = e.start + e.packed
        if end > limit:
            raise BadArchive("members overlap")
        return end + (self._descriptor(e, end, limit) if described else 0)

    def _descriptor(self, e: _Entry, at: int, limit: int) -> int:
        """Bytes of the data descriptor at ``at``: with or without its mark, sizes of 4 or 8 bytes."""
        length = limit - at
        if length in (12, 16, 20, 24):
            data = self._at(at, length)
            if length in (16, 24):
                marked, data = data[:4] == _DESCRIPTOR, data[4:]
            else:
                marked = True
            if marked and struct.unpack("<3L" if len(data) == 12 else "<L2Q", data) == (e.crc, e.packed, e.size):
                return length
        raise BadArchive("a data descriptor that contradicts the directory, or hidden data behind a member")

    def _names(self, entries: list[_Entry]) -> None:
        seen: dict[str, _Entry] = {}
        for e in entries:
            if why := names.fault(e.name):
                self._problems.add(why, file=e.name)
            key = names.key(e.name)
            if key in seen:
                same = seen[key].raw == e.raw
                self._problems.add(
                    "a member comes twice" if same else "two names that are one file on some systems",
                    file=e.name,
                    value="" if same else seen[key].name,
                )
            seen.setdefault(key, e)
        for key, e in seen.items():
            parts = key.split("/")
            for i in range(1, min(len(parts), 64)):
                above = seen.get("/".join(parts[:i]))
                if above is not None and not above.folder:
                    self._problems.add("a file that is also a folder", file=above.name, value=e.name)

    def _sizes(self, entries: list[_Entry]) -> None:
        for e in entries:
            if e.size > self._limits.member:
                self._problems.add(
                    "too large a member", file=e.name, value=e.size, allowed=f"up to {self._limits.member:,} bytes"
                )
        total = sum(e.size for e in entries)
        if total > self._limits.unpacked:
            self._problems.add(
                "too much once unpacked", value=total, allowed=f"up to {self._limits.unpacked:,} bytes in all"
            )


def _extra(data: bytes) -> dict[int, bytes] | None:
    """Extra fields by their number; None where they do not add up. Of two of one number neither can be believed."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        number, length = struct.unpack_from("<2H", data, at)
        at += 4
        if at + length > len(data) or number in fields:
            return None
        fields[number] = data[at : at + length]
        at += length
    return fields


def _zip64(field: bytes | None, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset, those that are full taken from the zip64 field in that order."""
    values = [size, packed, offset]
    full = [i for i, v in enumerate(values) if v == _FULL32]
    if not full:
        return size, packed, offset
    if field is None or len(field) < 8 * len(full):
        raise BadArchive("a zip64 field is missing or cut short")
    for place, i in enumerate(full):
        values[i] = struct.unpack_from("<Q", field, 8 * place)[0]
    return values[0], values[1], values[2]
