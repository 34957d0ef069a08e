"""The baseline system, called live over the Realtime protocol on loopback, beside degenerate systems on the same items.

python benchmarks/baseline.py CORPUS [--per-cell 4] [--split test] [--systems mute,never_stops] [--out RUN]
python benchmarks/baseline.py CORPUS --faults all [--mode adaptive]

The baseline runs in a process of its own and hears only the user's audio, paced in real time. --faults calls it with
one fault as well: what it knows and says is the same, so that only behaviour makes the difference. Each
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

from duologue.cli.run import source_of
from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.listen.silero import FRAME, RATE
from duologue.live.call import CallSettings
from duologue.live.run import RunSettings, run
from duologue.score.parts import ears
from duologue.score.profiles.corrected.evaluate import Options, evaluate, expected
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.scorecard import Scorecard
from duologue.score.selfcheck import sample, selfcheck
from duologue.score.text_reader import reader_of
from duologue.systems.baseline import server
from duologue.systems.baseline.agent import Agent, Line, Parts, _Turn
from duologue.systems.baseline.manager import SORRY, Decision, Floor, Manager
from duologue.systems.degenerate import DEGENERATE
from duologue.systems.spec import open_system


class AlwaysStops(Agent):
    """Falls silent for any sound, for good."""

    async def _over(self, turn: _Turn, silence: float) -> None:
        if turn.voiced * FRAME >= 0.2 * RATE:
            await self._hold(turn)

    async def _resume(self) -> None:
        pass


class NeverStops(Agent):
    """Says to its end what it has begun, whatever is said meanwhile."""

    async def _over(self, turn: _Turn, silence: float) -> None:
        pass

    async def _conclude(self, turn: _Turn) -> None:
        if not self.speaking:
            await super()._conclude(turn)


class _Obliging(Manager):
    def decide(self, text: str, language: str, floor: Floor = Floor()) -> Decision:
        decision = super().decide(text, language, floor)
        if decision.move != "ignore" or not text:
            return decision
        found = self._search(text, language)
        said = self._answer(found, "matter", language) if found else SORRY[language]
        return Decision(move="say", act="matter", text=said, evidence=decision.evidence)


class AnswersEveryone(Agent):
    """Replies to bystanders, asides and signals too."""

    def __init__(self, parts: Parts, line: Line, manager: Manager) -> None:
        super().__init__(parts, line, _Obliging(meaning=parts.meaning))

    def _is_stranger(self, turn: _Turn) -> bool:
        return False


FAULTS = {"always_stops": AlwaysStops, "never_stops": NeverStops, "answers_everyone": AnswersEveryone}


def serve_faulty(fault: str, voice: str, port: int = 0) -> None:
    if fault:
        server.Agent = FAULTS[fault]
    server.serve(port=port, voice=voice)


def call_all(items: list, folder: Path, corpus: Corpus, given: argparse.Namespace, fault: str) -> tuple[float, float]:
    """Call the baseline on ``items``; wall seconds and the server's CPU seconds."""
    command = [sys.executable, __file__, "--serve", fault, "--voice", given.voice]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        spec = process.stdout.readline().strip()
        began, spent = time.monotonic(), _cpu(process.pid)
        source, kept = source_of(given.mode, None)
        tail = 0.2 if given.mode == "adaptive" else 8.0
        work = run(
            open_system(spec),
            items,
            folder,
            RunSettings(sessions=given.sessions, call=CallSettings(tail=tail)),
            mode=given.mode,
            source=source,
            corpus_sha256=corpus.manifest.corpus_sha256,
            parameters=kept,
        )
        summary = asyncio.run(work)
        spent = _cpu(process.pid) - spent
        process.terminate()
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
    parser.add_argument("--mode", choices=["fixed", "adaptive"], default="adaptive")
    parser.add_argument("--faults", default="", help=f"also call it with these faults: {', '.join(FAULTS)} or all")
    parser.add_argument("--serve", metavar="FAULT", help="only serve it, with this fault, or none for ''")
    parser.add_argument("--costs", action="store_true", help="only print what an answer costs in CPU time")
    parser.add_argument("--out", type=Path, help="keep the run here (it is continued where it has begun)")
    given = parser.parse_args()
    if given.serve is not None:
        serve_faulty(given.serve, given.voice)
        return
    if given.costs:
        show_costs(given.voice)
        return
    corpus = Corpus(given.corpus, track="duplex", split=given.split)
    items = sample(expected(corpus, Options()), given.per_cell)
    ids = {i.id for i in items}
    reader = reader_of(corpus)
    wanted = tuple(FAULTS) if given.faults == "all" else tuple(f for f in given.faults.split(",") if f)
    for fault in ("", *wanted):
        with tempfile.TemporaryDirectory() as temporary:
            folder = given.out / (fault or "baseline") if given.out else Path(temporary) / "run"
            before = os.getloadavg()[0]
            wall, cpu = call_all(items, folder, corpus, given, fault)
            print(f"{len(items)} items, {wall:.0f} s, server's CPU {cpu:.0f} s", end=", ")
            print(f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after on {os.cpu_count()} cores")
            card = evaluate(corpus, Run(folder), ears("auto"), reader, Options(keep=lambda item: item.id in ids))
        print(f"{'system':22}utility  behav  speed  relev")
        whole = next(c for c in card.cells if (c.scenario, c.language) == ("all", "all"))
        name = f"baseline, {fault}" if fault else "baseline"
        show(name, card.headline.value, *(e.value for e in (whole.behaviour, whole.speed, whole.relevance)))
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
