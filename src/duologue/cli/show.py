"""``duologue show``: one dialogue as text and as a picture."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from duologue.report.nearest import find
from duologue.report.transcript import transcript


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("id")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into this file (.png, .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def command(corpus: Path, id: str, png: Path | None, as_json: bool) -> None:
    """Show dialogue ID of CORPUS: turns, times, feelings, causes, events; as a picture with --png.

    \b
    Example:  duologue show data/demo 4f21c0 --png dialogue.png

    The beginning of an id is enough where only one dialogue begins so.
    """
    item = find(corpus, id)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(item.dialogue), indent=1))
    else:
        Console(highlight=False).print(transcript(item.dialogue))
    if png is not None:
        from duologue.report.timeline import draw

        for warning in draw(item, png):
            click.echo(f"note: {warning}", err=True)
        click.echo(f"wrote {png}", err=True)
