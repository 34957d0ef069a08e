"""The agreement of raters, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.score.agreement import Agreement, DimensionAgreement
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import LEAST_CLUSTERS

# Pairs of raters and problems that are listed; the rest are counted.
SHOWN = 20


def agreement(found: Agreement) -> RenderableType:
    """A table a dimension, with intervals; then what was wrong in the file."""
    parts = [_dimension(d) for d in found.dimensions]
    few = sorted({d.dialogues for d in found.dimensions if d.dialogues < LEAST_CLUSTERS})
    if few:
        parts.append(Text(f"only {few[0]} dialogues: the intervals are too narrow", style="yellow"))
    parts += [Text(f"note: {printable(p)}") for p in found.problems[:SHOWN]]
    if len(found.problems) > SHOWN:
        parts.append(Text(f"note: ... {len(found.problems) - SHOWN} more (--json lists all)"))
    parts.append(Text(f"95% intervals: {found.resamples} draws of whole dialogues, seed {found.seed}"))
    return Group(*parts)


def _dimension(d: DimensionAgreement) -> RenderableType:
    table = Table(printable(d.dimension) or "agreement", "value", "95% interval", "items")
    for column in table.columns[1:]:
        column.justify = "right"
    for level, e in d.alpha.items():
        _row(table, f"alpha, {level}", e)
    for level, e in d.alpha_with_judges.items():
        _row(table, f"alpha, {level}, with the judges", e)
    for name, e in d.icc.items():
        _row(table, name, e)
    table.add_section()
    kind = "weighted kappa" if d.values == "numbers" else "kappa"
    if len(d.raters) > 1:
        _row(table, f"{kind}, rater and rater (mean)", d.rater_kappa)
    for judge, e in d.judge_kappa.items():
        _row(table, f"{kind}, {printable(judge)} and raters (mean)", e)
    table.add_section()
    for p in d.pairs[:SHOWN]:
        bias = "" if p.bias is None else f" (bias {p.bias:+.2f})"
        _row(table, f"{printable(p.a)} and {printable(p.b)}{bias}", p.kappa)
    if len(d.pairs) > SHOWN:
        table.add_row(f"... {len(d.pairs) - SHOWN} more pairs", "", "", "")
    told = f"{d.items} items of {d.dialogues} dialogues, {d.ratings} ratings by {len(d.raters)} raters"
    return Group(table, Text(f"{told} and {len(d.judges)} judges" if d.judges else told))


def _row(table: Table, name: str, e: Estimate) -> None:
    value = "undefined" if e.value is None else f"{e.value:.3f}"
    between = "" if e.low is None or e.high is None else f"{e.low:.3f} to {e.high:.3f}"
    table.add_row(name, value, between, str(e.n))
