"""Moshi's own client (moshi.client of the package moshi) against the server at argv[1]; prints what it got as JSON.

The client's sound card is replaced by one that needs no hardware: its microphone hears half a second of tone, then
silence; its loudspeaker counts what it is given. The package itself is not imported, as it would load torch.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np

SECONDS = 2.5
loud: list[float] = []
text: list[str] = []


class Card:
    """A stream of sounddevice, either way, at real-time pace."""

    def __init__(self, samplerate: float, channels: int, blocksize: int, callback) -> None:
        self.rate, self.size, self.callback = samplerate, blocksize, callback
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        begun, k = time.monotonic(), 0
        while not self.stopped.is_set():
            self.block(k)
            k += 1
            time.sleep(max(0.0, begun + k * self.size / self.rate - time.monotonic()))

    def __enter__(self) -> Card:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()


class Microphone(Card):
    def block(self, k: int) -> None:
        n = np.arange(k * self.size, (k + 1) * self.size)
        tone = np.where(n < self.rate / 2, 0.3 * np.sin(2 * np.pi * 300 * n / self.rate), 0.0)
        self.callback(tone.astype(np.float32)[:, None], self.size, None, None)


class Loudspeaker(Card):
    def block(self, k: int) -> None:
        out = np.zeros((self.size, 1), np.float32)
        self.callback(out, self.size, None, None)
        if np.abs(out).max() > 0.05:
            loud.append(float(np.count_nonzero(np.abs(out) > 0.01)))


class Printer:
    def print_token(self, token: str) -> None:
        text.append(token)

    def log(self, level: str, message: str) -> None:
        print(level, message, file=sys.stderr)

    def __getattr__(self, name: str):
        return lambda *a, **k: None


def client():
    sound = types.ModuleType("sounddevice")
    sound.InputStream, sound.OutputStream = Microphone, Loudspeaker  # type: ignore[attr-defined]
    sys.modules["sounddevice"] = sound
    spec = importlib.util.find_spec("moshi")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)))
    package = types.ModuleType("moshi")
    package.__path__ = [str(folder)]
    sys.modules["moshi"] = package
    return importlib.import_module("moshi.client")


async def main(url: str) -> None:
    import aiohttp

    module = client()
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        connection = module.Connection(Printer(), ws, event_loop=asyncio.get_running_loop())
        running = asyncio.create_task(connection.run())
        await asyncio.sleep(SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    print(json.dumps({"loud_blocks": len(loud), "text": "".join(text)}))


asyncio.run(main(sys.argv[1]))
