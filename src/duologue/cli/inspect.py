"""``duologue inspect``: how good a corpus is, in figures, with the worst items to listen to."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.cli.progress import bar
from duologue.corpus.dialogue import SPLITS
from duologue.corpus.read import Corpus
from duologue.corpus.write import write_atomic
from duologue.inspect.figures import Inspection
from duologue.inspect.heard import PARTS
from duologue.inspect.inspect import inspect
from duologue.inspect.offsets import measured
from duologue.report.inspect_text import plain


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with figures and sound.")
@click.option("--sample", type=click.IntRange(min=0), default=60, show_default=True, help="Dialogues to hear.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which dialogues, and the intervals.")
@click.option("--split", type=click.Choice(SPLITS), help="This split alone.")
@click.option("--language", help="This language alone.")
@click.option(
    "--meetings",
    type=click.Path(path_type=Path, exists=True),
    help="RTTM of real talk to compare the timing with, a file or a folder; default: published figures of AMI.",
)
@click.option("--skip", type=click.Choice(PARTS), multiple=True, help="Leave a part out.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of the recogniser.")
def command(
    corpus: Path,
    as_json: bool,
    html: Path | None,
    sample: int,
    seed: int,
    split: str | None,
    language: str | None,
    meetings: Path | None,
    skip: tuple[str, ...],
    threads: int,
) -> None:
    """How good CORPUS is: words read back, voices, quality, level, timing, feeling, wording; the worst items first.

    \b
    Example:  duologue inspect data/demo --html inspect.html --sample 40
    """
    opened = Corpus(corpus, split=split, language=language)
    real = measured(meetings) if meetings is not None else None
    size = len(opened)
    with bar("inspect", 2 * size + min(sample, size)) as done:
        found = inspect(
            opened,
            sample=sample,
            seed=seed,
            real=real,
            skip=skip,
            threads=threads,
            filters={k: v for k, v in (("split", split), ("language", language)) if v is not None},
            read=lambda: done(1),
            heard=lambda: done(1),
        )
    if html is not None:
        from duologue.report.inspect_page import render

        write_atomic(html, render(opened, found).encode())
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _print(found)


def _print(found: Inspection) -> None:
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    console.print(
        f"[bold]{escape(found.name)}[/]  {found.dialogues} dialogues, {found.seconds / 3600:.2f} h; heard "
        f"{found.sample} of them, seed {found.seed}; intervals 95%\ncorpus {found.corpus_sha256}"
    )
    for group, figures in groupby(found.figures, key=lambda f: f.group):
        table = Table(group, "of", "value", "interval", "n", title_justify="left")
        table.columns[1].overflow = "fold"
        for f in figures:
            if f.missing:
                table.add_row(escape(f.name), escape(f.of), "–", escape(f.missing), "")
            else:
                value, interval = plain(f)
                table.add_row(escape(f.name), escape(f.of), value, interval, escape(f"{f.n} {f.counted}"))
        console.print(table)
    for worst in found.worst:
        table = Table(worst.name, "turn", "value", "what", title_justify="left")
        for x in worst.items:
            said = f"{x.text} → {x.heard}" if x.heard else x.text or x.note
            turn = "" if x.turn is None else str(x.turn)
            table.add_row(escape(x.dialogue), turn, f"{x.value:g} {x.unit}", escape(said[:90]))
        console.print(table)
