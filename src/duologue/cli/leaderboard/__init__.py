"""``duologue leaderboard``: rank the teams of a challenge; keep its board. One file a verb."""

from __future__ import annotations

from importlib import import_module

import click

# verb -> (file of this folder, name in it, one line of help)
VERBS = {
    "init": ("init", "command", "Open a board for a challenge."),
    "amend": ("init", "amend", "Announce a change: a later deadline, another phase."),
    "add": ("add", "command", "Submit a team's score card."),
    "resume": ("add", "resume", "Finish submissions that were left half-way."),
    "show": ("show", "command", "Show places, or the history."),
    "flag": ("decide", "flag", "Mark a submission as looked into."),
    "clear": ("decide", "clear", "Take a mark back."),
    "disqualify": ("decide", "disqualify", "Take a submission out of the ranking."),
    "reinstate": ("decide", "reinstate", "Take a disqualification back."),
    "withdraw": ("withdraw", "command", "Take items out and rescore everybody."),
    "freeze": ("freeze", "command", "Fix the delay anchors."),
    "reveal": ("reveal", "command", "Make a hidden phase's scores public."),
    "export": ("export", "command", "Write the board as CSV, JSON and a page."),
    "verify": ("verify", "command", "Check that nothing was changed."),
    "compute": ("compute", "command", "Rank the teams of a table, without a board."),
    "rank": ("rank", "command", "Rank submissions to track 1 by their cards, without a board."),
}


class _Verbs(click.Group):
    """Loads a verb when it is called: a board needs SQLAlchemy, the rest does not."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        file, attribute, _ = VERBS[name]
        found: click.Command = getattr(import_module(f"duologue.cli.leaderboard.{file}"), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, help) for name, (_, _, help) in VERBS.items()])


@click.group(cls=_Verbs)
def command() -> None:
    """Rank the teams of a challenge; keep its board.

    \b
    Examples:  duologue leaderboard init challenge.yaml --db board.sqlite
               duologue leaderboard add card.json --team "Team A" --phase dev --db board.sqlite
               duologue leaderboard show --db board.sqlite
               duologue leaderboard compute duplex teams.csv

    The board's database is given by --db or DUOLOGUE_BOARD: a file, or an SQLAlchemy URL, whose password may be in
    DUOLOGUE_DB_PASSWORD. Who decides is given by --by or DUOLOGUE_BY.
    """
