"""A board for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.challenge.board.event import Event
from duologue.challenge.board.standing import PhaseStanding, Place, Standings
from duologue.report.printable import printable

TITLES = {"interruption": "Int", "rejection": "Rej", "delay": "delay, s", "delay_score": "delay score"}


def standings(found: Standings) -> RenderableType:
    """Every phase with its places."""
    parts: list[RenderableType] = [
        Text(f"{found.challenge}: track {found.track}, profile {found.profile}; {found.measure}", style="bold")
    ]
    for phase in found.phases:
        parts += ["", *_phase(phase, found)]
    return Group(*parts)


def _phase(p: PhaseStanding, found: Standings) -> list[RenderableType]:
    state = "closed" if p.closed else "open"
    sizes = f"{count(p.teams, 'team')}, {count(p.submissions, 'submission')}"
    parts: list[RenderableType] = [Text(f"{p.phase} ({p.kind}), {state}, closes {p.closes}: {sizes}")]
    if p.withheld:
        return [*parts, Text(f"scores are withheld{f' until {p.reveals}' if p.reveals else ''}", style="yellow")]
    if not p.places:
        return [*parts, Text("no submission yet")]
    figures = [TITLES.get(name, name) for name in found.figures]
    # With figures beside the total there is no room for its interval too.
    interval = [] if figures else ["95% interval"]
    table = Table(
        *("rank", "team", "total", *interval, "ranks", *figures, "state", "submission"),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.columns[1].overflow = table.columns[-2].overflow = "fold"
    for column in (table.columns[0], *table.columns[2:-2]):
        column.justify = "right"
    for x in p.places:
        table.add_row(*_row(x, found.figures), f"{x.submission} ({x.used}/{p.quota})")
    parts.append(table)
    if p.anchors is not None:
        a = p.anchors
        moves = ", not frozen yet" if p.provisional else ""
        parts.append(Text(f"delay score: 100 at {a.lmin:g} s, {100 - a.slope:g} at {a.lbase:g} s{moves}"))
    if p.withdrawn:
        parts.append(Text(f"{len(p.withdrawn)} of {p.items} items are withdrawn"))
    if p.why_not:
        parts.append(Text(f"no order is claimed: {p.why_not}", style="yellow"))
    return parts


def _row(x: Place, figures: Sequence[str]) -> list[Text]:
    """A place's cells as text: rank, team, total, interval (without figures), open ranks, figures, state."""
    low, high = (x.interval.low, x.interval.high) if x.interval is not None else (None, None)
    ranks = (
        "" if x.rank_low is None else f"{x.rank_low}" if x.rank_low == x.rank_high else f"{x.rank_low}-{x.rank_high}"
    )
    cells = [
        "-" if x.rank is None else str(x.rank),
        printable(x.team),
        number(x.total),
        *([] if figures else ["" if low is None or high is None else f"{short(low)} to {short(high)}"]),
        ranks,
        *(short(x.figures.get(name)) for name in figures),
        x.state,
    ]
    return [Text(c) for c in cells]


def number(x: float | None) -> str:
    """A total, with all the decimals by which places are made."""
    return "-" if x is None else f"{x:.12f}".rstrip("0").rstrip(".")


def short(x: float | None) -> str:
    """A figure to four significant digits."""
    return "-" if x is None else f"{x:.4g}"


def count(n: int, noun: str) -> str:
    """ "1 team", "2 teams"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def history(events: Sequence[Event]) -> RenderableType:
    """Every entry in order."""
    table = Table("entry", "when (UTC)", "what", "of", "by", "rule", "evidence")
    table.columns[0].justify = "right"
    for e in events:
        cells = (str(e.seq), e.at[:19].replace("T", " "), e.kind, e.submission or e.phase, e.by, e.rule, e.evidence)
        table.add_row(*(Text(printable(c)) for c in cells))
    return table
