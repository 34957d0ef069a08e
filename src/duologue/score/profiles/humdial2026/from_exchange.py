"""A dialogue and what a run left of it, as the official scoring reads them: any corpus gets the official numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duologue.corpus.interval import Intervals
from duologue.corpus.read import OpenDialogue
from duologue.score.exchange import RATE, Exchange
from duologue.score.profiles.corrected.item import clusters
from duologue.score.profiles.corrected.replies import claims
from duologue.score.profiles.humdial2026.first_response import Position
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialWord


def official_item(
    item: OpenDialogue, x: Exchange, user: Intervals, system: Intervals, tags: Sequence[str] | None
) -> OfficialItem:
    """The official view of exchange ``x``: ``user`` and ``system`` are speech as its detector finds it, at 16 kHz.

    ``speech_segments`` are the turns in the user's channel as ``_sentence.json`` holds them. An official recording
    begins with the query that its event belongs to (with the third party who speaks before it); of a longer dialogue
    the turns and the system's words before that are left out.
    """
    d = item.dialogue
    readable = x.observation.status == "ok"
    turns = sorted((t.start, t.end) for t in x.turns)
    begin = _begin(x)
    why = (x.observation.why,) if x.observation.why else ()
    return OfficialItem(
        id=d.id,
        language=d.languages[0],
        scenario=d.scenario,
        position=position(item),
        user_segments=_seconds(user),
        system_segments=_seconds(system) if readable else None,
        speech_segments=tuple((a / RATE, b / RATE) for a, b in turns if a >= begin),
        system_words=tuple(OfficialWord(w.text, w.start / RATE, w.end / RATE) for w in x.words if w.start >= begin)
        if readable
        else None,
        tags=None if tags is None else tuple(tags),
        notes=(*x.observation.notes, *why),
        clusters=clusters(x),
    )


def _begin(x: Exchange) -> int:
    """The sample at which the official recording would begin: the start of the query that the first event is about."""
    if not x.events or x.events[0].not_exercised:
        return 0
    e = x.events[0]
    if e.event.position == "before":
        return e.start
    asked = [t.start for t in claims(x) if t.start <= e.start and t.turn.kind == "turn"]
    return asked[-1] if asked else 0


def position(item: OpenDialogue) -> Position:
    """Whether a third party speaks before or after the user's query; "after" where the dialogue does not tell."""
    if item.dialogue.scenario != "third_party":
        return ""
    return "before" if any(e.position == "before" for e in item.dialogue.events[:1]) else "after"


def _seconds(x: Intervals) -> tuple[tuple[float, float], ...]:
    return tuple((float(a), float(b)) for a, b in np.asarray(x) / RATE)
