"""Words of a text as they are compared: English words, single hanzi."""

from __future__ import annotations

import re

from duologue.corpus.spoken import normalise

_HANZI = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_TOKEN = re.compile(rf"[{_HANZI}]|[^\W_{_HANZI}]+(?:'[^\W_{_HANZI}]+)*")
_ONE_HANZI = re.compile(f"[{_HANZI}]")


def is_hanzi(token: str) -> bool:
    return len(token) == 1 and _ONE_HANZI.match(token) is not None


def split(text: str) -> list[str]:
    """Words in small letters without marks, each hanzi on its own; kana, hangul and others run on as words."""
    return _TOKEN.findall(text.replace("’", "'").casefold())


def words(text: str, language: str) -> list[str]:
    """As :func:`split`, with numbers, dates and symbols written as they are read in ``language`` ("en" or "zh")."""
    return split(normalise(text, language).text)
