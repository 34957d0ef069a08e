"""``duologue submission``: make, check and score what a team hands in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def command() -> None:
    """Make, check and score a team's submission, in the official zip layouts or in Duologue's own.

    \b
    Examples:  duologue submission new MINE --against data/demo
               duologue submission pack MINE mine.zip --against data/demo
               duologue submission check mine.zip --against data/demo
               duologue submission score mine.zip --against data/demo -- --profile corrected --html score.html

    --against names what is expected: a corpus (or the public part of a sealed one), a folder with an official test set,
    or the expected.json that "new" writes.
    """


def _expected(f: Any) -> Any:
    for option in (
        click.option("--against", type=PATH, required=True, help="Corpus, official test set, or expected.json."),
        click.option("--track", type=click.Choice(["emotion", "duplex"]), help="Where both are there."),
        click.option("--split", default="test", show_default=True, help='Of a corpus; "" for all of it.'),
        click.option("--language", type=click.Choice(["zh", "en"]), help="Only this language."),
        click.option("--task", "tasks", multiple=True, help="Only this task (repeat the option)."),
    ):
        f = option(f)
    return f


def _read(against: Path, o: dict[str, Any]) -> Any:
    from duologue.challenge.submission.expected import expect

    return expect(against, track=o["track"], split=o["split"], language=o["language"], tasks=o["tasks"])


@command.command()
@click.argument("folder", type=PATH)
@_expected
@click.option("--json", "as_json", is_flag=True, help="Print what is expected as JSON.")
def new(folder: Path, against: Path, as_json: bool, **o: Any) -> None:
    """Write FOLDER to fill in; with a name that ends in .zip, that folder packed.

    \b
    Example:  duologue submission new MINE --against data/demo
    """
    from duologue.challenge.submission.template import new as make
    from duologue.challenge.submission.template import new_zip

    expected = _read(against, o)
    files = new_zip(expected, folder) if folder.suffix.casefold() == ".zip" else make(expected, folder)
    if as_json:
        click.echo(msgspec.json.encode(expected))
    else:
        click.echo(f"{folder}: {files} files to fill in, {len(expected)} items expected")


@command.command()
@click.argument("folder", type=PATH)
@click.argument("file", type=FILE)
@_expected
@click.option("--json", "as_json", is_flag=True, help="Print what was packed as JSON.")
def pack(folder: Path, file: Path, against: Path, as_json: bool, **o: Any) -> None:
    """Make the zip FILE of what in FOLDER belongs in a submission.

    \b
    Example:  duologue submission pack MINE mine.zip --against data/demo
    """
    from duologue.challenge.submission.problem import shown
    from duologue.challenge.submission.template import pack as make

    packed = make(folder, file, _read(against, o))
    if as_json:
        click.echo(msgspec.json.encode(packed))
        return
    for name in packed.left_out:
        click.echo(f"left out: {shown(name)}", err=True)
    click.echo(f"{file}: {packed.files} files")


@command.command()
@click.argument("file", type=FILE)
@_expected
@click.option("--rules", type=FILE, help="What the challenge asks of audio, report and declaration (YAML).")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(file: Path, against: Path, rules: Path | None, as_json: bool, **o: Any) -> None:
    """List everything that is wrong with the zip FILE; exit 1 where it is refused. Nothing is unpacked.

    \b
    Example:  duologue submission check mine.zip --against data/demo --json
    """
    from duologue.challenge.submission.check import check as look
    from duologue.challenge.submission.rules import read_rules

    report = look(file, _read(against, o), read_rules(rules))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        _print(report)
    if not report.accepted:
        raise click.exceptions.Exit(1)


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("file", type=FILE)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@_expected
@click.option("--corpus", type=PATH, help="What to score by, where --against is something else.")
@click.option("--seal-key", type=FILE, help="Key of the sealed test set that --against names; --corpus is it unsealed.")
@click.option("--rules", type=FILE, help="What the challenge asks of audio, report and declaration (YAML).")
def score(
    file: Path,
    options: tuple[str, ...],
    against: Path,
    corpus: Path | None,
    seal_key: Path | None,
    rules: Path | None,
    **o: Any,
) -> None:
    """Check the zip FILE, unpack it in a private temporary folder and score it there; exit 1 where it is refused.

    OPTIONS after "--" are those of "duologue score", such as --profile, --html and --json.

    \b
    Examples:  duologue submission score mine.zip --against data/demo -- --json
               duologue submission score HD-Track2.zip --against HD-Track2-Test -- --key key.jsonl
               duologue submission score mine.zip --against public --seal-key test.key --corpus answers
    """
    from duologue.challenge.submission.rules import read_rules
    from duologue.challenge.submission.sandbox import unpacked
    from duologue.challenge.submission.scoring import arguments, named
    from duologue.cli.score import command as scorer

    expected = _read(against, o)
    with unpacked(file, expected, read_rules(rules)) as (report, run):
        if run is None:
            _print(report, err=True)
            raise click.exceptions.Exit(1)
        if seal_key is not None:
            run = named(against, run, seal_key)
        scorer.main(
            args=[*arguments(expected, corpus or against, run, o), *options],
            prog_name="duologue score",
            standalone_mode=False,
        )


def _print(report: Any, *, err: bool = False) -> None:
    from duologue.report.submission_text import submission

    console = Console(stderr=err, highlight=False, soft_wrap=not sys.stdout.isatty())
    console.print(submission(report))
