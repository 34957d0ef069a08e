"""Specs of systems, read from what a user types."""

from __future__ import annotations

import pytest

from duologue import registry
from duologue.errors import UserError
from duologue.systems.spec import open_system
from duologue.systems.system import LiveSystem, OfflineSystem, Settings


def test_every_kind_is_found_by_its_name() -> None:
    assert {"realtime", "moshi", "gemini", "ws", "command", "files"} <= set(registry.names("systems"))


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("realtime:ws://127.0.0.1:8080/v1/realtime", "realtime:ws://127.0.0.1:8080/v1/realtime?model=m"),
        ("realtime:ws://h/v1/realtime?model=own", "realtime:ws://h/v1/realtime?model=own"),
        ("moshi:ws://127.0.0.1:8998", "moshi:ws://127.0.0.1:8998/api/chat"),
        ("moshi:wss://h/other?seed=1", "moshi:wss://h/other?seed=1"),
        ("ws:ws://127.0.0.1:9000/a?api_key=sk-123&x=1", "ws:ws://127.0.0.1:9000/a?api_key=...&x=1"),
        ("realtime:wss://h/?token=abc", "realtime:wss://h/?token=...&model=m"),
        (
            "gemini:ws://127.0.0.1:1",
            "gemini:ws://127.0.0.1:1/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent (m)",
        ),
        ("gemini:ws://127.0.0.1:1/live?model=n", "gemini:ws://127.0.0.1:1/live (n)"),
    ],
)
def test_live_systems(spec: str, shown: str) -> None:
    system = open_system(spec, Settings(model="m"))
    assert isinstance(system, LiveSystem) and not isinstance(system, OfflineSystem)
    assert system.spec == shown
    assert system.at_once == (1 if spec.startswith("moshi") else 0)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "realtime",
        "realtime:",
        "ws: ",
        "telepathy:ws://h",
        "realtime:http://127.0.0.1:80",
        "realtime:127.0.0.1:80",
        "ws:ws://",
        "ws:ws://h:99999/",
        "ws:ws://h/ x",
        "ws:ws://user:hunter2@h/",
        "moshi:ws://hunter2@h/",
        "gemini:ws://h/#frag",
    ],
)
def test_what_is_no_spec_is_refused_with_what_is_allowed(spec: str) -> None:
    with pytest.raises(UserError) as caught:
        open_system(spec)
    assert "system" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_part_that_is_not_installed_names_the_extra() -> None:
    assert {registry.EXTRA_OF[k] for k in ("realtime", "moshi", "gemini", "ws")} == {"live"}
