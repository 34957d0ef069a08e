"""Words as they sound, so that a phrase is found though the recogniser misheard parts of it.

English: words, equal from their beginning or spelled nearly alike. Chinese: syllables without tones; two are alike by
half where their initials or their finals agree, and by less where those are often confused (zh/z, n/l, an/ang).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from duologue.errors import MissingPartError

Unit = str
_CONFUSED_INITIALS = ("z zh j", "c ch q", "s sh x", "n l r", "f h", "b p m", "d t", "g k h", "zh j", "ch q", "sh x")
_CONFUSED_FINALS = ("an ang", "en eng", "in ing", "uan uang", "ian iang", "e o uo", "u v ou", "ai ei", "ie iu", "in en")
_LATIN = re.compile(r"[a-z0-9']+")
# Common words that are spelled like others ("could", "cold").
_COMMON = frozenset(
    ("could", "would", "should", "there", "their", "where", "think", "thing", "things", "someone", "something", "well")
)
# Mean likeness of a Chinese phrase of so many syllables from which it counts as said.
_SAID = {1: 1.0, 2: 0.87, 3: 0.78}
_SAID_LONG = 0.72


@lru_cache(maxsize=4096)
def units(text: str, language: str) -> tuple[Unit, ...]:
    """English: its words in lower case. Chinese: its syllables as "initial final"; Latin words stay words."""
    if language != "zh":
        return tuple(w.strip("'") for w in _LATIN.findall(text.lower().replace("\u2019", "'")) if w.strip("'"))
    try:
        from pypinyin import Style, pinyin
    except ImportError as error:
        raise MissingPartError(
            f"comparing Chinese by its sound needs the package {error.name!r}", mend="pip install 'duologue[espeak]'"
        ) from error
    out: list[Unit] = []
    for part in re.findall(r"[\u4e00-\u9fff]+|[a-z0-9]+", text.lower()):
        if part.isascii():
            out.append(part)
            continue
        initials = pinyin(part, style=Style.INITIALS, strict=False)
        finals = pinyin(part, style=Style.FINALS, strict=False)
        out += [f"{i[0]} {f[0]}" for i, f in zip(initials, finals, strict=True)]
    return tuple(out)


@lru_cache(maxsize=65536)
def likeness(a: Unit, b: Unit) -> float:
    """How alike two syllables or Latin words sound, 0 to 1."""
    if a == b:
        return 1.0
    if " " not in a or " " not in b:
        return 0.0
    (i, f), (j, g) = a.split(" "), b.split(" ")
    return _part(i, j, _CONFUSED_INITIALS) + _part(f, g, _CONFUSED_FINALS)


def _part(a: str, b: str, confused: Sequence[str]) -> float:
    if a == b:
        return 0.5
    return 0.3 if any(a in group.split() and b in group.split() for group in confused) else 0.0


def word_likeness(said: str, key: str) -> float:
    """Of two English words: 1 where one begins the other (from four letters on), 0.5 where they are spelled alike."""
    if said == key:
        return 1.0
    shorter, longer = sorted((said, key), key=len)
    if len(shorter) >= 4 and longer.startswith(shorter) and len(longer) - len(shorter) <= 4:
        return 1.0
    if len(shorter) >= 4 and said not in _COMMON and SequenceMatcher(None, said, key).ratio() >= 0.8:
        return 0.5
    return 0.0


def find(phrase: str, said: Sequence[Unit], language: str) -> tuple[float, int]:
    """The best likeness of ``phrase`` to any place in ``said``, and where; (0, -1) where there is none."""
    wanted = units(phrase, language)
    best, at = 0.0, -1
    alike = likeness if language == "zh" else word_likeness
    for start in range(len(said) - len(wanted) + 1):
        score = sum(alike(s, w) for s, w in zip(said[start:], wanted, strict=False)) / len(wanted)
        if score > best:
            best, at = score, start
    return best, at


def says(phrase: str, said: Sequence[Unit], language: str) -> int:
    """Where ``phrase`` was said, word for word or, in Chinese, as far as its sound tells; -1 where it was not."""
    wanted = units(phrase, language)
    if language != "zh":
        starts = range(len(said) - len(wanted) + 1)
        return next((i for i in starts if tuple(said[i : i + len(wanted)]) == wanted), -1)
    score, at = find(phrase, said, language)
    return at if score >= _SAID.get(len(wanted), _SAID_LONG) else -1
