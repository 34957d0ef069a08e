"""Tar shards with headers that hold no clock, user or machine: equal contents give equal bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


class TarShard:
    """One tar file that is being written; :attr:`size` is the bytes of its members so far."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.size = 0

    def __enter__(self) -> TarShard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add(self, members: Iterable[tuple[str, bytes]]) -> None:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            self._tar.addfile(info, io.BytesIO(data))
            self.size += len(data)

    def close(self) -> None:
        self._tar.close()
        self._file.close()


def key_of(id: str) -> str:
    """A member's name without a dot, at which readers part the name from the kind of data."""
    return id.replace("%", "%25").replace(".", "%2E")
