"""A process that works on a board: python board_worker.py URL WHAT ARGUMENTS. It says what it does, line by line."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from duologue.challenge.board.board import Board
from duologue.challenge.board.database import Database, url_of
from duologue.errors import UserError

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def main() -> None:
    url, what, *arguments = sys.argv[1:]
    database = Database(url_of(url))
    board = Board.open(database)
    if what == "stop-at":
        # Stands still, in the middle of whatever it is doing, when it is about to write this.
        table, kind, card, team = arguments
        sa.event.listen(database.engine, "before_cursor_execute", _stop(table, kind))
        board.add(Path(card).read_bytes(), team=team, phase="dev", by="desk", now=NOON)
        return
    go, cards, team = Path(arguments[0]), arguments[1].split(","), arguments[2]
    print("ready", flush=True)
    while not go.exists():
        time.sleep(0.005)
    for card in cards:
        try:
            print(board.add(Path(card).read_bytes(), team=team, phase="dev", by="desk", now=NOON).id, flush=True)
        except UserError as error:
            print(f"refused: {error.message}", flush=True)


def _stop(table: str, kind: str):  # type: ignore[no-untyped-def]
    def before(connection, cursor, statement, parameters, context, many):  # type: ignore[no-untyped-def]
        row = parameters[0] if many else parameters
        values = row.values() if isinstance(row, dict) else row
        if statement.startswith(f"INSERT INTO {table}") and (not kind or kind in list(values)):
            print("standing still", flush=True)
            time.sleep(600)

    return before


main()
