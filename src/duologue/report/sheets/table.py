"""The lines of one actor as CSV: the manifest of a folder of recordings."""

from __future__ import annotations

import csv
import io

from duologue.report.printable import printable
from duologue.report.sheets.direction import notation
from duologue.report.sheets.part import Part

COLUMNS = ("key", "file", "speaker", "language", "text", "direction")

# What a spreadsheet takes for a formula at the start of a cell.
_FORMULA = ("=", "+", "-", "@")


def table(part: Part) -> bytes:
    """UTF-8 with its mark, which spreadsheets want. ``text`` holds exactly the words, ``direction`` all the rest.

    A cell that a spreadsheet would take for a formula has a ' before it.
    """
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for e in part.mine:
        marked = notation(e.line)
        told = [*e.directions, *([marked] if marked != " ".join(e.line.text.split()) else [])]
        cells = (e.key, e.file, part.speaker, part.language, e.line.text, "; ".join(told))
        rows.writerow([_inert(printable(c)) for c in cells])
    return out.getvalue().encode("utf-8-sig", "replace")


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) else cell
