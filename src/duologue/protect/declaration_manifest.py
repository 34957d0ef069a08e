"""What a training manifest really names, held against what is declared.

A manifest is a list (a file or data set a line), JSON Lines or a CSV or TSV with a header. Of a row the first of these
fields counts: ``dataset``, ``corpus``, ``source``, ``model`` are names; ``path``, ``file``, ``file_name``, ``audio``,
``audio_filepath``, ``wav``, ``url`` are files.
"""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from duologue.errors import UserError
from duologue.protect.declaration import Declaration, Resource, plain
from duologue.protect.declaration_rules import DeclarationFinding

NAMES = ("dataset", "corpus", "source", "model")
FILES = ("path", "file", "file_name", "audio", "audio_filepath", "wav", "url")
LONGEST = 1 << 16
# Undeclared names and folders that are told apart.
_GROUPS = 10_000


class ManifestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """``entries`` were named, ``declared`` of them by a resource; ``sha256`` is of the file's bytes."""

    sha256: str
    entries: int
    declared: int


class _Matcher:
    """Which resource an entry belongs to."""

    def __init__(self, declaration: Declaration) -> None:
        self._named: dict[str, Resource] = {}
        self._patterns: list[tuple[re.Pattern[str], Resource]] = []
        for r in declaration.resources:
            for name in (r.name, *r.names):
                self._named.setdefault(plain(name), r)
            self._patterns += [(re.compile(fnmatch.translate(p)), r) for p in r.files]

    def find(self, entry: str, *, name: bool) -> Resource | None:
        if (found := self._named.get(plain(entry))) is not None:
            return found
        if name:
            # "org/name", as hubs write it.
            return self._named.get(plain(entry.rpartition("/")[2])) if "/" in entry else None
        path = entry.replace("\\", "/")
        for pattern, r in self._patterns:
            if pattern.match(path):
                return r
        parts = [p for p in path.split("/")[:-1] if p]
        return next((self._named[key] for p in parts if (key := plain(p)) in self._named), None)


def check_manifest(declaration: Declaration, path: Path) -> tuple[ManifestSummary, list[DeclarationFinding]]:
    """What ``path`` names without a declaration (an error, a group a finding), and what is declared for training and
    never named there (a warning). UserError for a manifest that cannot be read."""
    matcher = _Matcher(declaration)
    used: set[str] = set()
    strange: dict[str, list[str | int]] = {}
    digest = hashlib.sha256()
    entries = declared = 0
    for where, entry, name in _entries(path, digest):
        entries += 1
        found = matcher.find(entry, name=name)
        if found is not None:
            declared += 1
            used.add(found.name)
            continue
        group = entry if name else "/".join(entry.replace("\\", "/").split("/")[:-1][:4]) or entry
        if group not in strange and len(strange) >= _GROUPS:
            group = "(more)"
        row = strange.setdefault(group, [where, entry, 0])
        row[2] = int(row[2]) + 1
    if not entries:
        raise UserError("names nothing", where=str(path), allowed=f"a list, or rows with {', '.join(NAMES + FILES)}")
    findings = [
        DeclarationFinding(
            what="named in the training manifest and not declared",
            where=str(where),
            value=group,
            allowed=f"{count} entries, the first {entry}",
        )
        for group, (where, entry, count) in strange.items()
    ]
    findings += [
        DeclarationFinding(
            what="declared for training, but the manifest never names it",
            level="warning",
            resource=r.name,
            field="files",
        )
        for r in declaration.resources
        if r.kind == "dataset" and "training" in r.uses and r.name not in used
    ]
    return ManifestSummary(sha256=digest.hexdigest(), entries=entries, declared=declared), findings


def _entries(path: Path, digest: hashlib._Hash) -> Iterator[tuple[str, str, bool]]:
    """(FILE:LINE, what is named, whether it is a name rather than a file)."""
    suffix = path.suffix.casefold()
    lines = _lines(path, digest)
    if suffix in (".jsonl", ".ndjson", ".json"):
        for where, line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"not JSON: {str(error)[:100]}", where=where) from None
            if isinstance(record, str):
                yield where, record, "/" not in record
            elif isinstance(record, dict):
                yield _row(where, record)
            else:
                raise UserError("neither an object nor text", where=where)
    elif suffix in (".csv", ".tsv"):
        yield from _table(lines, "," if suffix == ".csv" else "\t", path)
    else:
        for where, line in lines:
            entry = line.strip()
            yield where, entry, "/" not in entry and "\\" not in entry and not re.search(r"\.\w{2,5}$", entry)


def _row(where: str, record: dict[str, object]) -> tuple[str, str, bool]:
    for fields, name in ((NAMES, True), (FILES, False)):
        for field in fields:
            value = record.get(field)
            if isinstance(value, dict):
                value = value.get("path")
            if isinstance(value, str) and value.strip():
                return where, value.strip(), name
    raise UserError("names nothing", where=where, allowed=", ".join(NAMES + FILES))


def _table(lines: Iterator[tuple[str, str]], delimiter: str, path: Path) -> Iterator[tuple[str, str, bool]]:
    at = ""

    def texts() -> Iterator[str]:
        nonlocal at
        for where, line in lines:
            at = where
            yield line + "\n"

    rows = csv.reader(texts(), delimiter=delimiter, strict=True)
    try:
        header = [c.strip().casefold() for c in next(rows, [])]
        if not set(header) & {*NAMES, *FILES}:
            raise UserError("no column that names anything", where=at or str(path), allowed=", ".join(NAMES + FILES))
        for cells in rows:
            if any(c.strip() for c in cells):
                yield _row(at, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        raise UserError(f"broken table: {error}", where=at or str(path)) from None


def _lines(path: Path, digest: hashlib._Hash) -> Iterator[tuple[str, str]]:
    """(FILE:LINE, text) of each line that is not blank; a list's "#" begins a remark."""
    try:
        if not path.is_file():
            raise UserError("no such file", where=str(path))
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                where = f"{path}:{number}"
                digest.update(line)
                if len(line) > LONGEST:
                    raise UserError("too long a line", where=where, allowed=f"up to {LONGEST} bytes")
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError:
                    raise UserError("not UTF-8", where=where) from None
                if text.strip() and not text.startswith("#"):
                    yield where, text
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
