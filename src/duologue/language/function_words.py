"""The closed classes: words that carry grammar rather than matter, by language.

English and Chinese are for telling content from the rest. "other" is only so that a text in another European language
is not taken for English: it holds frequent words of five of them that English lacks.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def function_words(language: str) -> frozenset[str]:
    """The words of "en", "zh" (single hanzi and words of several) or "other"."""
    text = (resources.files("duologue.language") / f"function_words_{language}.txt").read_text("utf-8")
    return frozenset(text.split())
