"""How often a trajectory is read right from a reply: 230 labelled replies, tests/score/emotion/replies.tsv.

    python benchmarks/extract.py [--shared ../shared/data] [--errors]

A reply is right where the whole order of feelings is. Every second reply (by its place in the file) was left unread
while the extractor was mended, and counts as held out. EmotionTalk's rows need that corpus under --shared.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from pathlib import Path

from duologue.score.emotion.extract import read
from duologue.score.emotion.trajectory import Traced, edit_similarity
from duologue.score.uncertainty import rate

REPLIES = Path(__file__).parents[1] / "tests" / "score" / "emotion" / "replies.tsv"
TRANSCRIPTS = Path("emotiontalk_text_zh/EmotionTalk/dataset/mm-process/transcription.csv")


def utterances(shared: Path) -> dict[str, str]:
    path = shared / TRANSCRIPTS
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {r["name"].split("/")[-1]: re.sub(r"\[[^\]]*\]", "", r["chinese"] or "") for r in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument(
        "--errors", action="store_true", help="Print what was misread of the half that is not held out."
    )
    args = parser.parse_args()
    said = utterances(args.shared)
    rows = [line.split("\t") for line in REPLIES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    right: dict[str, list[bool]] = defaultdict(list)
    near: dict[str, list[float]] = defaultdict(list)
    left = 0
    for i, (id, language, source, told, text) in enumerate(rows):
        if source == "emotiontalk":
            if id not in said:
                left += 1
                continue
            text = said[id]
        gold = () if told == "-" else tuple(told.split(">"))
        found = read(text).labels
        kinds = ["all", language, source, "held out" if i % 2 else "mended on"]
        if i % 2:
            kinds += [f"held out, {language}", f"held out, {'several' if len(gold) > 1 else 'one or none'}"]
        for kind in kinds:
            right[kind].append(found == gold)
            near[kind].append(1.0 if found == gold else edit_similarity(Traced(gold, found, True)) if gold else 0.0)
        if args.errors and not i % 2 and found != gold:
            print(id, told, ">".join(found) or "-", text, sep="\t")
    if left:
        print(f"{left} rows of EmotionTalk left out: the corpus is not here")
    print(f"{'replies':28} {'n':>4} {'whole order right':>20} {'1 - edit distance':>18}")
    for kind, hits in right.items():
        e = rate(hits, {})
        shown = f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
        print(f"{kind:28} {len(hits):4} {shown:>20} {sum(near[kind]) / len(near[kind]):18.3f}")


if __name__ == "__main__":
    main()
