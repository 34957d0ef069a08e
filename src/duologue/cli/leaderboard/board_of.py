"""What the verbs of a board share: its options, and opening it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from duologue.errors import MissingPartError

if TYPE_CHECKING:
    from duologue.challenge.board.board import Board
    from duologue.challenge.board.database import Database

DB = click.option(
    "--db", envvar="DUOLOGUE_BOARD", default="board.sqlite", show_default=True, help="File or SQLAlchemy URL."
)
CHALLENGE = click.option("--challenge", default="", help="Which, where the database has several boards.")
BY = click.option("--by", envvar="DUOLOGUE_BY", required=True, help="Who decides.")


def options(*those: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options in the order in which help lists them."""

    def add(f: Any) -> Any:
        for option in reversed(those):
            f = option(f)
        return f

    return add


def database(db: str) -> Database:
    """The database that ``--db`` names."""
    try:
        from duologue.challenge.board.database import Database, url_of
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise MissingPartError("a board needs SQLAlchemy", mend="pip install 'duologue[board]'") from None
    return Database(url_of(db))


def board(db: str, challenge: str) -> Board:
    """The board that ``--db`` and ``--challenge`` name."""
    opened = database(db)
    from duologue.challenge.board.board import Board

    return Board.open(opened, challenge)


def now() -> datetime:
    """The clock, read once a command."""
    return datetime.now(UTC)
