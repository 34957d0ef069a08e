"""A WebSocket to a system: each message with the time of its arrival, each failure in one sentence with the address."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    ProxyError,
    WebSocketException,
)
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event

from duologue.errors import UserError
from duologue.systems.key import Key
from duologue.systems.session import FailureKind, Hangup, SessionError
from duologue.systems.system import Settings

# More than this unread by the peer (a quarter of a minute of audio at the least) and it has stopped reading.
_UNREAD = 1 << 20
# Between two measurements of the round trip, and how long the answer may take on a link that has answered before.
_PING_EVERY = 5.0
_PING_LOST = 20.0
# Close codes of RFC 6455 that say no more than "goodbye"; those that another attempt may mend.
_GOODBYE = frozenset({1000, 1001, 1005})
_PASSING = frozenset({1006, 1011, 1012, 1013, 1014})
_OTHER_PROTOCOL = "is it this protocol that the address speaks?"
# What is too secret to be shown of an address.
_SECRET = re.compile(r"(?i)((?:api_?key|key|token|secret|password|auth\w*)=)[^&]+")


class Stamped(Connection):
    """Notes when each message was whole, before anything else runs; ``stamps`` has one entry a message not yet read."""

    stamps: deque[float]

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.fin and event.opcode in DATA_OPCODES:
            self.stamps.append(time.monotonic())
        super().process_event(event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stamps = deque()
        super().connection_made(transport)


class _Stamped(Stamped, ClientConnection):
    pass


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        # A key in a header of its own would go along to wherever the server points.
        return exc


def address(url: str, schemes: tuple[str, ...] = ("ws", "wss")) -> str:
    """``url``, checked: a WebSocket address without user or password. UserError for anything else."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in schemes or not host or any(c.isspace() for c in url):
        shown = url if "@" not in url else "(holds a password)"
        raise UserError("not a WebSocket address", field="system", value=shown, allowed="ws://host:port/path or wss://")
    if parts.username is not None or parts.fragment:
        raise UserError(
            "an address holds neither user nor password",
            field="system",
            value=f"{parts.scheme}://{host}",
            mend="put the key into an environment variable and name it",
        )
    return url


