"""The ranking of a challenge from its teams' scores, as the HumDial challenge computed it (ICASSP 2026).

Track 2: Int and Rej are r1 of the mean over zh and en; the delay score is
100 - slope * ln(L / Lmin) / ln(Lbase / Lmin); the total is r1(0.4 * Int + 0.4 * Rej + 0.2 * delay score). See
:mod:`duologue.score.profiles.humdial2026.totals` and ``docs/official-profile.md``.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from duologue.errors import UserError
from duologue.score.profiles.humdial2026.totals import (
    LBASE,
    LMIN,
    SLOPE,
    delay_score,
    language_mean,
    total_score,
)

LARGEST = 16 * 2**20
# "published": those of 2026. "teams": the fastest team, and the row named Baseline, which is how they came about.
Anchors = Literal["published", "teams"]
BASELINE = "baseline"


class DuplexTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team's Int and Rej (0-100) and its total delay in seconds (above 0)."""

    team: str
    interruption: float
    rejection: float
    delay: float


class DuplexRank(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ranking. ``delay_score`` is not rounded, ``total`` is to one decimal; equal totals share a rank."""

    team: str
    interruption: float
    rejection: float
    delay: float
    delay_score: float
    total: float
    rank: int


def read_duplex(path: Path) -> list[DuplexTeam]:
    """Teams of a CSV with the columns team,int_zh,int_en,rej_zh,rej_en,delay or team,int,rej,delay, in any order.

    Other columns are left alone, and so are empty lines. UserError names file, line and column of what is wrong.
    """
    lines = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    teams: list[DuplexTeam] = []
    where: dict[str, int] = {}
    header: dict[str, int] = {}
    try:
        for cells in lines:
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = _header(cells, f"{path}:{lines.line_num}")
                continue
            row = _Row(header, cells, f"{path}:{lines.line_num}")
            team = row.text("team")
            if team in where:
                raise UserError(f"the team of line {where[team]} again", where=row.where, field="team", value=team)
            where[team] = lines.line_num
            teams.append(
                DuplexTeam(
                    team=team,
                    interruption=row.score("int"),
                    rejection=row.score("rej"),
                    delay=row.number("delay", 0, 1e6, "seconds above 0", above=True),
                )
            )
    except csv.Error as error:
        raise UserError(f"broken CSV: {error}", where=f"{path}:{lines.line_num}") from None
    if not teams:
        raise UserError("no team", where=str(path), allowed=_COLUMNS)
    return teams


def compute_duplex(
    teams: Sequence[DuplexTeam],
    *,
    slope: float = SLOPE,
    lmin: float | None = None,
    lbase: float | None = None,
    anchors: Anchors = "published",
) -> list[DuplexRank]:
    """Rank ``teams``, the best first; of equals the one that was given first.

    ``lmin`` and ``lbase`` (seconds) go before ``anchors``. UserError unless 0 < lmin < lbase, and where "teams" is to
    find a baseline that is not among them.
    """
    low, base = anchors_of(teams, lmin=lmin, lbase=lbase, anchors=anchors)
    rows = []
    for t in teams:
        score = delay_score(t.delay, slope=slope, lmin=low, lbase=base)
        if score is None:
            raise UserError("a delay of 0 s has no score", where=t.team, field="delay", allowed="seconds above 0")
        rows.append((total_score(t.interruption, t.rejection, score), score, t))
    rows.sort(key=lambda r: -r[0])
    totals = [total for total, *_ in rows]
    return [
        DuplexRank(
            team=t.team,
            interruption=t.interruption,
            rejection=t.rejection,
            delay=t.delay,
            delay_score=score,
            total=total,
            rank=1 + totals.index(total),
        )
        for total, score, t in rows
    ]


def anchors_of(
    teams: Sequence[DuplexTeam], *, lmin: float | None, lbase: float | None, anchors: Anchors
) -> tuple[float, float]:
    """(Lmin, Lbase) in seconds, from what is given and else from ``anchors``."""
    low, base = LMIN, LBASE
    if anchors == "teams":
        baseline = next((t for t in teams if t.team.strip().casefold() == BASELINE), None)
        if baseline is None and lbase is None:
            raise UserError(
                "no team is named Baseline",
                field="lbase",
                mend="give --lbase, or --anchors published for those of 2026",
            )
        low = min((t.delay for t in teams), default=LMIN)
        base = baseline.delay if baseline is not None else LBASE
    return low if lmin is None else lmin, base if lbase is None else lbase


_COLUMNS = "team,int_zh,int_en,rej_zh,rej_en,delay or team,int,rej,delay"


def _header(cells: Sequence[str], where: str) -> dict[str, int]:
    names = [c.strip().casefold() for c in cells]
    if twice := next((n for n in names if n and names.count(n) > 1), None):
        raise UserError("a column comes twice", where=where, field=twice, allowed=_COLUMNS)
    header = {n: i for i, n in enumerate(names)}
    missing = [n for n in ("team", "delay") if n not in header]
    for part in ("int", "rej"):
        by_language = [f"{part}_zh", f"{part}_en"]
        there = [n for n in by_language if n in header]
        if part in header and there:
            raise UserError(f"both {part} and {there[0]}: which counts?", where=where, allowed=_COLUMNS)
        if part not in header:
            missing += [n for n in by_language if n not in header] if there else [part]
    if missing:
        raise UserError(f"no column {', '.join(missing)}", where=where, value=", ".join(names), allowed=_COLUMNS)
    return header


class _Row:
    def __init__(self, header: dict[str, int], cells: Sequence[str], where: str) -> None:
        self._header, self._cells, self.where = header, cells, where
        if len(cells) > len(header):
            raise UserError("more cells than columns", where=where, value=len(cells), allowed=str(len(header)))

    def text(self, column: str) -> str:
        at = self._header[column]
        text = self._cells[at].strip() if at < len(self._cells) else ""
        if not text:
            raise UserError("empty", where=self.where, field=column)
        return text

    def number(self, column: str, low: float, high: float, allowed: str, *, above: bool = False) -> float:
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high) or (above and value == low) or "_" in text:
            raise UserError("not a number in range", where=self.where, field=column, value=text, allowed=allowed)
        return value

    def score(self, part: str) -> float:
        if part in self._header:
            return self.number(part, 0, 100, "0-100")
        return language_mean([self.number(f"{part}_{language}", 0, 100, "0-100") for language in ("zh", "en")])


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise UserError("too large a table", where=str(path), allowed=f"up to {LARGEST} bytes")
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError("not UTF-8", where=f"{path}:{line}") from None
