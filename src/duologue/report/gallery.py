"""Which dialogues a page shows."""

from __future__ import annotations

from collections import defaultdict

from duologue.corpus.read import Corpus, OpenDialogue


def examples(corpus: Corpus, count: int) -> list[OpenDialogue]:
    """Up to ``count`` dialogues that differ: one of each track and scenario, then a second language of each."""
    first: dict[tuple[str, str], dict[str, OpenDialogue]] = defaultdict(dict)
    for item in corpus:
        d = item.dialogue
        first[d.track, d.scenario].setdefault(d.languages[0], item)
    # The first of a scenario is in alternating languages, so that no language is left out of a short page.
    rounds: list[OpenDialogue] = []
    kinds = [
        (sorted(items) if i % 2 else sorted(items, reverse=True), items)
        for i, (_, items) in enumerate(sorted(first.items()))
    ]
    for depth in range(max((len(order) for order, _ in kinds), default=0)):
        rounds += [items[order[depth]] for order, items in kinds if depth < len(order)]
    return rounds[:count]
