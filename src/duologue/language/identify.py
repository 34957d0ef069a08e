"""Which language a text is in: English, Chinese, both, or another.

By script and closed-class words, not by a statistical model: it has to be right on one or two words, where such models
guess. A hanzi counts as one unit and an English word as one and a half, as they carry about as much; a name or borrowed
term in a Chinese sentence counts half.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from duologue.language.function_words import function_words
from duologue.language.tokens import is_hanzi, split

Language = Literal["zh", "en", "mixed", "other", "none"]
_LATIN_UNITS = 1.5
# What a Latin word counts among hanzi where none of them is a closed-class word: a name or a borrowed term.
_BORROWED_UNITS = 0.5
# A text is of one language where that holds at least this share of its units.
_CLEAR = 0.7
# From this many Latin words on, English is expected to show one of its closed-class words.
_TELLING = 5
_LATIN = re.compile(r"[a-z0-9']+")
_ACCENTED = re.compile("[\u00c0-\u024f]")


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """``zh``, ``en`` and ``other`` are shares of the units and sum to 1, or are all 0 for "none" (no word at all)."""

    language: Language
    zh: float
    en: float
    other: float

    def share(self, language: str) -> float:
        """Share of the text that is in ``language`` ("zh" or "en")."""
        return self.zh if language == "zh" else self.en


def identify(text: str) -> Identified:
    """The language of ``text``; digits alone belong to no language, and count for whichever is there.

    Latin words are English unless closed-class words of other European languages outnumber English ones, or five
    words and more show not one English closed-class word but an accent or a foreign one, or are no words at all
    (fewer than a third have a vowel). Hanzi are Chinese unless kana stand among them.
    """
    tokens = split(text)
    others = [t for t in tokens if not is_hanzi(t)]
    hanzi = len(tokens) - len(others)
    spelt = [t for t in others if not t.isdigit()]
    latin = [t for t in spelt if _latin(t)]
    foreign = float(sum(len(t) for t in spelt if not _latin(t)))
    if not hanzi and not latin and not foreign:
        return Identified(language="none", zh=0.0, en=0.0, other=0.0)
    borrowed = hanzi and not any(w in function_words("en") or w in function_words("other") for w in latin)
    zh, en, other = float(hanzi), (_BORROWED_UNITS if borrowed else _LATIN_UNITS) * len(latin), foreign
    if re.search("[\u3040-\u30ff]", text):
        zh, other = 0.0, other + zh
    if latin and not _english(latin):
        en, other = 0.0, other + en
    total = zh + en + other
    zh, en, other = zh / total, en / total, other / total
    language: Language = "mixed"
    for name, share in (("zh", zh), ("en", en), ("other", other)):
        if share >= _CLEAR:
            language = name  # type: ignore[assignment]
    if language == "mixed" and other > max(zh, en):
        language = "other"
    return Identified(language=language, zh=zh, en=en, other=other)


def _latin(token: str) -> bool:
    return _LATIN.fullmatch(token if token.isascii() else _ACCENTED.sub("a", token)) is not None


def _english(words: list[str]) -> bool:
    known = sum(w in function_words("en") for w in words)
    foreign = sum(w in function_words("other") for w in words)
    accented = sum(_ACCENTED.search(w) is not None for w in words)
    if foreign > known:
        return False
    if len(words) >= _TELLING and not known:
        spoken = sum(re.search("[aeiouy]", w) is not None for w in words)
        return not accented and 3 * spoken >= len(words)
    return True
