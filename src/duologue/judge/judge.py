"""Judges, and what all judges behind a chat endpoint share: repeats, cache, order, accounts of failures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from duologue.errors import UserError
from duologue.judge.verdict import Reading, Verdict, merge
from duologue.remote.cache import Cache
from duologue.remote.chat import Answer, ChatEndpoint, ChatRequest, Message, Sampling
from duologue.remote.endpoint import EndpointError

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
JudgedItem = TypeVar("JudgedItem", contravariant=True)


class Judge(Protocol[JudgedItem]):
    """Gives a verdict for each item, in order; ``progress`` is told (done, all) as items are done."""

    name: str
    version: str

    def judge(self, items: Sequence[JudgedItem], progress: Progress | None = None) -> list[Verdict]: ...


class Spent(msgspec.Struct, kw_only=True):
    """What judging cost: requests made and their tokens as the server counts them; answers that were known."""

    requests: int = 0
    known: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge is asked about one item; ``prompt_sha256`` names the wording without the item."""

    messages: tuple[Message, ...]
    prompt_sha256: str
    schema: dict[str, Any] = {}


class ChatJudge(ABC, Generic[Item]):
    """A judge behind a chat endpoint.

    Parameters
    ----------
    endpoint: the model; its ``in_flight`` bounds how many requests are under way.
    cache_dir: folder of answers, None to keep none. What is in it is not asked again: an interrupted run goes on.
    repeats: answers an item, each with a seed of its own (``sampling.seed``, +1, +2...).
    sampling: temperature 0 for one answer; 0.6 with top_p 0.95 for several, which would else be equal.
    patience: after so many failures of the endpoint in a row the rest is not asked and counts as infrastructure.
    """

    name: str
    version: str

    def __init__(
        self,
        endpoint: ChatEndpoint,
        cache_dir: str | Path | None,
        repeats: int = 1,
        *,
        sampling: Sampling | None = None,
        patience: int = 20,
    ) -> None:
        if repeats < 1:
            raise UserError("at least one answer is needed", field="repeats", value=repeats)
        self.sampling = sampling or (Sampling() if repeats == 1 else Sampling(temperature=0.6, top_p=0.95))
        if repeats > 1 and self.sampling.temperature == 0:
            raise UserError(
                "repeats at temperature 0 measure nothing", field="repeats", value=repeats, mend="set a temperature"
            )
        self.endpoint, self.repeats, self.patience = endpoint, repeats, patience
        self.cache = Cache(cache_dir) if cache_dir is not None else None
        self.spent = Spent()

    @abstractmethod
    def settle(self, item: Item) -> Verdict | None:
        """A verdict that needs no model, None where the model has to be asked. UserError for what cannot be asked."""

    @abstractmethod
    def question(self, item: Item) -> Question:
        """What the model is asked about ``item``."""

    @abstractmethod
    def read(self, item: Item, text: str) -> dict[str, Any]:
        """Fields of a :class:`Reading` from the model's text; ValueError says why it is unparsable."""

    def judge(self, items: Sequence[Item], progress: Progress | None = None) -> list[Verdict]:
        """A verdict for each of ``items``, in order.

        Failures of single requests become verdicts; EndpointError is raised for those that every request would meet
        (key, address, quota, redirect), UserError for items that cannot be asked about.
        """
        verdicts = [self.settle(item) for item in items]
        questions = {i: self.question(item) for i, item in enumerate(items) if verdicts[i] is None}
        asked = [(i, self.sampling.seed + r) for i in questions for r in range(self.repeats)]
        requests = [self._request(questions[i], seed) for i, seed in asked]
        readings: dict[int, dict[int, Reading]] = {i: {} for i in questions}
        done, in_a_row = len(items) - len(questions), 0
        with closing(self.endpoint.complete_all(requests, self.cache)) as results:
            for at, result in results:
                i, seed = asked[at]
                if isinstance(result, EndpointError):
                    if result.lasting:
                        raise result
                    in_a_row += 1
                    readings[i][seed] = Reading(status="infrastructure", seed=seed, detail=result.message)
                else:
                    in_a_row = 0
                    readings[i][seed] = self._reading(items[i], result, seed)
                if len(readings[i]) == self.repeats:
                    done += 1
                    if progress is not None:
                        progress(done, len(items))
                if in_a_row >= self.patience:
                    break
        for i, seed in asked:
            if seed not in readings[i]:
                why = f"not asked: the endpoint failed {in_a_row} times in a row"
                readings[i][seed] = Reading(status="infrastructure", seed=seed, detail=why)
        return [
            v if v is not None else self._verdict(items[i], questions[i], readings[i]) for i, v in enumerate(verdicts)
        ]

    def _request(self, question: Question, seed: int) -> ChatRequest:
        return ChatRequest(
            messages=question.messages,
            sampling=msgspec.structs.replace(self.sampling, seed=seed),
            schema=question.schema,
            prompt_sha256=question.prompt_sha256,
        )

    def _reading(self, item: Item, answer: Answer, seed: int) -> Reading:
        if answer.cached:
            self.spent.known += 1
        else:
            self.spent.requests += 1
            self.spent.prompt_tokens += answer.prompt_tokens
            self.spent.completion_tokens += answer.completion_tokens
        found: dict[str, Any] = {"status": "ok"}
        try:
            if answer.refusal or answer.finish_reason == "content_filter":
                raise ValueError(f"the judge declined: {answer.refusal or 'its content filter'}")
            found |= self.read(item, answer.text)
        except ValueError as error:
            cut = " (cut off at the token limit)" if answer.finish_reason == "length" else ""
            found = {"status": "unparsable", "detail": f"{str(error)[:300]}{cut}"}
        return Reading(
            seed=seed,
            raw=answer.text or answer.refusal,
            served_by=answer.model,
            fingerprint=answer.fingerprint,
            form=answer.form,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            **found,
        )

    def _verdict(self, item: Item, question: Question, readings: dict[int, Reading]) -> Verdict:
        ordered = tuple(readings[self.sampling.seed + r] for r in range(self.repeats))
        return self.verdict(item, prompt_sha256=question.prompt_sha256, readings=ordered, **merge(ordered))

    def verdict(self, item: Item, **found: Any) -> Verdict:
        """A verdict of this judge on ``item``."""
        return Verdict(
            id=getattr(item, "id", ""),
            judge=f"{self.name}/{self.version}",
            model=self.endpoint.model,
            endpoint=self.endpoint.base_url,
            parameters=msgspec.json.decode(msgspec.json.encode(self.sampling)),
            **found,
        )
