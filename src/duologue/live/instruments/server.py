"""An instrument as a server: a WebSocket on loopback that performs, or misbehaves, as it was told."""

from __future__ import annotations

import asyncio
import http
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from duologue.live.instruments import gemini, moshi, raw, realtime
from duologue.live.instruments.behaviour import Behaviour
from duologue.live.instruments.peer import Peer
from duologue.live.loop import run_loop
from duologue.systems.wire import Stamped

PROTOCOLS: dict[str, tuple[str, Callable[[Peer], Awaitable[None]]]] = {
    "realtime": ("realtime:{}/v1/realtime?model=instrument", realtime.serve),
    "realtime-beta": ("realtime:{}/v1/realtime?model=gpt-realtime", realtime.serve_beta),
    "moshi": ("moshi:{}/api/chat", moshi.serve),
    "gemini": ("gemini:{}", gemini.serve),
    "ws": ("ws:{}/", raw.serve),
}
_OVERSIZED = 16 << 20


class _Connection(Stamped, ServerConnection):
    pass


class Instrument:
    """A server of ``protocol`` that behaves as ``behaviour`` says, in a thread of its own; ``spec`` is how to reach it.

    ``seen`` holds the JSON messages of the clients (audio left out after the first), ``connections`` counts them.
    ``ssl`` is a server's TLS context.
    """

    def __init__(self, protocol: str, behaviour: Behaviour = Behaviour(), *, port: int = 0, ssl: Any = None) -> None:
        self.behaviour, self._port, self._ssl = behaviour, port, ssl
        self._form, self._serve = PROTOCOLS[protocol]
        self.seen: list[dict[str, Any]] = []
        self.connections = 0
        self._moshi = asyncio.Lock() if protocol == "moshi" else None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: run_loop(self._main()), daemon=True)
        self.url = ""

    @property
    def spec(self) -> str:
        return self._form.format(self.url)

    def __enter__(self) -> Instrument:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with serve(
            self._handle,
            "127.0.0.1",
            self._port,
            process_request=self._request,
            create_connection=_Connection,
            compression=None,
            ping_interval=None,
            max_size=8 << 20,
            max_queue=None,
            write_limit=64 << 20,
            close_timeout=0.5,
            ssl=self._ssl,
        ) as server:
            self.url = f"{'wss' if self._ssl else 'ws'}://127.0.0.1:{_port(server)}"
            self._ready.set()
            await self._stop.wait()

    def _request(self, ws: ServerConnection, request: Request) -> Response | None:
        if self._faulty(self.connections, "refuse"):
            self.connections += 1
            headers = Headers([("Content-Type", "text/plain"), ("Content-Length", "5")])
            return Response(http.HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable", headers, b"busy\n")
        return None

    def _faulty(self, connection: int, fault: str) -> bool:
        b = self.behaviour
        return b.fault == fault and (b.fault_times < 0 or connection < b.fault_times)

    async def _handle(self, ws: ServerConnection) -> None:
        number = self.connections
        self.connections += 1
        faulty = bool(self.behaviour.fault) and self._faulty(number, self.behaviour.fault)
        fault = self.behaviour.fault if faulty else ""
        peer = Peer(ws, self.behaviour, fault, self.seen)
        if fault == "silent":
            await ws.wait_closed()
            return
        if fault == "close":
            await ws.close()
            return
        striker = asyncio.create_task(self._strike(peer, fault))
        try:
            with suppress(ConnectionClosed):
                if self._moshi is None:
                    await self._serve(peer)
                else:
                    async with self._moshi:
                        await self._serve(peer)
        finally:
            striker.cancel()
            peer.end()

    async def _strike(self, peer: Peer, fault: str) -> None:
        """Do what is wrong, when it is time."""
        await peer.begun.wait()
        await asyncio.sleep(max(0.0, peer.begun_at + self.behaviour.fault_at - time.monotonic()))
        ws = peer.ws
        with suppress(ConnectionClosed):
            if fault == "drop":
                ws.transport.abort()
            elif fault == "hangup":
                await ws.close(1000, "goodbye")
            elif fault == "busy":
                await ws.close(1013, "try again later")
            elif fault == "garbage":
                await ws.send(b"\xff" + os.urandom(500))
            elif fault == "malformed":
                await ws.send('{"type": "response.output_audio.delta", "delta": "AAAA')
            elif fault == "number":
                await ws.send("42")
            elif fault == "oversized":
                await ws.send(bytes(_OVERSIZED))
            elif fault == "odd":
                await peer.send_odd()
            elif fault == "error":
                await peer.send_error("the model is on fire")
            elif fault == "echo-key":
                headers = ws.request.headers if ws.request is not None else {}
                names = [n for n in headers if n.lower() in ("authorization", "x-goog-api-key")]
                await peer.send_error(f"not a good key: {[headers[n] for n in names]}")


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
