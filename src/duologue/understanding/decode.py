"""The likeliest sequence of feelings of a user's turns (Viterbi), and which clause is why."""

from __future__ import annotations

import numpy as np

from duologue.understanding import tasks
from duologue.understanding.classifier import Classifier
from duologue.understanding.hearing import HeardDialogue
from duologue.understanding.model import Chain
from duologue.understanding.tasks import Candidate


def decode(classifier: Classifier, chain: Chain | None, h: HeardDialogue) -> dict[int, str]:
    """Turn -> feeling: the path that maximises the sum of the turns' log shares and of the chain's steps."""
    scores = classifier.log_shares([tasks.emotion_turn(h.dialogue, t) for t in h.turns])
    if not len(scores):
        return {}
    steps = chain.steps if chain is not None else np.zeros((len(classifier.labels), len(classifier.labels)))
    total, back = scores[0], []
    for row in scores[1:]:
        ways = total[:, None] + steps
        back.append(ways.argmax(axis=0))
        total = ways.max(axis=0) + row
    path = [int(total.argmax())]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return {t.turn: classifier.labels[k] for t, k in zip(h.turns, reversed(path), strict=True)}


def blame(classifier: Classifier, h: HeardDialogue, felt: dict[int, str]) -> list[Candidate]:
    """The likeliest clause for each turn that feels anything."""
    found = tasks.causes(h, felt)
    shares = classifier.log_shares(found)
    yes = classifier.labels.index(tasks.YES)
    best: dict[int, tuple[float, Candidate]] = {}
    for row, c in zip(shares, found, strict=True):
        if c.turn not in best or row[yes] > best[c.turn][0]:
            best[c.turn] = (float(row[yes]), c)
    return [c for _, c in best.values()]
