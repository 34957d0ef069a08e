"""A WebSocket relay on loopback that keeps every message of both sides."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


@dataclass
class Tap:
    url: str = ""
    from_client: list[str | bytes] = field(default_factory=list)
    from_server: list[str | bytes] = field(default_factory=list)


@contextlib.contextmanager
def tapped(target: str) -> Iterator[Tap]:
    """Listen between a client, which is to use ``tap.url``, and the server at ``target`` (ws://host:port)."""
    tap, ready, loop_of = Tap(), threading.Event(), {}

    async def main() -> None:
        stop = asyncio.Event()
        loop_of["loop"], loop_of["stop"] = asyncio.get_running_loop(), stop

        async def handle(client) -> None:
            async with connect(target + client.request.path, max_size=None, compression=None) as server:

                async def pump(source, sink, log) -> None:
                    with contextlib.suppress(ConnectionClosed):
                        async for message in source:
                            log.append(message)
                            await sink.send(message)
                    await sink.close()

                await asyncio.gather(
                    pump(client, server, tap.from_client),
                    pump(server, client, tap.from_server),
                )

        async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
            tap.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            ready.set()
            await stop.wait()

    assert urlsplit(target).hostname == "127.0.0.1"
    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield tap
    finally:
        loop_of["loop"].call_soon_threadsafe(loop_of["stop"].set)
        thread.join(10)
