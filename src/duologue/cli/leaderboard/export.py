"""``duologue leaderboard export``: the board as CSV, JSON and a page."""

from __future__ import annotations

from pathlib import Path

import click

from duologue.cli.leaderboard import board_of
from duologue.corpus.write import write_atomic
from duologue.errors import UserError

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--csv", type=FILE, help="Write a line a place, for a spreadsheet.")
@click.option("--json", "as_json", type=FILE, help="Write standings and history.")
@click.option("--html", type=FILE, help="Write one page that needs no network.")
@click.option("--organiser", is_flag=True, help="Write what is not public too.")
@board_of.options(board_of.DB, board_of.CHALLENGE)
def command(
    csv: Path | None, as_json: Path | None, html: Path | None, organiser: bool, db: str, challenge: str
) -> None:
    """Write the board as everybody may see it.

    \b
    Example:  duologue leaderboard export --csv board.csv --json board.json --html board.html --db board.sqlite
    """
    if not (csv or as_json or html):
        raise UserError("nothing to write", mend="give --csv, --json or --html")
    board, now = board_of.board(db, challenge), board_of.now()
    from duologue.challenge.board.export import to_csv, to_json
    from duologue.challenge.board.standing import public_history, standings
    from duologue.report.leaderboard_page import render

    found = standings(board, now=now, public=not organiser)
    history = board.events() if organiser else public_history(board, now)
    if csv is not None:
        _write(csv, to_csv(found))
    if as_json is not None:
        _write(as_json, to_json(found, history))
    if html is not None:
        _write(html, render(found, history).encode())


def _write(path: Path, data: bytes) -> None:
    write_atomic(path, data)
    click.echo(f"wrote {path}", err=True)
