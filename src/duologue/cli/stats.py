"""``duologue stats``: count a corpus."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar
from duologue.corpus.describe import Distribution, Stats, describe
from duologue.corpus.read import Corpus
from duologue.corpus.write import write_atomic

# Values of an axis that a terminal shows; --json has them all.
SHOWN = 20


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with figures and examples.")
def command(corpus: Path, as_json: bool, html: Path | None) -> None:
    """Counts and hours of CORPUS by language, task, scenario, emotion, speaker...; timing; coverage gaps.

    \b
    Example:  duologue stats data/demo --html report.html
    """
    opened = Corpus(corpus)
    with bar("stats", len(opened)) as done:
        stats = describe(opened, lambda: done(1))
    if html is not None:
        from duologue.report.corpus_page import render

        write_atomic(html, render(opened, stats).encode())
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(stats), indent=2))
    else:
        _print(stats)


def _print(s: Stats) -> None:
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    console.print(
        f"[bold]{escape(s.name)}[/]  {s.dialogues} dialogues, {s.seconds / 3600:.2f} h "
        f"({s.audio_seconds / 3600:.2f} h in {s.audio_files} files with twins and stems), "
        f"{s.turns} turns, {s.words} words\ncorpus {s.corpus_sha256}"
    )
    for name, axis in s.axes.items():
        table = Table(name, axis.unit, "hours", title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for value, tally in list(axis.rows.items())[:SHOWN]:
            table.add_row(escape(value), str(tally.count), f"{tally.hours:.3f}" if tally.hours else "")
        if len(axis.rows) > SHOWN:
            table.add_row(f"... {len(axis.rows) - SHOWN} more", "", "")
        console.print(table)
    _print_cells(console, s)
    _print_shifts(console, s)
    _print_timing(console, s)
    _print_gaps(console, s)


def _print_cells(console: Console, s: Stats) -> None:
    splits = sorted({c.split for c in s.cells}, key=["train", "dev", "test", "unassigned"].index)
    counts = {(c.task, c.language, c.split): c.dialogues for c in s.cells}
    table = Table("task", "language", *splits)
    for task, language in sorted({(c.task, c.language) for c in s.cells}):
        table.add_row(task, language, *(str(counts.get((task, language, split), 0)) for split in splits))
    console.print(table)


def _print_shifts(console: Console, s: Stats) -> None:
    for language, rows in s.shifts.items():
        table = Table(f"{language}: from \\ to", *s.labels)
        for a in s.labels:
            table.add_row(a, *("·" if a == b else str(rows.get(a, {}).get(b, 0)) for b in s.labels))
        console.print(table)


def _print_timing(console: Console, s: Stats) -> None:
    table = Table("timing", "n", "mean", "sd", "5%", "25%", "50%", "75%", "95%", "unit")
    for language, t in s.timing.items():
        for name, d in (
            ("floor-transfer offset", t.offset),
            ("pause in a turn", t.pause),
            ("turn", t.turn),
            ("interruption, of the answer", t.interruption),
        ):
            if d is not None:
                table.add_row(f"{language} {name}", str(d.n), *_row(d), d.unit)
        if t.overlap_share is not None:
            table.add_row(f"{language} overlapped speech", "", f"{t.overlap_share:.1%}")
        if t.overlap is not None:
            table.add_row(f"{language} overlapped transfers", "", f"{t.overlap:.1%}")
    console.print(table)


def _row(d: Distribution) -> list[str]:
    return [f"{x:.2f}" for x in (d.mean, d.sd, d.p5, d.p25, d.p50, d.p75, d.p95)]


def _print_gaps(console: Console, s: Stats) -> None:
    if not s.gaps:
        console.print("no coverage gaps")
        return
    table = Table("coverage gap", "where", "n", "values")
    together: dict[tuple[str, str], list[str]] = {}
    for g in s.gaps:
        value = f"{g.value} ({g.count}, typically {g.typical:g})" if g.kind == "thin" else g.value
        together.setdefault((g.kind, g.where), []).append(value)
    for (kind, where), values in together.items():
        more = f", ... {len(values) - 6} more" if len(values) > 6 else ""
        table.add_row(kind, escape(where), str(len(values)), escape(", ".join(values[:6])) + more)
    console.print(table)
