"""``duologue check``: list every broken invariant of a corpus."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar
from duologue.corpus.check import Report, check
from duologue.corpus.finding import Finding
from duologue.corpus.manifest import read_manifest
from duologue.errors import UserError

# Findings of one kind that a terminal shows; --json has them all.
SHOWN = 5


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help='Print {"dialogues": n, "findings": [...]}.')
@click.option("--fast", is_flag=True, help="Hash every file but decode none: no PCM hashes, no twins.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes to share shards.")
def command(corpus: Path, as_json: bool, fast: bool, workers: int) -> None:
    """List every broken invariant of CORPUS; exit 0 if there is none and 1 if there are any.

    \b
    Example:  duologue check data/demo --workers 2
              duologue check data/demo --json
    """
    try:
        total: int | None = read_manifest(corpus).totals.dialogues
    except UserError:
        total = None  # The check says what is wrong with it.
    with bar("check", total) as done:
        report = check(corpus, decode=not fast, workers=workers, progress=done)
    if as_json:
        plain = {"dialogues": report.dialogues, "findings": report.findings}
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2))
    else:
        _print(report, fast)
    sys.exit(1 if report.findings else 0)


def _print(report: Report, fast: bool) -> None:
    console = Console(soft_wrap=not sys.stdout.isatty())
    if report.findings:
        table = Table("what", "file", "dialogue", "field", "value", "allowed", show_lines=False)
        by_message = sorted(report.findings, key=_message)
        for message, same in groupby(by_message, key=_message):
            group = list(same)
            for i, f in enumerate(group[:SHOWN]):
                table.add_row(escape(message) if i == 0 else "", *map(_cell, _columns(f)))
            if len(group) > SHOWN:
                table.add_row(f"... {len(group) - SHOWN} more", *[""] * 5)
        console.print(table)
    looked = "hashed" if fast else "hashed and decoded"
    console.print(
        f"{report.dialogues} dialogues, {report.files} audio files ({report.seconds / 3600:.2f} h) {looked}: "
        f"{len(report.findings) or 'no'} finding{'' if len(report.findings) == 1 else 's'}",
        highlight=False,
    )


def _message(f: Finding) -> str:
    return f.message


def _columns(f: Finding) -> tuple[Any, ...]:
    return f.file, f.dialogue, f.field, "" if f.value is None else f.value, f.allowed


def _cell(value: object) -> str:
    # What a corpus says is not let at the terminal's controls.
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
    return escape(text if len(text) <= 80 else text[:77] + "...")
