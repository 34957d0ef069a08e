"""How far raters agree, layer by layer, where they do not, and which layers are therefore provisional."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from statistics import median, quantiles

import msgspec
import numpy as np

from duologue.annotate import answer as answers
from duologue.annotate.answer import CauseSeen, Emotion, EventSeen, Layer, ShiftSeen, TimeSeen
from duologue.annotate.item import Item, context
from duologue.annotate.take_in import judged
from duologue.corpus.annotation import Annotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.write import write_atomic
from duologue.score.agreement import Level, agree
from duologue.score.ratings import Ratings, Table
from duologue.score.scorecard import Estimate

# Krippendorff (2004), Content Analysis, 2nd ed., p. 241: below this no conclusion is to be drawn.
ALPHA = 0.667
# Two raters mean the same edge up to this (seconds): the collar of NIST's Rich Transcription evaluations.
COLLAR = 0.25
# Edges this close (seconds) need no adjudication.
CLOSE = 0.05


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Alpha of one question of a layer ("emotion", "emotion intensity", "cause evidence"); ``provisional`` where it is
    under :data:`ALPHA` or undefined."""

    layer: Layer
    question: str
    level: Level
    alpha: Estimate
    items: int
    ratings: int
    raters: tuple[str, ...]
    provisional: bool


