"""A diagnosis of logged calls as tables: a row a call, and what they have in common."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.score.calls import Call, Calls, together

HEADINGS = ("call", "min", "user", "system", "both", "turns", "reply", "cut", "stop", "cuts in", "pauses")
LEGEND = (
    "user, system, both: s of talk. reply: median s from the end of the user's turn, unanswered ones in brackets. cut: "
    "interruptions by the user, those that the system outlasted in brackets; stop: median s until it fell silent. "
    "cuts in: by the system. pauses: of the user, those into which the system spoke in brackets. Speech is heard, not "
    "annotated; without words a long signal of listening counts as an interruption."
)


def row(call: Call) -> tuple[str, ...]:
    """The cells of one call, in the order of :data:`HEADINGS`."""
    t = together([call])
    return (
        call.name,
        f"{call.seconds / 60:.1f}",
        f"{sum(b - a for a, b in call.user):.1f}",
        f"{sum(b - a for a, b in call.system):.1f}",
        f"{call.overlap:.1f}",
        *counts(t),
    )


def counts(t: Calls) -> tuple[str, ...]:
    """The cells that are counts and medians of talk."""
    return (
        str(t.turns),
        _seconds(t.offset_median) + _bracket(t.unanswered),
        f"{t.interruptions}{_bracket(t.unyielded)}",
        _seconds(t.stop_median),
        str(t.system_interrupts),
        f"{t.pauses}{_bracket(t.pauses_taken)}",
    )


def calls(found: Calls) -> RenderableType:
    """The table, its legend and the files that could not be heard."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for k, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if k else "left", no_wrap=True, overflow="fold")
    heard = [c for c in found.calls if not c.why]
    for call in heard:
        table.add_row(*map(printable, row(call)))
    if len(heard) > 1:
        table.add_row(*all_row(found), style="bold")
    parts: list[RenderableType] = [table, Text(LEGEND, style="dim")]
    parts += [Text(f"✗ {printable(c.name)}: {printable(c.why)}") for c in found.calls if c.why]
    return Group(*parts)


def all_row(found: Calls) -> tuple[str, ...]:
    """The cells of all calls together."""
    heard = [c for c in found.calls if not c.why]
    user = sum(b - a for c in heard for a, b in c.user)
    system = sum(b - a for c in heard for a, b in c.system)
    return ("all", f"{found.seconds / 60:.1f}", f"{user:.1f}", f"{system:.1f}", f"{found.overlap:.1f}", *counts(found))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _bracket(count: int) -> str:
    return f" ({count})" if count else ""
