"""``duologue leaderboard flag``, ``clear``, ``disqualify`` and ``reinstate``: decisions on a submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from duologue.cli.leaderboard import board_of

if TYPE_CHECKING:
    from duologue.challenge.board.event import Kind

_SHARED = board_of.options(
    click.argument("submission"),
    click.option("--rule", required=True, help="The rule that is applied."),
    click.option("--evidence", required=True, help="What was seen, and where it lies."),
    board_of.BY,
    board_of.DB,
    board_of.CHALLENGE,
)


@click.command()
@_SHARED
def flag(submission: str, **o: str) -> None:
    """Mark SUBMISSION as looked into. It keeps its place until it is cleared or disqualified.

    \b
    Example:  duologue leaderboard flag dev-3 --rule "test data leakage" --evidence audit.html --by "A. Chair"
    """
    _decide("flagged", submission, **o)


@click.command()
@_SHARED
def clear(submission: str, **o: str) -> None:
    """Take the mark of SUBMISSION back.

    \b
    Example:  duologue leaderboard clear dev-3 --rule "test data leakage" --evidence "a false alarm" --by "A. Chair"
    """
    _decide("cleared", submission, **o)


@click.command()
@_SHARED
def disqualify(submission: str, **o: str) -> None:
    """Take SUBMISSION out of the ranking.

    \b
    Example:  duologue leaderboard disqualify dev-3 --rule "test data leakage" --evidence audit.html --by "A. Chair"
    """
    _decide("disqualified", submission, **o)


@click.command()
@_SHARED
def reinstate(submission: str, **o: str) -> None:
    """Take the disqualification of SUBMISSION back; it has the state that it had before.

    \b
    Example:  duologue leaderboard reinstate dev-3 --rule "appeal" --evidence "mail of 3 May" --by "A. Chair"
    """
    _decide("reinstated", submission, **o)


def _decide(kind: Kind, submission: str, *, rule: str, evidence: str, by: str, db: str, challenge: str) -> None:
    board = board_of.board(db, challenge)
    found = board.decide(kind, submission, rule=rule, evidence=evidence, by=by, now=board_of.now())
    click.echo(f"{found.id}, {found.team}: {found.state}")
