"""Models on disk: where they live, whether they are whole, and whether they are unchanged."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

from duologue.errors import MissingPartError, UserError
from duologue.models.catalogue import Model

State = Literal["ok", "missing", "differs"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one file of a model."""

    model: str
    file: str
    state: State
    expected: str
    got: str = ""


def home() -> Path:
    """``DUOLOGUE_MODELS`` if set, else ``duologue/models`` in the user's data folder (XDG on Unix)."""
    if chosen := os.environ.get("DUOLOGUE_MODELS"):
        return Path(chosen).expanduser()
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        base = Path(local)
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "duologue" / "models"


def folder(model: Model) -> Path:
    """Where the files of a downloaded model lie."""
    return home() / model.name / model.version


def installed(model: Model) -> bool:
    """Whether every file is there (by name and size; :func:`verify` hashes)."""
    if model.package:
        return _distribution(model) is not None
    return all(_size(folder(model) / f.name) == f.size for f in model.files)


def paths(model: Model, *names: str) -> tuple[Path, ...]:
    """Paths of the files ``names``, each hashed now: nothing is loaded that was not verified.

    Raises MissingPartError where a file is missing and UserError where its hash differs.
    """
    wanted = {f.name: f for f in model.files}
    found = []
    for name in names:
        path, file = folder(model) / name, wanted[name]
        mend = f"duologue models fetch {model.name}"
        if not path.is_file():
            raise MissingPartError(f"model {model.name!r} is not installed: no file {path}", mend=mend)
        got = sha256(path)
        if got != file.sha256:
            raise UserError(
                "the file's SHA-256 differs from the pinned one; it will not be loaded",
                where=str(path),
                value=got,
                allowed=file.sha256,
                mend=mend,
            )
        found.append(path)
    return tuple(found)


def verify(model: Model) -> Iterator[Finding]:
    """Hash every file of a model anew and say how it stands."""
    if model.package:
        yield from _verify_package(model)
        return
    for file in model.files:
        path = folder(model) / file.name
        if not path.is_file():
            yield Finding(model=model.name, file=str(path), state="missing", expected=file.sha256)
            continue
        got = sha256(path)
        state: State = "ok" if got == file.sha256 else "differs"
        yield Finding(model=model.name, file=str(path), state=state, expected=file.sha256, got=got)


def sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _distribution(model: Model) -> metadata.Distribution | None:
    try:
        found = metadata.distribution(model.package)
    except metadata.PackageNotFoundError:
        return None
    return found if found.version == model.version else None


def _verify_package(model: Model) -> Iterator[Finding]:
    """Check a bundled model's files against the hashes that its package recorded when it was built."""
    found = _distribution(model)
    if found is None:
        yield Finding(model=model.name, file=f"{model.package}=={model.version}", state="missing", expected="")
        return
    for file in found.files or ():
        if file.hash is None or file.hash.mode != "sha256" or file.suffix in (".py", ".pyc"):
            continue
        path = Path(str(file.locate()))
        expected = base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
        got = sha256(path) if path.is_file() else ""
        state: State = "ok" if got == expected else "differs" if got else "missing"
        yield Finding(model=model.name, file=str(path), state=state, expected=expected, got=got)
