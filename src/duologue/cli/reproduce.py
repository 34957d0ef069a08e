"""``duologue reproduce``: build a corpus again and say what came out equal."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar
from duologue.corpus.manifest import read_manifest
from duologue.errors import UserError
from duologue.generate.reproduce import Reproduction, remote_parts, reproduce
from duologue.protect.key import read_key

SHOWN = 20


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(1), help="Make only so many dialogues again, chosen by their ids.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option("--noise-folder", default="", help="The noise recordings that it was built with.")
@click.option("--scripts", default="", help="The file of scripts that it was built with.")
@click.option(
    "--cache",
    multiple=True,
    metavar="[PART=]FOLDER",
    help="Where the answers of its remote parts lie, or those of one; give it again for another.",
)
@click.option(
    "--option",
    multiple=True,
    metavar="PART.NAME=VALUE",
    help="An option of the building machine that the corpus does not keep, such as recordings.manifest=sheets.",
)
@click.option("--seal-key", type=click.Path(path_type=Path), help="The key that its test split was drawn from.")
@click.option("--json", "as_json", is_flag=True, help="Print what was compared as JSON.")
def command(
    corpus: Path,
    sample: int | None,
    workers: int,
    noise_folder: str,
    scripts: str,
    cache: tuple[str, ...],
    option: tuple[str, ...],
    seal_key: Path | None,
    as_json: bool,
) -> None:
    """Build CORPUS again from its own recipe, beside it, and compare every dialogue and audio file.

    Exit 0 where all came out equal, to the byte, and 1 otherwise. The corpus is not touched, and no server is asked:
    what a remote part once gave is taken from its cache.

    \b
    Example:  duologue reproduce data/demo --workers 2
              duologue reproduce data/duplex --sample 50 --json
              duologue reproduce data/mine --cache openai=voices/ --cache llm=scripts/
    """
    secret = None
    if seal_key is not None:
        key, warnings = read_key(seal_key)
        secret = key.derive("recipe seeds")
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
    total = read_manifest(corpus).totals.dialogues
    with (
        tempfile.TemporaryDirectory(prefix="duologue-reproduce-") as scratch,
        bar("make again", sample or total) as done,
    ):
        found = reproduce(
            corpus,
            scratch,
            sample=sample,
            workers=workers,
            noise_folder=noise_folder,
            scripts=scripts,
            local=_local(corpus, cache, option),
            seal_key=secret,
            advance=done,
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        _print(found)
    sys.exit(0 if found.reproduced else 1)


def _local(corpus: Path, caches: Sequence[str], options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Options by part, as --cache and --option give them; a cache without a part's name is that of all remote parts."""
    found: dict[str, dict[str, Any]] = {}
    remote = remote_parts(corpus)
    for given in caches:
        part, named, folder = given.partition("=")
        if named and not part.isidentifier():
            part, named, folder = "", "", given
        for name in (part,) if named else remote:
            found.setdefault(name, {})["cache"] = folder if named else given
    for given in options:
        place, _, value = given.partition("=")
        part, _, name = place.partition(".")
        if not name or not value:
            raise UserError("not an option", field="--option", value=given, allowed="PART.NAME=VALUE")
        found.setdefault(part, {})[name] = value
    return found


def _print(found: Reproduction) -> None:
    console = Console(highlight=False)
    if found.parts:
        table = Table("part", "corpus", "here", title="Parts that differ")
        for p in found.parts:
            table.add_row(escape(p.name), escape(p.corpus or "none"), escape(p.here or "none"))
        console.print(table)
    if found.remote:
        console.print(f"taken from caches, no server asked: {', '.join(found.remote)}")
    if found.differences:
        table = Table("dialogue", "outcome", "fields", "files", title="Dialogues that differ")
        for d in found.differences[:SHOWN]:
            files = "; ".join(f"{k} {v}" for k, v in d.files.items())
            table.add_row(escape(d.id), d.outcome, ", ".join(d.fields) or escape(d.why), escape(files))
        console.print(table)
        if len(found.differences) > SHOWN:
            console.print(f"... {len(found.differences) - SHOWN} more; --json has them all")
    console.print(
        f"{found.compared} of {found.dialogues} dialogues made again: {found.equal} equal to the byte, "
        f"{found.close} close, {found.compared - found.equal - found.close} not; "
        f"{found.equal_files} of {found.files} audio files equal"
    )
