"""The baseline system, called live over the Realtime protocol on loopback, beside degenerate systems on the same items.

python benchmarks/baseline.py CORPUS [--per-cell 4] [--split test] [--systems mute,never_stops] [--out RUN]

The baseline runs in a process of its own and hears only the user's audio, paced in real time (mode "fixed"). Each
scenario, position and language of the corpus gives up to --per-cell items, chosen by the hash of their ids. All
systems are scored by the corrected profile; the words of the baseline are those of its own transcript, those of the
degenerate systems are known from the corpus. What depends on the machine's load is printed with the load.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr

from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.live.call import CallSettings
from duologue.live.run import RunSettings, run
from duologue.score.parts import ears
from duologue.score.profiles.corrected.evaluate import Options, evaluate, expected
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.scorecard import Scorecard
from duologue.score.selfcheck import sample, selfcheck
from duologue.score.text_reader import reader_of
from duologue.systems.degenerate import DEGENERATE
from duologue.systems.spec import open_system

SERVE = "import sys; from duologue.systems.baseline import serve; serve(port=0, voice=sys.argv[1])"


def call_all(items: list, folder: Path, corpus: Corpus, sessions: int, voice: str) -> tuple[float, float]:
    """Call the baseline on ``items``; wall seconds and the server's CPU seconds."""
    with subprocess.Popen([sys.executable, "-c", SERVE, voice], stdout=subprocess.PIPE, text=True) as server:
        spec = server.stdout.readline().strip()
        began, spent = time.monotonic(), _cpu(server.pid)
        settings = RunSettings(sessions=sessions, call=CallSettings(tail=8.0))
        summary = asyncio.run(
            run(open_system(spec), items, folder, settings, corpus_sha256=corpus.manifest.corpus_sha256)
        )
        spent = _cpu(server.pid) - spent
        server.terminate()
    print(f"calls: {summary.counts} {summary.first_why or ''}")
    return time.monotonic() - began, spent


def show_costs(voice: str) -> None:
    """CPU seconds of what stands between a turn's end and its answer, the least of five: they depend on load least."""
    from duologue.generate.voices.espeak import EspeakVoice
    from duologue.systems.baseline.mouth import Speaker
    from duologue.systems.baseline.recognise import QuickRecogniser

    said = EspeakVoice().synthesise(
        "I'd like to play some simple songs, how do I start?", language="en", speaker="en-us+m2"
    )
    x = soxr.resample(said.samples, said.sample_rate, 16_000).astype(np.float32)
    recogniser, mouth = QuickRecogniser(), Speaker(voice)
    recogniser.load()
    mouth.load()
    spent = []
    for _ in range(5):
        began = time.process_time()
        recogniser.hear(x)
        heard = time.process_time()
        mouth.speak("Learn three or four chords, and play simple songs with them from the first day.", "en")
        spent.append((heard - began, time.process_time() - heard))
    hear, speak = np.min(spent, axis=0)
    print(
        f"CPU: {hear:.2f} s to recognise {len(x) / 16_000:.1f} s of speech (2 threads), {speak:.3f} s to say a sentence"
    )


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(
    name: str, utility: float | None, behaviour: float | None, speed: float | None, relevance: float | None
) -> None:
    cells = "".join("      -" if v is None else f"{v:7.3f}" for v in (utility, behaviour, speed, relevance))
    print(f"{name:22}{cells}", flush=True)


def show_card(card: Scorecard) -> None:
    for c in card.cells:
        if c.language == "all" or c.scenario == "all":
            show(f"  {c.scenario} {c.language}", *(e.value for e in (c.utility, c.behaviour, c.speed, c.relevance)))
    first = [r.sound for i in card.items for r in i.replies if r.sound is not None]
    if first:
        print(f"first sound after the turn's end, s: median {np.median(first):.2f}, 90% {np.quantile(first, 0.9):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", default=Path("data/demo"))
    parser.add_argument("--per-cell", type=int, default=4)
    parser.add_argument("--split", default=None)
    parser.add_argument("--systems", default="all", help="degenerate systems to compare with: names, all or none")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--voice", default="espeak")
    parser.add_argument("--costs", action="store_true", help="only print what an answer costs in CPU time")
    parser.add_argument("--out", type=Path, help="keep the run here (it is continued where it has begun)")
    given = parser.parse_args()
    if given.costs:
        show_costs(given.voice)
        return
    corpus = Corpus(given.corpus, track="duplex", split=given.split)
    items = sample(expected(corpus, Options()), given.per_cell)
    ids = {i.id for i in items}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.out or Path(temporary) / "run"
        before = os.getloadavg()[0]
        wall, cpu = call_all(items, folder, corpus, given.sessions, given.voice)
        print(f"{len(items)} items, {wall:.0f} s, server's CPU {cpu:.0f} s", end=", ")
        print(f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after on {os.cpu_count()} cores")
        reader = reader_of(corpus)
        card = evaluate(corpus, Run(folder), ears("auto"), reader, Options(keep=lambda item: item.id in ids))
    print(f"{'system':22}utility  behav  speed  relev")
    whole = next(c for c in card.cells if (c.scenario, c.language) == ("all", "all"))
    show("baseline", card.headline.value, *(e.value for e in (whole.behaviour, whole.speed, whole.relevance)))
    show_card(card)
    if given.systems == "none":
        return
    from duologue.listen.speech import SpeechDetector

    chosen = tuple(DEGENERATE) if given.systems == "all" else tuple(given.systems.split(","))
    found = selfcheck(
        corpus, ears("run"), reader, OfficialEars(SpeechDetector()), per_cell=given.per_cell, systems=chosen
    )
    for s in found.systems:
        show(s.system, s.corrected.value, s.behaviour, s.speed, s.relevance)


if __name__ == "__main__":
    main()
