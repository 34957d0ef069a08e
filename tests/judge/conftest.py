from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "remote"))

from chat_server import KEY, MODEL, Server, serving
from clocks import NoWait

from duologue.remote.chat import ChatEndpoint

pytest.importorskip("httpx")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        yield running


@pytest.fixture
def endpoint(server: Server) -> Iterator[ChatEndpoint]:
    with ChatEndpoint(server.url, MODEL, clock=NoWait()) as there:
        yield there
