"""``duologue leaderboard verify``: is the history as it was written?"""

from __future__ import annotations

import click

from duologue.cli.leaderboard import board_of


@click.command()
@click.option("--head", default="", help="A digest that was published earlier: it has to be in the history.")
@board_of.options(board_of.DB, board_of.CHALLENGE)
def command(head: str, db: str, challenge: str) -> None:
    """Check the chain of digests, the cards, the items, and that every figure follows from them; exit 1 if not.

    \b
    Example:  duologue leaderboard verify --head 3f1c... --db board.sqlite
    """
    board = board_of.board(db, challenge)
    found = board.verify(head)
    for line in found:
        click.echo(line)
    if found:
        raise click.exceptions.Exit(1)
    view = board.view()
    click.echo(f"{view.seq} entries, as they were written; the last has the digest {view.head}")
