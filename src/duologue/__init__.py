"""Duologue: build, guard and score spoken-dialogue challenge datasets.

>>> import duologue
>>> for item in duologue.open("data/demo", language="zh", split="train"):  # doctest: +SKIP
...     samples, rate = item.audio(role="user")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duologue.corpus.read import Corpus, OpenDialogue, open

__all__ = ["Corpus", "OpenDialogue", "open"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import duologue` alone costs nothing.
    if name in __all__:
        from duologue.corpus import read

        return getattr(read, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("duologue")
    raise AttributeError(f"module 'duologue' has no attribute {name!r}")
