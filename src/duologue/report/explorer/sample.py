"""Which dialogues of a corpus an explorer shows: an equal share of each kind, the same ones every time."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus

Stratum = tuple[str, str, str, str, tuple[str, ...]]


def stratum(d: Dialogue) -> Stratum:
    """Dialogues alike in track, main language, scenario, split and tasks make one stratum."""
    return d.track, d.languages[0], d.scenario, d.split, d.tasks


def sample(corpus: Corpus, count: int, progress: Callable[[int], object] = lambda n: None) -> list[str]:
    """Up to ``count`` ids, dealt in rounds of one of each stratum, so that the beginning of it is a sample as well.

    Strata and dialogues are ordered by SHA-256 of their names: the choice depends on nothing but the corpus, and
    the strata that a last, broken round leaves out are no kind in particular.
    """
    strata: dict[Stratum, list[tuple[bytes, str]]] = defaultdict(list)
    for item in corpus:
        strata[stratum(item.dialogue)].append((_digest(item.id), item.id))
        progress(1)
    order = sorted(strata, key=lambda s: _digest(repr(s)))
    queues = [[id for _, id in sorted(strata[s])] for s in order]
    chosen: list[str] = []
    for depth in range(max(map(len, queues), default=0)):
        for queue in queues:
            if depth < len(queue) and len(chosen) < count:
                chosen.append(queue[depth])
    return chosen


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
