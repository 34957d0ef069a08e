"""An event loop on a thread of its own, so that plain callers share connections, limits and cancellation."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

from duologue.remote.clock import Clock

T = TypeVar("T")
_leaving: ContextVar[asyncio.Event | None] = ContextVar("leaving", default=None)


async def rest(clock: Clock, seconds: float) -> bool:
    """Sleep ``seconds``, but no longer than until the caller of :meth:`LoopThread.each` leaves; False where it left."""
    leaving = _leaving.get()
    if leaving is None:
        await clock.sleep(seconds)
        return True
    tasks = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(leaving.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return not leaving.is_set()


class LoopThread:
    """Runs coroutines for callers without a loop (and for those with one: notebooks). Starts when first needed.

    After a fork the child gets a loop of its own. The thread is a daemon: it keeps no process alive.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for ``coroutine``; an interrupt while waiting cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def each(
        self, calls: Sequence[Callable[[], Awaitable[T]]], width: int
    ) -> Generator[tuple[int, T | Exception], None, None]:
        """Run ``calls``, at most ``width`` at once; yield (index, result or exception) as each is done.

        Results are yielded in the caller's thread. When the caller stops early (an exception, an interrupt, a
        closed generator) nothing new starts, whoever is at :func:`rest` is woken, and what is under way is waited for:
        its answer is paid for. A second interrupt cancels that too.
        """
        done: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()
        waiting = iter(enumerate(calls))
        left = asyncio.Event()

        async def work() -> None:
            for index, call in waiting:
                if left.is_set():
                    return
                try:
                    done.put((index, await call()))
                except Exception as error:
                    done.put((index, error))

        async def run_all() -> None:
            _leaving.set(left)
            await asyncio.gather(*(work() for _ in range(min(width, len(calls)))))

        future = self.submit(run_all())
        try:
            for _ in calls:
                yield done.get()
        finally:
            self._running().call_soon_threadsafe(left.set)
            try:
                future.result()
            except BaseException:
                future.cancel()
                raise

    def close(self) -> None:
        """Stop the loop and its thread; a later call starts them again."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                self._thread = threading.Thread(target=self._loop.run_forever, name="duologue-remote", daemon=True)
                self._thread.start()
            return self._loop
