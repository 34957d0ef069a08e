"""``duologue sheets``: reading sheets for actors."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.corpus.speaker import ROLES


@click.command()
@click.argument("scripts", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The folder for the sheets.")
@click.option("--role", type=click.Choice(ROLES), default=None, help="Only lines of this role.")
@click.option("--language", default="", help="Only scripts in this language.")
@click.option("--cast", type=click.Path(path_type=Path), metavar="FILE", help="The people who read, YAML or CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(scripts: Path, out: Path, role: str | None, language: str, cast: Path | None, as_json: bool) -> None:
    """Write for each actor of SCRIPTS a page to print and a table of file names.

    With --cast the planned speakers are dealt out to these people: each reads in one split alone.

    \b
    Example:  duologue scripts write my.yaml -o scripts.jsonl
              duologue sheets scripts.jsonl -o sheets --role user --language zh
              duologue sheets scripts.jsonl -o sheets --cast cast.yaml
    """
    from duologue.recordings.person import read_people
    from duologue.report.sheets.write import write_sheets

    parts = write_sheets(scripts, out, role or "", language, read_people(cast) if cast else None)
    rows = [
        {
            "sheet": p.name,
            "speaker": p.speaker,
            "language": p.language,
            "roles": p.roles,
            "dialogues": len(p.dialogues),
            "lines": len(p.mine),
            "estimated_minutes": round(p.seconds / 60, 2),
        }
        for p in parts
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"out": str(out), "sheets": rows}), indent=1))
        return
    for p in parts:
        click.echo(f"{p.name}: {len(p.mine)} lines, about {p.seconds / 60:.1f} min (estimated)")
    click.echo(f"{len(parts)} sheets; open {out / 'index.html'}")
