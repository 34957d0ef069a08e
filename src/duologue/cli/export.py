"""``duologue export``: write a corpus in another layout."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue import registry
from duologue.corpus import read
from duologue.errors import UserError
from duologue.formats.format import ExportOptions

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("format")
@click.argument("corpus", metavar="DIR", type=_PATH)
@click.argument("out", type=_PATH)
@click.option("--language", help="Only dialogues of this language.")
@click.option("--track", help="Only this track: emotion or duplex.")
@click.option("--scenario", help="Only this scenario.")
@click.option("--split", help="Only this split.")
@click.option("--answers", is_flag=True, help="Write the answers of the test split too.")
@click.option("--key", type=_PATH, help="Write what joins the shuffled test set to its answers, outside OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    format: str,
    corpus: Path,
    out: Path,
    language: str | None,
    track: str | None,
    scenario: str | None,
    split: str | None,
    answers: bool,
    key: Path | None,
    as_json: bool,
) -> None:
    """Write the corpus DIR into the folder OUT in another layout.

    \b
    huggingface  Parquet with audio, and a data card      lhotse    manifests and Shar
    webdataset   tar files                                croissant JSON-LD beside the files that it describes
    textgrid     Praat, with the sound                    rttm      speaker segments, UEM, with the sound
    humdial      the challenge's own folders

    \b
    Examples:
      duologue export huggingface data/demo hub --split train
      duologue export lhotse data/demo manifests
      duologue export humdial data/demo out --key demo-key.jsonl

    Without --answers the test split stays behind; humdial writes it as participants get it: no emotions, no replies,
    track 2 shuffled.
    """
    opened = read.open(corpus, language=language, track=track, scenario=scenario, split=split)
    module = registry.load("formats", format)
    if not hasattr(module, "export"):
        raise UserError("this format is only imported", field="format", value=format)
    report = module.export(opened, out, ExportOptions(answers=answers, key=key))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
        return
    for place, count in report.written.items():
        click.echo(f"{place}: {count} dialogues")
    for why, count in report.left_out.items():
        click.echo(f"left out: {count} {why}")
    for note in report.notes:
        click.echo(f"warning: {note}", err=True)
    click.echo(f"{out}: {report.files} files")
