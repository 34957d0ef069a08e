"""The shipped model of word pairs: how it is made, and how often it hears disorder.

    python benchmarks/fluency.py [--count 2500] [--shared ../shared/data] [--english FILE] [--write]

Prints, by language, how often a text scores above its own words in random order: sentences of the script writer from
families that a model never saw (it is trained on the other half), and text in other people's wording: real Chinese
dialogues (``--shared``, folder emotiontalk_text_zh) and any file of English replies, one a line (``--english``).
``--write`` makes the tables of the package anew from the scripts of all families.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

from scripts import WRITER, duplex, emotion

from duologue.errors import UserError
from duologue.generate.seeds import stream
from duologue.language.fluency import PairModel, sentences
from duologue.language.tokens import split

TABLES = Path(__file__).resolve().parents[1] / "src/duologue/language"


def written(language: str, count: int, keep: Iterator[bool] | None = None) -> dict[str, dict[str, None]]:
    """Family to the sentences that ``count`` scripts a track put into it."""
    found: dict[str, dict[str, None]] = {}
    for track in ("emotion", "duplex"):
        rng = stream(7, "fluency", track, language)
        families = WRITER.families(language, track, "dialogue") if track == "emotion" else ()
        for i in range(count):
            brief = emotion(language, i, rng, families) if track == "emotion" else duplex(language, i, rng)
            try:
                script = WRITER.write(brief)
            except UserError:  # the mix draws some briefs that a scenario does not take
                continue
            rows = found.setdefault(brief.family, {})
            for line in script.lines:
                rows.update(dict.fromkeys(sentences(line.text)))
    return found


def disorder(text: str, rng: random.Random) -> str:
    words = split(text)
    rng.shuffle(words)
    return " ".join(words)


def show(name: str, model: PairModel, texts: list[str], rng: random.Random) -> None:
    pairs = [(model.fluency(t), model.fluency(disorder(t, rng))) for t in texts]
    good, bad = zip(*[(a, b) for a, b in pairs if a is not None and b is not None], strict=True)
    wins = statistics.fmean((a > b) + 0.5 * (a == b) for a, b in zip(good, bad, strict=True))
    a, b = (statistics.quantiles(x, n=20) for x in (good, bad))
    print(
        f"  {name:34} {len(good):5} texts  above their disorder {wins:.3f}  "
        f"5/50/95%: {a[0]:+.2f} {a[9]:+.2f} {a[18]:+.2f}  in disorder {b[0]:+.2f} {b[9]:+.2f} {b[18]:+.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--english", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    for language in ("en", "zh"):
        rng = random.Random(5)
        found = written(language, args.count)
        families = sorted(found)
        seen = [s for f in families[::2] for s in found[f]]
        unseen = [s for f in families[1::2] for s in found[f] if len(split(s)) >= (10 if language == "zh" else 8)]
        everything = PairModel.count(s for f in families for s in found[f])
        print(f"{language}: {sum(map(len, found.values()))} sentences of {len(families)} families")
        show("families not trained on", PairModel.count(seen), rng.sample(unseen, min(2000, len(unseen))), rng)
        if args.write:
            (TABLES / f"bigrams_{language}.txt").write_text(everything.table(), "utf-8")
        others = other_wording(language, args)
        if others:
            show("other people's wording", everything, rng.sample(others, min(2000, len(others))), rng)


def other_wording(language: str, args: argparse.Namespace) -> list[str]:
    if language == "zh":
        path = args.shared / "emotiontalk_text_zh/EmotionTalk/dataset/mm-process/transcription.csv"
        if not path.is_file():
            return []
        with path.open(encoding="utf-8-sig", newline="") as f:
            texts = [re.sub(r"\[[^\]]*\]", "", row["chinese"]) for row in csv.DictReader(f)]
        return [t for t in texts if len(split(t)) >= 10]
    if args.english is None:
        return []
    return [t for t in args.english.read_text("utf-8").splitlines() if len(split(t)) >= 8]


if __name__ == "__main__":
    main()
