"""Which language a reply is in, told by its script alone."""

from __future__ import annotations

import re
import unicodedata

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Fewer words than this ("OK", "好") belong to any language.
_ENOUGH = 3


def language_by_script(text: str) -> str:
    """ "zh" for mostly Han characters, "en" for mostly Latin words, "other" for another script; "" for too little.

    A Han character weighs as much as a Latin word. Latin script counts as English: rules cannot tell it from French.
    """
    han, kana = len(_HAN.findall(text)), len(_KANA.findall(text))
    rest = _KANA.sub(" ", _HAN.sub(" ", text))
    latin, other = 0, kana
    for word in _WORD.findall(rest):
        if unicodedata.name(word[0], "").startswith(("LATIN", "FULLWIDTH LATIN")):
            latin += 1
        else:
            other += len(word)
    if han + latin + other < _ENOUGH:
        return ""
    if kana * 5 > han and kana > latin:
        return "other"
    return max((han, "zh"), (latin, "en"), (other, "other"), key=lambda x: x[0])[1]
