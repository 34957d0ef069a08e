"""One self-contained HTML page about a corpus; it opens offline."""

from __future__ import annotations

from collections.abc import Mapping

from duologue.corpus.describe import Stats
from duologue.corpus.read import Corpus


def render(corpus: Corpus, stats: Stats, *, phases: Mapping[str, float] | None = None) -> str:
    """The page for ``corpus`` and its ``stats``; ``phases`` maps a build's steps to seconds, where they are known."""
    raise NotImplementedError
