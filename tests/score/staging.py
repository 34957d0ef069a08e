"""Exchanges written by hand: who spoke when, in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.event import Act, Event, Trigger
from duologue.corpus.interval import normalise
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Turn, TurnKind
from duologue.score.exchange import RATE, Exchange, PlayedEvent, PlayedTurn

ACTS: dict[str, tuple[Act, ...]] = {
    "follow_up": ("stop", "respond"),
    "negation": ("stop", "respond"),
    "repetition": ("stop", "respond"),
    "topic_switch": ("stop", "respond"),
    "termination": ("stop", "wait"),
    "backchannel": ("continue",),
    "pause": ("wait", "respond"),
    "third_party": ("ignore", "continue"),
    "others_directed": ("ignore", "continue"),
}


def stage(
    scenario: str,
    turns: Sequence[tuple[str, TurnKind, Sequence[tuple[float, float]], str]],
    *,
    event: tuple[int, float, float] | None = None,
    acts: tuple[Act, ...] | None = None,
    position: str = "",
    speech: Sequence[tuple[float, float]] = (),
    sound: Sequence[tuple[float, float]] | None = None,
    words: Sequence[tuple[str, float, float]] = (),
    length: float = 30.0,
    language: str = "en",
    not_exercised: str = "",
) -> Exchange:
    """``turns`` are (role, kind, spans, text) of all but the system; ``event`` is (target turn, start, end)."""
    speakers = {role: Speaker(id=role, role=role, languages=(language,), synthetic=True) for role, *_ in turns}
    speakers["system"] = Speaker(id="system", role="system", languages=(language,), synthetic=True)
    to = {"turn": "system", "interruption": "system", "backchannel": "system"}
    made = [
        Turn(
            index=i,
            role=role,
            speaker=role,
            addressee=to.get(kind, "bystander"),
            language=language,
            text=text,
            kind=kind,
        )
        for i, (role, kind, _, text) in enumerate(turns)
    ]
    events = ()
    if event is not None:
        target, start, end = event
        planned = Event(
            id="e0",
            kind=scenario,
            speaker=made[target].speaker,
            trigger=Trigger(reference_turn=0, anchor="turn_end"),
            target_turn=target,
            expected=acts or ACTS[scenario],
            position=position,
        )
        events = (PlayedEvent(planned, at(start), at(end), not_exercised=not_exercised),)
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id="x",
        track="duplex",
        tasks=("interruption",),
        languages=(language,),
        split="test",
        scenario=scenario,
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        speakers=tuple(speakers.values()),
        turns=tuple(made),
    )
    return Exchange(
        dialogue=d,
        observation=Observation(id="x", status="ok"),
        length=at(length),
        heard_until=at(length),
        turns=tuple(PlayedTurn(t, spans_of(spans)) for t, (_, _, spans, _) in zip(made, turns, strict=True)),
        events=events,
        speech=spans_of(speech),
        sound=spans_of(speech if sound is None else sound),
        words=tuple(SaidWord(w, at(a), at(b)) for w, a, b in words),
        words_from="corpus",
    )


def at(seconds: float) -> int:
    return round(seconds * RATE)


def spans_of(spans: Sequence[tuple[float, float]]) -> np.ndarray:
    return normalise([(at(a), at(b)) for a, b in spans])


def spread(text: str, start: float, end: float) -> list[tuple[str, float, float]]:
    """The words of ``text`` evenly over [start, end)."""
    words = text.split()
    step = (end - start) / len(words)
    return [(w, start + i * step, start + (i + 1) * step) for i, w in enumerate(words)]
