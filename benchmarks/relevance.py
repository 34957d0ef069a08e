"""How well relevance, restating, going on and naturalness are told without a judge: errors on labelled replies.

    python benchmarks/relevance.py [--corpus DIR] [--count 150] [--shared ../shared/data] [--pairs en=FILE zh=FILE]
                                   [--encoder sentence|lexical]

Without ``--corpus`` it builds one first (duplex recipe, fast voice). Replies to the user's turns in it are labelled by
how they were made. Right: the dialogue's own reply (judged without a reference), and what another dialogue replied to
the same question (judged with and without this dialogue's reply as reference). Wrong: see WRONG below. ``--shared``
adds real Chinese dialogues in people's own wording (the next turn against a turn of another dialogue), ``--pairs`` any
file of query, tab, reply (and a tab and a topic).

AUC is the chance that a right reply scores above a wrong one. Accuracy is at the published threshold, right and wrong
weighing the same. Prints CPU seconds too.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

import duologue
from duologue.corpus.turn import Turn
from duologue.language.encoder import TextEncoder
from duologue.language.lexical import LexicalEncoder
from duologue.language.meaning import SentenceEncoder
from duologue.language.tokens import split
from duologue.score.content import content_units
from duologue.score.naturalness import SpokenReply, naturalness
from duologue.score.relevance import RELEVANT, Query, Relevance, Reply, choose_distractors
from duologue.score.text_reader import family, read_pool

OTHER = {"en": "zh", "zh": "en"}
FRAME = {"en": "so you would like to know, {}, is that what you are asking", "zh": "你是想问，{}，是这个意思吗"}
ONE_WORD = {"en": ("Okay.", "Yes.", "Maybe.", "Water."), "zh": ("好的。", "可以。", "也许吧。", "明天。")}
FILLER = {
    "en": ("Um, let me think about that for a moment.", "That's a really good question. Let me see, hmm."),
    "zh": ("嗯，让我想一想啊，稍等一下。", "这是个很好的问题，我看看啊，嗯。"),
}
GENERIC = {
    "en": ("It depends on many factors, everyone is different, and it is worth taking your time with it.",),
    "zh": ("这要看具体情况，每个人都不太一样，慢慢来，多试试就知道了。",),
}


class Case(NamedTuple):
    """A user's turn and its reply in a corpus. ``seconds`` is how long the reply takes to say."""

    language: str
    family: str
    dialogue: str
    kind: str
    query: str
    previous: str
    reply: str
    previous_reply: str
    heard: str
    seconds: float
    distractors: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pairs", nargs="*", default=[])
    parser.add_argument("--encoder", choices=("sentence", "lexical"), default="sentence")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        where = args.corpus or Path(temp) / "corpus"
        if args.corpus is None:
            build = ("build", "recipes/duplex.yaml", str(where), "--voice", "espeak", "--scale", "0.02")
            subprocess.run((sys.executable, "-m", "duologue.cli", *build), check=True, stdout=subprocess.DEVNULL)
        found = list(cases(where))
    began = time.process_time()
    encoder: TextEncoder = SentenceEncoder() if args.encoder == "sentence" else LexicalEncoder(c.query for c in found)
    print(f"encoder: {encoder.name}; threshold {RELEVANT}")
    judge = Relevance(encoder)
    for language in ("en", "zh"):
        mine = [c for c in found if c.language == language]
        rng = random.Random(3)
        chosen = rng.sample(mine, min(args.count, len(mine)))
        about(judge, language, mine, chosen, found, rng)
        restated(judge, language, mine, rng)
        went_on(judge, language, mine, rng)
        natural(judge, language, chosen, mine, found, rng)
        for name, pairs in others(language, args):
            wording(judge, language, name, pairs, rng)
    print(f"CPU {time.process_time() - began:.0f} s")


# --- The corpus as labelled replies ----------------------------------------------------------------------


def cases(where: Path) -> Iterator[Case]:
    corpus = duologue.open(where)
    pool = read_pool(corpus)
    for item in corpus:
        d = item.dialogue
        language = d.languages[0]
        previous = previous_reply = heard = ""
        asked: Turn | None = None
        for t in d.turns:
            if t.role == "user" and t.kind in ("turn", "interruption"):
                asked = t
            elif t.role == "system" and asked is not None:
                kind = next((e.kind for e in d.events if e.target_turn == asked.index), "turn")
                yield Case(
                    language=language,
                    family=family(d),
                    dialogue=d.id,
                    kind=kind,
                    query=asked.text,
                    previous=previous,
                    reply=t.intended_text or t.text,
                    previous_reply=previous_reply,
                    heard=heard,
                    seconds=sum(s.end - s.start for s in t.segments) / d.audio[0].sample_rate * _whole(t),
                    distractors=choose_distractors(
                        pool, language=language, family=family(d), seed=f"{d.id} {asked.index}", exclude=[asked.text]
                    ),
                )
                previous, previous_reply, heard, asked = asked.text, t.intended_text or t.text, t.text, None


