"""A diagnosis of logged calls as one HTML file: the table, and each call as two rows of talk."""

from __future__ import annotations

from duologue.report.calls_text import HEADINGS, LEGEND, all_row, row
from duologue.report.printable import html
from duologue.report.shell import names, page, section
from duologue.score.calls import Call, Calls

_WIDTH, _ROW = 960, 18
_COLOURS = {"user": "#3b6ea8", "system": "#b3641b"}


def render(found: Calls) -> str:
    """The whole page."""
    heard = [c for c in found.calls if not c.why]
    rows = [row(c) for c in heard] + ([all_row(found)] if len(heard) > 1 else [])
    head = "".join(f"<th>{html(h)}</th>" for h in HEADINGS)
    body = "".join("<tr>" + "".join(f"<td><bdi>{html(cell)}</bdi></td>" for cell in r) + "</tr>" for r in rows)
    table = f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p class="soft">{html(LEGEND)}</p>'
    bad = names((c.name, c.why) for c in found.calls if c.why)
    drawn = "".join(f"<h3><bdi>{html(c.name)}</bdi></h3>{_drawn(c)}" for c in heard)
    return page("Logged calls", ["<h1>Logged calls</h1>", section("Calls", table), section("Not heard", bad), drawn])


def _drawn(call: Call) -> str:
    """Talk of both sides over time, the user's above."""
    scale = _WIDTH / max(call.seconds, 1e-3)
    bars = []
    for k, (side, spans) in enumerate((("user", call.user), ("system", call.system))):
        for a, b in spans:
            width = max(1.0, (b - a) * scale)
            bars.append(
                f'<rect x="{a * scale:.1f}" y="{k * (_ROW + 4)}" width="{width:.1f}" height="{_ROW}" '
                f'fill="{_COLOURS[side]}"><title>{side} {a:.2f}-{b:.2f} s</title></rect>'
            )
    height = 2 * _ROW + 4
    label = html(f"talk of the user (above) and the system in {call.name}, {call.seconds:.1f} s")
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(bars)}</svg>'
