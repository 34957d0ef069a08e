"""``duologue scripts``: write the scripts of a recipe into a file, and check such a file."""

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
    """Write a recipe's scripts into a file to read, edit and check; build from it later.

    \b
    Example:  duologue scripts write my.yaml -o scripts.jsonl
              duologue scripts check scripts.jsonl
              duologue build my.yaml data/mine --scripts scripts.jsonl
    """


@command.command("write")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The file, JSON Lines.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Multiply every count of the recipe.")
@click.option("--voice", help="Plan for this voice in every language.")
@click.option("--report", type=click.Path(path_type=Path), help="What was refused and why, in full, as JSON Lines.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def write(recipe: Path, out: Path, scale: float, voice: str | None, report: Path | None, as_json: bool) -> None:
    """Write the script of every dialogue that RECIPE asks for; goes on with a file that is there.

    \b
    Example:  duologue scripts write recipes/demo.yaml -o scripts.jsonl
              duologue scripts write my-llm.yaml -o scripts.jsonl --report refused.jsonl
    """
    from duologue.corpus.write import write_atomic
    from duologue.generate.build import choose_voices
    from duologue.generate.recipe import read_recipe
    from duologue.generate.scripts.write_file import Refusal, write_file

    planned = read_recipe(recipe).scaled(scale)
    if voice:
        planned = msgspec.structs.replace(planned, voices=dict.fromkeys(planned.voices, voice))
    planned, voices, notices = choose_voices(planned)
    for notice in notices:
        click.echo(f"notice: {notice}", err=True)
    refused: list[Refusal] = []
    with bar("write", sum(c.count for c in planned.cells())) as advance:
        done = write_file(planned, voices, out, advance, refused.append)
    if report is not None:
        write_atomic(report, b"".join(msgspec.json.encode(r) + b"\n" for r in refused))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=1))
    else:
        click.echo(f"{done.path}: {done.written} scripts new, {done.kept} kept, {len(done.refused)} refused")
        for id, why in done.refused[:SHOWN]:
            click.echo(f"  {id}: {why}")
        if done.requests or any(done.tokens):
            prompt, completion = done.tokens
            cost = f", {done.usd:.2f} USD" if done.usd else ""
            click.echo(f"{done.requests} requests; in all {prompt:,} tokens in and {completion:,} out{cost}")
        if done.stopped:
            click.echo(f"stopped: {done.stopped}", err=True)
    sys.exit(1 if done.refused or done.stopped else 0)


@command.command("check")
@click.argument("scripts", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help='Print {"scripts": n, "findings": [...]}.')
def check(scripts: Path, as_json: bool) -> None:
    """List everything that is wrong in SCRIPTS; exit 0 if nothing is and 1 if anything is.

    \b
    Example:  duologue scripts check scripts.jsonl --json
    """
    from duologue.generate.scripts.check_file import check_file

    with bar("check", None) as advance:
        total, found = check_file(scripts, advance)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"scripts": total, "findings": found}), indent=1))
    else:
        console = Console(highlight=False)
        if found:
            table = Table("what", "file", "dialogue", "field", "value", "allowed")
            for f in found[:SHOWN]:
                cells = (f.message, f.file, f.dialogue, f.field, "" if f.value is None else str(f.value), f.allowed)
                table.add_row(*(escape("".join(c for c in cell if c.isprintable())[:100]) for cell in cells))
            console.print(table)
        more = f", {len(found) - SHOWN} not shown" if len(found) > SHOWN else ""
        console.print(f"{total} scripts: {len(found) or 'no'} finding{'' if len(found) == 1 else 's'}{more}")
    sys.exit(1 if found else 0)