def _whole(t: Turn) -> float:
    """How much longer the whole of a cut turn would be."""
    return len(t.intended_text) / len(t.text) if t.intended_text and t.text else 1.0


def question(text: str) -> str:
    """The question itself, without what leads to it."""
    parts = [p.strip() for p in re.split(r"[.?!:,。？！，：]", text.lower()) if p.strip()]
    return max(parts[-3:], key=len, default="")


def rephrased(c: Case, mine: Sequence[Case], rng: random.Random) -> str:
    same = [m.reply for m in mine if m.family == c.family and m.dialogue != c.dialogue and m.reply != c.reply]
    same = [
        m.reply
        for m in mine
        if m.reply in same
        and m.family == c.family
        and question(m.query) == question(c.query)
        and m.kind != "repetition"
    ]
    return rng.choice(same) if same else ""


def disorder(text: str, language: str, rng: random.Random) -> str:
    words = split(text)
    rng.shuffle(words)
    return ("" if language == "zh" else " ").join(words)


def babble(text: str, language: str, rng: random.Random) -> str:
    """Invented syllables (en) or hanzi drawn at random (zh), as long as ``text``."""
    if language == "zh":
        return "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in split(text))
    return " ".join(
        "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(1, 3)))
        for _ in split(text)
    )


# --- Relevance -------------------------------------------------------------------------------------------


def about(
    judge: Relevance,
    language: str,
    mine: Sequence[Case],
    chosen: Sequence[Case],
    found: Sequence[Case],
    rng: random.Random,
) -> None:
    ordinary = [c for c in chosen if c.kind != "repetition"]
    foreign = [c.reply for c in found if c.language == OTHER[language]]
    right: dict[str, list[Reply]] = defaultdict(list)
    wrong: dict[str, list[Reply]] = defaultdict(list)
    for c in ordinary:
        off = rng.choice([m.reply for m in mine if m.family != c.family])

        def put(into: dict[str, list[Reply]], name: str, text: str, reference: str = "", c: Case = c) -> None:
            reply = Reply(
                text=text,
                language=language,
                query=c.query,
                previous=c.previous,
                reference=reference,
                distractors=c.distractors,
            )
            into[name].append(reply)

        put(right, "own reply, no reference", c.reply)
        if c.kind in ("follow_up", "negation", "topic_switch"):
            put(right, "own reply to an interruption", c.reply)
        if other := rephrased(c, mine, rng):
            put(right, "rephrased, no reference", other)
            put(right, "rephrased, reference", other, c.reply)
        for name, reference in (("no reference", ""), ("reference", c.reply)):
            put(wrong, f"off topic, {name}", off, reference)
            if c.previous_reply and c.kind != "negation":
                put(wrong, f"answer to the previous query, {name}", c.previous_reply, reference)
        put(wrong, "the query, copied", c.query, c.reply)
        put(wrong, "the query in a frame", FRAME[language].format(c.query), c.reply)
        if c.previous:
            put(wrong, "the previous query, copied", c.previous, c.reply)
        put(wrong, "one word", rng.choice(ONE_WORD[language]), c.reply)
        put(wrong, "fillers", rng.choice(FILLER[language]), c.reply)
        put(wrong, "fits any query", rng.choice(GENERIC[language]), c.reply)
        put(wrong, "babble", babble(c.reply, language, rng), c.reply)
        put(wrong, "another language", rng.choice(foreign), c.reply)
        put(wrong, "(own reply in disorder)", disorder(c.reply, language, rng))
    names = [*right, *wrong]
    ranked = judge.rank([r for name in names for r in (right.get(name) or wrong[name])])
    scores: dict[str, list[float]] = {}
    for name in names:
        size = len(right.get(name) or wrong[name])
        scores[name] = [r.score for r in ranked[:size]]
        firsts = sum(r.rank == 1 for r in ranked[:size]) / size
        ranked = ranked[size:]
        passed = statistics.fmean(s >= RELEVANT for s in scores[name])
        print(
            f"{language} {'right' if name in right else 'wrong'}  {name:42} n {size:4}  first {firsts:.2f}  "
            f"mean score {statistics.fmean(scores[name]):.3f}  at the threshold {passed:.3f}"
        )
    for good in ("own reply, no reference", "rephrased, no reference", "rephrased, reference"):
        tag = good.rsplit(", ", 1)[1]
        bad = [n for n in wrong if not n.startswith("(") and (tag in n.rsplit(", ", 1)[-1:] or "reference" not in n)]
        pooled = [s for n in bad for s in scores[n]]
        kept = statistics.fmean(s >= RELEVANT for s in scores[good])
        refused = statistics.fmean(s < RELEVANT for s in pooled)
        print(f"{language}  {good}: AUC {auc(scores[good], pooled):.3f}, accuracy {(kept + refused) / 2:.3f}", end="")
        print("".join(f"; AUC against {n.split(',')[0]} {auc(scores[good], scores[n]):.3f}" for n in bad[:2]))


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    return statistics.fmean((a > b) + 0.5 * (a == b) for a in good for b in bad)


