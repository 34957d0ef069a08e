"""How long the judge-free measures of track 1 take: answers of made-up systems to 100,000 dialogues.

    python benchmarks/score_emotion.py [--dialogues 100000] [--seed 0]

Three in four dialogues ask for the trajectory (half of the answers structured, half prose in Chinese or English, read
by the extractor), one in four for the causes as spans; besides, as many recognition answers as dialogues. Prints CPU
and wall seconds of each part; the interpreter's start is not in them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from duologue.corpus.emotion import DUOLOGUE
from duologue.score.emotion.answers import read_answers
from duologue.score.emotion.cause import CauseSpan
from duologue.score.emotion.evaluate import Expected, score

ZH = {c.label: c.zh for c in DUOLOGUE.classes}
FELT = tuple(c.label for c in DUOLOGUE.classes)


def prose(path: list[str], language: str) -> str:
    if language == "zh":
        return "你一开始有点" + "，后来听到那件事又变得".join(ZH[x] for x in path) + "，听得出来这一路不太容易。"
    return (
        "At first you were " + ", and after you told me about it you became ".join(path) + ". That is a lot for a day."
    )


def make(n: int, rng: random.Random) -> tuple[list[Expected], list[dict[str, object]]]:
    wanted: list[Expected] = []
    answers: list[dict[str, object]] = []
    text = {"en": "My boss took the credit for the work of a whole month.", "zh": "老板把我忙了一个月的功劳全抢走了。"}
    for i in range(n):
        language = ("en", "zh")[i % 2]
        who = {"script_family": f"f{rng.randrange(400)}", "speaker": f"s{rng.randrange(300)}"}
        labels = [rng.choice(FELT) for _ in range(rng.choice((3, 4, 5)))]
        turns = tuple(range(0, 2 * len(labels), 2))
        one = {"id": f"d{i}", "language": language, "clusters": who}
        if i % 4:
            wanted.append(Expected(**one, probe="p0", task="trajectory", turns=turns, labels=tuple(labels)))
            told = [x if rng.random() < 0.7 else rng.choice(FELT) for x in labels]
            answer: object = told if rng.random() < 0.5 else prose(told, language)
        else:
            size = len(text[language])
            texts = dict.fromkeys(turns, text[language])
            gold = tuple(CauseSpan(t, t, (0, size - 1)) for t in turns[1:])
            wanted.append(
                Expected(**one, probe="p0", task="reasoning", causes=gold, texts=texts, references=(texts[0],))
            )
            said = [{"emotion_turn": t, "evidence_turn": t, "span": [rng.randrange(4), size - 2]} for t in turns]
            answer = {"causes": said}
        answers.append({"id": f"d{i}", "probe": "p0", "answer": answer})
        wanted.append(Expected(**one, probe="r", task="recognition", labels=(labels[0],), words=rng.choice(FELT)))
        answers.append({"id": f"d{i}", "probe": "r", "answer": labels[0] if rng.random() < 0.6 else rng.choice(FELT)})
    return wanted, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    wanted, answers = make(args.dialogues, random.Random(args.seed))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        path.write_text("".join(json.dumps(a, ensure_ascii=False) + "\n" for a in answers), "utf-8")
        size = path.stat().st_size
        cpu, wall = time.process_time(), time.perf_counter()
        given = read_answers(path)
        read_cpu, read_wall = time.process_time() - cpu, time.perf_counter() - wall
    cpu, wall = time.process_time(), time.perf_counter()
    card = score(wanted, given)
    score_cpu, score_wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.dialogues} dialogues, {len(wanted)} answers, {size / 1e6:.0f} MB")
    print(f"reading answers.jsonl   {read_cpu:6.1f} s CPU, {read_wall:6.1f} s wall")
    print(f"measures and intervals  {score_cpu:6.1f} s CPU, {score_wall:6.1f} s wall")
    print(f"all                     {read_cpu + score_cpu:6.1f} s CPU, {read_wall + score_wall:6.1f} s wall")
    print(f"peak memory {peak:.0f} MB, the made-up answers included")
    cell = card.cells[0]
    assert cell.trajectory is not None and cell.causes is not None and cell.recognition is not None
    values = [cell.trajectory.exact.value, cell.causes.pair.value, cell.recognition.ua.value]
    print("exact {:.3f}, pairs {:.3f}, UA {:.3f}".format(*values))


if __name__ == "__main__":
    main()
