"""``duologue leaderboard compute``: totals and ranks of a table of teams."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duologue.challenge.emotion_leaderboard import EmotionRank, compute_emotion, read_emotion
from duologue.challenge.leaderboard import Anchors, DuplexRank, anchors_of, compute_duplex, read_duplex
from duologue.score.profiles.humdial2026.rounding import round_half_up


@click.group()
def command() -> None:
    """Compute a track's totals and ranks from its teams' scores.

    \b
    Examples:  duologue leaderboard compute duplex teams.csv --json
               duologue leaderboard compute emotion teams.csv --json
    """


@command.command()
@click.argument("teams", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--slope", type=click.Choice(["40", "50"]), default="40", show_default=True, help="Points from Lmin to Lbase."
)
@click.option("--lmin", type=float, help="Delay that scores 100, in seconds.")
@click.option("--lbase", type=float, help="Delay that scores 100 - slope, in seconds.")
@click.option(
    "--anchors",
    type=click.Choice(["published", "teams"]),
    default="published",
    show_default=True,
    help="Where Lmin and Lbase come from if not given: 0.624 s and 2.531 s as published in 2026, or the fastest of the "
    "teams and the one named Baseline.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of {team, interruption, rejection, delay, ...}.")
def duplex(teams: Path, slope: str, lmin: float | None, lbase: float | None, anchors: Anchors, as_json: bool) -> None:
    """Rank the TEAMS of track 2: a CSV with the columns team,int_zh,int_en,rej_zh,rej_en,delay or team,int,rej,delay.

    \b
    Example:  duologue leaderboard compute duplex teams.csv --json
              duologue leaderboard compute duplex teams.csv --anchors teams --slope 50
    """
    rows = read_duplex(teams)
    ranks = compute_duplex(rows, slope=float(slope), lmin=lmin, lbase=lbase, anchors=anchors)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(ranks), indent=2))
        return
    _print(ranks)
    low, base = anchors_of(rows, lmin=lmin, lbase=lbase, anchors=anchors)
    click.echo(f"delay score: 100 at {low:g} s, {100 - int(slope)} at {base:g} s")


@command.command()
@click.argument("teams", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print a list of {team, zh, en, total, rank}.")
def emotion(teams: Path, as_json: bool) -> None:
    """Rank the TEAMS of track 1: a CSV with a line a team and language.

    Its columns are team,lang,t1_d1,t1_d2,t1_d3 (or t1),t2_d1,t2_d2,t2_d3 (or t2),t3_d1,t3_d2,t3_d3; lang is zh or en,
    scores are 1 to 5.

    \b
    Example:  duologue leaderboard compute emotion teams.csv --json
    """
    ranks = compute_emotion(read_emotion(teams))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(ranks), indent=2))
    else:
        _print_emotion(ranks)


def _print_emotion(ranks: list[EmotionRank]) -> None:
    table = Table("rank", "team", "zh", "en", "total")
    for column in (0, 2, 3, 4):
        table.columns[column].justify = "right"
    for r in ranks:
        scores = ("-" if x is None else f"{round_half_up(x, 3):.3f}" for x in (r.zh, r.en, r.total))
        table.add_row("-" if r.rank is None else str(r.rank), escape(r.team), *scores)
    Console(highlight=False).print(table)


def _print(ranks: list[DuplexRank]) -> None:
    table = Table("rank", "team", "Int", "Rej", "delay, s", "delay score", "total")
    for column in (0, 2, 3, 4, 5, 6):
        table.columns[column].justify = "right"
    for r in ranks:
        table.add_row(
            str(r.rank),
            escape(r.team),
            f"{r.interruption:g}",
            f"{r.rejection:g}",
            f"{r.delay:.3f}",
            f"{round_half_up(r.delay_score, 1):.1f}",
            f"{r.total:.1f}",
        )
    Console(highlight=False).print(table)
