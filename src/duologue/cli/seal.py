"""``duologue seal``: a test set without its answers, and the answers under lock."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.cli.progress import bar
from duologue.cli.secret import secret_of, secret_options
from duologue.errors import UserError

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("corpus", type=_PATH, required=False)
@click.option("-o", "--out", type=_PATH, metavar="PUBLIC", help="New folder for the public part.")
@secret_options
@click.option("--new-key", is_flag=True, help="Make the key file first (mode 0600); it must not be there yet.")
@click.option("--split", default="test", show_default=True, help="The split to seal.")
@click.option("--name", default="", help="What the public part is called.  [default: the corpus's name and split]")
@click.option("--twins/--no-twins", default=True, show_default=True, help="Publish twins too, as items of their own.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    corpus: Path | None,
    out: Path | None,
    key: Path | None,
    asked: bool,
    passphrase_env: str,
    new_key: bool,
    split: str,
    name: str,
    twins: bool,
    as_json: bool,
) -> None:
    """Seal the test split of CORPUS: PUBLIC can be given to anyone, the answers in it open with the key alone.

    \b
    Example:  duologue seal --new-key --key test.key
              duologue build recipes/duplex.yaml data/duplex --seal-key test.key
              duologue seal data/duplex -o public --key test.key

    Keep the key somewhere else than the data, and a copy of it: without it nobody can open the answers.
    """
    secret = secret_of(key, asked, passphrase_env, new=new_key, confirm=True)
    if corpus is None:
        if not new_key:
            raise UserError("nothing to seal", mend="duologue seal CORPUS -o PUBLIC --key KEYFILE")
        click.echo(f"{key}: a new key, readable by you alone; keep a copy in another place", err=True)
        return
    if out is None:
        raise UserError("where to?", field="--out", mend="-o PUBLIC, a new folder")
    from duologue.corpus.dialogue import SPLITS
    from duologue.protect.given_away import told
    from duologue.protect.seal import seal

    if split not in SPLITS:
        raise UserError("no such split", field="--split", value=split, allowed=", ".join(SPLITS))
    with bar("sealing", None) as done:
        report = seal(corpus, out, secret, name=name, split=split, twins=twins, progress=done)
    for notice in report.notices:
        click.echo(f"notice: {notice}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
        return
    sides = f", {report.twins} of them twins" if report.twins else ""
    click.echo(f"{report.dialogues} dialogues sealed as {report.items} items{sides} in {report.path}")
    click.echo(f"answers: corpus {report.corpus_sha256}, {report.vault_bytes / 2**20:.1f} MiB encrypted")
    click.echo(f"commitment {report.commitment}")
    click.echo(f"canary {report.canary}")
    click.echo("what the length of the audio gives away, which cannot be hidden:")
    for row in report.given_away:
        click.echo(f"  {told(row)}")
