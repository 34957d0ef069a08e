"""``duologue models``: list, fetch and verify voices and models."""

from __future__ import annotations

import sys
from functools import partial

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from duologue.models import store
from duologue.models.catalogue import MODELS, find
from duologue.models.fetch import fetch


@click.group()
def command() -> None:
    """List, fetch and verify the embedded voices and models.

    \b
    Example:  duologue models fetch kokoro && duologue models verify
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Name, version, licence, size, whether installed, SHA-256."""
    rows = [
        {
            "name": m.name,
            "what": m.what,
            "version": m.version,
            "licence": m.licence,
            "origin": m.origin,
            "used_for": m.used_for,
            "packages": [*m.pip, *m.npm] or [f"{m.package}=={m.version}"],
            "bytes": m.size,
            "installed": store.installed(m),
            "sha256": m.sha256,
            "files": {f.name: f.sha256 for f in m.files},
        }
        for m in MODELS
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"home": str(store.home()), "models": rows}), indent=2))
        return
    click.echo(f"models in {store.home()}")
    for m in MODELS:
        state = "installed" if store.installed(m) else "not installed"
        size = f"{m.size / 1e6:.0f} MB" if m.size else "in package"
        click.echo(
            f"{m.name:12} {m.version:11} {m.licence:17} {size:>10}  {state:13}  {m.sha256[:16] or '-':16}  {m.what}"
        )


@command.command("fetch")
@click.argument("names", nargs=-1, required=True)
def fetch_(names: tuple[str, ...]) -> None:
    """Download models by name, check every file, install.

    \b
    Example:  duologue models fetch kokoro whisper
    """
    for model in [find(n) for n in names]:
        with Progress(
            TextColumn(f"{model.name}  " + "{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        ) as progress:
            target = fetch(model, partial(_show, progress, progress.add_task("", total=1)))
        click.echo(f"{model.name} {model.version}: {model.what}")
        click.echo(f"  licence {model.licence}; {model.origin}")
        click.echo(f"  {len(model.files)} files verified in {target}")


def _show(progress: Progress, task: TaskID, what: str, done: int, total: int) -> None:
    progress.update(task, description=what, completed=done, total=total)


@command.command("verify")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_(names: tuple[str, ...], as_json: bool) -> None:
    """Hash every file anew; exit 1 naming those that differ. Without names: all that are installed.

    \b
    Example:  duologue models verify kokoro
    """
    chosen = [find(n) for n in names] or [m for m in MODELS if store.installed(m) or store.folder(m).exists()]
    findings = [f for m in chosen for f in store.verify(m)]
    bad = [f for f in findings if f.state != "ok"]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"files": len(findings), "findings": bad}), indent=2))
    else:
        for f in bad:
            click.echo(
                f"{f.file}: {f.state}; expected {f.expected or 'installed'}" + (f", got {f.got}" if f.got else "")
            )
        for m in chosen:
            mine = [f for f in findings if f.model == m.name]
            wrong = sum(f.state != "ok" for f in mine)
            click.echo(f"{m.name} {m.version}: {len(mine) - wrong} of {len(mine)} files unchanged")
            if wrong:
                mend = f"duologue models fetch {m.name}" if m.files else f"pip install {m.package}=={m.version}"
                click.echo(f"  mend with: {mend}")
        if not chosen:
            click.echo(f"no models in {store.home()}")
    if bad:
        sys.exit(1)
