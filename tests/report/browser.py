"""A page as a strict reader and a real browser see it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_PROBE = """
addEventListener("load", async () => {
  const audio = document.querySelector("audio");
  let heard = null;
  if (audio) {
    audio.preload = "auto";
    heard = await new Promise((done) => {
      audio.addEventListener("loadedmetadata", () => done(audio.duration));
      audio.addEventListener("error", () => done(-1));
      audio.load();
    });
  }
  const picture = document.querySelector("svg.exchange");
  let sought = null;
  if (audio && picture) {
    // The middle of the picture's time, as a person would click it.
    const box = picture.getBoundingClientRect();
    const { left, right } = picture.dataset;
    const middle = ((Number(left) + Number(right)) / 2 / picture.viewBox.baseVal.width) * box.width;
    picture.dispatchEvent(new MouseEvent("click", { clientX: box.left + middle, clientY: box.top + 5, bubbles: true }));
    sought = audio.currentTime;
  }
  parent.postMessage(JSON.stringify({
    inner: document.documentElement.clientWidth,
    scroll: document.documentElement.scrollWidth,
    heard,
    sought,
    text: document.body.innerText,
    pictures: [...document.querySelectorAll("svg")].filter((s) => s.getBoundingClientRect().height < 4).length,
  }), "*");
});
"""


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page.

    Its width and that of its content, the first player's seconds, where a click on the middle of the first picture
    takes it, the text, how many pictures have no height, and what the console complains of.
    """

    inner: int
    scroll: int
    heard: float | None
    sought: float | None
    text: str
    flat: int
    complaints: list[str]


def look(page: str, width: int, folder: Path) -> Seen:
    """Open ``page`` in headless Chromium in a frame ``width`` pixels wide; skips where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    pinned = base64.b64encode(hashlib.sha256(_PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{pinned}' ", 1).replace(
        "</body>", f"<script>{_PROBE}</script></body>"
    )
    (folder / "page.html").write_text(page, "utf-8")
    (folder / "frame.html").write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><iframe src="page.html" width="{width}" height="900"></iframe>'
        '<pre id="out"></pre><script>onmessage = (e) => '
        '{ document.getElementById("out").textContent = e.data; };</script>',
        "utf-8",
    )
    ran = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--autoplay-policy=no-user-gesture-required",
            "--virtual-time-budget=10000",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            f"file://{folder / 'frame.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    out = re.search(r'<pre id="out">(.*?)</pre>', ran.stdout, re.S)
    assert out and out.group(1), ran.stderr[-2000:]
    seen = json.loads(unescape(out.group(1)))
    complaints = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    return Seen(
        seen["inner"], seen["scroll"], seen["heard"], seen["sought"], seen["text"], seen["pictures"], complaints
    )


class _Strict(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute: {names}"
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style", "title"):
            self.text.append(data)


def parse(page: str) -> _Strict:
    """The tags and the text of ``page``; AssertionError where tags do not balance."""
    reader = _Strict()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader
