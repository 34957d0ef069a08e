"""A folder that appears only when it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duologue.errors import UserError


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` to write into; :func:`reveal` moves it into place, else it goes again.

    Raises UserError where ``out`` holds something already or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("the folder is not empty", where=str(out), mend="give a new folder")
    folder = out.absolute().with_name(f".{out.absolute().name}.{os.getpid()}.tmp")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"this folder cannot be written: {error.strerror}", where=str(out.absolute().parent), mend="choose another"
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reveal(folder: Path, out: Path) -> None:
    """Flush what was written to ``folder`` and give it the name ``out``."""
    if hasattr(os, "sync"):
        os.sync()
    if out.exists():
        out.rmdir()
    folder.replace(out)
