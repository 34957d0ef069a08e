"""Tables of counts with shaded cells: what was taken for what, which change followed which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from duologue.corpus.emotion import DUOLOGUE
from duologue.report.printable import html

NONE = "no label"
_ORDER = {c.label: i for i, c in enumerate(DUOLOGUE.classes)}


def ordered(labels: set[str]) -> list[str]:
    """Labels in the taxonomy's order, what it lacks behind, "" last."""
    return sorted(labels, key=lambda x: (x == "", _ORDER.get(x, len(_ORDER)), x))


def confusion(table: Mapping[str, Mapping[str, int]], *, rows: str = "gold", columns: str = "told") -> str:
    """Counts gold -> told, each row shaded by its shares, with recall at its end; "" where nothing was counted."""
    labels = ordered({*table} | {c for row in table.values() for c in row})
    wanted = [x for x in labels if x in table]
    if not wanted:
        return ""
    head = "".join(f"<th>{html(x or NONE)}</th>" for x in labels)
    body = ""
    for a in wanted:
        row, n = table[a], sum(table[a].values())
        cells = "".join(_cell(row.get(b, 0), row.get(b, 0) / n if n else 0.0, hit=a == b != "") for b in labels)
        recall = f"{row.get(a, 0) / n:.2f}" if n and a else "–"
        body += f'<tr><th>{html(a or NONE)}</th>{cells}<td class="n">{recall}</td><td class="n">{n:,}</td></tr>'
    return (
        f'<div class="scroll"><table class="heat"><tr><th>{html(rows)} \\ {html(columns)}</th>{head}'
        f'<th class="n">recall</th><th class="n">n</th></tr>{body}</table></div>'
    )


def transitions(table: Mapping[str, Mapping[str, tuple[int, int, int]]]) -> str:
    """Changes from -> to: how many of gold's were found, and how many were told that are not there."""
    labels = ordered({*table} | {b for row in table.values() for b in row})
    if not labels:
        return ""
    head = "".join(f"<th>{html(x)}</th>" for x in labels)
    body = ""
    for a in labels:
        cells = ""
        for b in labels:
            gold, told, both = table.get(a, {}).get(b, (0, 0, 0))
            if a == b:
                cells += "<td>·</td>"
            elif not gold and not told:
                cells += '<td class="zero">0</td>'
            else:
                more = f' <span class="soft">+{told - both:,}</span>' if told > both else ""
                cells += _shaded(f"{both:,} of {gold:,}{more}", both / gold if gold else 0.0)
        body += f"<tr><th>{html(a)}</th>{cells}</tr>"
    return f'<div class="scroll"><table class="heat"><tr><th>from \\ to</th>{head}</tr>{body}</table></div>'


def _cell(n: int, share: float, *, hit: bool) -> str:
    if not n:
        return f'<td class="zero{" hit" if hit else ""}">0</td>'
    return _shaded(f"{n:,}", share, css=' class="hit"' if hit else "")


def _shaded(text: str, share: float, *, css: str = "") -> str:
    return f'<td{css} style="background:rgba(var(--heat),{0.06 + 0.6 * share:.2f})">{text}</td>'


def table(header: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> str:
    """A plain grid: (heading, whether it is a number) and rows of HTML; "" without rows."""
    if not rows:
        return ""
    head = "".join(f"<th{' class=n' if n else ''}>{html(h)}</th>" for h, n in header)
    body = ""
    for row in rows:
        cells = "".join(
            f"<th>{cell}</th>" if k == 0 else f"<td{' class=n' if n else ''}>{cell}</td>"
            for k, (cell, (_, n)) in enumerate(zip(row, header, strict=True))
        )
        body += f"<tr>{cells}</tr>"
    return f'<div class="scroll"><table class="grid"><tr>{head}</tr>{body}</table></div>'
