"""How well causes were found: which turns, which words of them, and in free words.

Spans are code points of a turn's text, half-open. Where public evaluators credit each predicted span on its own, two
halves of one gold span would score twice; here the spans of a pair of turns are one set of code points. Tokens are
words in English and single hanzi in Chinese, which has no spaces. Formulas and sources: docs/emotion-measures.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from duologue.language.tokens import split
from duologue.score.emotion.ratio import f1, harmonic, share
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, clustered_mean, rate

# What may be cut off a span's ends without making it another: space and the punctuation of both languages.
EDGES = " \t\n\r\u3000,.;:!?\"'()[]“”‘’，。、；：！？（）《》…—"
_NO_EDGES = dict.fromkeys(map(ord, EDGES))


class CauseSpan(msgspec.Struct, frozen=True):
    """``emotion_turn`` feels so because of what ``evidence_turn`` says; ``span`` None where only the turns are told.

    ``kinds`` are gold's: what sort of cause it is, and whether the words link it to the feeling.
    """

    emotion_turn: int
    evidence_turn: int
    span: tuple[int, int] | None = None
    kinds: tuple[str, ...] = ()


class Caused(msgspec.Struct, frozen=True):
    """One dialogue: gold causes, those told, and the texts of the turns by index."""

    gold: tuple[CauseSpan, ...]
    said: tuple[CauseSpan, ...]
    texts: Mapping[int, str]


class KindScores(msgspec.Struct, frozen=True, kw_only=True):
    """Gold causes of one kind: the share whose turns were told, and the mean share of their words that was."""

    turns: Estimate
    words: Estimate


class CauseScores(msgspec.Struct, frozen=True, kw_only=True):
    """Pooled over all expected dialogues; ``by_kind`` is recall, as what is told has no kind."""

    pair: Estimate
    span_strict: Estimate
    span_proportional: Estimate
    by_kind: dict[str, KindScores] = {}


class PhraseScores(msgspec.Struct, frozen=True, kw_only=True):
    """Free words against reference words, means over all expected answers; recall alone forgives a long answer."""

    exact: Estimate
    token_f1: Estimate
    token_recall: Estimate


Pair = tuple[int, int]
Span = tuple[int, int]


def pairs(causes: Iterable[CauseSpan]) -> set[Pair]:
    return {(c.emotion_turn, c.evidence_turn) for c in causes}


def marked(causes: Iterable[CauseSpan], texts: Mapping[int, str]) -> dict[Pair, list[Span]]:
    """Pair of turns -> its spans in order, without space and punctuation at their ends.

    A span that reaches out of its text is cut to it. Spans that overlap, or have nothing but space and punctuation
    between them, are one.
    """
    found: dict[Pair, list[Span]] = {}
    for c in causes:
        if c.span is None:
            continue
        text = texts.get(c.evidence_turn, "")
        start, end = max(c.span[0], 0), min(c.span[1], len(text))
        while start < end and text[start] in EDGES:
            start += 1
        while start < end and text[end - 1] in EDGES:
            end -= 1
        if start < end:
            found.setdefault((c.emotion_turn, c.evidence_turn), []).append((start, end))
    for pair, given in found.items():
        text = texts[pair[1]]
        one: list[Span] = []
        for start, end in sorted(given):
            if one and (start <= one[-1][1] or not text[one[-1][1] : start].strip(EDGES)):
                one[-1] = (one[-1][0], max(one[-1][1], end))
            else:
                one.append((start, end))
        found[pair] = one
    return found


def covered(spans: Iterable[Span], text: str) -> int:
    """Code points in ``spans`` that are neither space nor punctuation."""
    return sum(len(text[a:b].translate(_NO_EDGES)) for a, b in spans)


def common(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """Where two sorted lists of disjoint spans overlap."""
    found, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            found.append((start, end))
        if a[i][1] <= b[j][1]:
            i += 1
        else:
            j += 1
    return found


class Counts(msgspec.Struct, frozen=True):
    """One dialogue: hits, gold, said of ``pair`` and ``strict``; ``overlap`` as a share of what is told, pairs told,
    as a share of gold, gold pairs. ``kinds``: a gold cause and kind each, whether its turns were told, and the share of
    its words."""

    pair: tuple[int, int, int]
    strict: tuple[int, int, int]
    overlap: tuple[float, int, float, int]
    kinds: tuple[tuple[str, bool, float], ...] = ()

    @property
    def score(self) -> float:
        """Proportional span F1 of the dialogue alone."""
        told, gold = self.overlap[1], self.overlap[3]
        p, r = self.overlap[0] / told if told else 0.0, self.overlap[2] / gold if gold else 0.0
        return 2 * p * r / (p + r) if p + r else 0.0


def count(item: Caused) -> Counts:
    gold, said = pairs(item.gold), pairs(item.said)
    g, s = marked(item.gold, item.texts), marked(item.said, item.texts)
    hits, told_share, gold_share = 0, 0.0, 0.0
    for key in g.keys() & s.keys():
        text, wanted, told = item.texts[key[1]], g[key], s[key]
        hits += len({*wanted} & {*told})
        if both := covered(common(wanted, told), text):
            told_share += both / covered(told, text)
            gold_share += both / covered(wanted, text)
    return Counts(
        (len(gold & said), len(gold), len(said)),
        (hits, sum(map(len, g.values())), sum(map(len, s.values()))),
        (told_share, len(s), gold_share, len(g)),
        tuple((kind, *_found(c, said, s, item.texts)) for c in item.gold for kind in c.kinds),
    )


def _found(
    c: CauseSpan, said: set[Pair], spans: Mapping[Pair, Sequence[Span]], texts: Mapping[int, str]
) -> tuple[bool, float]:
    """Whether the turns of a gold cause were told, and the share of its words."""
    own = marked((c,), texts).get(pair := (c.emotion_turn, c.evidence_turn), [])
    text = texts.get(c.evidence_turn, "")
    both = covered(common(own, spans.get(pair, ())), text) if own else 0
    return pair in said, both / covered(own, text) if both else 0.0


def score(items: Sequence[Caused], clusters: Clusters) -> CauseScores:
    """Pair F1, strict span F1 and proportional span F1 over ``items`` [n]."""
    return summary([count(item) for item in items], clusters)


def summary(counts: Sequence[Counts], clusters: Clusters) -> CauseScores:
    """:func:`score` of dialogues that were counted."""
    overlap = np.array([c.overlap for c in counts], np.float64).reshape(-1, 4)
    precision, recall = share(overlap[:, 0], overlap[:, 1]), share(overlap[:, 2], overlap[:, 3])
    return CauseScores(
        pair=f1([c.pair for c in counts], clusters),
        span_strict=f1([c.strict for c in counts], clusters),
        span_proportional=harmonic(precision, recall, clusters),
        by_kind=_by_kind(counts, clusters),
    )


def _by_kind(counts: Sequence[Counts], clusters: Clusters) -> dict[str, KindScores]:
    rows = [(i, *k) for i, c in enumerate(counts) for k in c.kinds]
    found = {}
    for kind in sorted({r[1] for r in rows}):
        inside = [r for r in rows if r[1] == kind]
        own = {way: [labels[r[0]] for r in inside] for way, labels in clusters.items()}
        found[kind] = KindScores(
            turns=rate([r[2] for r in inside], own), words=clustered_mean([r[3] for r in inside], own)
        )
    return found


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


def phrase(references: Sequence[str], answer: str) -> tuple[bool, float, float]:
    """Equality of the tokens in order, token F1 and recall, each against the best of the ``references``."""
    tokens = split(answer)
    if not tokens:
        return False, 0.0, 0.0
    scores = [token_overlap(r, answer) for r in references]
    return any(split(r) == tokens for r in references), max(s[2] for s in scores), max(s[1] for s in scores)


def phrases(gold: Sequence[Sequence[str]], said: Sequence[str], clusters: Clusters) -> PhraseScores:
    """Each answer against the best of its references (one or more); exact is equality of the tokens in order."""
    return phrase_summary([phrase(r, a) for r, a in zip(gold, said, strict=True)], clusters)


def phrase_summary(found: Sequence[tuple[bool, float, float]], clusters: Clusters) -> PhraseScores:
    """:func:`phrases` of answers that were compared by :func:`phrase`."""
    return PhraseScores(
        exact=rate([e for e, _, _ in found], clusters),
        token_f1=clustered_mean([f for _, f, _ in found], clusters),
        token_recall=clustered_mean([r for _, _, r in found], clusters),
    )
