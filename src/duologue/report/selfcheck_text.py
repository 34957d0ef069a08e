"""What degenerate systems get, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.score.selfcheck import SelfCheck


def selfcheck(found: SelfCheck) -> RenderableType:
    """A row a system, the honest one first: the corrected profile's score and parts, then the official numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for i, name in enumerate(("system", "score", "behaviour", "speed", "relevance", "Int", "Rej", "delay s", "total")):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
    honest = found.systems[0]
    for s in found.systems:
        better = s is not honest and s.total is not None and honest.total is not None and s.total >= honest.total
        table.add_row(
            Text(printable(s.system), style="bold" if s is honest else ""),
            Text(_number(s.corrected.value), style="bold red" if s.outranks else "bold"),
            _number(s.behaviour),
            _number(s.speed),
            _number(s.relevance),
            _number(s.interruption, 1),
            _number(s.rejection, 1),
            _number(s.delay, 3),
            Text(_number(s.total, 1), style="red" if better else ""),
        )
    verdict = (
        Text(f"passed: no degenerate system reaches the honest {_number(honest.corrected.value)}", style="green")
        if found.passed
        else Text(
            "FAILED: " + ", ".join(s.system for s in found.systems if s.outranks) + " outranks the honest system",
            style="bold red",
        )
    )
    about = ", ".join(f"{k}: {v}" for k, v in found.methods.items())
    return Group(
        Text(f"{printable(found.corpus)}: {found.items} items, {len(found.systems)} systems"),
        table,
        Text("red: not below the honest system in that profile; intervals and scenarios: --json", style="dim"),
        verdict,
        *(Text(printable(f"left out: {name}: {why}"), style="yellow") for name, why in found.left_out.items()),
        Text(printable(about), style="dim"),
    )


def _number(x: float | None, places: int = 3) -> str:
    return "-" if x is None else f"{x:.{places}f}"
