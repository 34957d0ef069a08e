"""``duologue shortcuts``: try to guess labels from artefacts of the construction."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from duologue.cli.progress import bar
from duologue.corpus.read import open as open_corpus
from duologue.shortcuts.search import Search, search

_STYLE = {"shortcut": "bold red", "ok": "green", "listed": "yellow", "reported": "dim", "too few": "dim"}


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--sample", default=800, show_default=True, help="Dialogues to look at, at most.")
@click.option("--permutations", type=click.IntRange(999), default=999, show_default=True, help="Permutations a test.")
@click.option("--seed", default=0, show_default=True, help="Chooses the sample, the folds and the permutations.")
@click.option("--language", help="Only dialogues of this language.")
@click.option("--track", help="Only this track: emotion or duplex.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
def command(
    corpus: Path, sample: int, permutations: int, seed: int, language: str | None, track: str | None, as_json: bool
) -> None:
    """Try to guess scenario, action, emotion, twin side and split of CORPUS from what should not tell them.

    \b
    Example:  duologue shortcuts data/demo

    Exit code 1 where a shortcut is found that no reason excuses. Words and the course of energy are reported only.
    """
    opened = open_corpus(corpus, language=language, track=track)
    with bar("listening", min(sample, len(opened))) as done:
        found = search(opened, sample=sample, permutations=permutations, seed=seed, progress=lambda: done(1))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        _print(found)
    sys.exit(1 if found.shortcuts else 0)


def _print(found: Search) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    table = Table("target", "guessed from", "n", "labels", "accuracy", "chance", "p", "p (Holm)", "verdict", "reason")
    for t in found.trials:
        verdict = f"[{_STYLE[t.verdict]}]{t.verdict}[/]"
        if t.guess is None:
            table.add_row(t.target, t.clues, "", "", "", "", "", "", verdict, "")
            continue
        g = t.guess
        holm = "" if t.p_holm is None else f"{t.p_holm:.3f}"
        figures = (f"{g.n}", f"{g.labels}", f"{g.accuracy:.2f}", f"{g.chance:.2f}", f"{g.p:.3f}", holm)
        table.add_row(t.target, t.clues, *figures, verdict, t.reason)
    console.print(table)
    console.print(
        f"{found.sampled} of {found.dialogues} dialogues, {found.twins} twins, {found.permutations} permutations; "
        "accuracy and chance are balanced over the labels"
    )
    for t in found.shortcuts:
        console.print(f"shortcut: {t.target} from {t.clues}", style="bold red")
