"""``duologue unseal``: the answers of a sealed test set, a run on it made ready to score, a commitment proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from duologue.cli.progress import bar
from duologue.cli.secret import secret_of, secret_options
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.protect import unseal as _unseal
from duologue.protect.commitment import read_opening

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("public", type=_PATH)
@click.option("-o", "--out", type=_PATH, metavar="CORPUS", help="New folder for the corpus with its answers.")
@secret_options
@click.option("--run", type=_PATH, help="A run on the public items, to be given the corpus's ids.")
@click.option("--run-out", type=_PATH, help="New folder for that run, which 'duologue score CORPUS' takes.")
@click.option("--write-opening", type=_PATH, metavar="FILE", help="Write what opens the commitment, to publish later.")
@click.option("--opening", type=_PATH, metavar="FILE", help="With --against: prove the commitment; needs no key.")
@click.option("--against", type=_PATH, metavar="CORPUS", help="The published corpus of the answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    public: Path,
    out: Path | None,
    key: Path | None,
    asked: bool,
    passphrase_env: str,
    run: Path | None,
    run_out: Path | None,
    write_opening: Path | None,
    opening: Path | None,
    against: Path | None,
    as_json: bool,
) -> None:
    """Open the answers of the sealed test set PUBLIC, or give a run on it the ids of the answers.

    \b
    Example:  duologue unseal public --key test.key -o answers --run RUN --run-out NAMED
              duologue score answers NAMED
              duologue unseal public --opening opening.json --against answers
    """
    if (opening is None) != (against is None) or (run is None) != (run_out is None):
        raise UserError("these go together", allowed="--opening with --against, --run with --run-out")
    if opening is not None and against is not None:
        _unseal.verify(public, read_opening(opening), against)
        click.echo('{"committed":true}' if as_json else f"{against}: the answers that {public} committed to")
        return
    if out is None and run is None:
        raise UserError("nothing to do", mend="-o CORPUS, or --run RUN --run-out NAMED")
    secret = secret_of(key, asked, passphrase_env)
    result: dict[str, Any] = {}
    if out is not None:
        with bar("unsealing", None) as done:
            opened = _unseal.unseal(public, out, secret, progress=done)
        result["corpus"] = msgspec.to_builtins(opened)
        if write_opening is not None:
            write_atomic(write_opening, msgspec.json.format(msgspec.json.encode(opened.opening), indent=1) + b"\n")
        if not as_json:
            click.echo(f"{opened.dialogues} dialogues in {out}, as they were sealed: corpus {opened.corpus_sha256}")
    if run is not None and run_out is not None:
        report = _unseal.named(public, run, run_out, secret)
        result["run"] = msgspec.to_builtins(report)
        for notice in (*report.notices, *(f"belongs to no item: {s}" for s in report.strangers[:20])):
            click.echo(f"notice: {notice}", err=True)
        if not as_json:
            click.echo(f"{report.items} of {report.expected} items have an output, in {run_out} under their own ids")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
