"""``duologue leaderboard rank``: submissions to track 1 against each other."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console


@click.command()
@click.argument("scores", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print ranks, paired differences and p values as JSON.")
def command(scores: tuple[Path, ...], as_json: bool) -> None:
    """Rank submissions to track 1 by their SCORES, files of "duologue score ... --json", with rank intervals.

    \b
    Example:  duologue leaderboard rank team-a.json team-b.json team-c.json
    """
    from duologue.challenge.emotion_ranking import rank_submissions, read_scores

    found = rank_submissions(read_scores(scores))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    from duologue.report.ranking_text import ranking

    Console(highlight=False).print(ranking(found))
