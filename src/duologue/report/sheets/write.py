"""Write reading sheets into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from duologue.corpus.write import write_atomic, write_error
from duologue.errors import UserError
from duologue.recordings.person import Person
from duologue.report.sheets.page import index, sheet
from duologue.report.sheets.part import Part, parts_of
from duologue.report.sheets.table import table


def write_sheets(
    scripts: str | Path,
    folder: str | Path,
    role: str = "",
    language: str = "",
    people: Mapping[str, Person] | None = None,
) -> tuple[Part, ...]:
    """The sheets of a file of scripts, read by ``people`` where given (:func:`parts_of`), see :func:`write_parts`.

    UserError where the scripts cannot be read.
    """
    parts = parts_of(scripts, role, language, people)
    write_parts(parts, folder)
    return parts


def write_parts(parts: Sequence[Part], folder: str | Path) -> None:
    """``NAME.html`` and ``NAME.csv`` for each part, and ``index.html`` last. Equal scripts give equal bytes.

    UserError where the folder holds other pages or tables, which might be taken for
    sheets of these scripts.
    """
    folder = Path(folder)
    mine = {"index.html"} | {f"{p.name}.{ending}" for p in parts for ending in ("html", "csv")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted(f.name for f in folder.iterdir() if f.suffix in (".html", ".csv") and f.name not in mine)
    except OSError as error:
        raise write_error(folder, error) from None
    if others:
        raise UserError("the folder holds other sheets", where=str(folder), value=others[0], mend="choose an empty one")
    for p in parts:
        write_atomic(folder / f"{p.name}.html", sheet(p).encode())
        write_atomic(folder / f"{p.name}.csv", table(p))
    write_atomic(folder / "index.html", index(parts).encode())