# --- Restating and going on ------------------------------------------------------------------------------


def restated(judge: Relevance, language: str, mine: Sequence[Case], rng: random.Random) -> None:
    asked = [c for c in mine if c.kind == "repetition" and c.heard]
    sets = {
        "what was heard, again": [(c.reply, c.heard) for c in asked],
        "in other words": [
            (other, c.reply)
            for c in rng.sample(mine, min(40, len(mine)))
            if c.kind != "repetition" and (other := rephrased(c, mine, rng))
        ],
        "another answer on the topic": [
            (rng.choice(near), c.heard)
            for c in asked
            if (
                near := [
                    m.reply
                    for m in mine
                    if m.family == c.family
                    and question(m.query) != question(c.previous)
                    and m.dialogue != c.dialogue
                    and m.kind == "turn"
                ]
            )
        ],
        "off topic": [(rng.choice([m.reply for m in mine if m.family != c.family]), c.heard) for c in asked],
        "the request, copied": [(c.query, c.heard) for c in asked],
    }
    shown("repeats", language, {k: [judge.repeats(a, b, language) for a, b in v] for k, v in sets.items()})


def went_on(judge: Relevance, language: str, mine: Sequence[Case], rng: random.Random) -> None:
    sets: dict[str, list[float]] = defaultdict(list)
    space = "" if language == "zh" else " "
    long = [c for c in mine if content_units(c.reply, language) >= 8 and c.kind != "repetition"]
    for c in rng.sample(long, min(60, len(long))):
        pieces = list(c.reply) if language == "zh" else c.reply.split()
        at = int(len(pieces) * rng.uniform(0.35, 0.65))
        before, rest = space.join(pieces[:at]), space.join(pieces[at:])
        off = rng.choice([m.reply for m in mine if m.family != c.family])
        for name, after in (("the rest", rest), ("from the start again", before), ("off topic", off)):
            sets[name].append(judge.continues(before, after, language))
        near = [m.reply for m in mine if m.family == c.family and question(m.query) != question(c.query)]
        if near:
            sets["another answer on the topic"].append(judge.continues(before, rng.choice(near), language))
        sets["the rest, whole known"].append(judge.continues(before, rest, language, c.reply))
        sets["another answer, whole known"].append(
            judge.continues(before, rng.choice(near or [off]), language, c.reply)
        )
    shown("continues", language, sets)


def shown(what: str, language: str, sets: dict[str, list[float]]) -> None:
    for name, scores in sets.items():
        if len(scores) > 1:
            low, middle, high = (statistics.quantiles(scores, n=10)[i] for i in (0, 4, 8))
            print(f"{language} {what:9} {name:30} n {len(scores):3}  10/50/90%: {low:.2f} {middle:.2f} {high:.2f}")


# --- Naturalness -----------------------------------------------------------------------------------------


