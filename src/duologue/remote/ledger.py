"""What a server was paid for, a line an answer, over all runs and processes that share the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from duologue.corpus.write import write_error
from duologue.errors import UserError

Entry = TypeVar("Entry", bound=msgspec.Struct)


class Ledger(Generic[Entry]):
    """Entries of type ``kind``, one JSON line each, at ``path``; ``what`` they count is named where a line is none."""

    def __init__(self, path: Path, kind: type[Entry], what: str) -> None:
        self.path, self._kind, self._what = path, kind, what
        self._at = 0

    def note(self, entry: Entry) -> None:
        """Write down an answer; the line appears whole (one write at the end of the file)."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, msgspec.json.encode(entry) + b"\n")
            finally:
                os.close(handle)
        except OSError as error:
            raise write_error(self.path, error) from error

    def news(self) -> list[Entry]:
        """Entries that were appended since the last call, by whomever."""
        try:
            with self.path.open("rb") as f:
                f.seek(self._at)
                data = f.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [self._read(line) for line in whole.splitlines()]

    def _read(self, line: bytes) -> Entry:
        try:
            return msgspec.json.decode(line, type=self._kind)
        except msgspec.DecodeError:
            raise UserError(f"is no ledger of {self._what}", where=str(self.path), value=line[:60]) from None