def shown(url: str) -> str:
    """``url`` as messages and files name it: without the values of what may be a key."""
    return _SECRET.sub(r"\1...", url)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Wire:
    """An open or unopened WebSocket to ``url``.

    ``headers`` are sent as they are; ``key_header`` is a name and a prefix for the key ("Authorization", "Bearer ").
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        *,
        key: Key = Key(""),
        key_header: tuple[str, str] = ("Authorization", "Bearer "),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url, self.where = url, shown(url)
        self.settings, self.key = settings, key
        self._key_header, self._headers = key_header, dict(headers or {})
        self._ws: _Stamped | None = None
        self._pinger: asyncio.Task[None] | None = None
        self._lost_pings = False
        self.round_trips: list[float] = []
        # Set by the session once the other side has greeted as its protocol says.
        self.greeted = False

    async def open(self) -> None:
        """Connect within ``settings.open_timeout`` seconds."""
        headers = dict(self._headers)
        if key := self.key.read():
            name, prefix = self._key_header
            headers[name] = prefix + key
        if key and self.url.startswith("ws:") and not is_loopback(self.url) and not self.settings.plain_key:
            raise UserError(
                "the key would travel unencrypted to another machine",
                where=self.where,
                field="key_env",
                value=self.key.env,
                mend="use wss:// or name no key",
            )
        more: dict[str, Any] = {"ssl": self._tls()} if self.url.startswith("wss:") else {}
        try:
            async with asyncio.timeout(self.settings.open_timeout):
                ws = await _Connect(
                    self.url,
                    additional_headers=headers,
                    user_agent_header="duologue",
                    create_connection=_Stamped,
                    compression=None,
                    open_timeout=None,
                    ping_interval=None,
                    close_timeout=2.0,
                    max_size=self.settings.largest,
                    max_queue=None,
                    write_limit=4 * _UNREAD,
                    proxy=None if is_loopback(self.url) else True,
                    **more,
                )
        except (OSError, TimeoutError, WebSocketException, ValueError) as error:
            raise self._not_opened(error) from None
        assert isinstance(ws, _Stamped)
        self._ws = ws
        sock = ws.transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pinger = asyncio.create_task(self._ping(ws))

    async def send(self, data: str | bytes) -> None:
        ws = self._ws
        if ws is None:
            raise self.failed("not connected", kind="infrastructure")
        if ws.transport.get_write_buffer_size() > _UNREAD:
            raise self.failed("does not read what it is sent", kind="infrastructure", passing=True)
        try:
            await ws.send(data)
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def receive(self) -> tuple[str | bytes, float]:
        """The next message (text as str) and the monotonic time at which it was whole."""
        ws = self._ws
        if ws is None:
            raise self.failed("not connected", kind="infrastructure")
        try:
            data = await ws.recv()
        except ConnectionClosed as error:
            raise self._closed(error) from None
        return data, ws.stamps.popleft()

    async def first(self) -> tuple[str | bytes, float]:
        """The next message, within the time that opening may take."""
        limit = self.settings.open_timeout
        try:
            async with asyncio.timeout(limit):
                return await self.receive()
        except TimeoutError:
            raise self.failed(
                f"accepted the connection but said nothing for {limit:g} s",
                kind="infrastructure",
                passing=True,
                mend=_OTHER_PROTOCOL,
            ) from None

    async def close(self) -> None:
        if self._pinger is not None:
            self._pinger.cancel()
            self._pinger = None
        if self._ws is not None:
            with suppress(WebSocketException, OSError):
                await self._ws.close()

    def failed(
        self, what: str, *, kind: FailureKind, passing: bool = False, said: str = "", mend: str = ""
    ) -> SessionError:
        """An error that names the address and holds no key."""
        return SessionError(
            what, where=self.where, kind=kind, passing=passing, said=one_line(self.key.cut(said)), mend=mend
        )

    def wrong(self, what: str, said: object = "") -> SessionError:
        """The system sent what its protocol does not allow. Before it greeted, it is the wrong address as a rule."""
        if self.greeted:
            return self.failed(what, kind="system", said=str(said))
        return self.failed(what, kind="infrastructure", said=str(said), mend=_OTHER_PROTOCOL)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.settings.ca_file:
            try:
                context.load_verify_locations(self.settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise UserError(
                    f"no certificates can be read: {error}", where=self.settings.ca_file, field="ca_file"
                ) from None
        return context

    async def _ping(self, ws: _Stamped) -> None:
        """Measure the round trip now and then; a link that answered once and then never again is lost."""
        with suppress(ConnectionClosed, OSError):
            while True:
                asked = time.monotonic()
                pong = await ws.ping()
                limit = _PING_LOST if self.round_trips else None
                try:
                    async with asyncio.timeout(limit):
                        # The loop's own time, by which the library measures, may be as coarse as a millisecond.
                        await pong
                        self.round_trips.append(time.monotonic() - asked)
                except TimeoutError:
                    self._lost_pings = True
                    ws.transport.abort()
                    return
                await asyncio.sleep(_PING_EVERY)

    def _not_opened(self, error: Exception) -> SessionError:
        def failed(what: str, said: str = "", *, passing: bool = False, mend: str = "") -> SessionError:
            return self.failed(what, kind="infrastructure", passing=passing, said=said, mend=mend)

        if isinstance(error, ssl.SSLCertVerificationError):
            return failed("its TLS certificate is not trusted", error.verify_message or str(error))
        if isinstance(error, ssl.SSLError):
            return failed("TLS failed", error.reason or str(error), mend="is it a wss:// address?")
        if isinstance(error, ConnectionRefusedError):
            return failed("refused the connection", passing=True, mend="is the system running?")
        if isinstance(error, socket.gaierror):
            return failed("no such host", error.strerror or "")
        if isinstance(error, TimeoutError):
            return failed(f"no connection within {self.settings.open_timeout:g} s", passing=True)
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            said = (error.response.body or b"")[:400].decode("utf-8", "replace")
            if 300 <= status < 400:
                return failed(f"answered {status} and points elsewhere; not followed", mend="give the final address")
            if status in (401, 403):
                what = "refused the key" if self.key.read() else "asks for a key and none was given"
                return failed(f"{what} ({status})", said, mend=f"set {self.key.env or 'a key and name its variable'}")
            if status == 404:
                return failed("knows no such address (404)", said, mend="check the path and the model's name")
            return failed(f"answered {status}, no WebSocket", said, passing=status == 429 or status >= 500)
        if isinstance(error, InvalidMessage):
            # The line ended inside the answer: either something that is no HTTP server, or a server going down.
            return failed("does not answer as a WebSocket server does", str(error.__cause__ or error), passing=True)
        if isinstance(error, ProxyError):
            return failed("cannot be reached through the proxy", str(error), passing=True)
        if isinstance(error, InvalidHandshake | WebSocketException | ValueError):
            return failed("does not answer as a WebSocket server does", str(error))
        return failed("cannot be reached", str(error), passing=True)

    def _closed(self, error: ConnectionClosed) -> SessionError:
        """What a closed connection means. Our own close code tells what we found wrong."""
        ours, theirs = error.sent, error.rcvd
        if self._lost_pings:
            return self.failed(
                f"the connection was lost: no answer to pings for {_PING_LOST:g} s", kind="infrastructure", passing=True
            )
        if ours is not None and not error.rcvd_then_sent:
            if ours.code == 1009:
                return self.wrong(f"sent a message of more than {self.settings.largest:,} bytes")
            if ours.code == 1007:
                return self.wrong("sent text that is not UTF-8")
            if ours.code == 1002:
                return self.wrong("broke the WebSocket protocol", ours.reason)
        if theirs is None:
            return self.failed("the connection was lost", kind="infrastructure", passing=True)
        if theirs.code in _GOODBYE and not self.greeted:
            what = "closed the connection before the call began"
            return self.failed(what, kind="infrastructure", said=theirs.reason)
        if theirs.code in _GOODBYE:
            return Hangup(where=self.where, said=one_line(self.key.cut(theirs.reason)))
        return self.failed(
            f"closed the connection with code {theirs.code}",
            kind="infrastructure",
            passing=theirs.code in _PASSING,
            said=theirs.reason,
        )


def one_line(text: str, longest: int = 300) -> str:
    """``text`` of a stranger, fit for one line of a terminal."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."
