"""``duologue leaderboard show``: places, or the history."""

from __future__ import annotations

import click
import msgspec
from rich.console import Console

from duologue.cli.leaderboard import board_of


@click.command()
@click.option("--history", is_flag=True, help="Show every entry: what was decided, when, by whom, on which evidence.")
@click.option("--organiser", is_flag=True, help="Show what is not public: hidden phases, why somebody is flagged.")
@click.option("--as-of", type=click.IntRange(1), help="Show the board as it was after this entry.")
@click.option("--intervals/--no-intervals", default=None, help="Intervals of totals and ranks [default: to 60 teams].")
@board_of.options(board_of.DB, board_of.CHALLENGE)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    history: bool,
    organiser: bool,
    as_of: int | None,
    intervals: bool | None,
    db: str,
    challenge: str,
    as_json: bool,
) -> None:
    """Show who stands where, phase by phase.

    \b
    Examples:  duologue leaderboard show --db board.sqlite
               duologue leaderboard show --history --organiser --json
    """
    board, now = board_of.board(db, challenge), board_of.now()
    from duologue.challenge.board.standing import public_history, standings
    from duologue.report.board_text import history as history_text
    from duologue.report.board_text import standings as standings_text

    if history:
        events = board.events() if organiser else public_history(board, now)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(events), indent=1))
        else:
            Console(highlight=False).print(history_text(events))
        return
    found = standings(board, now=now, public=not organiser, up_to=as_of, intervals=intervals)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        Console(highlight=False).print(standings_text(found))
