"""The ranking of a challenge from its teams' scores, as the HumDial challenge computed it (ICASSP 2026).

Track 2: Int and Rej are r1 of the mean over zh and en; the delay score is
100 - slope * ln(L / Lmin) / ln(Lbase / Lmin); the total is r1(0.4 * Int + 0.4 * Rej + 0.2 * delay score). See
:mod:`duologue.score.profiles.humdial2026.totals` and ``docs/official-profile.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from duologue.challenge.team_table import TeamRow, read_rows
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.totals import (
    LBASE,
    LMIN,
    SLOPE,
    delay_score,
    language_mean,
    total_score,
)

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
    teams: list[DuplexTeam] = []
    where: dict[str, int] = {}
    for row in read_rows(path, _wrong_columns, _COLUMNS):
        team = row.text("team")
        if team in where:
            raise UserError(f"the team of line {where[team]} again", where=row.where, field="team", value=team)
        where[team] = row.line
        delay = row.number("delay", 0, 1e6, "seconds above 0", above=True)
        teams.append(DuplexTeam(team=team, interruption=_score(row, "int"), rejection=_score(row, "rej"), delay=delay))
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


def _wrong_columns(header: dict[str, int]) -> str:
    missing = [n for n in ("team", "delay") if n not in header]
    for part in ("int", "rej"):
        by_language = [f"{part}_zh", f"{part}_en"]
        there = [n for n in by_language if n in header]
        if part in header and there:
            return f"both {part} and {there[0]}: which counts?"
        if part not in header:
            missing += [n for n in by_language if n not in header] if there else [part]
    return f"no column {', '.join(missing)}" if missing else ""


def _score(row: TeamRow, part: str) -> float:
    if part in row.header:
        return row.number(part, 0, 100, "0-100")
    return language_mean([row.number(f"{part}_{language}", 0, 100, "0-100") for language in ("zh", "en")])
