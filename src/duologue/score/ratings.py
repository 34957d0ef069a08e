"""A table of ratings from a CSV file, long (a rating a line) or wide (an item a line, a column a rater)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.table import read_table
from duologue.errors import UserError

LARGEST = 256 * 2**20
# What a column may be called.
_COLUMNS = {
    "item": ("item", "unit", "id", "item_id", "sample"),
    "dialogue": ("dialogue", "dialogue_id", "conversation", "cluster"),
    "rater": ("rater", "rater_id", "annotator", "coder"),
    "value": ("value", "rating", "score", "grade", "label"),
    "dimension": ("dimension", "measure", "criterion", "question"),
    "rater_type": ("rater_type", "kind"),
}
_ALLOWED = "item,rater,value and perhaps dialogue,dimension,rater_type; or item, perhaps dialogue, and a column a rater"
_MISSING = {"", "na", "n/a", "nan", "-", "."}
_JUDGE_TYPES = {"model", "judge"}


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension's ratings: ``texts`` are each item's, rater -> value as written; ``numbers`` [items, raters] the
    same as numbers, or as codes of labels where not ``numeric``, NaN for none. ``dialogues`` is each item's."""

    dimension: str
    items: tuple[str, ...]
    dialogues: tuple[str, ...]
    raters: tuple[str, ...]
    texts: tuple[dict[str, str], ...]
    numbers: npt.NDArray[np.float64]
    numeric: bool


class Ratings(msgspec.Struct, frozen=True, kw_only=True):
    """Every dimension of a file, in the order of first sight; ``judges`` are the raters that are models."""

    tables: tuple[Table, ...]
    judges: tuple[str, ...]
    problems: tuple[str, ...] = ()


def read_ratings(path: Path, judges: Sequence[str] = ()) -> Ratings:
    """Read ``path``. Judges are those named, those whose "rater_type" is "model", or else raters named "judge...".

    A rating that is given twice counts once, the first; that and whatever else a line has wrong is in ``problems``.
    UserError for a file that cannot be read, has no column for what is needed, or no rating; or for an unknown judge.
    """
    lines = csv.reader(io.StringIO(read_table(path, LARGEST), newline=""))
    work = _Reading()
    header: dict[str, int] = {}
    wide: dict[str, int] = {}
    try:
        for cells in lines:
            where = f"{path.name}:{lines.line_num}"
            if not any(c.strip() for c in cells):
                continue
            if not header and not wide:
                header, wide = _header(cells, where)
                continue
            if len(cells) > len(header) + len(wide):
                work.problems.append(f"{where}: more cells than columns; the rest is not read")
            row = {c: cells[at].strip() for c, at in header.items() if at < len(cells)}
            item = row.get("item") or row.get("dialogue") or ("" if not wide else str(lines.line_num))
            if not item:
                work.problems.append(f"{where}: no item: the line is left out")
                continue
            if not wide:
                work.take(where, item, row.get("rater", ""), row.get("value", ""), row)
            for rater, at in wide.items():
                work.take(where, item, rater, cells[at].strip() if at < len(cells) else "", row)
    except csv.Error as error:
        raise UserError(f"broken CSV: {error}", where=f"{path}:{lines.line_num}") from None
    if not work.ratings:
        raise UserError("no rating", where=str(path), allowed=_ALLOWED)
    return work.found(judges)


