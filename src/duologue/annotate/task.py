"""One item as a rater gets it, and one answer as it comes back."""

from __future__ import annotations

from typing import Any

import msgspec

from duologue.annotate.answer import Answer, Layer


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """``start`` and ``end`` are seconds of the turn in the dialogue's audio, None where it has none (or for layer time,
    whose answer they are, a window around it). ``clip`` is the path of its own sound, relative to the rater's folder,
    which begins at ``offset`` seconds of the dialogue's audio. ``answer`` is "" unless the item goes out with one."""

    item: str
    rater: str
    layer: Layer
    language: str
    dialogue: str
    turn: int
    speaker: str
    text: str
    context: str
    clip: str
    offset: float
    start: float | None
    end: float | None
    allowed: str
    answer: str = ""


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in a file at ``where``: a ``line`` as :mod:`duologue.annotate.answer` writes it, or Label Studio's own
    ``regions``; neither where the item was left open."""

    where: str
    item: str
    rater: str
    line: str = ""
    regions: tuple[dict[str, Any], ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was understood."""

    where: str
    item: str
    rater: str
    answer: Answer
