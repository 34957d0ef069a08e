"""A system under test on many dialogues: calls side by side, each item accounted for, to be stopped and continued."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from duologue.corpus.observation import Observation, RunManifest, RunMode
from duologue.corpus.read import OpenDialogue
from duologue.errors import UserError
from duologue.live.call import CallSettings, Recording, call
from duologue.live.clock import Clock, SystemClock, punctual
from duologue.live.journal import Journal
from duologue.live.keep import keep, nothing
from duologue.live.source import RATE, Source, fit, recorded, resampled
from duologue.systems.session import SessionError
from duologue.systems.system import LiveSystem, OfflineSystem, System

T = TypeVar("T")
MakeSource = Callable[[OpenDialogue, int], Source]


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sessions`` calls at once; ``attempts`` an item where a connection breaks, with ``wait`` s before the second and
    twice as long before each further one; ``limit`` s for the whole run (0: none), after which no call begins and
    those under way are given up."""

    call: CallSettings = CallSettings()
    sessions: int = 1
    attempts: int = 3
    wait: float = 1.0
    limit: float = 0.0

    def __post_init__(self) -> None:
        for field, low, high in (("sessions", 1, 1024), ("attempts", 1, 20), ("wait", 0, 600), ("limit", 0, 1e9)):
            value = getattr(self, field)
            if not low <= value <= high:
                raise UserError("out of range", field=field, value=value, allowed=f"{low}..{high}")


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """``expected`` items are in ``counts`` by status or ``left`` for another time; ``before`` of them had been done by
    an earlier run. ``first_why`` gives an example of each status but "ok"."""

    expected: int
    counts: dict[str, int]
    before: int = 0
    left: int = 0
    first_why: dict[str, str] = {}


async def run(
    system: System,
    items: Iterable[OpenDialogue],
    folder: str | Path,
    settings: RunSettings = RunSettings(),
    *,
    mode: RunMode = "fixed",
    source: MakeSource = recorded,
    corpus_sha256: str = "",
    parameters: dict[str, Any] | None = None,
    heard: Callable[[Observation], None] = lambda seen: None,
    clock: Clock | None = None,
) -> RunSummary:
    """Run ``system`` on ``items`` and leave a run in ``folder``, which may hold the beginning of this same run.

    ``source`` makes the user's side of an item for a session's input rate. ``parameters`` are kept in the manifest;
    a run is the same where system, mode, corpus, frame and parameters are. ``heard`` is told each observation as it is
    made. Raises UserError for what would fail for every item (the folder, the key, the settings); whatever befalls one
    item is in its observation.
    """
    manifest = RunManifest(
        system=system.spec,
        mode=mode,
        corpus_sha256=corpus_sha256,
        frame_ms=settings.call.frame_ms,
        parameters={"tail": settings.call.tail, "delay": settings.call.delay, **(parameters or {})},
    )
    with Journal(folder, manifest) as journal, punctual(), ThreadPoolExecutor(1, "duologue") as background:
        r = _Run(system, journal, settings, source, heard, clock or SystemClock(), background)
        return await r.all(iter(items))


class _Run:
    def __init__(
        self,
        system: System,
        journal: Journal,
        settings: RunSettings,
        source: MakeSource,
        heard: Callable[[Observation], None],
        clock: Clock,
        background: Executor,
    ) -> None:
        self.system, self.journal, self.settings = system, journal, settings
        self.source, self.heard, self.clock, self.background = source, heard, clock, background
        self.expected = self.before = self.left = 0
        self.ids: set[str] = set()

    async def all(self, items: Iterator[OpenDialogue]) -> RunSummary:
        at_once = min(self.settings.sessions, self.system.at_once or self.settings.sessions)
        deadline = self.clock.now() + self.settings.limit if self.settings.limit else None
        try:
            async with asyncio.TaskGroup() as workers:
                for index in range(at_once):
                    workers.create_task(self._work(items, index, deadline))
        except* UserError as group:
            raise _first(group) from None
        seen = [o for i in self.ids if (o := self.journal.done.get(i)) is not None]
        first_why: dict[str, str] = {}
        for o in seen:
            if o.status != "ok":
                first_why.setdefault(o.status, o.why)
        return RunSummary(
            expected=self.expected,
            counts=dict(sorted(Counter(o.status for o in seen).items())),
            before=self.before,
            left=self.left,
            first_why=first_why,
        )

    async def _work(self, items: Iterator[OpenDialogue], index: int, deadline: float | None) -> None:
        for item in items:
            self.expected += 1
            self.ids.add(item.id)
            if item.id in self.journal.done:
                self.before += 1
                continue
            left = None if deadline is None else deadline - self.clock.now()
            if left is not None and left <= 0:
                self.left += 1
                continue
            try:
                async with asyncio.timeout(left):
                    seen = await self._one(item, index)
            except TimeoutError:
                self.left += 1
                continue
            # A sync takes as long as a disk likes; the other calls' frames do not wait for it.
            await self._aside(self.journal.append, seen)
            self.heard(seen)

    async def _one(self, item: OpenDialogue, index: int) -> Observation:
        for attempt in range(1, self.settings.attempts + 1):
            seen, failure = await self._attempt(item, index, attempt)
            if failure is None or not failure.passing or attempt == self.settings.attempts:
                return seen
            await asyncio.sleep(self.settings.wait * 2.0 ** (attempt - 1))
        raise AssertionError("unreachable")

    async def _attempt(self, item: OpenDialogue, index: int, attempt: int) -> tuple[Observation, SessionError | None]:
        folder = self.journal.folder
        try:
            if isinstance(self.system, OfflineSystem):
                return await self._offline(self.system, item), None
            assert isinstance(self.system, LiveSystem)
            recording = await call(
                self.system.session(),
                lambda rate: self.source(item, rate),
                self.settings.call,
                clock=self.clock,
                index=index,
                background=self.background,
            )
        except SessionError as failure:
            return nothing(item.id, failure, attempt), failure
        words = recording.words
        seen = await self._aside(
            partial(keep, folder, item.id, recording, words=words, words_from="run" if words else "", attempts=attempt)
        )
        return seen, recording.failure

    async def _offline(self, system: OfflineSystem, item: OpenDialogue) -> Observation:
        try:
            user, rate = await self._aside(partial(item.audio, role="user", dtype="int16"))
        except UserError as error:
            what = "the user's side cannot be played"
            raise SessionError(what, where=system.spec, kind="infrastructure", said=error.message) from None
        user = resampled(user, rate, RATE)
        answer = await system.answer(item.dialogue, user, RATE)
        pcm = resampled(answer.pcm, answer.sample_rate, RATE)
        # The window in which a system is heard may outlast the user's audio, as it does in a call.
        length = max(len(user), min(len(pcm), len(user) + round(self.settings.call.tail * RATE)))
        notes = list(answer.notes)
        if len(pcm) > length:
            notes.append(f"{(len(pcm) - length) / RATE:.2f} s after the dialogue's end left out")
        recording = Recording(user=fit(user, length), system=fit(pcm, length), notes=tuple(notes))
        seen = await self._aside(
            partial(keep, self.journal.folder, item.id, recording, words=answer.words, words_from=answer.words_from)
        )
        return msgspec.structs.replace(seen, looks_ahead=answer.looks_ahead)

    async def _aside(self, work: Callable[..., T], *args: Any) -> T:
        """``work(*args)`` in the one thread beside the calls."""
        return await asyncio.get_running_loop().run_in_executor(self.background, work, *args)


def _first(group: BaseExceptionGroup[UserError]) -> UserError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, UserError)
    return error
