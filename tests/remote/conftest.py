from __future__ import annotations

from collections.abc import Iterator

import pytest
from chat_server import KEY, Server, serving

pytest.importorskip("httpx")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        yield running
