"""What a rater can say about an item, as one line of text, and as annotations.

    emotion   happy 2                    label, intensity 0 to 3
    shift     yes | no                   whether the feeling changed since this speaker's turn before
    cause     event | 3 | yes | the words    kind, number of the turn that tells it, linked in words, the words; or none
    event     backchannel                a scenario, or none
    time      1.250 3.875                seconds at which the turn begins and ends

The same line stands in CSV, JSONL, TextGrid and adjudication sheets. Turns are counted from 1 as raters see them.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from duologue.corpus.annotation import (
    Annotation,
    Cause,
    CauseAnnotation,
    CauseKind,
    EmotionAnnotation,
    LabelAnnotation,
    TimeAnnotation,
    TimeMark,
)
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import EmotionValue, Taxonomy
from duologue.errors import UserError

Layer = Literal["emotion", "shift", "cause", "event", "time"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
CAUSES: tuple[CauseKind, ...] = get_args(CauseKind)
NONE = "none"
# The label of a time annotation that says where a turn begins and ends.
TURN = "turn"
# A place whose answer is still to come.
OPEN = "?"


class Emotion(msgspec.Struct, frozen=True, tag="emotion"):
    label: str
    intensity: int


class ShiftSeen(msgspec.Struct, frozen=True, tag="shift"):
    changed: bool


class CauseSeen(msgspec.Struct, frozen=True, tag="cause"):
    """``kind`` "none" says that the dialogue tells no cause; ``span`` is code points of turn ``evidence``'s text."""

    kind: str
    evidence: int = 0
    span: tuple[int, int] = (0, 0)
    explicit: bool = False


class EventSeen(msgspec.Struct, frozen=True, tag="event"):
    kind: str


class TimeSeen(msgspec.Struct, frozen=True, tag="time"):
    """Samples [start, end) of the turn's audio."""

    start: int
    end: int


Answer = Emotion | ShiftSeen | CauseSeen | EventSeen | TimeSeen


class Known(msgspec.Struct, frozen=True):
    """What answers may name: the corpus's ``taxonomy`` and the names of its ``scenarios``."""

    taxonomy: Taxonomy
    scenarios: tuple[str, ...]


def write(answer: Answer, d: Dialogue, turn: int) -> str:
    """``answer`` about turn ``turn`` of ``d`` as a line; :func:`read` gives the same answer back."""
    match answer:
        case Emotion(label, intensity):
            return f"{label} {intensity}"
        case ShiftSeen(changed):
            return "yes" if changed else "no"
        case CauseSeen("none"):
            return NONE
        case CauseSeen(kind, evidence, (start, end), explicit):
            text = d.turns[evidence].text
            words = text[start:end]
            place = f"@{start} " if text.find(words) != start or words != words.strip() else ""
            return f"{kind} | {evidence + 1} | {'yes' if explicit else 'no'} | {place}{words}"
        case EventSeen(kind):
            return kind
        case TimeSeen(start, end):
            rate = _rate(d, turn)
            return f"{_seconds(start / rate)} {_seconds(end / rate)}"


def read(layer: Layer, line: str, d: Dialogue, turn: int, known: Known) -> Answer:
    """The answer in ``line``; UserError says what of it is not known or lies outside."""
    text = unicodedata.normalize("NFC", line).strip("\r\n")
    if layer == "emotion":
        label, _, intensity = text.strip().rpartition(" ")
        if not label or not intensity.strip().isdigit():
            label, intensity = text.strip(), ""
        label = known.taxonomy.resolve(label, field=layer)
        if intensity and not 0 <= int(intensity) <= 3:
            raise UserError("no intensity", field=layer, value=intensity, allowed="0 to 3")
        return Emotion(label, int(intensity) if intensity else 0 if label == "neutral" else 2)
    if layer == "shift":
        return ShiftSeen(_yes(text, layer))
    if layer == "event":
        kind = text.strip().casefold()
        if kind not in (*known.scenarios, NONE):
            raise UserError(
                "unknown event", field=layer, value=text.strip(), allowed=", ".join((*known.scenarios, NONE))
            )
        return EventSeen(kind)
    if layer == "time":
        return _time(text, d, turn)
    return _cause(text, d)


