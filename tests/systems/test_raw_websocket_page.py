"""The server on the raw WebSocket protocol's own page runs as it stands there."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

from duologue.live.call import CallSettings, call
from duologue.live.loop import run_loop
from duologue.live.source import RATE
from duologue.systems.spec import open_system

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from callers import user

PAGE = Path(__file__).parents[2] / "docs" / "raw-websocket.md"


def test_the_example_echoes_half_a_second_late(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    script = tmp_path / "echo.py"
    script.write_text(textwrap.dedent(page[page.index("    import asyncio, json") :]).replace("9000", str(port)))
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        for _ in range(200):
            with socket.socket() as s:
                if not s.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        system = open_system(f"ws:ws://127.0.0.1:{port}/")
        recording = run_loop(call(system.session(), user([(0.1, 0.4)], 0.5), CallSettings(tail=0.7)))
    finally:
        process.kill()
        process.wait()
    assert recording.failure is None
    loud = np.flatnonzero(np.abs(recording.system.astype(int)) > 9000)
    # 25 frames of silence go ahead of the echo, and each frame is echoed when it has been heard: 0.52 s at the least.
    assert loud[0] >= round((0.1 + 0.52 - 0.002) * RATE)
