"""A submission's report and a declaration's findings as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.challenge.submission.check import Report
from duologue.challenge.submission.problem import shown
from duologue.protect.declaration_rules import DeclarationFinding

# Of one kind; --json has more.
SHOWN = 5


def submission(report: Report) -> RenderableType:
    """Every kind of problem with its first places, then the verdict."""
    parts: list[RenderableType] = []
    rows: list[tuple[Text, ...]] = []
    counts = {(c.level, c.what): c.count for c in report.counts}
    for (level, what), count in sorted(counts.items(), key=lambda c: c[0]):
        same = [p for p in report.problems if (p.level, p.what) == (level, what)]
        for i, p in enumerate(same[:SHOWN]):
            first = (_level(level), Text(what)) if i == 0 else (Text(), Text())
            rows.append((*first, *map(Text, (p.file, p.item, p.field, p.value, p.allowed))))
        if count > SHOWN:
            rows.append((Text(), Text(f"... {count - SHOWN} more"), *(Text() for _ in range(5))))
    parts += _table(("", "what", "file", "item", "field", "value", "allowed"), rows)
    who = f"{report.team}, {report.system}: " if report.team else ""
    facts = [f"{report.present} of {report.expected} items"]
    facts += [f"{report.seconds / 3600:.2f} h of audio"] if report.seconds else []
    facts += [f"a report of {report.pages} pages"] if report.pages is not None else []
    parts.append(Text(f"{who}{', '.join(facts)}"))
    verdict = "accepted" if report.accepted else "refused"
    counted = f"{_number(report.errors, 'error')}, {_number(report.warnings, 'warning')}"
    parts.append(Text(f"{report.file}: {verdict}, {counted}"))
    return Group(*parts)


def declaration(findings: Sequence[DeclarationFinding], resources: int, entries: int | None) -> RenderableType:
    """Every finding, then the verdict; ``entries`` of the training manifest, None where none was looked at."""
    parts: list[RenderableType] = []
    rows = [
        (_level(f.level), Text(f.what), *(Text(shown(c)) for c in (f.where, f.resource, f.field, f.value, f.allowed)))
        for f in findings
    ]
    parts += _table(("", "what", "where", "resource", "field", "value", "allowed"), rows)
    errors = sum(f.level == "error" for f in findings)
    held = f", held against {entries} entries of the training manifest" if entries is not None else ""
    counted = f"{_number(errors, 'error')}, {_number(len(findings) - errors, 'warning')}"
    parts.append(Text(f"{_number(resources, 'resource')}{held}: {counted}"))
    return Group(*parts)


def _table(header: Sequence[str], rows: Sequence[tuple[Text, ...]]) -> list[RenderableType]:
    """A table without the columns in which nothing stands. Cells are Text, so that "[red]" in a name is what it is."""
    if not rows:
        return []
    kept = [i for i in range(len(header)) if any(row[i].plain for row in rows)]
    table = Table()
    for i in kept:
        table.add_column(header[i], overflow="fold")
    for row in rows:
        table.add_row(*(row[i] for i in kept))
    return [table]


def _level(level: str) -> Text:
    return Text(level, style="red" if level == "error" else "yellow")


def _number(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'}"