class _Reading:
    def __init__(self) -> None:
        self.problems: list[str] = []
        # dimension -> item -> rater -> text
        self.ratings: dict[str, dict[str, dict[str, str]]] = {}
        self._dialogue: dict[str, str] = {}
        self._models: set[str] = set()
        self._where: dict[tuple[str, str, str], str] = {}
        self._empty = 0

    def take(self, where: str, item: str, rater: str, value: str, row: dict[str, str]) -> None:
        if not rater:
            self.problems.append(f"{where}: no rater: the rating is left out")
            return
        if value.casefold() in _MISSING:
            self._empty += 1
            return
        dialogue, dimension = row.get("dialogue") or item, row.get("dimension", "")
        if self._dialogue.setdefault(item, dialogue) != dialogue:
            self.problems.append(f"{where}: item {item!r} is in another dialogue than before; the first counts")
        key = dimension, item, rater
        if key in self._where:
            self.problems.append(f"{where}: {item!r} was rated by {rater!r} at {self._where[key]}; the first counts")
            return
        self._where[key] = where
        self.ratings.setdefault(dimension, {}).setdefault(item, {})[rater] = value
        if row.get("rater_type", "").casefold() in _JUDGE_TYPES:
            self._models.add(rater)

    def found(self, judges: Sequence[str]) -> Ratings:
        raters = list(dict.fromkeys(r for rows in self.ratings.values() for row in rows.values() for r in row))
        if unknown := [j for j in judges if j not in raters]:
            raise UserError("no such rater", field="--judge", value=unknown[0], allowed=", ".join(raters))
        named = {r for r in raters if r.casefold().startswith("judge")}
        models = set(judges) or self._models or named
        tables = tuple(self._table(d, rows) for d, rows in self.ratings.items())
        if self._empty:
            self.problems.append(f"{self._empty} cells without a rating")
        return Ratings(tables=tables, judges=tuple(r for r in raters if r in models), problems=tuple(self.problems))

    def _table(self, dimension: str, rows: dict[str, dict[str, str]]) -> Table:
        raters = sorted({r for row in rows.values() for r in row})
        texts = [v for row in rows.values() for v in row.values()]
        numeric = any(_number(v) is not None for v in texts)
        if numeric and (odd := [v for v in texts if _number(v) is None]):
            self.problems.append(
                f"{dimension or 'ratings'}: {len(odd)} of {len(texts)} are no numbers, such as {odd[0]!r}: "
                "all count as labels"
            )
            numeric = False
        code = {v: float(i) for i, v in enumerate(sorted(set(texts)))}
        numbers = np.full((len(rows), len(raters)), np.nan)
        for i, row in enumerate(rows.values()):
            for rater, v in row.items():
                x = _number(v) if numeric else code[v]
                numbers[i, raters.index(rater)] = math.nan if x is None else x
        return Table(
            dimension=dimension,
            items=tuple(rows),
            dialogues=tuple(self._dialogue[i] for i in rows),
            raters=tuple(raters),
            texts=tuple(rows.values()),
            numbers=numbers,
            numeric=numeric,
        )


def _header(cells: Sequence[str], where: str) -> tuple[dict[str, int], dict[str, int]]:
    """(column -> place, rater -> place); the second is empty for a long table."""
    names = [c.strip() for c in cells]
    if twice := next((n for n in names if n and [x.casefold() for x in names].count(n.casefold()) > 1), None):
        raise UserError("a column comes twice", where=where, field=twice, allowed=_ALLOWED)
    known = {alias: column for column, aliases in _COLUMNS.items() for alias in aliases}
    header: dict[str, int] = {}
    for i, n in enumerate(names):
        column = known.get(n.casefold())
        if column is not None and column not in header:
            header[column] = i
    if {"rater", "value"} <= set(header):
        if not {"item", "dialogue"} & set(header):
            raise UserError("no column for the item", where=where, value=", ".join(names), allowed=_ALLOWED)
        return header, {}
    header = {c: i for c, i in header.items() if c in ("item", "dialogue", "dimension")}
    wide = {n: i for i, n in enumerate(names) if n and i not in header.values()}
    if len(wide) < 2:
        raise UserError("neither rater and value nor two raters", where=where, value=", ".join(names), allowed=_ALLOWED)
    return header, wide


def _number(text: str) -> float | None:
    try:
        x = float(text)
    except ValueError:
        return None
    return x if math.isfinite(x) and "_" not in text else None
