"""Servers that fail in every way there is: one sentence with the address, and whose failure it was."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from callers import user

from duologue.live.call import CallSettings, Recording, call
from duologue.live.instruments import PROTOCOLS, Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.systems.session import SessionError
from duologue.systems.spec import open_system
from duologue.systems.system import Settings

QUICK = CallSettings(tail=0.3)
KEY = "sk-very-secret-0123456789"


def attempt(spec: str, **settings) -> tuple[Recording | None, SessionError | None]:
    """What is left of one call, and what ended it."""
    system = open_system(spec, Settings(open_timeout=1.5, **settings))
    try:
        recording = run_loop(call(system.session(), user([(0.1, 0.3)], 0.5), QUICK))
    except SessionError as error:
        return None, error
    return recording, recording.failure


# In the middle of a call: what it says, whose failure it is, whether another attempt is worth while.
MIDDLE = {
    "drop": ("the connection was lost", "infrastructure", True),
    "busy": ("code 1013", "infrastructure", True),
    "malformed": ("", "system", False),
    "garbage": ("", "system", False),
    "number": ("", "system", False),
    "oversized": ("more than 8,388,608 bytes", "system", False),
    "odd": ("", "system", False),
    "hangup": ("closed the connection after", "system", False),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", MIDDLE)
def test_a_failure_in_the_middle(protocol: str, fault: str) -> None:
    said, kind, passing = MIDDLE[fault]
    with Instrument(protocol, Behaviour(reply_after=None, fault=fault, fault_at=0.1)) as server:
        recording, failure = attempt(server.spec)
        address = server.url
    assert failure is not None
    assert said in failure.message
    assert address in failure.message
    assert (failure.kind, failure.passing) == (kind, passing)
    assert "\n" not in failure.message and len(failure.message) < 600
    # What had been heard by then is kept.
    assert recording is not None and len(recording.user) > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("fault", "said"),
    [("refuse", "answered 503"), ("silent", "said nothing for 1.5 s"), ("close", "closed the connection before")],
)
def test_a_failure_to_begin(protocol: str, fault: str, said: str) -> None:
    with Instrument(protocol, Behaviour(fault=fault)) as server:
        recording, failure = attempt(server.spec)
        address = server.url
    assert recording is None and failure is not None
    assert said in failure.message and address in failure.message
    assert failure.kind == "infrastructure"


@pytest.mark.parametrize("protocol", ["realtime", "gemini", "ws"])
def test_a_wrong_sample_rate_is_named(protocol: str) -> None:
    with Instrument(protocol, Behaviour(reply_after=0.3, fault="rate")) as server:
        _, failure = attempt(server.spec)
    assert failure is not None and failure.kind == "system"
    assert "Hz" in failure.message


@pytest.mark.parametrize("protocol", ["realtime", "realtime-beta", "ws", "gemini", "moshi"])
def test_a_key_that_a_server_echoes_is_cut_out(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with Instrument(protocol, Behaviour(reply_after=None, fault="echo-key", fault_at=0.1)) as server:
        recording, failure = attempt(server.spec, key_env="TEST_KEY")
    said = (failure.message if failure else "") + repr(recording.events if recording else "")
    assert "[key]" in said  # it was sent, and came back
    assert KEY not in said


def test_every_protocol_refuses_every_other() -> None:
    for theirs in PROTOCOLS:
        with Instrument(theirs, Behaviour(reply_after=None)) as server:
            for ours in ("realtime", "moshi", "gemini", "ws"):
                if theirs.removesuffix("-beta") == ours:
                    continue
                system = open_system(f"{ours}:{server.url}", Settings(open_timeout=0.5))

                async def begin(session=system.session()) -> None:
                    try:
                        await session.open()
                    finally:
                        await session.close()

                with pytest.raises(SessionError) as caught:
                    run_loop(begin())
                assert server.url in caught.value.message
                assert caught.value.kind == "infrastructure"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_nobody_there() -> None:
    spec = f"realtime:ws://127.0.0.1:{free_port()}/v1/realtime"
    _, failure = attempt(spec)
    assert failure is not None
    assert "refused the connection" in failure.message and "is the system running?" in failure.message
    assert failure.passing


def test_no_such_host() -> None:
    _, failure = attempt("ws:ws://no-such-host.invalid:9/")
    assert failure is not None and failure.kind == "infrastructure"
    assert "no-such-host.invalid" in failure.message


@contextlib.contextmanager
def tcp(answer: bytes) -> Iterator[str]:
    """Something on TCP that is no WebSocket server: it says ``answer`` and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()
        listener.settimeout(0.1)

        def serve() -> None:
            while not stop.is_set():
                try:
                    conn, _ = listener.accept()
                except TimeoutError:
                    continue
                with conn:
                    conn.recv(4096)
                    conn.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer as a WebSocket server does"),
        (b"", "does not answer as a WebSocket server does"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "answered 200, no WebSocket: hello"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "knows no such address (404)"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "asks for a key and none was given (401)"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "not followed"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "does not answer as a WebSocket"),
    ],
)
def test_no_websocket_server(answer: bytes, said: str) -> None:
    with tcp(answer) as url:
        _, failure = attempt(f"ws:{url}")
    assert failure is not None and failure.kind == "infrastructure"
    assert said in failure.message and url in failure.message


