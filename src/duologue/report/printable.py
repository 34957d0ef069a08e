"""Text of strangers made fit to print: file names and transcripts may hold control characters and broken bytes."""

from __future__ import annotations

import unicodedata
from html import escape

# Control characters, surrogates (bytes that were no UTF-8), unassigned, and the marks that turn text round.
_UNFIT = {"Cc", "Cs", "Cn"}
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """``text`` with every control character, lone surrogate and turning mark replaced by U+FFFD; newlines by spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if c in "\n\r\t" else "\ufffd" if unicodedata.category(c) in _UNFIT or c in _TURNING else c for c in text
    )


def html(text: object) -> str:
    """``text`` as it may stand in HTML, between tags and in quoted attributes."""
    return escape(printable(str(text)))
