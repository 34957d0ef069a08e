"""A board as files: CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from duologue.challenge.board.event import Event
from duologue.challenge.board.standing import Place, Standings

# What a spreadsheet takes for a formula at the start of a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BoardFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the JSON export holds: the standings and, where asked for, the history that they follow from."""

    standings: Standings
    history: tuple[Event, ...] = ()


def to_json(found: Standings, history: Sequence[Event] = ()) -> bytes:
    """Standings as JSON; read back by :class:`BoardFile`."""
    return msgspec.json.format(msgspec.json.encode(BoardFile(standings=found, history=tuple(history))), indent=1)


def to_csv(found: Standings) -> bytes:
    """A line a place, every phase: UTF-8 with a byte order mark, for spreadsheets.

    A text that a spreadsheet would take for a formula has a ' before it. Withheld phases have no line.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    names = ("phase", "rank", "team", "total", "low", "high", "rank_low", "rank_high")
    last = ("state", "rule", "evidence", "decided_by", "submission", "received", "used", "quota")
    writer.writerow([*names, *found.figures, *last])
    for phase in found.phases:
        for x in phase.places:
            writer.writerow([_cell(v) for v in (phase.phase, *_row(x, found.figures), phase.quota)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def _row(x: Place, figures: Sequence[str]) -> list[object]:
    low, high = (x.interval.low, x.interval.high) if x.interval is not None else (None, None)
    return [
        *(x.rank, x.team, x.total, low, high, x.rank_low, x.rank_high),
        *(x.figures.get(name) for name in figures),
        *(x.state, x.rule, x.evidence, x.by, x.submission, x.received, x.used),
    ]


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
