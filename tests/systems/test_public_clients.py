"""The public clients and agent frameworks of each protocol, run as they are against our servers.

Each runs in a process of its own, with the first of these interpreters that has it: this one, the one that
DUOLOGUE_PEERS names, and .venv-peers (``make peers``), since frameworks pin other versions of what Duologue uses.
"""

from __future__ import annotations

import functools
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from duologue.live.instruments import Behaviour, Instrument

HERE = Path(__file__).parent
PEERS = HERE / "peers"
RATE = 24_000
# An answer of 0.6 s, begun 0.4 s after the user's half second.
BEHAVIOUR = Behaviour(reply_after=0.4, reply=0.6)
# The clients' users speak again 0.8 s after their first words, into an answer that lasts longer.
INTERRUPTED = Behaviour(reply_after=0.4, reply=4.0, stop_after=0.1)


@functools.cache
def python_with(*modules: str) -> str:
    """An interpreter in which ``modules`` can be imported; skips where there is none."""
    code = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in {modules!r}))"
    for python in (
        sys.executable,
        os.environ.get("DUOLOGUE_PEERS", ""),
        str(HERE.parents[1] / ".venv-peers/bin/python"),
    ):
        # A missing parent package makes find_spec raise: no success either.
        if Path(python).is_file() and not subprocess.run([python, "-c", code], capture_output=True).returncode:
            return python
    pytest.skip(f"none of the interpreters has {', '.join(modules)} (make peers)")


def run(python: str, script: str, *argv: str, **env: str) -> dict:
    done = subprocess.run(
        [python, str(PEERS / script), *argv],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def tls(tmp_path: Path):
    trustme = pytest.importorskip("trustme")
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, str(tmp_path / "ca.pem")


def test_openais_client_holds_a_conversation_with_our_server() -> None:
    python = python_with("openai", "websockets")
    with Instrument("realtime", INTERRUPTED) as server:
        got = run(python, "openai_realtime.py", f"{server.url}/v1")
    assert got["statuses"] == ["cancelled", "completed"]
    # The second answer came whole, the first in part.
    whole = round(INTERRUPTED.reply * RATE) * 2
    assert whole < got["bytes"] < 2 * whole
    assert got["text"] == INTERRUPTED.text * 2
    assert "error" not in got["events"]
    assert got["events"].count("input_audio_buffer.speech_started") == 2


def test_googles_client_holds_a_conversation_with_our_server(tls) -> None:
    python = python_with("google.genai", "websockets")
    context, ca = tls
    with Instrument("gemini", INTERRUPTED, ssl=context) as server:
        got = run(python, "genai_live.py", server.url.replace("wss:", "https:"), SSL_CERT_FILE=ca)
    assert (got["interrupted"], got["complete"]) == (1, 2)
    whole = round(INTERRUPTED.reply * RATE) * 2
    assert whole < got["bytes"] < 2 * whole
    assert got["mimes"] == ["audio/pcm;rate=24000"]
    assert got["text"] == INTERRUPTED.text


def test_pipecat_talks_to_our_realtime_server() -> None:
    python = python_with("pipecat.services.openai", "websockets")
    with Instrument("realtime", BEHAVIOUR) as server:
        got = run(python, "pipecat_service.py", "realtime", f"{server.url}/v1/realtime")
        asked = [m["type"] for m in server.seen]
    # It asks for a greeting, and then its user speaks: two answers.
    assert got["bytes"] == 2 * round(BEHAVIOUR.reply * RATE) * 2
    assert got["rates"] == [RATE]
    assert got["names"].count("TTSStartedFrame") == got["names"].count("TTSStoppedFrame") == 2
    assert got["text"] == [BEHAVIOUR.text] * 2
    assert {"session.update", "response.create", "input_audio_buffer.append"} <= set(asked)


def test_pipecat_talks_to_our_gemini_server(tls) -> None:
    python = python_with("pipecat.services.google", "google.genai")
    context, ca = tls
    with Instrument("gemini", BEHAVIOUR, ssl=context) as server:
        url = server.url.replace("wss:", "https:")
        got = run(python, "pipecat_service.py", "gemini", url, SSL_CERT_FILE=ca)
    assert got["bytes"] == round(BEHAVIOUR.reply * RATE) * 2
    assert got["rates"] == [RATE]
    assert got["text"] == [BEHAVIOUR.text]


def test_moshis_client_talks_to_our_server() -> None:
    python = python_with("moshi", "sphn", "aiohttp")
    with Instrument("moshi", BEHAVIOUR) as server:
        got = run(python, "moshi_client.py", f"{server.url}/api/chat")
    # 0.6 s are seven to nine blocks of 80 ms, as they fall on the client's own grid.
    assert 7 <= got["loud_blocks"] <= 9
    assert got["text"] == " Hello there."
