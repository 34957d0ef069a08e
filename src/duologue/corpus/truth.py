"""Which of several judgements counts, and what follows from them.

Gold counts before adjudicated before raw; among raw ones the intent of whoever wrote or acted the line, then
people, then models. Where several of one rank judge a turn, the commonest label counts, the first id on a tie.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from duologue.corpus.annotation import Annotation, EmotionAnnotation, Shift
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import EmotionValue

_STATUS = {"gold": 0, "adjudicated": 1, "raw": 2}
_RATER = {"intent": 0, "human": 1, "model": 2}


def rank(a: Annotation) -> tuple[int, int]:
    """Authority of a judgement; the smallest counts."""
    return _STATUS[a.status], _RATER[a.rater_type] if a.status == "raw" else 0


def emotions(d: Dialogue) -> dict[int, EmotionValue]:
    """Turn index -> the emotion that counts, for every turn that somebody judged."""
    judged: dict[str, list[EmotionAnnotation]] = defaultdict(list)
    for a in d.annotations:
        if isinstance(a, EmotionAnnotation):
            judged[a.target].append(a)
    result = {}
    for t in d.turns:
        if values := judged.get(f"turn:{t.index}"):
            best = min(map(rank, values))
            top = sorted((a for a in values if rank(a) == best), key=lambda a: a.id)
            common = Counter(a.value.label for a in top).most_common(1)[0][0]
            result[t.index] = next(a.value for a in top if a.value.label == common)
    return result


def shifts(d: Dialogue) -> list[Shift]:
    """Every change of label between a speaker's consecutive judged turns, in order, without causes.

    Covers speakers in the role of user, and others whom a shift annotation names.
    """
    felt = emotions(d)
    named = {a.value.speaker for a in d.annotations if isinstance(a.value, Shift)}
    last: dict[str, int] = {}
    result = []
    for t in sorted(d.turns, key=lambda t: t.index):
        if t.index not in felt or not (t.role == "user" or t.speaker in named):
            continue
        before = last.get(t.speaker)
        last[t.speaker] = t.index
        if before is not None and felt[before].label != felt[t.index].label:
            result.append(
                Shift(
                    speaker=t.speaker,
                    from_turn=before,
                    to_turn=t.index,
                    from_label=felt[before].label,
                    to_label=felt[t.index].label,
                )
            )
    return result
