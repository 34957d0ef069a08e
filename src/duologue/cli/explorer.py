"""``duologue explorer``: a corpus, or a sample of it, as one HTML file to search, hear and read offline."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.cli.progress import bar
from duologue.corpus.read import open as open_corpus
from duologue.corpus.write import write_atomic


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The HTML file to write."
)
@click.option("--sample", type=click.IntRange(1), default=200, show_default=True, help="Dialogues to show, at most.")
@click.option("--split", help="Only this split: train, dev, test or unassigned.")
@click.option("--language", help="Only dialogues of this main language.")
@click.option("--track", help="Only this track: emotion or duplex.")
@click.option("--scenario", help="Only this scenario.")
@click.option("--max-mb", type=click.FloatRange(0.1), default=50.0, show_default=True, help="Largest file, in MB.")
@click.option("--json", "as_json", is_flag=True, help="Print what the file holds as JSON.")
def command(
    corpus: Path,
    out: Path,
    sample: int,
    split: str | None,
    language: str | None,
    track: str | None,
    scenario: str | None,
    max_mb: float,
    as_json: bool,
) -> None:
    """Write CORPUS, or a sample of it, as one HTML file that a browser opens without a network.

    \b
    Example:  duologue explorer data/demo -o explorer.html
              duologue explorer data/demo -o zh.html --language zh --split test --max-mb 20

    The sample takes an equal share of every kind of dialogue and is the same every time.
    """
    from duologue.report.explorer.page import render
    from duologue.report.explorer.sample import sample as choose

    filters = {"split": split, "language": language, "track": track, "scenario": scenario}
    opened = open_corpus(corpus, split=split, language=language, track=track, scenario=scenario)
    with bar("choosing", None) as done:
        ids = choose(opened, sample, done)
    with bar("writing", 2 * len(ids)) as done:
        page, shown = render(
            opened,
            ids,
            filters={k: v for k, v in filters.items() if v},
            max_bytes=round(max_mb * 1e6),
            progress=done,
        )
    write_atomic(out, page)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=1))
        return
    click.echo(f"{shown.shown} of {shown.total} dialogues, {shown.heard} with sound ({shown.codec})")
    if shown.chosen > shown.shown:
        click.echo(f"left out for want of room: {shown.chosen - shown.shown} dialogues; raise --max-mb")
    if shown.silent:
        click.echo(f"without sound, for want of room or a sound file: {shown.silent}")
    if shown.cut:
        click.echo(f"longer than can be heard here, and cut: {shown.cut}")
    click.echo(f"wrote {out} ({shown.bytes / 1e6:.1f} MB)", err=True)
