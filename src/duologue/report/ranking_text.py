"""A ranking with its open ranks and paired tests, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.score.comparison import Ranking
from duologue.score.scorecard import Estimate


def ranking(found: Ranking) -> RenderableType:
    """Systems by score, then every pair."""
    table = Table("system", "score", "95% interval", "rank")
    for column in table.columns[1:]:
        column.justify = "right"
    for r in found.ranks:
        ranks = str(r.low) if r.low == r.high else f"{r.low} to {r.high}"
        table.add_row(printable(r.system), *_both(r.score), ranks)
    parts: list[RenderableType] = [table]
    if found.why_not:
        parts.append(Text(f"no order is claimed: {printable(found.why_not)}", style="yellow"))
    if found.pairs:
        pairs = Table("pair", "difference", "95% interval", "p", "p (Holm)")
        for column in pairs.columns[1:]:
            column.justify = "right"
        for p in found.pairs:
            each = ("-" if x is None else f"{x:.4f}" for x in (p.p, p.p_holm))
            pairs.add_row(f"{printable(p.a)} - {printable(p.b)}", *_both(p.difference), *each)
        parts.append(pairs)
    return Group(*parts)


def _both(e: Estimate) -> tuple[str, str]:
    value = "-" if e.value is None else f"{e.value:.3f}"
    return value, "" if e.low is None or e.high is None else f"{e.low:.3f} to {e.high:.3f}"
