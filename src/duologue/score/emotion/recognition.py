"""How well feelings are recognised: classes, soft labels, valence and arousal, and words against voice.

An answer that is missing or no label is "" and wrong, never left out. Formulas and sources: docs/emotion-measures.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.score.emotion.ratio import estimate, macro_f1, mean_recall, share
from duologue.score.emotion.trajectory import coded, table
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import Clusters, clustered_mean, rate


class RecognitionScores(msgspec.Struct, frozen=True, kw_only=True):
    """``ua``: mean recall of the classes that gold holds; ``wa``: share right; ``confusion``: gold -> said -> n."""

    ua: Estimate
    wa: Estimate
    macro_f1: Estimate
    confusion: dict[str, dict[str, int]]


class ConflictScores(msgspec.Struct, frozen=True, kw_only=True):
    """Words against voice. ``gap`` = ``agree`` - ``conflict``, in [-1, 1].

    ``words_win`` is the share of conflict clips answered with the words' label, ``neither`` with no label of the two.
    """

    agree: Estimate
    conflict: Estimate
    gap: Estimate
    words_win: Estimate
    neither: Estimate


def recognise(gold: Sequence[str], said: Sequence[str], clusters: Clusters) -> RecognitionScores:
    """Labels of ``n`` clips against those given."""
    n = len(gold)
    codes, g, s = coded(gold, said)
    item = np.arange(n)
    return RecognitionScores(
        ua=mean_recall(item, g, g == s, n, clusters),
        wa=rate([a == b for a, b in zip(gold, said, strict=True)], clusters),
        macro_f1=macro_f1(item, g, s, codes, n, clusters),
        confusion=table(zip(gold, said, strict=True)),
    )


def jensen_shannon(p: Mapping[str, float], q: Mapping[str, float]) -> float:
    """Square root of the Jensen-Shannon divergence to base 2, a metric in [0, 1] (Lin 1991; Endres & Schindelin 2003).

    Shares need not sum to 1; a distribution that is empty is at distance 1 from any.
    """
    total_p, total_q = sum(p.values()), sum(q.values())
    if total_p <= 0 or total_q <= 0:
        return 1.0
    divergence = 0.0
    for label in p.keys() | q.keys():
        a, b = p.get(label, 0.0) / total_p, q.get(label, 0.0) / total_q
        m = (a + b) / 2
        divergence += sum(x / 2 * math.log2(x / m) for x in (a, b) if x > 0)
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def soft_distance(
    gold: Sequence[Mapping[str, float]], said: Sequence[Mapping[str, float]], clusters: Clusters
) -> Estimate:
    """Mean distance of the distributions given to those of the raters; a single label is all of one."""
    return clustered_mean([jensen_shannon(g, s) for g, s in zip(gold, said, strict=True)], clusters)


def concordance(
    gold: Sequence[float], said: Sequence[float | None], clusters: Clusters, bounds: tuple[float, float] = (-1.0, 1.0)
) -> Estimate:
    """Lin's (1989) concordance correlation, 2 s_xy / (s_xx + s_yy + (m_x - m_y)^2), moments over n.

    An answer that is missing stands as the end of ``bounds`` that is farther from gold, so that silence gives nothing
    that an answer could not; one beyond ``bounds`` is cut to them. The error is that of the linearised moments.
    """
    x = np.asarray(gold, np.float64)
    if not len(x):
        return Estimate(value=None)
    middle = (bounds[0] + bounds[1]) / 2
    worst = np.where(x > middle, bounds[0], bounds[1])
    known = np.array([s is not None and math.isfinite(s) for s in said], bool)
    y = np.where(known, [s if s is not None and math.isfinite(s) else 0.0 for s in said], worst).clip(*bounds)
    dx, dy = x - x.mean(), y - y.mean()
    apart = float(x.mean() - y.mean())
    below = float(dx @ dx + dy @ dy) / len(x) + apart**2
    if below <= 1e-12:
        return estimate(1.0, np.zeros(len(x)), clusters, "concordance", (-1.0, 1.0))
    value = 2 * float(dx @ dy) / len(x) / below
    spread = dx**2 + dy**2 + apart**2 + 2 * apart * (dx - dy) - below
    errors: npt.NDArray[np.float64] = (2 * (dx * dy - float(dx @ dy) / len(x)) - value * spread) / below / len(x)
    return estimate(value, errors, clusters, "concordance", (-1.0, 1.0))


def conflict(voice: Sequence[str], words: Sequence[str], said: Sequence[str], clusters: Clusters) -> ConflictScores:
    """Clips whose voice says ``voice`` and whose words say ``words``; the voice is the truth."""
    v, w, s = (np.asarray(x, dtype=object) for x in (voice, words, said))
    apart = v != w
    right = (v == s).astype(np.float64)
    same, e_same = share(right * ~apart, ~apart)
    other, e_other = share(right * apart, apart)
    gap = None if same is None or other is None else same - other
    inside = {way: [x for x, a in zip(labels, apart, strict=True) if a] for way, labels in clusters.items()}
    outside = {way: [x for x, a in zip(labels, apart, strict=True) if not a] for way, labels in clusters.items()}
    won = (w == s)[apart]
    return ConflictScores(
        agree=rate(right[~apart], outside),
        conflict=rate(right[apart], inside),
        gap=estimate(gap, e_same - e_other, clusters, "difference of rates", (-1.0, 1.0)),
        words_win=rate(won, inside),
        neither=rate(~won & (right[apart] == 0), inside),
    )
