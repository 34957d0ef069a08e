"""TLS as a browser would have it, and keys that go where they are meant to and nowhere else."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from duologue.errors import UserError
from duologue.live.instruments import Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.systems.gemini import GeminiSystem
from duologue.systems.key import Key
from duologue.systems.realtime import RealtimeSystem
from duologue.systems.session import SessionError
from duologue.systems.spec import open_system
from duologue.systems.system import Settings
from duologue.systems.wire import Wire

trustme = pytest.importorskip("trustme")
KEY = "sk-test-0123456789"


def opened(spec: str, settings: Settings) -> None:
    async def begin() -> None:
        session = open_system(spec, settings).session()
        try:
            await session.open()
        finally:
            await session.close()

    run_loop(begin())


@pytest.fixture
def tls(tmp_path: Path):
    """A server's TLS context for 127.0.0.1 and localhost, and the file of its authority."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, str(tmp_path / "ca.pem")


def test_a_trusted_server_is_called(tls) -> None:
    context, ca = tls
    with Instrument("realtime", Behaviour(), ssl=context) as server:
        assert server.url.startswith("wss:")
        opened(server.spec, Settings(ca_file=ca))
        assert server.connections == 1


def test_the_systems_own_authorities_count(tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's own variable stands for the system's store."""
    context, ca = tls
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    with Instrument("ws", Behaviour(), ssl=context) as server:
        opened(server.spec, Settings())


def test_an_untrusted_server_is_named(tls) -> None:
    context, _ = tls
    with Instrument("realtime", Behaviour(), ssl=context) as server:
        with pytest.raises(SessionError, match="TLS certificate is not trusted") as caught:
            opened(server.spec, Settings())
        assert server.url in caught.value.message
        assert (caught.value.kind, caught.value.passing) == ("infrastructure", False)


def test_tls_to_a_server_without_it(tls) -> None:
    with Instrument("ws", Behaviour()) as server, pytest.raises(SessionError, match=r"TLS failed|cannot be reached"):
        opened(server.spec.replace("ws:ws:", "ws:wss:"), Settings(open_timeout=3.0))


def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("hello")
    with pytest.raises(UserError, match="no certificates can be read"):
        opened("ws:wss://127.0.0.1:1/", Settings(ca_file=str(tmp_path / "x.pem")))


def test_a_vendors_key_goes_to_the_vendor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    for system, want in (
        (RealtimeSystem("wss://api.openai.com/v1/realtime"), "OPENAI_API_KEY"),
        (RealtimeSystem("wss://api.openai.com.evil.example/v1/realtime"), ""),
        (RealtimeSystem("wss://evil.example//api.openai.com/v1"), ""),
        (RealtimeSystem("ws://127.0.0.1:1/v1/realtime"), ""),
        (RealtimeSystem("ws://127.0.0.1:1/", Settings(key_env="MINE")), "MINE"),
        (GeminiSystem("wss://generativelanguage.googleapis.com"), "GEMINI_API_KEY"),
        (GeminiSystem("wss://example.org"), ""),
    ):
        assert system.session()._wire.key.env == want, system.spec
        assert KEY not in repr(vars(system.session()))


def test_a_key_does_not_travel_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", KEY)
    for url in ("ws://192.0.2.1:9/", "ws://example.invalid/"):
        with pytest.raises(UserError, match="unencrypted") as caught:
            asyncio.run(Wire(url, Settings(), key=Key("MINE")).open())
        assert KEY not in caught.value.message


def test_a_key_that_no_header_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "sk-with\nnewline-inside")
    with pytest.raises(UserError, match="characters that no key has") as caught:
        asyncio.run(Wire("ws://127.0.0.1:9/", Settings(), key=Key("MINE")).open())
    assert "newline-inside" not in caught.value.message


def test_the_key_is_cut_out_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", KEY)
    key = Key("MINE")
    value = {"a": [f"x{KEY}y", 1, None], KEY: {"b": KEY}}
    assert key.cut_all(value) == {"a": ["x[key]y", 1, None], "[key]": {"b": "[key]"}}
    assert KEY not in repr(key)
    # A word that local servers take for a key may be part of an answer.
    monkeypatch.setenv("MINE", "EMPTY")
    assert key.cut("the cup is EMPTY") == "the cup is EMPTY"
