"""Who has the floor: overlaps, floor-transfer offsets, candidates for backchannels and pauses, of turns on a clock.

Floor-transfer offset: start of a turn less the end of the other speaker's turn before it, in seconds; negative where
they overlap (Heldner & Edlund 2010, "Pauses, gaps and overlaps in conversations", J. Phonetics 38; Levinson & Torreira
2015). A turn that lies wholly inside another speaker's takes no floor and has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from duologue.corpus.annotation import Annotation, LabelAnnotation, TimeAnnotation, TimeMark
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.interval import Intervals, intersect, merge_gaps, normalise, total
from duologue.corpus.turn import Turn
from duologue.corpus.write import is_main

INSTRUMENT = "floor/1"
RATER = "duologue"
# A candidate for a backchannel is at most so long, one for a pause at least (seconds); Heldner & Edlund take 180 ms as
# the shortest silence that listeners notice.
BACKCHANNEL, PAUSE = 1.0, 0.18


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialogue's turns show: shares of its audio's length, offsets in seconds, and counts."""

    speech: float
    overlap: float
    offsets: tuple[float, ...]
    backchannels: int
    pauses: int


def floor(d: Dialogue) -> tuple[Floor, tuple[Annotation, ...]]:
    """A dialogue's figures, and the annotations that hold them, each by a model: estimated."""
    main = next(a for a in d.audio if is_main(a))
    turns = sorted((t for t in d.turns if len(_spans(t, main.id))), key=lambda t: t.segments[0].start)
    rate = main.sample_rate
    speech: dict[str, Intervals] = {}
    for t in turns:
        rows = np.concatenate([speech.get(t.speaker, np.empty((0, 2), np.int64)), _spans(t, main.id)])
        speech[t.speaker] = normalise(rows)
    both = _twice(list(speech.values()))
    anyone = normalise(np.concatenate([*speech.values(), np.empty((0, 2), np.int64)]))
    notes: list[Annotation] = []

    def mark(target: str, label: str, start: int, end: int, channel: int) -> None:
        value = TimeMark(audio=main.id, channel=channel, start=start, end=end, label=label)
        notes.append(TimeAnnotation(id="", target=target, rater=RATER, rater_type="model", instrument=INSTRUMENT,
                                    value=value))  # fmt: skip

    def say(t: Turn, value: dict[str, str]) -> None:
        notes.append(LabelAnnotation(id="", target=f"turn:{t.index}", rater=RATER, rater_type="model",
                                     instrument=INSTRUMENT, value=value))  # fmt: skip

    for start, end in both.tolist():
        mark("dialogue", "overlap", start, end, 0)
    offsets: list[float] = []
    backchannels = pauses = 0
    last: Turn | None = None
    for t in turns:
        own = _spans(t, main.id)
        start, end = int(own[0, 0]), int(own[-1, 1])
        host = next(
            (h for h in turns if h.speaker != t.speaker
             and _spans(h, main.id)[0, 0] < start and end < _spans(h, main.id)[-1, 1]), None
        )  # fmt: skip
        if host is not None:
            if end - start <= BACKCHANNEL * rate:
                say(t, {"candidate": "backchannel", "during-turn": str(host.index)})
                backchannels += 1
        else:
            if last is not None and last.speaker != t.speaker:
                seconds = (start - int(_spans(last, main.id)[-1, 1])) / rate
                offsets.append(seconds)
                say(t, {"floor-transfer-offset": f"{seconds:.4f}", "after-turn": str(last.index)})
            last = t
        others = [s for who, s in speech.items() if who != t.speaker]
        for a, b in zip(own[:-1, 1].tolist(), own[1:, 0].tolist(), strict=True):
            gap = np.array([[a, b]], np.int64)
            if b - a >= PAUSE * rate and not any(total(intersect(gap, s)) for s in others):
                mark(f"turn:{t.index}", "pause", a, b, t.segments[0].channel)
                pauses += 1
    figures = Floor(
        speech=total(anyone) / main.length,
        overlap=total(both) / main.length,
        offsets=tuple(offsets),
        backchannels=backchannels,
        pauses=pauses,
    )
    return figures, tuple(notes)


def numbered(notes: Sequence[Annotation], taken: set[str]) -> Iterator[Annotation]:
    """``notes`` with ids of their own."""
    n = 0
    for a in notes:
        while (name := f"floor-{n}") in taken:
            n += 1
        taken.add(name)
        yield msgspec.structs.replace(a, id=name)


def _spans(t: Turn, audio: str) -> Intervals:
    return np.array([[s.start, s.end] for s in t.segments if s.audio == audio], np.int64).reshape(-1, 2)


def _twice(sets: Sequence[Intervals]) -> Intervals:
    """Where two or more of ``sets`` hold at once."""
    found: list[Intervals] = [np.empty((0, 2), np.int64)]
    for i, a in enumerate(sets):
        found += [intersect(a, b) for b in sets[i + 1 :]]
    return merge_gaps(normalise(np.concatenate(found)), 0)
