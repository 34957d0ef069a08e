"""How well causes were found: which turns, which words of them, and in free words.

Spans are code points of a turn's text, half-open. Where public evaluators credit each predicted span on its own, two
halves of one gold span would score twice; here the spans of a pair of turns are one set of code points. Tokens are
words in English and single hanzi in Chinese, which has no spaces. Formulas and sources: docs/emotion-measures.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from duologue.language.tokens import split
from duologue.score.emotion.ratio import f1, harmonic, share
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, clustered_mean, rate

# What may be cut off a span's ends without making it another: space and the punctuation of both languages.
EDGES = " \t\n\r\u3000,.;:!?\"'()[]“”‘’，。、；：！？（）《》…—"


class CauseSpan(msgspec.Struct, frozen=True):
    """``emotion_turn`` feels so because of what ``evidence_turn`` says; ``span`` None where only the turns are told."""

    emotion_turn: int
    evidence_turn: int
    span: tuple[int, int] | None = None


class Caused(msgspec.Struct, frozen=True):
    """One dialogue: gold causes, those told, and the texts of the turns by index."""

    gold: tuple[CauseSpan, ...]
    said: tuple[CauseSpan, ...]
    texts: Mapping[int, str]


class CauseScores(msgspec.Struct, frozen=True, kw_only=True):
    """Pooled over all expected dialogues."""

    pair: Estimate
    span_strict: Estimate
    span_proportional: Estimate


class PhraseScores(msgspec.Struct, frozen=True, kw_only=True):
    """Free words against reference words, means over all expected answers; recall alone forgives a long answer."""

    exact: Estimate
    token_f1: Estimate
    token_recall: Estimate


Pair = tuple[int, int]


def pairs(causes: Iterable[CauseSpan]) -> set[Pair]:
    return {(c.emotion_turn, c.evidence_turn) for c in causes}


def marked(causes: Iterable[CauseSpan], texts: Mapping[int, str]) -> dict[Pair, set[int]]:
    """Pair of turns -> the code points that its spans cover, without those that are space or punctuation.

    A span that reaches out of its text is cut to it.
    """
    found: dict[Pair, set[int]] = defaultdict(set)
    for c in causes:
        text = texts.get(c.evidence_turn, "")
        if c.span is not None:
            start, end = max(c.span[0], 0), min(c.span[1], len(text))
            found[c.emotion_turn, c.evidence_turn].update(i for i in range(start, end) if text[i] not in EDGES)
    return {pair: points for pair, points in found.items() if points}


def spans(points: set[int], text: str) -> set[tuple[int, int]]:
    """Stretches of ``points``: neighbours, and those with nothing but space and punctuation between, are one."""
    found: list[tuple[int, int]] = []
    for i in sorted(points):
        if found and (i == found[-1][1] or not text[found[-1][1] : i].strip(EDGES)):
            found[-1] = (found[-1][0], i + 1)
        else:
            found.append((i, i + 1))
    return set(found)


def score(items: Sequence[Caused], clusters: Clusters) -> CauseScores:
    """Pair F1, strict span F1 and proportional span F1 over ``items`` [n]."""
    n = len(items)
    pair, strict = np.zeros((n, 3)), np.zeros((n, 3))
    # Overlap as a share of what is told, pairs told; overlap as a share of gold, gold pairs.
    overlap = np.zeros((n, 4))
    for i, item in enumerate(items):
        gold, said = pairs(item.gold), pairs(item.said)
        pair[i] = len(gold & said), len(gold), len(said)
        g, s = marked(item.gold, item.texts), marked(item.said, item.texts)
        for key in g.keys() | s.keys():
            text = item.texts[key[1]]
            wanted, told = g.get(key, set()), s.get(key, set())
            a, b = spans(wanted, text), spans(told, text)
            strict[i] += len(a & b), len(a), len(b)
            common = len(wanted & told)
            overlap[i] += (
                common / len(told) if told else 0,
                bool(told),
                common / len(wanted) if wanted else 0,
                bool(wanted),
            )
    precision, recall = share(overlap[:, 0], overlap[:, 1]), share(overlap[:, 2], overlap[:, 3])
    return CauseScores(
        pair=f1(pair, clusters),
        span_strict=f1(strict, clusters),
        span_proportional=harmonic(precision, recall, clusters),
    )


def token_overlap(gold: str, said: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of tokens as a bag; two empty texts are alike."""
    g, s = Counter(split(gold)), Counter(split(said))
    if not g and not s:
        return 1.0, 1.0, 1.0
    common = (g & s).total()
    if not common:
        return 0.0, 0.0, 0.0
    p, r = common / s.total(), common / g.total()
    return p, r, 2 * p * r / (p + r)


def phrases(gold: Sequence[Sequence[str]], said: Sequence[str], clusters: Clusters) -> PhraseScores:
    """Each answer against the best of its references (one or more); exact is equality of the tokens in order."""
    exact, best, recalled = [], [], []
    for references, answer in zip(gold, said, strict=True):
        tokens = split(answer)
        exact.append(bool(tokens) and any(split(r) == tokens for r in references))
        scores = [token_overlap(r, answer) for r in references] if tokens else [(0.0, 0.0, 0.0)]
        best.append(max(f for _, _, f in scores))
        recalled.append(max(r for _, r, _ in scores))
    return PhraseScores(
        exact=rate(exact, clusters),
        token_f1=clustered_mean(best, clusters),
        token_recall=clustered_mean(recalled, clusters),
    )
