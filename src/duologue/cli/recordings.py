"""``duologue recordings``: what people recorded from reading sheets."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar

SHOWN = 40


@click.group()
def command() -> None:
    """Check what people recorded from reading sheets.

    \b
    Example:  duologue sheets scripts.jsonl -o sheets --cast cast.yaml
              duologue recordings check sheets recorded
    """


@command.command("check")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--words/--no-words", default=True, show_default=True, help="Let the embedded recogniser hear each line.")
@click.option("--sheets", type=click.Path(path_type=Path), metavar="OUT", help="Write sheets of what is missing.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page about every line.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def check(manifest: Path, folder: Path, words: bool, sheets: Path | None, page: Path | None, as_json: bool) -> None:
    """Check the recordings in FOLDER against MANIFEST, a table of a reading sheet or a folder of them.

    Exit 0 where nothing has to be mended and 1 otherwise; warnings and suspicions are to be listened to. --sheets
    writes what has to be read, or read again: missing lines and those with an error.

    \b
    Example:  duologue recordings check sheets recorded --html recordings.html
              duologue recordings check sheets/Ann-en.csv recorded --no-words --sheets again
    """
    from duologue.corpus.write import write_atomic
    from duologue.listen.words import Recogniser
    from duologue.recordings.check import check as checked
    from duologue.recordings.manifest import read_manifest
    from duologue.recordings.take import Folder
    from duologue.report.recordings_page import render
    from duologue.report.recordings_text import summary
    from duologue.report.sheets.again import parts_again
    from duologue.report.sheets.write import write_parts

    lines = read_manifest(manifest)
    with bar("listen", len(lines)) as advance:
        found = checked(manifest, lines, Folder(folder), Recogniser() if words else None, advance=advance)
    if page is not None:
        write_atomic(page, render(found).encode())
    if sheets is not None and not found.good:
        write_parts(parts_again(lines[key] for key in found.again), sheets)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        console = Console(highlight=False)
        if found.flaws:
            table = Table("", "line", "reader", "what")
            for f in found.flaws[:SHOWN]:
                cells = (f"{f.severity}: {f.kind}", f.key, f.speaker, f.what)
                table.add_row(*(escape("".join(c for c in cell if c.isprintable())[:160]) for cell in cells))
            console.print(table)
            if len(found.flaws) > SHOWN:
                console.print(f"{len(found.flaws) - SHOWN} more not shown")
        for line in summary(found):
            console.print(escape(line))
    sys.exit(0 if found.good else 1)
