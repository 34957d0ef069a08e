"""``duologue audit``: does training data hold parts of a test set?"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar
from duologue.protect.audit import index as test_index
from duologue.protect.audit.corpus_split import of_split
from duologue.protect.audit.finding import Audit
from duologue.protect.audit.scan import scan as run
from duologue.protect.audit.scan import to_json

_STYLE = {"certain": "bold red", "likely": "red", "suspicion": "yellow"}
_SHOWN = 200


@click.group()
def command() -> None:
    """Look for a test set in training data: as bytes, samples, sound, text, meaning, voice or canary.

    \b
    Example:  duologue audit index data/test -o test.index
              duologue audit scan data/train more/*.tar --against test.index --html leaks.html
    """


@command.command()
@click.argument("test_set", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The index to write.")
@click.option(
    "--without", multiple=True, type=click.Choice(["text", "meaning", "speakers"]), help="Leave this out; repeatable."
)
@click.option("--split", help="Only this split of a corpus.")
@click.option("--json", "as_json", is_flag=True, help="Print what is in the index as JSON.")
def index(test_set: Path, output: Path, without: tuple[str, ...], split: str | None, as_json: bool) -> None:
    """Turn TEST_SET into hashes and sketches that can be published.

    \b
    Example:  duologue audit index data/test -o test.index --without meaning
              duologue audit index data/demo --split test -o test.index

    TEST_SET is a corpus, or a folder, JSONL, Parquet or tar. docs/audit.md says what an index gives away.
    """
    with bar("indexing", None) as done:
        made = test_index.build(test_set, without=frozenset(without), split=split, progress=done)
    test_index.write(made, output)
    codes = sum(len(t.codes) // 8 for t in made.tracks)
    counts = {
        "items": len(made.items),
        "files": len(made.files),
        "fingerprints": codes,
        "texts": len(made.texts),
        "voices": len(made.voices),
        "canaries": len(made.canaries),
        "bytes": output.stat().st_size,
    }
    if as_json:
        import json

        click.echo(json.dumps({**counts, "parts": made.parts}, indent=1))
        return
    click.echo(", ".join(f"{n:,} {name}" for name, n in counts.items()))
    for part, said in made.parts.items():
        if said != "yes":
            click.echo(f"{part}: {said}")


@command.command()
@click.argument("training_data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--against", required=True, type=click.Path(exists=True, path_type=Path), help="The index of the test set."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the sounds to listen to.")
@click.option(
    "--test-set", type=click.Path(exists=True, path_type=Path), help="Lets the page play the test set's side too."
)
@click.option("--split", help="Of corpora only this split.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["fingerprints", "text", "meaning", "speakers"]),
    help="Leave this out; repeatable.",
)
def scan(
    training_data: tuple[Path, ...],
    against: Path,
    as_json: bool,
    html: Path | None,
    test_set: Path | None,
    split: str | None,
    workers: int,
    without: tuple[str, ...],
) -> None:
    """Compare TRAINING_DATA (folders, JSONL, Parquet, tar, Hugging Face folders, lists of SHA-256) with an index.

    \b
    Example:  duologue audit scan data/train shards/*.tar --against test.index --workers 8 --html leaks.html
              duologue audit scan data/demo --split train --against test.index

    Exit code 1 where leakage is found. What cannot be read is listed.
    """
    if split is not None:
        training_data = tuple(part for path in training_data for part in of_split(path, split))
    with bar("scanning", None) as done:
        audit = run(training_data, against, workers=workers, without=frozenset(without), progress=done)
    if html is not None:
        from duologue.report.audit_page import write

        write(audit, html, training_data, test_set)
    if as_json:
        click.echo(to_json(audit))
    else:
        _print(audit)
    sys.exit(1 if audit.leaked else 0)


def _print(audit: Audit) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if audit.findings:
        table = Table("level", "kind", "training data", "at", "test item", "at", "evidence")
        for f in audit.findings[:_SHOWN]:
            places = ("" if x is None else f"{x:g}" for x in (f.offset, f.item_offset))
            at, item_at = places
            table.add_row(
                f"[{_STYLE[f.level]}]{f.level}[/]",
                f.kind,
                escape(f.file),
                at,
                escape(f.item),
                item_at,
                escape(f.evidence),
            )
        console.print(table)
        if (more := len(audit.findings) - _SHOWN) > 0:
            console.print(f"and {more:,} more: --json lists all")
    stages = Table("stage", "amount", "unit", "CPU s", "per CPU s", "note")
    for s in audit.stages:
        rate = f"{s.amount / s.cpu_seconds:,.0f}" if s.cpu_seconds else ""
        stages.add_row(s.name, f"{s.amount:,.1f}", s.unit, f"{s.cpu_seconds:,.2f}", rate, escape(s.note))
    console.print(stages)
    for u in audit.unreadable[:_SHOWN]:
        console.print(f"[yellow]not compared[/] {escape(u.file)}: {escape(u.why)}")
    if (more := len(audit.unreadable) - _SHOWN) > 0:
        console.print(f"and {more:,} more were not compared: --json lists all")
    levels = ", ".join(f"{sum(f.level == level for f in audit.findings)} {level}" for level in _STYLE)
    console.print(f"{audit.scanned:,} parts scanned, {len(audit.unreadable):,} not compared; findings: {levels}")