def natural(
    judge: Relevance,
    language: str,
    chosen: Sequence[Case],
    mine: Sequence[Case],
    found: Sequence[Case],
    rng: random.Random,
) -> None:
    foreign = [c for c in found if c.language == OTHER[language]]
    versions: dict[str, list[tuple[str, float]]] = defaultdict(list)
    judged: list[Case] = []
    for c in chosen:
        good = rephrased(c, mine, rng)
        if c.kind == "repetition" or not good:
            continue
        judged.append(c)
        seconds = next(m.seconds for m in mine if m.reply == good)
        off, wrong = rng.choice([m for m in mine if m.family != c.family]), rng.choice(foreign)
        clause = re.split("[,.，。！!？?]", good)[0] + (". " if language == "en" else "。")
        times = max(3, round(len(good) / len(clause)))
        versions["good"].append((good, seconds))
        versions["in disorder"].append((disorder(good, language, rng), seconds))
        versions["off topic"].append((off.reply, off.seconds))
        versions["repetitive"].append((clause * times, seconds * len(clause) * times / len(good)))
        versions["another language"].append((wrong.reply, wrong.seconds))
        versions["babble"].append((babble(good, language, rng), seconds))
    for reference in (False, True):
        overall: dict[str, list[float]] = {}
        parts: dict[str, list[dict[str, float | None]]] = {}
        for name, texts in versions.items():
            replies = [
                Reply(
                    text=text,
                    language=language,
                    query=c.query,
                    previous=c.previous,
                    reference=c.reply if reference else "",
                    distractors=c.distractors,
                )
                for c, (text, _) in zip(judged, texts, strict=True)
            ]
            measures = naturalness(
                [
                    SpokenReply(text=text, language=language, seconds=seconds or None, relevance=r.nearness)
                    for (text, seconds), r in zip(texts, judge.rank(replies), strict=True)
                ]
            )
            overall[name] = [m.overall for m in measures]
            parts[name] = [msgspec.structs.asdict(m) for m in measures]
        tag = "reference" if reference else "no reference"
        for name, scores in overall.items():
            wins = statistics.fmean((a > b) + 0.5 * (a == b) for a, b in zip(overall["good"], scores, strict=True))
            shares = " ".join(
                f"{part} {statistics.fmean(v for p in parts[name] if (v := p[part]) is not None):.2f}"
                for part in ("relevance", "fluency", "repetition", "language", "length", "rate")
            )
            beaten = "" if name == "good" else f"  good wins {wins:.3f}"
            print(
                f"{language} natural   n {len(judged)} {tag:12} {name:16} mean {statistics.fmean(scores):.2f}"
                f"{beaten:17}  {shares}"
            )


# --- Other people's wording ------------------------------------------------------------------------------


def others(language: str, args: argparse.Namespace) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    path = args.shared / "emotiontalk_text_zh/EmotionTalk/dataset/mm-process/transcription.csv"
    if language == "zh" and path.is_file():
        turns: dict[str, list[tuple[str, str]]] = defaultdict(list)
        with path.open(encoding="utf-8-sig", newline="") as f:
            for row in csv.DictReader(f):
                turns[row["name"].rsplit("/", 1)[0]].append((row["name"], re.sub(r"\[[^\]]*\]", "", row["chinese"])))
        pairs = []
        for name, rows in turns.items():
            said = [text for _, text in sorted(rows)]
            pairs += [(a, b, name) for a, b in pairwise(said)]
        yield "real dialogues, next turn", [p for p in pairs if min(len(p[0]), len(p[1])) >= 10]
    for given in args.pairs:
        if given.startswith(f"{language}="):
            rows = [r.split("\t") for r in Path(given[3:]).read_text("utf-8").splitlines()]
            yield "question and answer file", [(r[0], r[1], r[2] if len(r) > 2 else r[0]) for r in rows if len(r) > 1]


def wording(
    judge: Relevance, language: str, name: str, pairs: Sequence[tuple[str, str, str]], rng: random.Random
) -> None:
    """Right: the true next turn or answer; wrong: one of another dialogue or topic."""
    pairs = [p for p in pairs if content_units(p[0], language) >= 2 and content_units(p[1], language) >= 4]
    pool = [Query(q, language, group) for q, _, group in rng.sample(pairs, min(400, len(pairs)))]
    right, wrong = [], []
    for query, reply, group in rng.sample(pairs, min(150, len(pairs))):
        distractors = choose_distractors(pool, language=language, family=group, seed=query, exclude=[query])
        off = rng.choice([p[1] for p in pairs if p[2] != group])
        for text, into in ((reply, right), (off, wrong)):
            into.append(Reply(text=text, language=language, query=query, distractors=distractors))
    good, bad = judge.rank(right), judge.rank(wrong)
    scores = [r.score for r in good], [r.score for r in bad]
    kept, refused = (
        statistics.fmean(s >= RELEVANT for s in scores[0]),
        statistics.fmean(s < RELEVANT for s in scores[1]),
    )
    print(
        f"{language} {name}: n {len(good)}, first {statistics.fmean(r.rank == 1 for r in good):.2f} "
        f"(by chance {statistics.fmean(r.rank == 1 for r in bad):.2f}), AUC {auc(*scores):.3f}, "
        f"accuracy {(kept + refused) / 2:.3f}"
    )


if __name__ == "__main__":
    main()
