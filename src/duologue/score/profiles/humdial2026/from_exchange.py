"""A dialogue and what a run left of it, as the official scoring reads them: any corpus gets the official numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duologue.corpus.interval import Intervals
from duologue.corpus.read import OpenDialogue
from duologue.score.exchange import RATE, Exchange
from duologue.score.profiles.humdial2026.first_response import Position
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialWord


def official_item(
    item: OpenDialogue, x: Exchange, user: Intervals, system: Intervals, tags: Sequence[str] | None
) -> OfficialItem:
    """The official view of exchange ``x``: ``user`` and ``system`` are speech as its detector finds it, at 16 kHz.

    ``speech_segments`` are all stretches of talk in the user's channel, in order, as ``_sentence.json`` holds them.
    """
    d = item.dialogue
    readable = x.observation.status == "ok"
    spans = sorted((int(a), int(b)) for t in x.turns for a, b in t.segments)
    why = (x.observation.why,) if x.observation.why else ()
    return OfficialItem(
        id=d.id,
        language=d.languages[0],
        scenario=d.scenario,
        position=position(item),
        user_segments=_seconds(user),
        system_segments=_seconds(system) if readable else None,
        speech_segments=tuple((a / RATE, b / RATE) for a, b in spans),
        system_words=tuple(OfficialWord(w.text, w.start / RATE, w.end / RATE) for w in x.words) if readable else None,
        tags=None if tags is None else tuple(tags),
        notes=(*x.observation.notes, *why),
    )


def position(item: OpenDialogue) -> Position:
    """Whether a third party speaks before or after the user's query; "after" where the dialogue does not tell."""
    if item.dialogue.scenario != "third_party":
        return ""
    return "before" if any(e.position == "before" for e in item.dialogue.events[:1]) else "after"


def _seconds(x: Intervals) -> tuple[tuple[float, float], ...]:
    return tuple((float(a), float(b)) for a, b in np.asarray(x) / RATE)