def test_a_system_that_hangs_up_after_it_spoke_has_done_what_it_did() -> None:
    # It answers at 0.3 + 0.25 s, and hangs up 1.2 s after the session began; the user would speak until 2 s.
    behaviour = Behaviour(reply_after=0.25, reply=0.2, fault="hangup", fault_at=1.2)
    with Instrument("ws", behaviour) as server:
        system = open_system(server.spec)
        r = run_loop(call(system.session(), user([(0.1, 0.3), (1.6, 1.9)], 2.0), QUICK))
    assert r.failure is None
    assert any("hung up" in n for n in r.notes)
    # The rest of the dialogue is spoken into the closed line, so that its turns count as unanswered.
    assert len(r.user) == round(2.3 * 16_000)
    assert [s.turn for s in r.sent] == [0, 2]
    assert r.system[:16_000].any() and not r.system[24_000:].any()


def test_a_server_that_never_reads_does_not_hold_the_call_up() -> None:
    """It takes the WebSocket handshake by hand and then reads nothing; the call's length is the call's own."""

    async def scenario() -> Recording:
        done = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            import base64
            import hashlib

            head = await reader.readuntil(b"\r\n\r\n")
            key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if b"websocket-key" in line.lower())
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
            writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            ready = b'{"type":"ready","input_rate":48000,"output_rate":16000}'
            writer.write(bytes([0x81, len(ready)]) + ready)
            await writer.drain()
            await done.wait()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**16)
        port = server.sockets[0].getsockname()[1]
        system = open_system(f"ws:ws://127.0.0.1:{port}/")
        try:
            return await call(system.session(), user([(0.1, 0.3)], 0.5), QUICK)
        finally:
            done.set()
            server.close()

    recording = run_loop(scenario())
    assert len(recording.user) == round(0.8 * 16_000)


def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events beyond what is kept are counted; audio far ahead of its playback is a failure."""
    with Instrument("ws", Behaviour(reply_after=0.25, reply=0.1, chunk=0.001)) as server:
        monkeypatch.setattr("duologue.live.call.MOST_EVENTS", 3)
        recording, failure = attempt(server.spec)
    assert failure is None and recording is not None
    assert len(recording.events) == 3 and recording.events_left_out >= 1
    assert any("not kept" in n for n in recording.notes)
    monkeypatch.setattr("duologue.live.call._LONGEST_QUEUE", 0.5)
    with Instrument("ws", Behaviour(reply_after=0.25, reply=3.0, burst=True)) as server:
        system = open_system(server.spec)
        recording = run_loop(call(system.session(), user([(0.1, 0.2)], 0.3), CallSettings(tail=1.0)))
    assert recording.failure is not None and recording.failure.kind == "system"
    assert server.url in recording.failure.message and "ahead of its playback" in recording.failure.message