class Boundaries(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of two raters' edges in ms over ``pairs``: of starts and of ends, the median and the 95th percentile
    of their size. ``provisional`` where a 95th percentile is over :data:`COLLAR`."""

    pairs: int
    start_median: float
    start_p95: float
    end_median: float
    end_p95: float
    provisional: bool


class LayerAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """``once`` counts items that one rater judged alone, which tell nothing of agreement. ``words`` is the mean over
    pairs that name the same turn of 2 x shared / (all code points of both spans)."""

    alphas: tuple[Measured, ...]
    time: Boundaries | None
    words: float | None
    once: int
    provisional: tuple[Layer, ...]


class Disputed(msgspec.Struct, frozen=True, kw_only=True):
    """An item on which its raters do not agree; ``answers`` are lines by rater."""

    item: str
    layer: Layer
    dialogue: str
    turn: int
    context: str
    answers: dict[str, str]


COLUMNS = ("item", "layer", "dialogue", "turn", "context", "answers", "decision")


def by_item(d: Dialogue) -> dict[str, tuple[Item, list[tuple[Annotation, answers.Answer]]]]:
    """Item id -> the item and what each person said of it, in the order of the annotations; one answer a rater."""
    found: dict[str, tuple[Item, list[tuple[Annotation, answers.Answer]]]] = {}
    for item, a in judged(d):
        said = answers.of(a)
        assert said is not None
        own = found.setdefault(item.id, (item, []))[1]
        if all(b.rater != a.rater for b, _ in own):
            own.append((a, said[1]))
    return found


def agreement(corpus: Corpus, *, resamples: int = 1000, seed: int = 0) -> LayerAgreement:
    """Agreement of the people who judged ``corpus``; intervals as :mod:`duologue.score.agreement` draws them."""
    rated: dict[tuple[Layer, str], dict[str, dict[str, str]]] = defaultdict(dict)
    dialogue: dict[str, str] = {}
    starts: list[float] = []
    ends: list[float] = []
    words: list[float] = []
    once = 0
    for opened in corpus:
        d = opened.dialogue
        for id, (item, said) in by_item(d).items():
            dialogue[id] = d.id
            once += len(said) == 1
            for a, x in said:
                for question, value in _values(x):
                    rated[item.layer, question].setdefault(id, {})[a.rater] = value
            for (_, x), (_, y) in combinations(said, 2):
                if isinstance(x, TimeSeen) and isinstance(y, TimeSeen):
                    rate = next(f.sample_rate for f in d.audio if f.id == d.turns[item.turn].segments[0].audio)
                    starts.append(abs(x.start - y.start) / rate * 1000)
                    ends.append(abs(x.end - y.end) / rate * 1000)
                if isinstance(x, CauseSeen) and isinstance(y, CauseSeen) and x.evidence == y.evidence:
                    size = x.span[1] - x.span[0] + y.span[1] - y.span[0]
                    if "none" not in (x.kind, y.kind):
                        words.append(2 * max(0, min(x.span[1], y.span[1]) - max(x.span[0], y.span[0])) / size)
    alphas = tuple(
        _measured(layer, question, rows, dialogue, resamples, seed) for (layer, question), rows in rated.items()
    )
    time = None
    if starts:
        p95 = [_p95(starts), _p95(ends)]
        time = Boundaries(
            pairs=len(starts),
            start_median=median(starts),
            start_p95=p95[0],
            end_median=median(ends),
            end_p95=p95[1],
            provisional=max(p95) > COLLAR * 1000,
        )
    # A layer stands or falls with its label; intensity and evidence are reported beside it.
    weak = {m.layer for m in alphas if m.provisional and m.question == m.layer}
    if time is not None and time.provisional:
        weak.add("time")
    return LayerAgreement(
        alphas=alphas,
        time=time,
        words=float(np.mean(words)) if words else None,
        once=once,
        provisional=tuple(layer for layer in answers.LAYERS if layer in weak),
    )


def agreed(said: Iterable[answers.Answer], rate: int) -> bool:
    """Whether answers to one item are the same: for emotions the label, for times both edges within :data:`CLOSE`."""
    own = list(said)
    if isinstance(own[0], TimeSeen):
        times = [x for x in own if isinstance(x, TimeSeen)]
        spread = max(max(t.start for t in times) - min(t.start for t in times),
                     max(t.end for t in times) - min(t.end for t in times))  # fmt: skip
        return spread <= CLOSE * rate
    return len({key(x) for x in own}) == 1


def key(x: answers.Answer) -> answers.Answer | str:
    """What of an answer has to be equal for raters to agree."""
    return x.label if isinstance(x, Emotion) else x


def rate_of(d: Dialogue, turn: int) -> int:
    """The sample rate of the audio that ``turn`` lies in; 1 where it has none."""
    segments = d.turns[turn].segments
    return next((a.sample_rate for a in d.audio if segments and a.id == segments[0].audio), 1)


def disputes(corpus: Corpus) -> list[Disputed]:
    """Every item that two or more people judged and on which they differ, in order of dialogue, layer, turn."""
    found = []
    for opened in corpus:
        d = opened.dialogue
        for id, (item, said) in by_item(d).items():
            if len(said) > 1 and not agreed([x for _, x in said], rate_of(d, item.turn)):
                lines = {a.rater: answers.write(x, d, item.turn) for a, x in said}
                found.append(
                    Disputed(
                        item=id,
                        layer=item.layer,
                        dialogue=d.id,
                        turn=item.turn + 1,
                        context=context(d, item.turn),
                        answers=lines,
                    )
                )
    return sorted(found, key=lambda x: (x.dialogue, answers.LAYERS.index(x.layer), x.turn))


def write_disputes(found: Iterable[Disputed], path: Path) -> None:
    """A CSV to decide in: ``decision`` is empty, and takes an answer as :mod:`duologue.annotate.answer` writes it."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for x in found:
        said = "\n".join(f"{r}: {line}" for r, line in x.answers.items())
        table.writerow([x.item, x.layer, x.dialogue, x.turn, x.context, said, ""])
    write_atomic(path, b"\xef\xbb\xbf" + text.getvalue().encode())


def _values(x: answers.Answer) -> list[tuple[str, str]]:
    match x:
        case Emotion(label, intensity):
            return [("emotion", label), ("emotion intensity", str(intensity))]
        case ShiftSeen(changed):
            return [("shift", "yes" if changed else "no")]
        case CauseSeen(kind, evidence):
            return [("cause", kind), ("cause evidence", "none" if kind == "none" else f"turn {evidence + 1}")]
        case EventSeen(kind):
            return [("event", kind)]
    return []


def _measured(
    layer: Layer, question: str, rows: dict[str, dict[str, str]], dialogue: dict[str, str], resamples: int, seed: int
) -> Measured:
    raters = tuple(sorted({r for row in rows.values() for r in row}))
    level: Level = "ordinal" if question == "emotion intensity" else "nominal"
    values = sorted({v for row in rows.values() for v in row.values()})
    code = {v: float(v) if level == "ordinal" else float(i) for i, v in enumerate(values)}
    numbers = np.full((len(rows), len(raters)), np.nan)
    for i, row in enumerate(rows.values()):
        for r, v in row.items():
            numbers[i, raters.index(r)] = code[v]
    table = Table(
        dimension=question,
        items=tuple(rows),
        dialogues=tuple(dialogue[i] for i in rows),
        raters=raters,
        texts=tuple(rows.values()),
        numbers=numbers,
        numeric=level == "ordinal",
    )
    found = agree(Ratings(tables=(table,), judges=()), resamples=resamples, seed=seed).dimensions[0]
    alpha = found.alpha[level]
    return Measured(
        layer=layer,
        question=question,
        level=level,
        alpha=alpha,
        items=found.items,
        ratings=found.ratings,
        raters=raters,
        provisional=alpha.value is None or alpha.value < ALPHA,
    )


def _p95(x: list[float]) -> float:
    return x[0] if len(x) == 1 else quantiles(x, n=20, method="inclusive")[-1]
