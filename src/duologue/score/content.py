"""What of a text is matter: its words outside the closed classes, and what of them was said by somebody else before."""

from __future__ import annotations

import re
from functools import cache

from duologue.language.function_words import function_words
from duologue.language.tokens import is_hanzi, split

# Endings that do not make another word of it: cook, cooks, cooked, cooking.
_ENDING = re.compile(r"(?:'s|ing|ed|es|s|ly|e)$")
# A run of this many of the other's words counts as copied whatever the words are.
_RUN = {"en": 5, "zh": 6}


@cache
def _closed_runs() -> re.Pattern[str]:
    words = sorted((w for w in function_words("zh") if len(w) > 1), key=lambda w: (-len(w), w))
    return re.compile("|".join(words))


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    return stem if len(stem) > 2 else word


def _pieces(text: str, language: str) -> list[tuple[str, int, int, bool]]:
    """(token, start, end, is matter) of every word or hanzi of ``text``; offsets are code points."""
    found = []
    at = 0
    folded = text.replace("’", "'").casefold()
    if len(folded) != len(text):
        folded = text.lower() if len(text.lower()) == len(text) else text
    closed = [m.span() for m in _closed_runs().finditer(folded)] if language == "zh" else []
    for token in split(folded):
        start = folded.index(token, at)
        at = start + len(token)
        matter = token not in function_words("zh" if is_hanzi(token) else "en")
        if matter and any(a <= start < b for a, b in closed):
            matter = False
        found.append((token, start, at, matter))
    return found


def content_units(text: str, language: str) -> float:
    """How many words of matter ``text`` holds; a hanzi counts as half a word."""
    return sum(0.5 if is_hanzi(t) else 1.0 for t, _, _, matter in _pieces(text, language) if matter)


def without_copied(text: str, source: str, language: str) -> tuple[str, float]:
    """``text`` without what it copies from ``source``, and the share of its words (hanzi) that are copied.

    Copied are words of matter that ``source`` has too, in whatever ending (English); hanzi inside a run of two or more
    that ``source`` has too (Chinese); and any word inside a run of 5 words or 6 hanzi of ``source``. The share counts
    words of matter alone where there are any.
    """
    mine, theirs = _pieces(text, language), _pieces(source, language)
    copied = [False] * len(mine)
    known = {_stem(t) for t, _, _, matter in theirs if matter and not is_hanzi(t)}
    for i, (token, _, _, matter) in enumerate(mine):
        if not is_hanzi(token):
            copied[i] = matter and _stem(token) in known
    tokens, others = [p[0] for p in mine], [p[0] for p in theirs]
    for length in {2, _RUN["zh"]} if language == "zh" else {_RUN["en"]}:
        seen = {tuple(others[i : i + length]) for i in range(len(others) - length + 1)}
        for i in range(len(tokens) - length + 1):
            if tuple(tokens[i : i + length]) in seen:
                for j in range(i, i + length):
                    copied[j] = copied[j] or mine[j][3] or length > 2
    if not mine:
        return "", 0.0
    matter_pieces = [c for c, p in zip(copied, mine, strict=True) if p[3]]
    share = sum(matter_pieces) / len(matter_pieces) if matter_pieces else sum(copied) / len(mine)
    kept = []
    at = 0
    for (_, start, end, _), out in zip(mine, copied, strict=True):
        kept.append(text[at:start])
        if not out:
            kept.append(text[start:end])
        at = end
    left = re.sub(r"\s+", " ", "".join([*kept, text[at:]])).strip()
    return (left if any(not c for c in copied) else ""), share
