"""``duologue leaderboard withdraw``: items out of a phase, and everybody rescored."""

from __future__ import annotations

import click
import msgspec

from duologue.cli.leaderboard import board_of


@click.command()
@click.argument("phase")
@click.argument("items", nargs=-1, required=True)
@click.option("--why", required=True, help="What is wrong with them.")
@click.option("--restore", is_flag=True, help="Take them back in.")
@board_of.options(board_of.BY, board_of.DB, board_of.CHALLENGE)
@click.option("--json", "as_json", is_flag=True, help="Print the figures before and after as JSON.")
def command(
    phase: str, items: tuple[str, ...], why: str, restore: bool, by: str, db: str, challenge: str, as_json: bool
) -> None:
    """Take ITEMS (or whole dialogues) out of PHASE and compute every submission's figures anew.

    \b
    Example:  duologue leaderboard withdraw dev zh_0001_0007 --why "the reference is wrong" --by "A. Chair"
    """
    board = board_of.board(db, challenge)
    changed = board.withdraw(phase, items, why=why, by=by, now=board_of.now(), restore=restore)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(changed), indent=1))
        return
    for id, (before, after) in changed.items():
        moved = "; ".join(f"{k} {_number(v)} -> {_number(after[k])}" for k, v in before.items())
        click.echo(f"{id}: {moved}")


def _number(x: float | None) -> str:
    return "-" if x is None else f"{x:.6g}"
