"""``duologue declare``: say which data and models were used, check it, sign it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from duologue.corpus.write import write_atomic
from duologue.errors import UserError

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def command() -> None:
    """Declare every data set and model used, and hold that against a challenge's rules.

    \b
    Examples:  duologue declare init resources.yaml --from croissant.json --from README.md
               duologue declare check resources.yaml --manifest train.jsonl
               duologue declare key team.pem
               duologue declare sign resources.yaml --manifest train.jsonl --key team.pem -o declaration.json
               duologue declare verify declaration.json --public team.pem.pub
    """


_rules = click.option("--rules", type=FILE, help="The challenge's rules (YAML); by default those of HumDial.")
_manifest = click.option("--manifest", type=FILE, help="What training read: a list, JSON Lines, CSV or TSV.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command()
@click.argument("resources", type=FILE)
@click.option(
    "--from",
    "sources",
    type=FILE,
    multiple=True,
    help="A Croissant file, or the card of a data set or model (README.md); repeat the option.",
)
@_json
def init(resources: Path, sources: tuple[Path, ...], as_json: bool) -> None:
    """Write RESOURCES, a YAML file to fill in.

    \b
    Example:  duologue declare init resources.yaml --from croissant.json --from README.md
    """
    from duologue.protect.declaration import EXAMPLE, to_yaml
    from duologue.protect.declaration_import import import_resource

    if resources.exists():
        raise UserError("there is a file already", where=str(resources), mend="give a new name")
    found = EXAMPLE
    if sources:
        found = msgspec.structs.replace(EXAMPLE, resources=tuple(import_resource(p) for p in sources))
    write_atomic(resources, to_yaml(found).encode())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        click.echo(f"{resources}: {len(found.resources)} resources; what is empty is for you to say")


@command.command()
@click.argument("resources", type=FILE)
@_manifest
@_rules
@_json
def check(resources: Path, manifest: Path | None, rules: Path | None, as_json: bool) -> None:
    """Check RESOURCES against the rules and the training manifest; exit 1 where there is an error.

    \b
    Example:  duologue declare check resources.yaml --manifest train.jsonl --json
    """
    from duologue.protect.declaration_check import check as check_all

    found = check_all(resources, manifest, rules)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found.report), indent=1))
    else:
        from duologue.report.submission_text import declaration

        entries = found.report.manifest.entries if found.report.manifest else None
        Console(highlight=False).print(declaration(found.report.findings, found.report.resources, entries))
    if found.report.errors:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("keyfile", type=FILE)
@_json
def key(keyfile: Path, as_json: bool) -> None:
    """Make a team's key: KEYFILE to keep, KEYFILE.pub to hand to the organiser.

    \b
    Example:  duologue declare key team.pem
    """
    from duologue.protect.declaration_signed import make_key

    name = make_key(keyfile)
    if as_json:
        click.echo(msgspec.json.encode({"key": str(keyfile), "public": f"{keyfile}.pub", "fingerprint": name}))
    else:
        click.echo(f"{keyfile}: keep it; {keyfile}.pub: hand it over; fingerprint {name}")


@command.command()
@click.argument("resources", type=FILE)
@click.option("--key", "keyfile", type=FILE, required=True, help="The team's private key.")
@click.option("-o", "--out", type=FILE, default=Path("declaration.json"), show_default=True)
@_manifest
@_rules
@_json
def sign(resources: Path, keyfile: Path, out: Path, manifest: Path | None, rules: Path | None, as_json: bool) -> None:
    """Check RESOURCES and write the signed summary that goes into a submission.

    \b
    Example:  duologue declare sign resources.yaml --manifest train.jsonl --key team.pem -o declaration.json
    """
    from duologue.protect.declaration_check import check as check_all
    from duologue.protect.declaration_signed import sign as signed

    found = check_all(resources, manifest, rules)
    data = signed(found.declaration, found.rules, found.report.findings, found.report.manifest, keyfile)
    write_atomic(out, data)
    if as_json:
        click.echo(data)
    else:
        click.echo(f"{out}: {found.report.resources} resources, {found.report.warnings} warnings, signed")


@command.command()
@click.argument("declaration", type=FILE)
@click.option("--public", type=FILE, help="The team's public key; without it any key will do.")
@_json
def verify(declaration: Path, public: Path | None, as_json: bool) -> None:
    """Verify that DECLARATION is as it was signed, and by whom.

    \b
    Example:  duologue declare verify declaration.json --public team.pem.pub
    """
    from duologue.corpus.table import read_table
    from duologue.protect.declaration_signed import LARGEST
    from duologue.protect.declaration_signed import verify as verified

    found = verified(read_table(declaration, LARGEST).encode(), str(declaration), public)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        from duologue.challenge.submission.problem import shown

        held = f"{found.manifest.entries} manifest entries" if found.manifest else "no manifest"
        who = f"{shown(found.team)}, {shown(found.system)}"
        click.echo(
            f"{who}: {len(found.resources)} resources, {held}, rules {shown(found.rules)}, "
            f"{found.warnings} warnings; signed by {found.fingerprint}"
        )
