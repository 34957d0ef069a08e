"""``duologue import``: bring recordings or another layout into a corpus."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from duologue import registry
from duologue.formats.format import KINDS, ImportReport, options_of

_PATH = click.Path(path_type=Path)


def _common(f: Callable[..., None]) -> Callable[..., None]:
    for decorate in reversed(
        (
            click.argument("src", type=_PATH),
            click.argument("out", metavar="DIR", type=_PATH),
            click.option("--licence", default="", help="Licence of the recordings, an SPDX expression."),
            click.option("--consent", default="", help="Id of the record of the speakers' consent."),
            click.option("--source-url", default="", help="Where the recordings come from."),
            click.option("--holder", default="", help="Who holds the rights, where there is no address."),
            click.option("--kind", default="", help=f"Who speaks: {', '.join(KINDS)}."),
            click.option("--language", default="", help="en or zh, where nothing else says it."),
            click.option("--rate", default=None, help="Sample rate in Hz, or 'keep' for each recording's own."),
            click.option("--channels", type=click.Choice(["keep", "mix"]), default="keep", show_default=True),
            click.option("--keep-clipped", is_flag=True, help="Take clipped recordings as they are."),
            click.option("--skip-bad", is_flag=True, help="Write what is sound; list every item left out."),
            click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        )
    ):
        f = decorate(f)
    return f


@click.group(no_args_is_help=True)
def command() -> None:
    """Bring recordings or another layout into a corpus.

    \b
    Examples:
      duologue import folder clips data/acted --manifest clips/labels.csv --language en --kind acted \\
          --licence CC-BY-NC-SA-4.0 --consent consent-2019 --source-url https://example.org/clips
      duologue import folder samples data/turns --label-from-name '{state}_{origin}_{n}' --language zh ...
      duologue import rttm meetings data/meetings --language en --kind human-human ...
      duologue import humdial HumDial data/humdial --kind human-machine ...
      duologue import textgrid corrected/ data/better --corpus data/demo --rater anna

    Rights are required: --licence, --consent, --source-url (or --holder) and --kind. Audio becomes 16 kHz, 16 bit;
    --rate keep leaves each recording's own rate. One bad item stops the import with exit code 1 and nothing
    written; --skip-bad goes on without it.
    """


@command.command("folder")
@_common
@click.option("--manifest", type=_PATH, help="CSV or TSV with a row for each recording.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Name a column: emotion=feeling.")
@click.option("--label-from-name", default="", metavar="PATTERN", help="Labels in file names: '{state}_{origin}_{n}'.")
@click.option("--track", default="", help="emotion or duplex; by default emotion where emotions are labelled.")
@click.option("--split", default="unassigned", show_default=True, help="Where the manifest does not say it.")
@click.option("--rater-type", default="", help="human, model or intent; by default intent for acted speech.")
def folder(columns: tuple[str, ...], **given: Any) -> None:
    """A folder, or a CSV manifest, of recordings with labels."""
    pairs = [c.partition("=") for c in columns]
    _import("folder", {**given, "columns": {ours: theirs for ours, _, theirs in pairs}})


@command.command("rttm")
@_common
def rttm(**given: Any) -> None:
    """Audio with RTTM speaker segments (and UEM)."""
    _import("rttm", given)


@command.command("textgrid")
@_common
@click.option("--corpus", type=_PATH, help="The corpus that the grids were exported from; the rest is taken from it.")
@click.option("--rater", default="textgrid", show_default=True, help="Who changed the grids.")
def textgrid(**given: Any) -> None:
    """Praat TextGrids: corrections of a corpus, or recordings with grids."""
    _import("textgrid", given)


@command.command("humdial")
@_common
@click.option("--key", type=_PATH, help="The key that 'export humdial' wrote for a shuffled test set.")
@click.option("--split", default="", help="Where no folder of the layout says it.")
def humdial(**given: Any) -> None:
    """The challenge's official layouts, both tracks."""
    _import("humdial", given)


def _text(name: str, what: str) -> None:
    """A verb for a corpus of text alone; all of these take the same options."""

    @command.command(name, help=what)
    @_common
    @click.option("--split", default="unassigned", show_default=True, help="Of every dialogue.")
    def verb(**given: Any) -> None:
        _import(name, given)


_text("reccon", "RECCON-style JSON: text, emotions, causes.")
_text("ecf", "ECF-style JSON: text, emotions, emotion-cause pairs.")
_text("meld", "MELD-style CSV: text and emotions.")
_text("emotiontalk", "EmotionTalk-style CSV: text and emotions, marks of overlap.")


def _import(name: str, given: dict[str, Any]) -> None:
    src, out, as_json = given.pop("src"), given.pop("out"), given.pop("as_json")
    module = registry.load("formats", name)
    report: ImportReport = module.import_(src, out, options_of(module.OPTIONS, given))
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        _print(report, out)
    sys.exit(1 if not report.written else 0)


def _print(report: ImportReport, out: Path) -> None:
    for p in report.problems:
        click.echo(f"{'left out' if report.written else 'problem'}: {p.where}: {p.what}")
    for note in report.notes:
        click.echo(f"note: {note}")
    for recording, share in sorted(report.overlap.items()):
        click.echo(
            f"overlap: {recording} {100 * share.of_time:.1f}% of the time, {100 * share.of_speech:.1f}% of the speech"
        )
    if report.written:
        click.echo(f"{out}: {report.dialogues} dialogues, {report.seconds / 60:.1f} min, corpus {report.corpus_sha256}")
    else:
        click.echo(f"nothing written: {len(report.problems)} problems (--skip-bad leaves them out)")
