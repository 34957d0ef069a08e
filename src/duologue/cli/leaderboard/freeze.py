"""``duologue leaderboard freeze``: fix the delay anchors."""

from __future__ import annotations

import click

from duologue.cli.leaderboard import board_of


@click.command()
@click.argument("phase")
@click.option("--why", default="the phase is over", show_default=True)
@click.option("--again", is_flag=True, help="Anchors that are frozen already are frozen anew.")
@board_of.options(board_of.BY, board_of.DB, board_of.CHALLENGE)
def command(phase: str, why: str, again: bool, by: str, db: str, challenge: str) -> None:
    """Fix the delay anchors of PHASE as the teams make them now: later teams change no earlier score.

    \b
    Example:  duologue leaderboard freeze final --by "A. Chair" --db board.sqlite
    """
    found = board_of.board(db, challenge).freeze(phase, why=why, by=by, now=board_of.now(), again=again)
    click.echo(f"frozen: delay score 100 at {found.lmin:g} s, {100 - found.slope:g} at {found.lbase:g} s")
