"""Can a question be answered from its options alone? A classifier that sees nothing else tries.

It knows the words and characters of each option, its place, its length, and how like each option is to the others;
folds are disjoint by script family. Near chance means that the options give nothing away that such a classifier finds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from duologue.errors import MissingPartError
from duologue.score.emotion.cause import token_overlap
from duologue.score.emotion.choice import Question
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import rate

FOLDS = 5


def options_only(questions: Sequence[Question], *, seed: int = 0) -> Estimate:
    """Accuracy of the classifier on questions it was not trained on, one order of each; chance is 1 over the options.

    Needs scikit-learn (extra "analysis") and answers in the questions.
    """
    try:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "the options-only classifier needs scikit-learn", mend="pip install 'duologue[analysis]'"
        ) from error
    kept = [q for q in {q.base: q for q in questions}.values() if q.answer is not None]
    if not kept:
        return Estimate(value=None)
    sizes = [len(q.options) for q in kept]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    table = csr_matrix(DictVectorizer().fit_transform([row for q in kept for row in clues(q)]))
    # A question is one choice among its options: only what differs inside it can tell.
    inside = csr_matrix(
        (np.concatenate([np.full(s, 1 / s) for s in np.repeat(sizes, sizes)]),
         np.concatenate([np.arange(starts[i], starts[i + 1]) for i in np.repeat(np.arange(len(kept)), sizes)]),
         np.concatenate([[0], np.cumsum(np.repeat(sizes, sizes))])),
        shape=(starts[-1], starts[-1]),
    )  # fmt: skip
    centred = csr_matrix(table - inside @ table)
    truth = np.concatenate([np.arange(len(q.options)) == q.answer for q in kept])
    fold = np.array(_folds([q.clusters.get("script_family", q.dialogue) for q in kept], seed))
    row_fold = np.repeat(fold, sizes)
    hits = np.zeros(len(kept), bool)
    for out in range(FOLDS):
        if not (fold == out).any() or (fold == out).all():
            continue
        model: Any = LogisticRegression(C=0.3, max_iter=300, class_weight="balanced")
        model.fit(centred[row_fold != out], truth[row_fold != out])
        scores = centred[row_fold == out] @ model.coef_[0]
        at = 0
        for i in np.flatnonzero(fold == out):
            hits[i] = int(np.argmax(scores[at : at + sizes[i]])) == kept[i].answer
            at += sizes[i]
    ways = {w: [q.clusters.get(w, q.dialogue) for q in kept] for w in ("script_family", "speaker")}
    return rate(hits, ways)


def clues(question: Question) -> list[dict[str, float]]:
    """What each option shows of itself and beside the others."""
    texts = [o.text.casefold() for o in question.options]
    rows = []
    for i, text in enumerate(texts):
        tokens = re.findall(r"[a-z']+|[^\x00-\x7f]", text)
        head = re.split(r"[,，]", text)[0]
        row: dict[str, float] = {f"place {i}": 1.0, "length": len(text) / 40}
        for size in (1, 2, 3):
            for k in range(len(tokens) - size + 1):
                row["n " + " ".join(tokens[k : k + size])] = 1.0
        if question.kind == "cause":
            row |= {f"x {head} {t}": 1.0 for t in set(tokens[1:])}
        else:
            path = text.split(" → ")
            row |= {f"p {k} {label}": 1.0 for k, label in enumerate(path)}
            row |= {f"e {k} {label}": 1.0 for k, label in enumerate(reversed(path))}
            row[f"steps {len(path)}"] = 1.0
            row["again"] = float(len(path) - len(set(path)))
        alike = [token_overlap(other, text)[2] for j, other in enumerate(texts) if j != i]
        row |= {"alike": float(np.mean(alike)), "most alike": max(alike), "least alike": min(alike)}
        lengths = [len(t) for j, t in enumerate(texts) if j != i]
        row |= {"longest": float(len(text) > max(lengths)), "shortest": float(len(text) < min(lengths))}
        rows.append(row)
    return rows


def _folds(families: Sequence[str], seed: int) -> list[int]:
    """A fold for each item; a family is in one fold, the folds about equally full."""
    names = sorted(set(families))
    order = np.random.default_rng(seed).permutation(len(names))
    size = {n: families.count(n) for n in names}
    full, home = [0] * FOLDS, {}
    for k in order:
        least = min(range(FOLDS), key=full.__getitem__)
        home[names[k]] = least
        full[least] += size[names[k]]
    return [home[f] for f in families]
