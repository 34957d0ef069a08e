"""The ledger of a build: a checked record of each finished dialogue, appended where no reader looks.

A worker appends to a log of its own. A record that a kill cut short fails its checksum and counts as not made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from duologue.corpus.audio import Audio
from duologue.corpus.write import write_error


class Record(msgspec.Struct, frozen=True, gc=False):
    """Where the line of dialogue ``id`` of ``shard`` lies: ``length`` bytes from ``offset`` of file ``path``."""

    id: str
    shard: str
    path: str
    offset: int
    length: int

    def line(self) -> bytes:
        with Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


class Log:
    """A log that is only ever appended to, one write a record."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._end = 0

    def append(self, shard: str, id: str, line: bytes) -> Record:
        """Record ``line``, which ends with the only newline in it. UserError where the disk is full."""
        head = b"%s %s %s " % (_checksum(line), shard.encode(), id.encode())
        data = head + line
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise write_error(self.path, error) from error
        record = Record(id, shard, str(self.path), self._end + len(head), len(line))
        self._end += len(data)
        return record

    def close(self) -> None:
        os.close(self._file)


def read_log(path: str | Path) -> Iterator[Record]:
    """The whole records of a log, in order; damaged ones are left out."""
    end = 0
    with Path(path).open("rb") as file:
        for data in file:
            parts = data.split(b" ", 3)
            if len(parts) == 4 and parts[0] == _checksum(parts[3]) and data.endswith(b"\n"):
                head = len(data) - len(parts[3])
                yield Record(parts[2].decode(), parts[1].decode(), str(path), end + head, len(parts[3]))
            end += len(data)


def read_shard(path: str | Path, name: str) -> Iterator[Record]:
    """Records of a published shard, whose lines are dialogues."""
    decode = msgspec.json.Decoder(_Head).decode
    end = 0
    with Path(path).open("rb") as file:
        for line in file:
            yield Record(decode(line).id, name, str(path), end, len(line))
            end += len(line)


class _Head(msgspec.Struct):
    id: str
    audio: tuple[Audio, ...] = ()


def audio_is_whole(root: Path, line: bytes) -> bool:
    """Whether each audio file that a dialogue's line names is there with the hash that it gives."""
    for audio in msgspec.json.decode(line, type=_Head).audio:
        try:
            with (root / audio.path).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != audio.sha256:
                    return False
        except OSError:
            return False
    return True


def audio_paths(line: bytes) -> tuple[str, ...]:
    """Paths of a dialogue's audio, relative to the corpus."""
    return tuple(a.path for a in msgspec.json.decode(line, type=_Head).audio)


def _checksum(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest()[:16].encode()
