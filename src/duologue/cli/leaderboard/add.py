"""``duologue leaderboard add`` and ``resume``: cards in, scores out."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.cli.leaderboard import board_of
from duologue.errors import UserError


@click.command()
@click.argument("card", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--team", required=True)
@click.option("--phase", required=True)
@click.option("--received", help='When the team handed in, if not now: "2027-03-01 23:59 AoE".')
@board_of.options(board_of.DB, board_of.CHALLENGE)
@click.option("--by", envvar="DUOLOGUE_BY", default="organiser", show_default=True, help="Who takes it in.")
@click.option("--json", "as_json", is_flag=True, help="Print the submission as JSON.")
def command(
    card: Path, team: str, phase: str, received: str | None, db: str, challenge: str, by: str, as_json: bool
) -> None:
    """Submit a team's CARD, the file of "duologue score ... --json".

    The same command again goes on where a killed one stopped, and uses no more of the quota.

    \b
    Example:  duologue leaderboard add card.json --team "Team A" --phase dev --db board.sqlite
    """
    board = board_of.board(db, challenge)
    from duologue.challenge.board.database import LARGEST
    from duologue.challenge.board.moment import parse_moment

    try:
        if card.stat().st_size > LARGEST:
            raise UserError("too large a card", where=str(card), allowed=f"up to {LARGEST} bytes")
        data = card.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(card)) from None
    arrived = parse_moment(received) if received else None
    found = board.add(data, team=team, phase=phase, by=by, now=board_of.now(), received=arrived)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    figures = ", ".join(f"{k} {'-' if v is None else f'{v:g}'}" for k, v in (found.parts or {}).items())
    click.echo(f"{found.id}, {found.team}: {found.state}; {figures}")
    if found.state == "flagged":
        click.echo(f"note: {found.decision.rule}: {found.decision.evidence}", err=True)


@click.command()
@board_of.options(board_of.DB, board_of.CHALLENGE)
@click.option("--json", "as_json", is_flag=True, help="Print the submissions as JSON.")
def resume(db: str, challenge: str, as_json: bool) -> None:
    """Finish every submission that a killed process left half-way.

    \b
    Example:  duologue leaderboard resume --db board.sqlite
    """
    done = board_of.board(db, challenge).resume(now=board_of.now())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=1))
        return
    for s in done:
        click.echo(f"{s.id}, {s.team}: {s.state}")
    click.echo(f"{len(done)} finished")
