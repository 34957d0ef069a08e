"""``duologue split``: train, dev and test that do not touch."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from duologue.cli.progress import bar
from duologue.protect.component import APART
from duologue.protect.split import SplitReport, split

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("corpus", type=_PATH)
@click.option("--train", type=float, default=0.8, show_default=True, help="Share of the dialogues.")
@click.option("--dev", type=float, default=0.1, show_default=True, help="Share of the dialogues.")
@click.option("--test", type=float, default=0.1, show_default=True, help="Share of the dialogues.")
@click.option(
    "--apart", default=",".join(APART), show_default=True, metavar="KINDS", help="What no two splits may share."
)
@click.option("--keep", type=_PATH, metavar="EARLIER", help="An earlier deal of this corpus, before it grew.")
@click.option("--anew", is_flag=True, help="Forget the splits that the corpus has; not for one that a recipe built.")
@click.option("-o", "--out", type=_PATH, required=True, help="New folder; audio is linked where the disk allows.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    corpus: Path,
    train: float,
    dev: float,
    test: float,
    apart: str,
    keep: Path | None,
    anew: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Deal CORPUS into train, dev and test: what shares a speaker, a script or a recording stays together.

    \b
    Example:  duologue split data/calls --train .8 --dev .1 --test .1 -o data/calls-split
              duologue split data/calls --apart speakers,source --keep data/calls-split -o data/calls-split2

    A dialogue that has a split keeps it; one that belongs to several is left unassigned.
    """
    kinds = [k.strip() for k in apart.split(",") if k.strip()]
    with bar("splitting", None) as done:
        report = split(
            corpus, out, {"train": train, "dev": dev, "test": test}, apart=kinds, keep=keep, anew=anew, progress=done
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
    else:
        click.echo(told(report))


def told(r: SplitReport) -> str:
    """The report in lines."""
    held = ", ".join(f"{n} {s}" for s, n in r.held.items())
    sizes = ", ".join(map(str, r.components[:10])) + (", ..." if r.count > 10 else "")
    lines = [f"{r.dialogues} dialogues in {r.path}: {held}; {r.kept} kept the split they had"]
    lines.append(f"kept apart: {', '.join(r.apart) or 'nothing'}; {r.count} components of {sizes} dialogues")
    if r.largest.size > 1:
        shared = "; ".join(f"{what} ({n})" for what, n in r.largest.shares)
        lines.append(f"the largest, of {r.largest.size}, is held together by {shared}")
        lines += [f"  without {kind} its largest part would be {n}" for kind, n in r.largest.without.items()]
    if r.unassigned:
        lines.append(f"{len(r.unassigned)} unassigned, as they belong to several splits: {', '.join(r.unassigned[:5])}")
    for kind, n in r.touching.items():
        lines.append(f"kept splits touch: {n} {kind} shared, such as {r.examples[kind]}; 'duologue check' lists them")
    winner = "groups and the splits that were there" if r.kept else "groups"
    lines.append(f"{r.even} strata are shared out evenly, {len(r.strata)} are not: where both cannot be, {winner} win")
    for s in r.strata[:20]:
        wanted = ", ".join(f"{name} {s.held[name]} for {want:g}" for name, want in s.wanted.items())
        lines.append(f"  {s.name} ({s.size}): {wanted}")
    return "\n".join(lines)
