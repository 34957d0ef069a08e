"""From what was heard to examples of each task, and from gold to their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from duologue.corpus.annotation import CauseAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.truth import emotions
from duologue.understanding.classifier import Example
from duologue.understanding.hearing import COMPLETE, INCOMPLETE, HeardDialogue, HeardEvent, HeardTurn
from duologue.understanding.stretch import Clause

TASKS = ("emotion", "cause", "event", "turn_end")
YES, NO = "cause", "none"
# A clause is the cause where at least this share of it lies in the annotated words' time.
_INSIDE = 0.5
_FAR = 3


def emotion_turns(heard: Iterable[HeardDialogue]) -> list[Example]:
    """Every user turn whose feeling is annotated; the voice is what counts where words and voice differ."""
    found = []
    for h in heard:
        felt = emotions(h.dialogue)
        found += [emotion_turn(h.dialogue, t, felt[t.turn].label) for t in h.turns if t.turn in felt]
    return found


def emotion_turn(d: Dialogue, t: HeardTurn, label: str = "") -> Example:
    return Example(
        id=f"{d.id} {t.turn}",
        label=label,
        text=t.stretch.text(d.languages[0]),
        numbers=t.stretch.voice,
        clusters=clusters_of(d),
    )


def events(heard: Iterable[HeardDialogue]) -> list[Example]:
    return [event(h.dialogue, e, e.label) for h in heard for e in h.events]


def turn_ends(heard: Iterable[HeardDialogue]) -> list[Example]:
    """Whether the user is done: a turn up to its pause against whole turns."""
    rows = [(h.dialogue, e) for h in heard for e in h.events if e.label in ("turn", "pause")]
    return [event(d, e, COMPLETE if e.ended else INCOMPLETE, context=False) for d, e in rows]


def event(d: Dialogue, e: HeardEvent, label: str = "", *, context: bool = True) -> Example:
    numbers = None if e.stretch.voice is None else (*e.stretch.voice, *(e.context if context else ()))
    return Example(
        id=f"{d.id} {e.key}",
        label=label,
        text=e.stretch.text(d.languages[0]),
        numbers=numbers,
        clusters=clusters_of(d),
    )


class Candidate(Example, frozen=True, kw_only=True):
    """A clause of turn ``evidence`` that may be why the user feels so in turn ``turn``."""

    turn: int
    evidence: int
    clause: Clause


def causes(h: HeardDialogue, felt: dict[int, str]) -> list[Candidate]:
    """Every clause said up to a turn with a feeling (``felt``: turn -> label), labelled where gold knows."""
    d, found = h.dialogue, []
    places = cause_places(d)
    order = {t.turn: k for k, t in enumerate(h.turns)}
    for t in h.turns:
        if felt.get(t.turn, "neutral") == "neutral":
            continue
        for other in h.turns:
            if order[other.turn] > order[t.turn]:
                continue
            away = min(order[t.turn] - order[other.turn], _FAR)
            clauses = other.stretch.clauses
            for k, clause in enumerate(clauses):
                gold = places.get((t.turn, other.turn), [])
                found.append(
                    Candidate(
                        id=f"{d.id} {t.turn} {other.turn} {k}",
                        label=YES if _covered(clause, gold) else NO,
                        text=clause.text,
                        numbers=(
                            *(float(away == n) for n in range(_FAR + 1)),
                            float(felt.get(other.turn) == felt[t.turn]),
                            float(t.turn == h.turns[-1].turn and away == 0),
                            k / max(len(clauses) - 1, 1),
                            float(k == 0),
                            float(k == len(clauses) - 1),
                            (clause.end - clause.start) / 16_000,
                        ),
                        clusters=clusters_of(d),
                        turn=t.turn,
                        evidence=other.turn,
                        clause=clause,
                    )
                )
    return found


def clusters_of(d: Dialogue) -> dict[str, str]:
    return {way: "+".join(d.groups.get(way, ())) or d.id for way in ("script_family", "speaker")}


def cause_places(d: Dialogue) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """Time of the annotated words, samples at 16 kHz, by (turn of the feeling, turn of the evidence)."""
    turns = {t.index: t for t in d.turns}
    rates = {a.id: a.sample_rate for a in d.audio}
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for a in d.annotations:
        if not isinstance(a, CauseAnnotation) or (t := turns.get(a.value.evidence_turn)) is None or not t.segments:
            continue
        scale = 16_000 / rates.get(t.segments[0].audio, 16_000)
        start, end = a.value.span
        inside = [w for w in t.words if w.char_start < end and w.char_end > start]
        if inside:
            found.setdefault((a.value.emotion_turn, a.value.evidence_turn), []).append(
                (inside[0].start * scale, inside[-1].end * scale)
            )
    return found


def _covered(clause: Clause, places: Sequence[tuple[float, float]]) -> bool:
    length = max(clause.end - clause.start, 1)
    return any(min(clause.end, b) - max(clause.start, a) >= _INSIDE * length for a, b in places)
