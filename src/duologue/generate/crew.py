"""The crew: worker processes that make items, watched over one by one.

A worker starts fresh (spawn), makes its voices once and then works through what it is handed. Every worker runs
its numeric libraries on one thread, so that bytes and load do not depend on how many workers there are. A worker
that dies is replaced and its item tried once more; a second death is the user's to know.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from duologue.errors import UserError
from duologue.generate.item import Item
from duologue.generate.ledger import Log, Record
from duologue.generate.recipe import Recipe

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

# A worker is handed about this many seconds of work at a time, and as much again to go on with.
_BATCH_SECONDS, _BATCH_ITEMS = 0.5, 32
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class Done(msgspec.Struct, frozen=True):
    """A worker's word that an item is finished. ``wall`` is how many seconds it took."""

    record: Record
    seconds: float
    audio_seconds: float
    wall: float


class Usage(msgspec.Struct, frozen=True):
    """What a worker used up: CPU seconds and peak memory in bytes."""

    cpu: float
    peak: int


class _Ready(msgspec.Struct, frozen=True):
    pass


class _Failed(msgspec.Struct, frozen=True):
    item: str
    message: str
    bug: bool


class _Worker:
    def __init__(self, process: SpawnProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection
        self.items: deque[Item] = deque()
        self.ready = False
        self.closing = False


class Crew:
    """``size`` workers make items of ``recipe`` below ``root``; the n-th keeps its records at ``log_path(n)``."""

    def __init__(self, size: int, recipe: Recipe, root: Path, log_path: Callable[[int], Path]) -> None:
        self.size, self._recipe, self._root, self._log_path = size, recipe, root, log_path
        self.usages: list[Usage] = []
        self.retried: list[str] = []
        self._started = 0
        self._workers: list[_Worker] = []
        self._item_wall = _BATCH_SECONDS

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        """Make all items, in whatever order they finish. Stops every worker when it ends, however it ends."""
        again: deque[Item] = deque()
        attempts: dict[str, int] = {}

        def take(n: int) -> list[Item]:
            batch: list[Item] = []
            while len(batch) < n:
                item = again.popleft() if again else next(items, None)
                if item is None:
                    break
                batch.append(item)
            return batch

        try:
            self._workers = [self._start() for _ in range(self.size)]
            while self._workers:
                for worker in self._workers:
                    self._hand_out(worker, take)
                wait([end for w in self._workers for end in (w.connection, w.process.sentinel)])
                for worker in list(self._workers):
                    gone = worker.process.exitcode is not None
                    yield from self._hear(worker)
                    if gone:
                        self._bury(worker, again, attempts)
        finally:
            self._stop()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work,
            args=(theirs, self._recipe, str(self._root), str(self._log_path(self._started)), os.getpid()),
            daemon=True,
            name=f"duologue-worker-{self._started}",
        )
        self._started += 1
        with _worker_environment():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self, worker: _Worker, take: Callable[[int], list[Item]]) -> None:
        if not worker.ready or worker.closing:
            return
        size = max(1, min(_BATCH_ITEMS, int(_BATCH_SECONDS / self._item_wall)))
        if len(worker.items) > size:
            return
        batch = take(size)
        worker.items.extend(batch)
        with suppress(BrokenPipeError):
            if batch:
                worker.connection.send(batch)
            elif not worker.items:
                worker.closing = True
                worker.connection.send(None)

    def _hear(self, worker: _Worker) -> Iterator[Done]:
        """All that a worker has to say now."""
        while True:
            try:
                if worker.connection.closed or not worker.connection.poll():
                    return
                word = worker.connection.recv()
            except (EOFError, OSError):
                return
            if isinstance(word, Done):
                worker.items.popleft()
                self._item_wall += 0.1 * (word.wall - self._item_wall)
                yield word
            elif isinstance(word, _Ready):
                worker.ready = True
            elif isinstance(word, Usage):
                self.usages.append(word)
            else:
                if word.bug:
                    raise RuntimeError(f"dialogue {word.item}: {word.message}")
                raise UserError(word.message, where=f"dialogue {word.item}" if word.item else "")

    def _bury(self, worker: _Worker, again: deque[Item], attempts: dict[str, int]) -> None:
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        if worker.closing:
            return
        how = _how(worker.process.exitcode)
        if not worker.ready:
            raise UserError(
                f"a worker {how} before it was ready", mend="look for a lack of memory, or use fewer workers"
            )
        item = worker.items[0] if worker.items else None
        name = item.id if item else ""
        attempts[name] = attempts.get(name, 0) + 1
        if attempts[name] > 1:
            raise UserError(
                f"a worker {how} twice at this item" if item else f"idle workers died twice, the last one {how}",
                where=f"dialogue {name} ({item.cell} {item.index})" if item else "",
                mend="what is finished is kept; if memory ran out, run the same command with fewer --workers",
            )
        if item:
            self.retried.append(name)
            again.extend(worker.items)
        self._workers.append(self._start())

    def _stop(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(5)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers = []


def work(connection: Connection, recipe: Recipe, root: str, log_path: str, parent: int) -> None:
    """A worker's life: make the voices, then items until there are none, or the build is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    doing = ""
    with suppress(BrokenPipeError, EOFError, ConnectionResetError):
        try:
            from duologue.generate.maker import Maker

            maker = Maker(recipe, root)
            log = Log(log_path)
            connection.send(_Ready())
            while (batch := connection.recv()) is not None:
                for item in batch:
                    doing = f"{item.id} ({item.cell} {item.index})"
                    began = time.perf_counter()
                    made = maker.make(item)
                    record = log.append(item.shard, item.id, made.line)
                    connection.send(Done(record, made.seconds, made.audio_seconds, time.perf_counter() - began))
            connection.send(Usage(time.process_time(), _peak_memory()))
        except UserError as error:
            connection.send(_Failed(doing, error.message, False))
        except (BrokenPipeError, EOFError, ConnectionResetError):
            raise
        except Exception:
            connection.send(_Failed(doing, traceback.format_exc(), True))


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Start a child with one numeric thread and deaf to Ctrl-C, which the parent answers for all."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if main:
            signal.signal(signal.SIGINT, handler)


def _die_with(parent: int) -> None:
    """Have the system kill this process with its parent (Linux), so that none writes on after a killed build."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _peak_memory() -> int:
    """Peak resident memory of this process in bytes (not of what it was forked from, where the system tells)."""
    with suppress(OSError, ValueError):
        for row in Path("/proc/self/status").read_text().splitlines():
            if row.startswith("VmHWM:"):
                return int(row.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name})"
    return f"died (exit code {code})"
