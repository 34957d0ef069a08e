"""What the length of the audio alone gives away about the answers: it cannot be hidden, so it is measured.

A guesser is given the logarithm of each item's length and nothing else (:func:`duologue.shortcuts.guess.guess`: ridge
regression on it and its square, balanced accuracy over folds, permutations within track, language and task). What it
does better than chance, any participant can.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.truth import emotions
from duologue.shortcuts.guess import guess

# The guesser's matrices grow with the square of the items: more are sampled, the same ones each time.
SAMPLE = 800


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One public item: how long it is, and the answers that its length might tell; "" where it has none."""

    dialogue: str
    stratum: str
    seconds: float
    rate: int
    scenario: str
    emotion: str
    action: str
    side: str

    @classmethod
    def of(cls, d: Dialogue, audio: Audio) -> Label:
        """The label of ``audio``, the main audio of ``d`` or its twin.

        A twin has none of the events that its dialogue has, so its expected action is "none".
        """
        felt = emotions(d)
        twin = audio.twin is not None
        paired = any(a.twin is not None for a in d.audio)
        task = d.tasks[0] if d.track == "emotion" and d.tasks else ""
        action = "+".join(dict.fromkeys(act for e in d.events for act in e.expected)) or "none"
        return cls(
            dialogue=d.id,
            stratum=f"{d.track} {d.languages[0]} {task}",
            seconds=audio.length / audio.sample_rate,
            rate=audio.sample_rate,
            scenario=d.scenario,
            emotion=felt[max(felt)].label if felt else "",
            action=("none" if twin else action) if d.track == "duplex" else "",
            side=("twin" if twin else "main") if paired else "",
        )


class GivenAway(msgspec.Struct, frozen=True, kw_only=True):
    """How well ``target`` is guessed from duration: balanced ``accuracy`` beside ``chance``, and the share ``p`` of
    permutations that do as well; all None where there are too few items to tell."""

    target: str
    items: int
    accuracy: float | None
    chance: float | None
    p: float | None


TARGETS: dict[str, Callable[[Label], str]] = {
    "scenario": lambda x: x.scenario,
    "emotion": lambda x: x.emotion,
    "expected action": lambda x: x.action,
    "twin side": lambda x: x.side,
}


def given_away(labels: Sequence[Label], permutations: int = 199) -> tuple[GivenAway, ...]:
    """One row a target that any item has."""
    rows = []
    for target, of in TARGETS.items():
        known = [x for x in labels if of(x)]
        if not known:
            continue
        sample = known if len(known) <= SAMPLE else random.Random(0).sample(known, SAMPLE)
        found = guess(
            np.log([[x.seconds] for x in sample]),
            [of(x) for x in sample],
            [x.dialogue for x in sample],
            [x.stratum for x in sample],
            permutations=permutations,
        )
        rows.append(
            GivenAway(
                target=target,
                items=len(known),
                accuracy=found.accuracy if found else None,
                chance=found.chance if found else None,
                p=found.p if found else None,
            )
        )
    return tuple(rows)


def told(row: GivenAway) -> str:
    """A row in words."""
    if row.accuracy is None or row.chance is None or row.p is None:
        return f"{row.target}: too few items to tell ({row.items})"
    gain = "more than chance" if row.p < 0.05 and not math.isclose(row.accuracy, row.chance) else "no more than chance"
    return f"{row.target}: {row.accuracy:.2f} by duration alone, {row.chance:.2f} by chance (p {row.p:.3f}): {gain}"
