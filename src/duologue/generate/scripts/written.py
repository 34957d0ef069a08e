"""Scripts in a file, JSON Lines: written once, read or edited by people, built as often as wanted.

The first line says whose they are; each further line holds an item's id, the brief that it answers and the script::

    {"duologue_scripts": 1, "name": "demo", "recipe_sha256": "...", "writer": "embedded", "writer_version": "1"}
    {"id": "...", "brief": {...}, "script": {...}}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.dialogue import Track
from duologue.errors import UserError
from duologue.generate.item import CastMember
from duologue.generate.script import Brief, Script, Writer

FORMAT = 1
LONGEST_LINE = 4_000_000


class Heading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a file of scripts."""

    duologue_scripts: int
    name: str
    recipe_sha256: str
    writer: str
    writer_version: str


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One item's script. ``split`` is that of the plan; ``cast`` tells who was planned to speak which role, where that
    is known. ``origin`` is what a remote writer tells of how it came about: model, prompt hash, parameters and
    everything that was said. Nothing is built from these."""

    id: str
    brief: Brief
    script: Script
    split: str = ""
    cast: tuple[CastMember, ...] = ()
    origin: dict[str, Any] = {}


_ENCODER = msgspec.json.Encoder(order="deterministic")
_HEADING = msgspec.json.Decoder(Heading)
_LINE = msgspec.json.Decoder(Written)


def brief_key(brief: Brief) -> str:
    """A brief's name in this process: SHA-256 of all its fields.

    Not of its JSON, which leaves defaults out by identity: a brief that came from another process has other strings.
    """
    return hashlib.sha256(repr(brief).encode()).hexdigest()


def encode_heading(heading: Heading) -> bytes:
    return _ENCODER.encode(heading) + b"\n"


def encode_written(written: Written) -> bytes:
    return _ENCODER.encode(written) + b"\n"


def read_heading(path: str | Path) -> Heading:
    """UserError where ``path`` holds no scripts."""
    try:
        with Path(path).open("rb") as f:
            line = f.readline(LONGEST_LINE)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    try:
        heading = _HEADING.decode(line)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"is no file of scripts: {error}",
            where=f"{path}:1",
            allowed='a first line {"duologue_scripts": 1, ...}',
            mend="'duologue scripts write RECIPE -o FILE' makes one",
        ) from None
    if heading.duologue_scripts != FORMAT:
        raise UserError("another version of the format", where=f"{path}:1", value=heading.duologue_scripts, allowed="1")
    return heading


def read_scripts(path: str | Path) -> Iterator[tuple[int, Written]]:
    """(line in the file, script) one after the other; UserError names the line that cannot be read."""
    read_heading(path)
    with Path(path).open("rb") as f:
        f.readline(LONGEST_LINE)
        for number, line in enumerate(iter(lambda: f.readline(LONGEST_LINE), b""), 2):
            if line.strip():
                yield number, decode_line(line, f"{path}:{number}")


def decode_line(line: bytes, where: str) -> Written:
    """UserError where ``line`` holds no script."""
    try:
        return _LINE.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message, _, field = str(error).partition(" - at `$.")
        raise UserError(f"is no script: {message}", where=where, field=field.rstrip("`")) from None


class WrittenWriter:
    """A :class:`~duologue.generate.script.Writer` that reads its scripts from a file.

    Families and axes are those of ``base``, which wrote it, so that the plan is the same one. Holds the offset of each
    script, none of the scripts.
    """

    def __init__(self, base: Writer, path: str | Path) -> None:
        heading = read_heading(path)
        if heading.writer != base.name:
            raise UserError(
                "the scripts were planned with another writer", where=str(path), value=heading.writer, allowed=base.name
            )
        self.base, self.path, self.name = base, Path(path), "written"
        self._offsets: dict[str, int] = {}
        total = hashlib.sha256()
        with self.path.open("rb") as f:
            total.update(f.readline(LONGEST_LINE))
            at = f.tell()
            for number, line in enumerate(iter(lambda: f.readline(LONGEST_LINE), b""), 2):
                total.update(line)
                if line.strip():
                    key = brief_key(decode_line(line, f"{path}:{number}").brief)
                    if key in self._offsets:
                        raise UserError("one brief is answered twice", where=f"{path}:{number}")
                    self._offsets[key] = at
                at = f.tell()
        self.version = total.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._offsets)

    def families(self, language: str, track: Track, scenario: str) -> tuple[str, ...]:
        return self.base.families(language, track, scenario)

    def axes(self, language: str, track: Track, family: str) -> dict[str, tuple[str, ...]]:
        return self.base.axes(language, track, family)

    def write(self, brief: Brief) -> Script:
        """The script for ``brief``; UserError where the file has none."""
        offset = self._offsets.get(brief_key(brief))
        if offset is None:
            raise UserError(
                f"no script for a dialogue of {brief.language} {brief.task} {brief.scenario}",
                where=str(self.path),
                value=brief.family,
                mend="'duologue scripts write' with this recipe adds what is missing",
            )
        with self.path.open("rb") as f:
            f.seek(offset)
            return decode_line(f.readline(LONGEST_LINE), str(self.path)).script
