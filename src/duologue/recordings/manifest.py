"""Which file is which line: the tables that ``duologue sheets`` writes, read back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from duologue.corpus.dialogue import LANGUAGES
from duologue.corpus.table import read_table
from duologue.errors import UserError

LARGEST = 64 * 2**20
_NEEDED = ("key", "speaker", "language", "text")
_KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})_([0-9]{2,6})")
# What a sheet puts a ' before, see report/sheets/table.py.
_FORMULA = ("=", "+", "-", "@")


class ScriptedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that somebody is to read. ``number`` counts the lines of ``dialogue`` from 1; ``where`` is "file:line"."""

    key: str
    dialogue: str
    number: int
    file: str
    speaker: str
    language: str
    text: str
    direction: str
    where: str


def key_of(dialogue: str, line: int) -> str:
    """The key of line ``line`` (from 0) of ``dialogue``: "abc_01" for the first of abc."""
    return f"{dialogue}_{line + 1:02d}"


def read_manifest(path: str | Path) -> dict[str, ScriptedLine]:
    """The lines of a table, or of all ``*.csv`` in a folder, by key, in their order.

    The ' that a sheet puts before what a spreadsheet would take for a formula is taken off. UserError names the line of
    a table that is none, of a key that is none or comes twice, of an unknown language or a speaker without a name.
    """
    path = Path(path)
    tables = sorted(p for p in path.glob("*.csv") if p.is_file()) if path.is_dir() else [path]
    if not tables:
        raise UserError(
            "no table in the folder", where=str(path), mend="'duologue sheets SCRIPTS -o FOLDER' writes them"
        )
    found: dict[str, ScriptedLine] = {}
    for table in tables:
        for line in _lines(table):
            if line.key in found:
                raise UserError(
                    f"a key comes twice, also in {found[line.key].where}", where=line.where, field="key", value=line.key
                )
            found[line.key] = line
    if not found:
        raise UserError("names no line", where=str(path))
    return found


def _lines(path: Path) -> Iterator[ScriptedLine]:
    reader = csv.DictReader(io.StringIO(read_table(path, LARGEST), newline=""))
    try:
        missing = [c for c in _NEEDED if c not in (reader.fieldnames or ())]
        if missing:
            raise UserError("a column is missing", where=f"{path}:1", field=missing[0], allowed="a table of a sheet")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            cell = {k: _plain(v) for k, v in row.items() if isinstance(k, str) and isinstance(v, str)}
            key, language, speaker = cell.get("key", ""), cell.get("language", ""), cell.get("speaker", "").strip()
            parts = _KEY.fullmatch(key)
            if parts is None:
                raise UserError("is no key", where=where, field="key", value=key, allowed="DIALOGUE_NN")
            if language not in LANGUAGES:
                raise UserError(
                    "unknown language", where=where, field="language", value=language, allowed=", ".join(LANGUAGES)
                )
            if not speaker:
                raise UserError("who reads this line?", where=where, field="speaker", value=speaker)
            yield ScriptedLine(
                key=key,
                dialogue=parts[1],
                number=int(parts[2]),
                file=cell.get("file") or f"{key}.wav",
                speaker=speaker,
                language=language,
                text=cell.get("text", ""),
                direction=cell.get("direction", ""),
                where=where,
            )
    except csv.Error as error:
        raise UserError(f"is no table: {error}", where=f"{path}:{reader.line_num}") from None


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell
