"""An OpenAI-compatible endpoint: its address, key, time limits, retries and limit in flight.

Whatever speaks to a server builds on :class:`Endpoint`. The key is read from an environment variable at each request
and held nowhere; whatever a server sends back has the key cut out of it before it is used, shown or kept.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from duologue.errors import MissingPartError, UserError
from duologue.remote.clock import Clock, SystemClock
from duologue.remote.loop import LoopThread, rest

T = TypeVar("T")
Kind = Literal[
    "key", "address", "quota", "redirect", "refused", "busy", "server", "network", "timeout", "malformed", "too-large"
]
# Failures that another attempt may mend, and those that every further request would meet as well.
_PASSING: frozenset[Kind] = frozenset({"busy", "server", "network", "timeout", "malformed"})
_LASTING: frozenset[Kind] = frozenset({"key", "address", "quota", "redirect"})
# Some servers say 400 where the model's name is wrong.
_NO_MODEL = re.compile(
    r"invalid model|unknown model|model\b.{0,100}\b(not found|not exist|is not available)", re.IGNORECASE
)
# Local servers take any word for a key ("EMPTY"); such a word is no secret and may well be part of an answer.
_SHORTEST_SECRET = 8


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to connect, between two pieces of an answer, and for one whole attempt."""

    connect: float = 10.0
    read: float = 120.0
    total: float = 300.0


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``attempts`` a request. The wait doubles from ``first`` up to ``longest`` seconds, each shortened by up
    to half so that requests spread. ``Retry-After`` counts instead; one beyond ``patience`` seconds ends it."""

    attempts: int = 5
    first: float = 1.0
    longest: float = 30.0
    patience: float = 120.0


class EndpointError(UserError):
    """A request that failed for good. ``passing`` failures were retried; ``lasting`` ones meet every request."""

    def __init__(
        self,
        what: str,
        *,
        where: str,
        kind: Kind,
        status: int = 0,
        said: str = "",
        mend: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{what}: {said}" if said else what, where=where, mend=mend)
        self.kind, self.status, self.said, self.retry_after = kind, status, said, retry_after

    @property
    def passing(self) -> bool:
        return self.kind in _PASSING

    @property
    def lasting(self) -> bool:
        return self.kind in _LASTING

    def after(self, attempts: int, why: str = "") -> EndpointError:
        return EndpointError(
            f"{self.what} ({why or f'{attempts} attempts'})",
            where=self.where,
            kind=self.kind,
            status=self.status,
            mend=self.mend,
            retry_after=self.retry_after,
        )


class MalformedError(Exception):
    """An answer with a good status that is not what the interface promises; its text says how."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with a good status; ``body`` without the key."""

    content_type: str
    body: bytes


class _Session:
    """What lives as long as one event loop: connections and slots."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Any, in_flight: int) -> None:
        self.loop, self.client, self.slots = loop, client, asyncio.Semaphore(in_flight)
        self.pid = os.getpid()
        self.quiet_until = float("-inf")
        self.waits = 0


class Endpoint:
    """A server that speaks the OpenAI interface.

    Parameters
    ----------
    base_url: address with the version ("https://api.example.org/v1"); "/v1" is added where there is no path.
    model: the model's name as the server knows it.
    key_env: name of the environment variable that holds the key; no key is sent where it is unset or the name is "".
    in_flight: requests at once, over all threads that use this object.
    largest: bytes of an answer; more is an error, not read on.
    plain_http: allow the key over an unencrypted connection to another machine.
    clock: the time to wait by.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        *,
        timeouts: Timeouts = Timeouts(),
        retries: Retries = Retries(),
        in_flight: int = 4,
        largest: int = 4 << 20,
        plain_http: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.base_url = _address(base_url)
        if not model:
            raise UserError("no model is named", field="model", mend="give the name that the server knows it by")
        if in_flight < 1 or retries.attempts < 1:
            raise UserError("must be at least 1", field="in_flight" if in_flight < 1 else "retries.attempts")
        self.model, self.key_env = model, key_env
        self.timeouts, self.retries = timeouts, retries
        self.in_flight, self.largest = in_flight, largest
        self._clock: Clock = clock or SystemClock()
        self._thread = LoopThread()
        self._session: _Session | None = None
        if self._key() and not plain_http and self.base_url.startswith("http:") and not _is_loopback(self.base_url):
            raise UserError(
                "the key would travel unencrypted to another machine",
                where=self.base_url,
                field="key_env",
                value=key_env,
                mend="use https, name no key (key_env='') or allow it (plain_http=True)",
            )

    @property
    def where(self) -> str:
        """The endpoint as errors name it."""
        return f"endpoint {self.base_url} (model {self.model!r})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r}, {self.model!r}, key_env={self.key_env!r})"

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_thread", "_session")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _thread=LoopThread(), _session=None)

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None and session.pid == os.getpid():
            self._thread.run(session.client.aclose())
        self._thread.close()

    def models(self) -> tuple[str, ...]:
        """Names of the models that the server offers."""
        return self._thread.run(self.request("GET", "models", read=_model_names))

    def each(self, calls: Sequence[Callable[[], Awaitable[T]]]) -> Generator[tuple[int, T | Exception], None, None]:
        """Run ``calls`` with as many at once as may be in flight; see :meth:`LoopThread.each`."""
        return self._thread.each(calls, self.in_flight)

    async def request(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[Reply], T],
        json: object = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        end: re.Pattern[bytes] | None = None,
    ) -> T:
        """One request and what ``read`` makes of its answer, with retries.

        ``read`` raises :class:`MalformedError` for what the interface does not allow, a passing failure.
        Reading stops early where ``end`` is found in the answer. Raises EndpointError.
        """
        session = self._open()
        content = None if json is None else msgspec.json.encode(json)
        async with session.slots:
            for attempt in range(1, self.retries.attempts + 1):
                quiet = session.quiet_until - self._clock.monotonic()
                if quiet > 0 and not await rest(self._clock, quiet):
                    raise self._failed("busy", "stopped before it was asked")
                try:
                    reply = await self._attempt(session, method, path, content, form, files, end)
                    return read(reply)
                except MalformedError as problem:
                    error = EndpointError(
                        "answered, but not as the interface says", where=self.where, kind="malformed", said=str(problem)
                    )
                except EndpointError as problem:
                    error = problem
                if not error.passing:
                    raise error
                if attempt == self.retries.attempts:
                    raise error.after(attempt)
                wait = self._backoff(session, attempt)
                if error.retry_after is not None:
                    wait = max(error.retry_after, 0.0)
                    if wait > self.retries.patience:
                        raise error.after(attempt, f"asks to wait {wait:.0f} s, over {self.retries.patience:.0f} s")
                    # The server speaks to the account, not to one request: all others wait as well.
                    session.quiet_until = max(session.quiet_until, self._clock.monotonic() + wait)
                if not await rest(self._clock, wait):
                    raise error.after(attempt, "stopped before another attempt")
        raise AssertionError("unreachable")

    def _open(self) -> _Session:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.loop is not loop:
            httpx = _httpx()
            client = httpx.AsyncClient(
                timeout=httpx.Timeout(self.timeouts.read, connect=self.timeouts.connect, pool=None),
                limits=httpx.Limits(max_connections=self.in_flight, max_keepalive_connections=self.in_flight),
                follow_redirects=False,
            )
            self._session = _Session(loop, client, self.in_flight)
        return self._session

    async def _attempt(
        self,
        session: _Session,
        method: str,
        path: str,
        content: bytes | None,
        form: Mapping[str, Any] | None,
        files: Mapping[str, tuple[str, bytes, str]] | None,
        end: re.Pattern[bytes] | None,
    ) -> Reply:
        httpx = _httpx()
        key = self._key()
        # Compressed answers are not asked for: a small one may unpack to any size.
        headers = {"User-Agent": _agent(), "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if content is not None:
            headers["Content-Type"] = "application/json"
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self.timeouts.total),
                session.client.stream(
                    method, f"{self.base_url}/{path}", headers=headers, content=content, data=form, files=files
                ) as response,
            ):
                status, head = int(response.status_code), response.headers
                async with aclosing(response.aiter_raw()) as chunks:
                    async for chunk in chunks:
                        seen = max(len(body) - 64, 0)
                        body += chunk
                        if len(body) > self.largest:
                            raise self._failed("too-large", f"the answer is larger than {self.largest:,} bytes")
                        if end is not None and end.search(body, seen):
                            break
        except TimeoutError as error:
            raise self._failed("timeout", f"took longer than {self.timeouts.total:g} s") from error
        except httpx.ConnectTimeout as error:
            raise self._failed("timeout", f"no connection within {self.timeouts.connect:g} s") from error
        except httpx.TimeoutException as error:
            raise self._failed("timeout", f"nothing came for {self.timeouts.read:g} s") from error
        except httpx.RemoteProtocolError as error:
            raise self._failed("network", "the connection broke or spoke no HTTP", str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            raise self._failed("network", "cannot be reached", str(error)) from error
        text = self._without_key(bytes(body))
        if head.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise self._failed("refused", "answers compressed though asked not to")
        if 200 <= status < 300:
            return Reply(content_type=head.get("Content-Type", "").lower(), body=text)
        raise self._refusal(status, head, text)

    def _refusal(self, status: int, head: Mapping[str, str], body: bytes) -> EndpointError:
        """The error that an answer with a bad status stands for."""
        message, code = _server_words(body)
        if 300 <= status < 400:
            target = urlsplit(head.get("Location", ""))
            return self._failed(
                "redirect",
                f"answered {status} and points to {_shown(target.hostname or 'another path', 100)}; not followed, "
                "as the key would go along",
                status=status,
                mend="give the final address as the base URL",
            )
        if status in (401, 403):
            unset = f"set the environment variable {self.key_env or 'that key_env names'} to a valid key"
            what = "refused the key" if self._key() else "asks for a key and none was given"
            return self._failed("key", f"{what} ({status})", message, status=status, mend=unset)
        if status == 404 or (status in (400, 422) and (code == "model_not_found" or _NO_MODEL.search(message))):
            mend = "check the base URL (it ends in /v1 as a rule) and the model's name"
            what = f"knows no such address or model ({status})"
            return self._failed("address", what, message, status=status, mend=mend)
        if status == 429 and code == "insufficient_quota":
            return self._failed("quota", "the account's quota is used up (429)", message, status=status)
        if status == 429 or status in (408, 409, 425) or (status >= 500 and status != 501):
            kind: Kind = "busy" if status in (429, 503) else "server"
            return self._failed(kind, f"answered {status}", message, status=status, retry_after=self._retry_after(head))
        return self._failed("refused", f"refused the request ({status})", message, status=status)

    def _failed(
        self,
        kind: Kind,
        what: str,
        said: str = "",
        *,
        status: int = 0,
        mend: str = "",
        retry_after: float | None = None,
    ) -> EndpointError:
        said = _shown(self.without_key(said), 300)
        return EndpointError(
            what, where=self.where, kind=kind, status=status, said=said, mend=mend, retry_after=retry_after
        )

    def _retry_after(self, head: Mapping[str, str]) -> float | None:
        """Seconds that ``Retry-After`` names, as a number or as a date (RFC 9110, 10.2.3)."""
        value = head.get("Retry-After", "").strip()
        if not value:
            return None
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
            return float(value)
        try:
            return parsedate_to_datetime(value).timestamp() - self._clock.time()
        except (ValueError, TypeError, OverflowError):
            return None

    def _backoff(self, session: _Session, attempt: int) -> float:
        """Exponential, and spread by the golden ratio's multiples, which fall evenly between 0.5 and 1."""
        session.waits += 1
        spread = 0.5 + 0.5 * (session.waits * 0.6180339887 % 1.0)
        return min(self.retries.first * 2.0 ** (attempt - 1), self.retries.longest) * spread

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if not all(0x21 <= ord(c) <= 0x7E for c in key):
            raise UserError("the key holds characters that no key has", field=self.key_env)
        return key

    def without_key(self, text: str) -> str:
        """``text`` with the key cut out, wherever a server may have echoed it."""
        key = self._key()
        return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text

    def _without_key(self, body: bytes) -> bytes:
        key = self._key().encode()
        return body.replace(key, b"[key]") if len(key) >= _SHORTEST_SECRET else body


@cache
def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingPartError(
            f"remote endpoints need the package {error.name!r}", mend="pip install 'duologue[remote]'"
        ) from error
    return httpx


@cache
def _agent() -> str:
    return f"duologue/{version('duologue')}"


def _address(base_url: str) -> str:
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            "not an address of a server",
            field="base_url",
            value=base_url.partition("?")[0] if "@" not in base_url else "(holds a password)",
            allowed="https://host/v1 or http://localhost:8000/v1",
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise UserError(
            "a base URL holds neither user, password nor query",
            field="base_url",
            value=f"{parts.scheme}://{parts.hostname}",
            mend="put the key into an environment variable and name it",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/') or '/v1'}"


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _server_words(body: bytes) -> tuple[str, str]:
    """Message and code of an error body; the interface's form is {"error": {"message", "code"}}."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[:400].decode("utf-8", "replace"), ""
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return str(error), ""
    return str(error.get("message") or error.get("detail") or error), str(error.get("code") or "")


def _shown(text: str, longest: int) -> str:
    """``text`` of a stranger, fit for one line of a terminal."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


def _model_names(reply: Reply) -> tuple[str, ...]:
    try:
        return tuple(m.id for m in msgspec.json.decode(reply.body, type=_Models).data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from None
