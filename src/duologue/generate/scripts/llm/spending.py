"""What the asking costs: tokens and money against a budget, and how often one may ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from duologue.errors import UserError
from duologue.generate.scripts.llm.options import LlmOptions
from duologue.remote.ledger import Ledger

LEDGER = "spent.jsonl"


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that was paid for, as the server counted it."""

    model: str
    prompt_tokens: int
    completion_tokens: int


class BudgetError(UserError):
    """The budget is used up: every further request meets this."""

    lasting = True


class Spending:
    """A ledger in the cache folder, a line an answer; processes that share the folder share the budget.

    What a request may cost at most is set aside before it is made, so that those under way cannot overdraw together
    (within this process). A token is at least one byte of the prompt, which bounds what is not counted yet.
    """

    def __init__(self, options: LlmOptions) -> None:
        self.options, self.path = options, options.folder / LEDGER
        self._lock = threading.Lock()
        self._ledger = Ledger(self.path, Spent, "tokens")
        self._tokens = [0, 0]
        self._held = [0, 0]

    @property
    def tokens(self) -> tuple[int, int]:
        """(prompt, completion) tokens of all answers so far."""
        with self._lock:
            self._read()
            return self._tokens[0], self._tokens[1]

    def usd(self, prompt: int, completion: int) -> float:
        o = self.options
        return (prompt * (o.usd_per_million_in or 0.0) + completion * (o.usd_per_million_out or 0.0)) / 1e6

    def hold(self, prompt_bytes: int) -> tuple[int, int]:
        """Set aside what a request may cost; BudgetError where that is more than is left."""
        o = self.options
        cost = (prompt_bytes, o.max_tokens)
        with self._lock:
            self._read()
            total = [self._tokens[i] + self._held[i] + cost[i] for i in (0, 1)]
            if o.budget_tokens is not None and sum(total) > o.budget_tokens:
                raise self._over("budget_tokens", f"{sum(self._tokens):,} of {o.budget_tokens:,} tokens are spent")
            if o.budget_usd is not None and self.usd(*total) > o.budget_usd:
                raise self._over("budget_usd", f"{self.usd(*self._tokens):.4f} of {o.budget_usd:g} USD are spent")
            self._held = [self._held[i] + cost[i] for i in (0, 1)]
        return cost

    def release(self, held: tuple[int, int]) -> None:
        with self._lock:
            self._held = [self._held[i] - held[i] for i in (0, 1)]

    def note(self, prompt: int, completion: int) -> None:
        """Write down an answer."""
        self._ledger.note(Spent(model=self.options.model, prompt_tokens=prompt, completion_tokens=completion))

    def _read(self) -> None:
        """Take in what was appended since."""
        for spent in self._ledger.news():
            if spent.model == self.options.model:
                self._tokens[0] += spent.prompt_tokens
                self._tokens[1] += spent.completion_tokens

    def _over(self, field: str, message: str) -> BudgetError:
        return BudgetError(
            f"the next request might go over the budget: {message}",
            field=f"options.llm.{field}",
            mend="raise it and run the same command again; what was written is kept",
        )


class Pace:
    """At most ``per_minute`` requests begin in a minute, evenly spread; ``None`` is as fast as may be."""

    def __init__(
        self,
        per_minute: float | None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._now, self._sleep = now, sleep
        self._next = float("-inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        if not self._gap:
            return
        with self._lock:
            start = max(self._now(), self._next)
            self._next = start + self._gap
        if (rest := start - self._now()) > 0:
            self._sleep(rest)
