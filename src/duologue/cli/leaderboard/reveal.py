"""``duologue leaderboard reveal``: make a hidden phase public."""

from __future__ import annotations

import click

from duologue.cli.leaderboard import board_of


@click.command()
@click.argument("phase")
@click.option("--why", default="the results are announced", show_default=True)
@board_of.options(board_of.BY, board_of.DB, board_of.CHALLENGE)
def command(phase: str, why: str, by: str, db: str, challenge: str) -> None:
    """Make the scores of the hidden PHASE public.

    \b
    Example:  duologue leaderboard reveal final --by "A. Chair" --db board.sqlite
    """
    board_of.board(db, challenge).reveal(phase, why=why, by=by, now=board_of.now())
    click.echo(f"{phase} is public")
