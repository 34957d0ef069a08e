"""``duologue leaderboard init`` and ``amend``: what the organiser announces."""

from __future__ import annotations

from pathlib import Path

import click

from duologue.cli.leaderboard import board_of

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("challenge", type=FILE)
@board_of.options(board_of.DB, board_of.BY)
def command(challenge: Path, db: str, by: str) -> None:
    """Open a board for the CHALLENGE of a YAML file (docs/leaderboard.md lists its keys).

    \b
    Example:  duologue leaderboard init challenge.yaml --db board.sqlite --by "The organisers"
    """
    database = board_of.database(db)
    from duologue.challenge.board.board import Board
    from duologue.challenge.board.challenge import read_challenge

    board = Board.create(database, read_challenge(challenge), by=by, now=board_of.now())
    click.echo(f"opened {board.challenge} in {database.shown}")
    if not database.guarded:
        click.echo("note: no triggers guard this kind of database; the chain of digests still shows a change", err=True)


@click.command()
@click.argument("challenge", type=FILE)
@board_of.options(board_of.DB, board_of.BY)
@click.option("--why", required=True, help="The reason, kept in the history.")
def amend(challenge: Path, db: str, by: str, why: str) -> None:
    """Announce a change: the CHALLENGE file as it is from now on. Scores that stand cannot be changed by it.

    \b
    Example:  duologue leaderboard amend challenge.yaml --why "deadline moved by a week" --by "The organisers"
    """
    from duologue.challenge.board.challenge import read_challenge

    found = read_challenge(challenge)
    board_of.board(db, found.name).amend(found, why=why, by=by, now=board_of.now())
    click.echo(f"amended {found.name}")
