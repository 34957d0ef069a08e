"""A tab of a real headless Chromium, driven through its own debugging protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Tab:
    """One page. ``complaints`` is whatever the console says, ``requests`` every address that it asked for."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._last = socket, 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            self._note(message)
            if message.get("id") == self._last:
                assert "error" not in message, message
                return dict(message["result"])

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, at: str = "") -> None:
        """Load a file at a size and theme, and wait until its script has shown something."""
        phone = width < 600
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=features)
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.as_uri() + at)
        self.until("document.readyState === 'complete' && document.querySelector('#dialogue')?.childElementCount > 0")

    def js(self, expression: str) -> Any:
        """What ``expression`` (awaited) gives; AssertionError where it throws."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        for _ in range(600):
            if self.js(f"Boolean({condition})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}; {self.complaints}")

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def drag(self, selector: str, start: float, end: float) -> None:
        """Press at share ``start`` of an element's width, let go at ``end``; a click where they are equal."""
        self.js(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = self.js(
            f"(({{left, top, width, height}}) => [left, top, width, height])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        y = box[1] + box[3] / 3
        for kind, share in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0] + box[2] * share,
                y=y,
                button="left",
                buttons=0 if kind == "mouseReleased" else 1,
                clickCount=1,
            )

    def click(self, selector: str) -> None:
        self.drag(selector, 0.5, 0.5)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser with its profile in ``folder``; skips where there is no Chromium or no WebSocket client."""
    client = pytest.importorskip("websockets.sync.client", reason="the websockets package is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    profile = folder / "profile"
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--mute-audio"]
    arguments += [f"--user-data-dir={profile}", "--autoplay-policy=no-user-gesture-required", "about:blank"]
    with subprocess.Popen([chromium, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            told = profile / "DevToolsActivePort"
            for _ in range(1200):
                if told.exists() and told.read_text().count("\n"):
                    break
                time.sleep(0.05)
            port = int(told.read_text().splitlines()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
                pages = [p for p in json.load(answer) if p["type"] == "page"]
            with client.connect(pages[0]["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
                yield Tab(socket)
        finally:
            browser.terminate()
