"""``duologue build``: a recipe in, a corpus out."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.generate.build import BuildReport, build
from duologue.generate.progress import Bar
from duologue.generate.recipe import read_recipe
from duologue.protect.key import read_key


@click.command(
    epilog="Example:  duologue build recipes/emotion.yaml data/emotion --scale 0.1 --workers 4",
    context_settings={"show_default": True},
)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core]", show_default=False)
@click.option("--scale", type=float, default=1.0, help="Multiply every count; none falls below 1.")
@click.option(
    "--voice", default="", metavar="VOICE", help="Use this voice for every language, whatever the recipe says."
)
@click.option("--fallback-voice", default="", metavar="VOICE", help="Use this voice where one is not installed.")
@click.option(
    "--scripts", type=click.Path(path_type=Path), metavar="FILE", help="Speak these scripts, see scripts write."
)
@click.option(
    "--seal-key", type=click.Path(path_type=Path), metavar="KEYFILE", help="Draw the test split from this key's secret."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    recipe: Path,
    out: Path,
    workers: int | None,
    scale: float,
    voice: str,
    fallback_voice: str,
    scripts: Path | None,
    seal_key: Path | None,
    as_json: bool,
) -> None:
    """Build the corpus of RECIPE in folder OUT.

    Run it again after an interruption: it goes on where it was and gives the same bytes. With raised counts it
    adds to what is there. With --seal-key the recipe alone cannot build the same test split: that needs the key, too,
    which 'duologue seal --new-key --key KEYFILE' makes.
    """
    planned = read_recipe(recipe).scaled(scale)
    if voice:
        planned = msgspec.structs.replace(planned, voices=dict.fromkeys(planned.voices, voice))
    if scripts is not None:
        planned = msgspec.structs.replace(planned, scripts=str(scripts))
    secret = None
    if seal_key is not None:
        key, warnings = read_key(seal_key)
        secret = key.derive("recipe seeds")
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
    report = build(planned, out, workers=workers, progress=Bar(), fallback_voice=fallback_voice, seal_key=secret)
    for notice in report.notices:
        click.echo(f"notice: {notice}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
    else:
        click.echo(summary(report))


def summary(report: BuildReport) -> str:
    """The report in a few lines."""
    made = f"{report.made} new" if report.made < report.dialogues else "all new"
    lines = [
        f"{report.name}: {report.dialogues} dialogues ({made}), {report.seconds / 3600:.2f} h in {report.path}",
        f"{report.wall_s:.1f} s with {report.workers} workers, {report.cpu_s:.1f} s of CPU, "
        f"{report.made_seconds / report.wall_s:.1f}x real time, peak {report.peak_bytes / 2**20:.0f} MB a worker",
        f"corpus {report.sha256}",
    ]
    if report.retried:
        lines.insert(2, f"workers died and their dialogues were made again: {', '.join(report.retried)}")
    return "\n".join(lines)
