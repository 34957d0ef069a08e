"""Training data of any common layout, as a stream of sounds, texts and hashes; what cannot be read is named.

Folders are walked; tar files (WebDataset) are streamed and never unpacked to disk; Parquet and Arrow tables (Hugging
Face datasets) are read a batch at a time. Nothing is trusted: sizes are bounded, links out of a folder are followed
only to regular files, and no member's name becomes a path.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from duologue.errors import UserError
from duologue.protect.audit.sound import SUFFIXES, Block, looks_like_audio

_JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_TEXT = (
    ".txt",
    ".md",
    ".csv",
    ".tsv",
    ".json",
    ".srt",
    ".vtt",
    ".lab",
    ".trn",
    ".trans",
    ".yaml",
    ".yml",
    ".xml",
    ".html",
)
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_HASH = re.compile(r"^\s*\\?([0-9a-fA-F]{64})(?:\s|$)")
LARGEST = 512 << 20  # bytes of one member, one value or one text file
_LONGEST_LINE = 16 << 20
_MEMBERS = 5_000_000
_DEEPEST = 32
_ABOVE = 3  # folders


class Content(NamedTuple):
    """A file or the member of an archive, as it is."""

    name: str
    source: Path | bytes


class Audible(NamedTuple):
    """An encoded sound, or samples [frames, channels] at a rate that a table holds."""

    name: str
    source: Path | bytes | tuple[Block, int]


class Words(NamedTuple):
    """A text at ``offset``: the line of a file (from 1) or the row of a table (from 0)."""

    name: str
    offset: int
    text: str


class Digest(NamedTuple):
    """A line of a list of SHA-256 sums."""

    name: str
    line: int
    sha256: str


class Broken(NamedTuple):
    """What was not compared, and why."""

    name: str
    why: str


Part = Content | Audible | Words | Digest | Broken


def files(paths: Iterable[Path]) -> Iterator[tuple[str, Path] | Broken]:
    """(name, path) of every regular file of ``paths``, in order; a folder that is met twice is walked once."""
    seen: set[str] = set()
    for root in paths:
        if not root.exists():
            raise UserError("no such file or folder", where=str(root))
        yield from _walk(root, root.name or str(root), seen)


def _walk(path: Path, name: str, seen: set[str]) -> Iterator[tuple[str, Path] | Broken]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            real = os.path.realpath(path)
            if real in seen:
                return
            seen.add(real)
            for child in sorted(path.iterdir(), key=os.fsencode):
                yield from _walk(child, f"{name}/{child.name}", seen)
        elif stat.S_ISREG(mode):
            yield name, path
        else:
            yield Broken(name, "no regular file")
    except OSError as error:
        yield Broken(name, f"cannot be read: {error.strerror}")


def parts(name: str, path: Path, walked: tuple[str, ...] = ()) -> Iterator[Part]:
    """Everything in the file ``path``; begins with the file itself.

    Audio that JSON Lines name is part of them, but not where it lies in one of ``walked`` (real paths of files and
    folders): there it comes up by itself. A relative name counts from the file's folder, else from one of the three
    folders above it (corpora name audio from their root); one that climbs above these is broken.
    """
    yield Content(name, path)
    lower = path.name.lower()
    try:
        if lower.endswith(tuple(SUFFIXES)):
            yield Audible(name, path)
        elif lower.endswith(_TAR):
            yield from _tar(name, path)
        elif lower.endswith(_JSON_LINES):
            with gzip.open(path) if lower.endswith(".gz") else path.open("rb") as f:
                yield from _json_lines(name, f, path.parent, walked)
        elif lower.endswith(".parquet"):
            yield from _parquet(name, path)
        elif lower.endswith(".arrow"):
            yield from _arrow(name, path)
        elif lower.endswith((*_TEXT, ".sha256", "sums")):
            if path.stat().st_size > LARGEST:
                yield Broken(name, f"a text of over {LARGEST >> 20} MB; only its bytes were compared")
            else:
                yield from _text(name, lower, path.read_bytes())
        else:
            with path.open("rb") as f:
                head = f.read(16)
            if looks_like_audio(head):
                yield Audible(name, path)
            elif path.stat().st_size:
                yield Broken(name, "a kind of file that is not looked into; only its bytes were compared")
    except (OSError, EOFError, tarfile.TarError, gzip.BadGzipFile, ValueError) as error:
        yield Broken(name, f"breaks off: {error}")
    except UserError as error:
        yield Broken(name, error.message)


def _member(name: str, data: bytes) -> Iterator[Part]:
    """What a member of an archive holds, by its name and first bytes."""
    lower = name.lower()
    yield Content(name, data)
    if lower.endswith(tuple(SUFFIXES)) or looks_like_audio(data[:16]):
        yield Audible(name, data)
    elif lower.endswith(_JSON_LINES[:2]):
        yield from _json_lines(name, io.BytesIO(data), None, ())
    elif lower.endswith((*_TEXT, ".sha256", "sums")):
        yield from _text(name, lower, data)
    elif data and not lower.endswith(".cls"):
        yield Broken(name, "a kind of file that is not looked into; only its bytes were compared")


def _tar(name: str, path: Path) -> Iterator[Part]:
    with tarfile.open(path, "r|*") as archive:
        for count, member in enumerate(archive):
            if count >= _MEMBERS:
                yield Broken(name, f"over {_MEMBERS:,} members; the rest was not compared")
                return
            inner = f"{name}!{member.name}"
            if member.isdir():
                continue
            if not member.isreg():
                yield Broken(inner, "a link or device in an archive")
            elif member.size > LARGEST:
                yield Broken(inner, f"over {LARGEST >> 20} MB")
            elif (stream := archive.extractfile(member)) is not None:
                data = stream.read(LARGEST + 1)
                if len(data) != member.size:
                    yield Broken(inner, "cut short")
                    return
                yield from _member(inner, data)
            # The list of members that tarfile keeps would grow with the archive.
            archive.members = []  # type: ignore[attr-defined]


def _json_lines(name: str, stream: Any, folder: Path | None, walked: tuple[str, ...]) -> Iterator[Part]:
    bases = _bases(folder) if folder is not None else ()
    bad = 0
    line = 0
    while raw := stream.readline(_LONGEST_LINE):
        line += 1
        try:
            if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
                raise ValueError("too long")
            value = json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError):
            bad += 1
            if bad <= 5:
                yield Broken(f"{name}:{line}", "no JSON")
            continue
        for text in _strings(value):
            if folder is not None and text.lower().endswith(tuple(SUFFIXES)) and len(text) < 1_000 and "\0" not in text:
                sound = _named(bases, text)
                if isinstance(sound, str):
                    yield Broken(f"{name}:{line}", f"{sound}: {text[:200]}")
                elif not any(str(sound) == w or str(sound).startswith(w.rstrip(os.sep) + os.sep) for w in walked):
                    yield Content(str(sound), sound)
                    yield Audible(str(sound), sound)
            else:
                yield Words(name, line, text)
    if bad > 5:
        yield Broken(name, f"{bad} lines are no JSON")


def _bases(folder: Path) -> tuple[Path, ...]:
    """The folder of a file and up to three above it, nearest first."""
    real = Path(os.path.realpath(folder))
    return (real, *real.parents[:_ABOVE])


def _named(bases: tuple[Path, ...], name: str) -> Path | str:
    """The real path of the audio that ``name`` means, or what is wrong with it."""
    if Path(name).is_absolute():
        return Path(os.path.realpath(name)) if Path(name).is_file() else "names audio that is not there"
    outside = False
    for base in bases:
        # The file system is not asked for what lies above the highest folder.
        if not Path(os.path.normpath(base / name)).is_relative_to(bases[-1]):
            outside = True
        elif (base / name).is_file():
            return Path(os.path.realpath(base / name))
    return "names audio above the folders that are looked in" if outside else "names audio that is not there"


def _text(name: str, lower: str, data: bytes) -> Iterator[Part]:
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    if "�" in text[:100_000]:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            yield Broken(name, "neither UTF-8 nor GB 18030; read with gaps")
    if lower.endswith(".json"):
        try:
            for value in _strings(json.loads(text)):
                yield Words(name, 1, value)
        except (ValueError, RecursionError):
            yield Broken(name, "no JSON")
        return
    lines = text.splitlines()
    digests = [m.group(1) if (m := _HASH.match(x)) else None for x in lines]
    if (known := sum(d is not None for d in digests)) and known >= 0.9 * sum(bool(x.strip()) for x in lines):
        for i, digest in enumerate(digests, 1):
            if digest:
                yield Digest(name, i, digest.lower())
        return
    if lower.endswith((".csv", ".tsv")):
        try:
            for i, row in enumerate(csv.reader(lines, delimiter="\t" if lower.endswith(".tsv") else ","), 1):
                for cell in row:
                    yield Words(name, i, cell)
            return
        except csv.Error:
            yield Broken(name, "no table; read as lines")
    for i, x in enumerate(lines, 1):
        yield Words(name, i, x)
    # Subtitles and wrapped text break sentences over lines.
    if len(lines) > 1 and not lower.endswith((".csv", ".tsv")):
        yield Words(name, 1, " ".join(x.strip() for x in lines)[:LARGEST])


def _parquet(name: str, path: Path) -> Iterator[Part]:
    pyarrow = _pyarrow()
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as table:
            row = 0
            for batch in table.iter_batches(batch_size=64):
                yield from _rows(name, row, batch)
                row += batch.num_rows
    except pyarrow.ArrowException as error:
        yield Broken(name, f"no Parquet that can be read: {str(error)[:200]}")


def _arrow(name: str, path: Path) -> Iterator[Part]:
    pyarrow = _pyarrow()
    from pyarrow import ipc

    try:
        with pyarrow.memory_map(str(path)) as mapped:
            try:
                batches: Iterable[Any] = ipc.open_stream(mapped)
            except pyarrow.ArrowInvalid:
                reader = ipc.open_file(mapped)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            row = 0
            for batch in batches:
                for at in range(0, batch.num_rows, 64):
                    yield from _rows(name, row + at, batch.slice(at, 64))
                row += batch.num_rows
    except pyarrow.ArrowException as error:
        yield Broken(name, f"no Arrow file that can be read: {str(error)[:200]}")


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise UserError("tables need the package 'pyarrow'", mend="pip install 'duologue[audit]'") from None
    return pyarrow


def _rows(name: str, first: int, batch: Any) -> Iterator[Part]:
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        for i in range(len(values)):
            yield from _value(f"{name}#{first + i}.{column}", first + i, values[i].as_py())


def _value(name: str, row: int, value: Any, depth: int = 0) -> Iterator[Part]:
    if isinstance(value, str):
        yield Words(name, row, value)
    elif isinstance(value, bytes):
        if looks_like_audio(value[:16]):
            yield Content(name, value)
            yield Audible(name, value)
        elif value:
            yield Broken(name, "bytes of a kind that is not looked into")
    elif isinstance(value, dict):
        array, rate = value.get("array"), value.get("sampling_rate")
        if isinstance(array, list) and isinstance(rate, int) and rate > 0:
            try:
                samples = np.asarray(array, np.float32)
            except (ValueError, TypeError):
                yield Broken(name, "samples that are no numbers")
                return
            samples = samples[:, None] if samples.ndim == 1 else samples.T if samples.shape[0] < 64 else samples
            yield Audible(name, (np.nan_to_num(samples), rate))
            return
        for key, inner in value.items():
            # The name of an embedded sound is no text of it.
            if depth < _DEEPEST and not (key == "path" and "bytes" in value):
                yield from _value(f"{name}.{key}", row, inner, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for inner in value:
            if isinstance(inner, str | bytes | dict | list):
                yield from _value(name, row, inner, depth + 1)


def _strings(value: Any) -> Iterator[str]:
    """Every string value, however deep; keys are no text."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            yield top
        elif isinstance(top, dict):
            stack.extend(reversed(list(top.values())))
        elif isinstance(top, list):
            stack.extend(reversed(top))