def annotation(answer: Answer, d: Dialogue, turn: int, *, taxonomy: Taxonomy, base: Mapping[str, object]) -> Annotation:
    """``answer`` as an annotation of turn ``turn``; ``base`` gives id, rater, rater_type, instrument, status, gold_of.

    Whether a feeling changed is kept as a label: shift annotations proper say what the emotions of the turns say.
    """
    fields = {"target": f"turn:{turn}", **base}
    match answer:
        case Emotion(label, intensity):
            known = taxonomy.of(label)
            value = EmotionValue(
                label=label,
                intensity=intensity,
                taxonomy=taxonomy.id,
                valence=known.valence,
                arousal=known.arousal,
            )
            return EmotionAnnotation(value=value, **fields)  # type: ignore[arg-type]
        case ShiftSeen(changed):
            return LabelAnnotation(value={"shift": "yes" if changed else "no"}, **fields)  # type: ignore[arg-type]
        case CauseSeen("none"):
            return LabelAnnotation(value={"cause": NONE}, **fields)  # type: ignore[arg-type]
        case CauseSeen(kind, evidence, span, explicit):
            cause = Cause(
                emotion_turn=turn,
                evidence_turn=evidence,
                span=span,
                cause_kind=kind,  # type: ignore[arg-type]
                explicit=explicit,
            )
            return CauseAnnotation(value=cause, **fields)  # type: ignore[arg-type]
        case EventSeen(kind):
            return LabelAnnotation(value={"event": kind}, **fields)  # type: ignore[arg-type]
        case TimeSeen(start, end):
            at = d.turns[turn].segments[0]
            mark = TimeMark(audio=at.audio, channel=at.channel, start=start, end=end, label=TURN)
            return TimeAnnotation(value=mark, **fields)  # type: ignore[arg-type]


def of(a: Annotation) -> tuple[Layer, Answer] | None:
    """The layer and the answer that an annotation of a turn holds; None for what is no answer of these layers."""
    if not a.target.startswith("turn:"):
        return None
    match a:
        case EmotionAnnotation(value=v):
            return "emotion", Emotion(v.label, v.intensity)
        case CauseAnnotation(value=v):
            return "cause", CauseSeen(v.cause_kind, v.evidence_turn, v.span, v.explicit)
        case TimeAnnotation(value=v) if v.label == TURN:
            return "time", TimeSeen(v.start, v.end)
        case LabelAnnotation(value={"shift": said}):
            return "shift", ShiftSeen(said == "yes")
        case LabelAnnotation(value={"cause": said}) if said == NONE:
            return "cause", CauseSeen(NONE)
        case LabelAnnotation(value={"event": kind}):
            return "event", EventSeen(kind)
    return None


def shape(layer: Layer, known: Known) -> str:
    """How an answer of ``layer`` is written, for people."""
    return {
        "emotion": "LABEL INTENSITY: " + ", ".join(known.taxonomy.labels) + "; 0 to 3",
        "shift": "yes or no",
        "cause": f"none, or KIND | TURN | LINKED | WORDS: {', '.join(CAUSES)}; number; yes or no; words of that turn",
        "event": ", ".join((*known.scenarios, NONE)),
        "time": "START END in seconds",
    }[layer]


def _yes(text: str, field: str) -> bool:
    said = {"yes": True, "no": False, "是": True, "否": False}.get(text.strip().casefold())
    if said is None:
        raise UserError("neither yes nor no", field=field, value=text.strip(), allowed="yes, no")
    return said


def _rate(d: Dialogue, turn: int) -> int:
    return next(a.sample_rate for a in d.audio if a.id == d.turns[turn].segments[0].audio)


def _seconds(x: float) -> str:
    """Enough digits for any rate up to 655 kHz to find its sample again."""
    return f"{x:.7f}".rstrip("0").rstrip(".")


def _time(text: str, d: Dialogue, turn: int) -> TimeSeen:
    parts = text.replace(",", " ").split()
    try:
        start, end = (float(p) for p in parts)
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError
    except ValueError:
        raise UserError("not two times", field="time", value=text.strip(), allowed="START END in seconds") from None
    rate = _rate(d, turn)
    length = next(a.length for a in d.audio if a.id == d.turns[turn].segments[0].audio)
    found = TimeSeen(round(start * rate), round(end * rate))
    if not 0 <= found.start < found.end <= length:
        raise UserError(
            "not inside the audio",
            field="time",
            value=text.strip(),
            allowed=f"0 <= start < end <= {length / rate:.3f} s",
        )
    return found


def _cause(text: str, d: Dialogue) -> CauseSeen:
    if text.strip().casefold() == NONE:
        return CauseSeen(NONE)
    parts = text.split("|", 3)
    if len(parts) < 4:
        raise UserError("not a cause", field="cause", value=text, allowed="none, or KIND | TURN | LINKED | WORDS")
    kind, number, linked = (p.strip().casefold() for p in parts[:3])
    if kind not in CAUSES:
        raise UserError("unknown kind of cause", field="cause", value=kind, allowed=", ".join((*CAUSES, NONE)))
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= len(d.turns):
        raise UserError("no such turn", field="cause", value=number, allowed=f"1 to {len(d.turns)}")
    evidence = int(number) - 1
    own = d.turns[evidence].text
    words = parts[3].removeprefix(" ")
    at = None
    if words.startswith("@"):
        place, _, rest = words[1:].partition(" ")
        if place.isascii() and place.isdigit() and own.startswith(rest, int(place)):
            at, words = int(place), rest
    if at is None:
        words = words.strip()
        at = own.find(words)
    if not words or at < 0:
        raise UserError("these words are not in that turn", field="cause", value=words, allowed=own)
    return CauseSeen(kind, evidence, (at, at + len(words)), _yes(linked, "cause"))
