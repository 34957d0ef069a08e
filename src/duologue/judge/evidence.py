"""Evidence as a judge gets it: data that can neither break out of its place nor hide in it.

What is judged comes from systems that want good grades. It is one JSON object on one line between two marker lines
whose name is a hash of that line, so that no text can hold its own marker; brackets and every invisible character
(control, format, private use, line separators) are written as escapes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

# Characters of one text; more is cut and said so. It bounds what a hostile reply can make a judge cost.
LONGEST = 8_000


def evidence(data: dict[str, Any], closing: str) -> str:
    """The user message that carries ``data``, followed by ``closing``."""
    line = encode(data)
    mark = hashlib.sha256(line.encode()).hexdigest()[:16]
    return f"EVIDENCE {mark}\n{line}\nEND {mark}\n\n{closing.strip()}"


def encode(data: Any) -> str:
    """``data`` as JSON on one line of visible characters; decoding gives it back, lone surrogates apart."""
    return "".join(c if _plain(c) else _escape(c) for c in json.dumps(data, ensure_ascii=False))


def cut(text: str, longest: int = LONGEST) -> str:
    """``text``, or its beginning and how many characters are left out."""
    return text if len(text) <= longest else f"{text[:longest]} […+{len(text) - longest}]"


def _plain(c: str) -> bool:
    return c.isprintable() and c not in "<>`"


def _escape(c: str) -> str:
    units = c.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
