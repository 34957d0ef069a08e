"""What a server was paid for: characters of the texts that it spoke, over all runs and processes that share a cache."""

from __future__ import annotations

from pathlib import Path

import msgspec

from duologue.errors import UserError
from duologue.remote.ledger import Ledger


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
        self._ledger = Ledger(path, _Spent, "characters")
        self._sum = 0

    def check(self, text: str) -> None:
        """UserError where saying ``text`` would go over the budget."""
        if self.budget is not None and self.spent() + len(text) > self.budget:
            raise UserError(
                f"the line would go over the budget: {self._sum:,} of {self.budget:,} characters are spent",
                where=str(self.path),
                mend="raise options.openai.budget_characters and run the same command again; what was spoken is kept",
            )

    def note(self, text: str) -> None:
        """Write down an answer."""
        self._ledger.note(_Spent(model=self.model, characters=len(text)))

    def spent(self) -> int:
        """Characters so far, with what others have appended since."""
        self._sum += sum(s.characters for s in self._ledger.news() if s.model == self.model)
        return self._sum
