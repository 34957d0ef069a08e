"""Diversity of the embedded writer's scripts, and how fast they are written.

    python benchmarks/scripts.py [--count 10000] [--track emotion duplex] [--language en zh] [--seed 1]

Prints one line a figure for each track and language. The mix for the emotion track: 15% clips (recognition,
expression, empathy), 10% conflict clips, 75% dialogues of 3, 4 and 5 user turns over the three dialogue tasks;
families, feelings and intensities are drawn evenly, 15% of the user turns are neutral. For the duplex track:
the nine scenarios and "none" evenly, 2 to 4 user turns, 0 to 2 events, one contrast in four.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

import msgspec

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.generate.script import Brief, Feeling, Script
from duologue.generate.scripts.diversity import measure
from duologue.generate.scripts.embedded import EmbeddedWriter
from duologue.generate.seeds import stream

WRITER = EmbeddedWriter()
DIALOGUE_TASKS = ("trajectory", "reasoning", "empathy")
CLIP_TASKS = ("recognition", "recognition", "expression", "empathy")


def feeling(rng: random.Random, neutral: float = 0.15) -> Feeling:
    if rng.random() < neutral:
        return Feeling()
    return Feeling(label=rng.choice([x for x in DUOLOGUE.labels if x != "neutral"]), intensity=rng.randint(1, 3))


def emotion(language: str, seed: int, rng: random.Random, families: tuple[str, ...]) -> Brief:
    kind = rng.random()
    task, scenario, turns = rng.choice(DIALOGUE_TASKS), "dialogue", rng.choice((3, 4, 5))
    feelings = tuple(feeling(rng) for _ in range(turns))
    if kind < 0.15:
        task, scenario, turns, feelings = rng.choice(CLIP_TASKS), "clip", 1, feelings[:1]
    elif kind < 0.25:
        said, heard = rng.sample(DUOLOGUE.labels, 2)
        mixed = Feeling(label=heard, intensity=2 if heard != "neutral" else 0, semantic=said, acoustic=heard)
        task, scenario, turns, feelings = "recognition", "conflict_clip", 1, (mixed,)
    elif task != "empathy" and rng.random() < 0.7:
        feelings = (*feelings[:-1], Feeling())
    return Brief(
        language=language,
        track="emotion",
        task=task,
        scenario=scenario,
        family=rng.choice(families),
        user_turns=turns,
        feelings=feelings,
        seed=seed,
    )


def duplex(language: str, seed: int, rng: random.Random) -> Brief:
    scenario = rng.choice((*SCENARIOS, "none"))
    return Brief(
        language=language,
        track="duplex",
        task="rejection" if scenario in SCENARIOS[5:] else "interruption",
        scenario=scenario,
        family=rng.choice(WRITER.families(language, "duplex", scenario)),
        user_turns=rng.choice((2, 3, 4)),
        events=0 if scenario == "none" else rng.choice((1, 1, 2)),
        position=rng.choice(("before", "after")) if scenario == "third_party" else "",
        contrast=scenario != "none" and rng.random() < 0.25,
        seed=seed,
    )


def scripts(track: str, language: str, count: int, seed: int) -> Iterator[Script]:
    rng = stream(seed, "benchmark", track, language)
    families = WRITER.families(language, "emotion", "dialogue") if track == "emotion" else ()
    for i in range(count):
        key = rng.getrandbits(60) + i
        yield WRITER.write(emotion(language, key, rng, families) if families else duplex(language, key, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--track", nargs="+", default=["emotion", "duplex"])
    parser.add_argument("--language", nargs="+", default=["en", "zh"])
    options = parser.parse_args()
    for track in options.track:
        for language in options.language:
            try:
                begun = time.process_time()
                made = list(scripts(track, language, options.count, options.seed))
                spent = time.process_time() - begun
            except (UserError, ModuleNotFoundError) as error:
                print(f"{track} {language}: not measured: {error}")
                continue
            print(f"{track} {language}: {1000 * spent / max(1, len(made)):.2f} ms CPU a script")
            for name, value in msgspec.structs.asdict(measure(made, language)).items():
                shown = (
                    f"{value:.4%}" if name.endswith("share") else f"{value:.4f}" if isinstance(value, float) else value
                )
                print(f"  {name:24} {shown}")


if __name__ == "__main__":
    main()
