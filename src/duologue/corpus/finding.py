"""A broken invariant, named so that it can be mended."""

from __future__ import annotations

from typing import Any

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """``file`` is relative to the corpus (with a line for JSON Lines), ``field`` dotted ("turns[2].words[0].end").

    ``message`` says what does not hold, ``value`` what was found, ``allowed`` what would have been accepted.
    """

    file: str
    dialogue: str = ""
    field: str = ""
    value: Any = None
    allowed: str = ""
    message: str
