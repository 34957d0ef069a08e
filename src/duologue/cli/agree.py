"""``duologue agree``: how far raters agree, and a judge with them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console


@click.command()
@click.argument("ratings", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print every coefficient, and each item's soft label, as JSON.")
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="A rater that is a model (repeat the option).")
@click.option("--resamples", type=click.IntRange(0, 100_000), default=1000, show_default=True, help="Bootstrap draws.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
def command(ratings: Path, as_json: bool, judges: tuple[str, ...], resamples: int, seed: int) -> None:
    """Agreement in RATINGS, a CSV: Krippendorff's alpha, ICC(2,k), weighted kappa of judge and raters, soft labels.

    Its columns are item,rater,value and, where there are any, dialogue,dimension,rater_type; or item,dialogue and a
    column for each rater. Intervals draw whole dialogues.

    \b
    Example:  duologue agree ratings.csv --judge judge-1 --json
    """
    from duologue.score.agreement import agree
    from duologue.score.ratings import read_ratings

    found = agree(read_ratings(ratings, judges), resamples=resamples, seed=seed)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    from duologue.report.agreement_text import agreement

    Console(highlight=False).print(agreement(found))
