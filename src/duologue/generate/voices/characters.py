"""What a server was paid for: characters of the texts that it spoke, over all runs and processes that share a cache."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from duologue.corpus.write import write_error
from duologue.errors import UserError


class _Spent(msgspec.Struct, frozen=True):
    model: str
    characters: int


class Characters:
    """A ledger of ``model`` at ``path``, a line an answer, good or bad; a request that failed is not counted.

    Processes read each other's lines before they ask; those that reach the end together can pass it by what they have
    under way.
    """

    def __init__(self, path: Path, model: str, budget: int | None) -> None:
        self.path, self.model, self.budget = path, model, budget
        self._at = self._sum = 0

    def check(self, text: str) -> None:
        """UserError where saying ``text`` would go over the budget."""
        if self.budget is not None and self.spent() + len(text) > self.budget:
            raise UserError(
                f"the line would go over the budget: {self._sum:,} of {self.budget:,} characters are spent",
                where=str(self.path),
                mend="raise options.openai.budget_characters and run the same command again; what was spoken is kept",
            )

    def note(self, text: str) -> None:
        """Write down an answer; the line appears whole (one write at the end of the file)."""
        line = msgspec.json.encode(_Spent(model=self.model, characters=len(text)))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, line + b"\n")
            finally:
                os.close(handle)
        except OSError as error:
            raise write_error(self.path, error) from error

    def spent(self) -> int:
        """Characters so far, with what others have appended since."""
        try:
            with self.path.open("rb") as f:
                f.seek(self._at)
                data = f.read()
        except FileNotFoundError:
            return self._sum
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            try:
                spent = msgspec.json.decode(line, type=_Spent)
            except msgspec.DecodeError:
                raise UserError("is no ledger of characters", where=str(self.path), value=line[:60]) from None
            if spent.model == self.model:
                self._sum += spent.characters
        return self._sum
