"""Speed of a build against the bare synthesis of the same texts, for each installed voice.

    python benchmarks/build.py [--voices espeak,kokoro] [--scale 0.05] [--dialogues 8] [--workers 2]

For each voice it builds both tracks in one run: every line spoken by the bare voice in one process (neutral, nothing
else done), a corpus without twins, and one with them; noise, rooms, two channels and FLAC included. It prints hours
of audio per hour of wall time (twins not counted), processor time as a multiple of the bare synthesis, and the peak
memory of the largest worker. Wall-clock figures depend on what else the machine does; ratios of processor time hardly
do. Folders are temporary.

Neural speech costs hundreds of times as much, so with kokoro only ``--dialogues`` dialogues are built, spread over
tracks, languages and scenarios, without twins (which speak nothing). One line more is printed: the ratio without the
start, that is without loading the voice in the build and in each worker, which a longer build does no more often.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import msgspec

from duologue import registry
from duologue.generate.build import build, choose_voices
from duologue.generate.plan import Plan
from duologue.generate.progress import Bar
from duologue.generate.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
NEURAL = ("kokoro",)


def recipe(voice: str, scale: float, dialogues: int) -> Recipe:
    """Both challenge-sized recipes in one, train only, spoken by ``voice``; a neural one speaks few dialogues."""
    both = [read_recipe(RECIPES / f"{name}.yaml") for name in ("emotion", "duplex")]
    counts = [msgspec.structs.replace(q, dev=0, test=0) for r in both for q in r.counts]
    if voice in NEURAL:
        rows = [(counts[i * len(counts) // dialogues], i) for i in range(dialogues)]
        counts = [
            msgspec.structs.replace(
                q, train=1, languages=(("en", "zh")[i % 2],), scenarios=(q.scenarios[i % len(q.scenarios)],)
            )
            for q, i in rows
        ]
    whole = msgspec.structs.replace(both[0], name="bench", voices={"en": voice, "zh": voice}, counts=tuple(counts))
    return whole if voice in NEURAL else whole.scaled(scale)


def start(r: Recipe) -> float:
    """Processor seconds until every voice has said a word, as the build and each of its workers spend them."""
    began = time.process_time()
    choose_voices(r)
    return time.process_time() - began


def bare(r: Recipe) -> tuple[float, float]:
    """Processor seconds and speech seconds of speaking every line of ``r``; the voice is loaded and warm."""
    _, voices, _ = choose_voices(r)
    writer = registry.load("scripts", r.writer)()
    lines = []
    for item in Plan(r, writer, voices):
        cast = {member.role: member for member in item.cast}
        for line in writer.write(item.brief).lines:
            member = cast[line.role]
            lines.append((voices[member.voice], line.text, item.language, member.speaker))
    for voice, text, language, speaker in lines[:2]:
        voice.synthesise(text, language=language, speaker=speaker)
    began, seconds = time.process_time(), 0.0
    for voice, text, language, speaker in lines:
        speech = voice.synthesise(text, language=language, speaker=speaker)
        seconds += len(speech.samples) / speech.sample_rate
    return time.process_time() - began, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voices", default="espeak,kokoro")
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--dialogues", type=int, default=8, help="dialogues that a neural voice builds (8)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print("voice   corpus         dialogues  hours  x real time   CPU s   x bare  peak MB")
    for voice in options.voices.split(","):
        r = recipe(voice, options.scale, options.dialogues)
        once = start(r)
        cpu, seconds = bare(r)
        print(f"{voice:7s} bare speech              {seconds / 3600:7.2f}               {cpu:7.1f}     1.00")
        for twins in (0.0,) if voice in NEURAL else (0.0, 1.0):
            with tempfile.TemporaryDirectory() as folder:
                report = build(
                    msgspec.structs.replace(r, twins=twins),
                    Path(folder) / "corpus",
                    workers=options.workers,
                    progress=Bar(),
                )
            print(
                f"{voice:7s} {'with twins' if twins else 'without twins':14s} {report.dialogues:9d} "
                f"{report.seconds / 3600:6.2f} {report.seconds / report.wall_s:12.1f} {report.cpu_s:7.1f} "
                f"{report.cpu_s / cpu:8.2f} {report.peak_bytes / 2**20:8.0f}"
            )
            if voice in NEURAL:
                rest = report.cpu_s - once * (1 + options.workers)
                print(f"{voice:7s} without the start ({once:.1f} s each){rest:35.1f} {rest / cpu:8.2f}")


if __name__ == "__main__":
    main()
