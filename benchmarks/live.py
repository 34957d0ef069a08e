"""How true the live harness measures: delays and stops of servers of programmed behaviour, and the pace of the frames.

    python benchmarks/live.py                                  # realtime, 1 and 32 sessions, then the largest number
    python benchmarks/live.py --protocol ws --sessions 1 8 --no-search
    taskset -c 0,1 python benchmarks/live.py                   # on two cores of a larger machine

Servers (one for each programmed delay) and harness run in processes of their own. Each session is a call in which the
user speaks every three seconds, into the reply that is under way: so every period gives one delay (from the end of the
user's speech to the onset of the sound heard) and one stop (from the user's first sample to silence). A level holds
where 95% of the delays and of the stops are within 10 ms of what was programmed and the 99th percentile of the pacing
errors is under 5 ms. The exit code is 1 where one of the levels asked for does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from duologue.corpus.observation import SentTurn
from duologue.listen.sound import audible
from duologue.live.call import CallSettings, Recording, call
from duologue.live.clock import punctual
from duologue.live.loop import run_loop
from duologue.live.source import RATE, Recorded, resampled
from duologue.systems.spec import open_system
from duologue.systems.system import LiveSystem

DELAYS = (0.3, 0.7, 1.5)
STOP = 0.2
PERIOD, SPEECH, LEAD = 3.0, 1.0, 0.5
TOLERANCE_MS, SHARE, PACING_MS = 10.0, 0.95, 5.0


@dataclass
class Level:
    """What was measured at one number of sessions, in milliseconds."""

    sessions: int
    delays: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    pacing: list[float] = field(default_factory=list)
    expected: int = 0
    failures: list[str] = field(default_factory=list)
    cores: float = 0.0

    @property
    def holds(self) -> bool:
        measured = len(self.delays) >= 0.99 * self.expected and not self.failures
        return (
            measured
            and within(self.delays) >= SHARE
            and within(self.stops) >= SHARE
            and np.percentile(self.pacing, 99) < PACING_MS
        )

    def __str__(self) -> str:
        def errors(x: list[float]) -> str:
            if not x:
                return "none measured"
            a, b, c = np.percentile(x, (2.5, 50, 97.5))
            return f"{len(x):4d}: {within(x):6.1%} within 10 ms, {a:+.1f} / {b:+.1f} / {c:+.1f}"

        p50, p99 = np.percentile(self.pacing, (50, 99)) if self.pacing else (0.0, 0.0)
        worst = max(self.pacing, default=0.0)
        return (
            f"{self.sessions:4d} sessions  delays {errors(self.delays)}  stops {errors(self.stops)}  "
            f"pacing {p50:.2f} / {p99:.2f} / {worst:.1f}  {self.cores:.2f} cores  {'holds' if self.holds else 'FAILS'}"
            + (f"  ({len(self.failures)} calls failed: {self.failures[0]})" if self.failures else "")
        )


def within(errors: list[float]) -> float:
    return float(np.mean(np.abs(errors) <= TOLERANCE_MS)) if errors else 0.0


def user(seconds: float) -> tuple[np.ndarray, tuple[SentTurn, ...]]:
    """Noise for SPEECH seconds every PERIOD, its first and last samples loud, int16 at 16 kHz."""
    pcm = np.zeros(round(seconds * RATE), np.int16)
    turns = []
    noise = (np.random.default_rng(1).standard_normal(round(SPEECH * RATE)) * 3000).astype(np.int16)
    noise[:16] = noise[-16:] = 12_000
    for k in range(int((seconds - LEAD) // PERIOD)):
        start = round((LEAD + k * PERIOD) * RATE)
        pcm[start : start + len(noise)] = noise
        turns.append(SentTurn(2 * k, start, start + len(noise)))
    return pcm, tuple(turns)


@contextmanager
def servers(protocol: str) -> Iterator[list[tuple[float, LiveSystem]]]:
    processes, systems = [], []
    try:
        for delay in DELAYS:
            behaviour = json.dumps({"reply_after": delay, "reply": PERIOD, "stop_after": STOP})
            process = subprocess.Popen(
                [sys.executable, "-m", "duologue.live.instruments", protocol, behaviour],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        for delay, process in zip(DELAYS, processes, strict=True):
            assert process.stdout is not None
            system = open_system(process.stdout.readline().strip())
            assert isinstance(system, LiveSystem)
            systems.append((delay, system))
        yield systems
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


def measure(level: Level, recording: Recording, delay: float) -> None:
    sounds = audible(recording.system.astype(np.float32) / np.float32(32_768), RATE)
    for turn in recording.sent:
        later = [int(a) for a, _ in sounds if a >= turn.end]
        if later and later[0] < turn.end + round((PERIOD - SPEECH) * RATE):
            level.delays.append((later[0] - turn.end) * 1000 / RATE - delay * 1000)
        under_way = [int(b) for a, b in sounds if a < turn.start < b]
        if under_way:
            level.stops.append((under_way[0] - turn.start) * 1000 / RATE - STOP * 1000)
    level.pacing += [abs(e) * 1000 for e in recording.pacing]


async def run(systems: list[tuple[float, LiveSystem]], sessions: int, seconds: float) -> Level:
    level = Level(sessions)
    pcm, turns = user(seconds)

    async def one(index: int) -> None:
        delay, system = systems[index % len(systems)]
        recording = await call(
            system.session(),
            lambda rate: Recorded(resampled(pcm, RATE, rate), rate, sent=turns),
            CallSettings(tail=2.0),
            index=index,
            background=background,
        )
        if recording.failure is not None:
            level.failures.append(recording.failure.message)
        level.expected += len(turns)
        measure(level, recording, delay)

    began, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(1) as background:
        for result in await asyncio.gather(*(one(i) for i in range(sessions)), return_exceptions=True):
            if isinstance(result, Exception):
                level.failures.append(str(result))
    level.cores = (time.process_time() - cpu) / (time.monotonic() - began)
    return level


def at(systems: list[tuple[float, LiveSystem]], sessions: int, seconds: float) -> Level:
    with punctual():
        level = run_loop(run(systems, sessions, seconds))
    print(level, flush=True)
    return level


def largest(systems: list[tuple[float, LiveSystem]], start: int, seconds: float) -> int:
    """The largest number of sessions that holds, to a tenth: doubled until it fails, then halved in between."""
    good, bad = 0, start
    while bad <= 1024 and at(systems, bad, seconds).holds:
        good, bad = bad, bad * 2
    while good and bad - good > max(4, good // 10):
        middle = (good + bad) // 2
        if at(systems, middle, seconds).holds:
            good = middle
        else:
            bad = middle
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", default="realtime")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--no-search", action="store_true")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    cores = len(os.sched_getaffinity(0))
    print(f"{args.protocol}, {cores} cores, load {os.getloadavg()[0]:.1f}, calls of {args.seconds:g} s")
    print("errors in ms as 2.5% / median / 97.5%; pacing as median / 99% / worst; cores are the harness's own")
    with servers(args.protocol) as systems:
        # One session hears one delay only; it is called once for each.
        levels = []
        for n in args.sessions:
            if n >= len(systems):
                levels.append(at(systems, n, args.seconds))
            else:
                for pair in systems:
                    print(f"{pair[0] * 1000:.0f} ms:", end=" ")
                    levels.append(at([pair], n, args.seconds))
        if not args.no_search:
            print(f"largest number of sessions that holds: {largest(systems, max(args.sessions), args.seconds)}")
    return 0 if all(level.holds for level in levels) else 1


if __name__ == "__main__":
    sys.exit(main())
