"""A CSV table of a challenge's teams, read so that whatever is wrong is named by file, line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from duologue.corpus.table import read_table
from duologue.errors import UserError

LARGEST = 16 * 2**20


class TeamRow:
    """A line: ``header`` maps columns to their cells, ``where`` is FILE:LINE, ``line`` its number."""

    def __init__(self, header: dict[str, int], cells: Sequence[str], path: Path, line: int) -> None:
        self.header, self._cells, self.line, self.where = header, cells, line, f"{path}:{line}"
        if len(cells) > len(header):
            raise UserError("more cells than columns", where=self.where, value=len(cells), allowed=str(len(header)))

    def has(self, column: str) -> bool:
        """Whether there is a cell of ``column`` with something in it."""
        at = self.header.get(column)
        return at is not None and at < len(self._cells) and bool(self._cells[at].strip())

    def text(self, column: str) -> str:
        if not self.has(column):
            raise UserError("empty", where=self.where, field=column)
        return self._cells[self.header[column]].strip()

    def number(self, column: str, low: float, high: float, allowed: str, *, above: bool = False) -> float:
        """A number in [low, high], or above ``low``; ``allowed`` says so in words."""
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high) or (above and value == low) or "_" in text:
            raise UserError("not a number in range", where=self.where, field=column, value=text, allowed=allowed)
        return value


def read_rows(path: Path, check: Callable[[dict[str, int]], str], columns: str) -> Iterator[TeamRow]:
    """The rows of ``path`` in order, without empty lines; columns are named in the first, in any order and case.

    ``check`` says what is wrong with the header, "" for nothing; ``columns`` says what was wanted. UserError for a file
    that cannot be read, is too large, no UTF-8, broken CSV or without a row.
    """
    lines = csv.reader(io.StringIO(read_table(path, LARGEST), newline=""), strict=True)
    header: dict[str, int] = {}
    empty = True
    try:
        for cells in lines:
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = _header(cells, f"{path}:{lines.line_num}", columns)
                if wrong := check(header):
                    raise UserError(wrong, where=f"{path}:{lines.line_num}", value=", ".join(header), allowed=columns)
                continue
            empty = False
            yield TeamRow(header, cells, path, lines.line_num)
    except csv.Error as error:
        raise UserError(f"broken CSV: {error}", where=f"{path}:{lines.line_num}") from None
    if empty:
        raise UserError("no team", where=str(path), allowed=columns)


def _header(cells: Sequence[str], where: str, columns: str) -> dict[str, int]:
    names = [c.strip().casefold() for c in cells]
    if twice := next((n for n in names if n and names.count(n) > 1), None):
        raise UserError("a column comes twice", where=where, field=twice, allowed=columns)
    return {n: i for i, n in enumerate(names)}
