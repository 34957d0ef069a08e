"""Which dialogues of track 1 a page shows, and what it needs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import OpenDialogue
from duologue.score.emotion.answers import Answers
from duologue.score.emotion.card import EmotionItem
from duologue.score.emotion.evaluate import TASKS, Expected, Heard, expected, hear, key_of
from duologue.score.emotion.extract import OwnNames

# What is longer is cut, so that a page of long meetings stays small.
LONGEST = 90.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer that was owed: what was expected, what was read, and its line of the card."""

    expected: Expected
    heard: Heard
    item: EmotionItem


@dataclass(frozen=True, slots=True)
class EmotionTake:
    """A dialogue with its answers. ``samples`` are the user's audio, float32 [frames] at ``rate``, None without any."""

    dialogue: Dialogue
    answers: tuple[Answered, ...]
    samples: npt.NDArray[np.float32] | None = None
    rate: int = 16_000

    @property
    def score(self) -> float:
        return min((a.item.score for a in self.answers), default=0.0)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate if self.samples is not None else 0.0


def choose(items: Sequence[EmotionItem], *, worst: int = 9, best: int = 3) -> list[str]:
    """Ids of the worst dialogues, then of a few of the best.

    Tasks and languages take turns, so that none is hidden by one that fails throughout; they are shown task by task.
    Among equals those with something to show (an answer that was read) come first, then the smaller id.
    """
    read = sorted(items, key=lambda i: (i.score, i.status != "scored", i.id))
    bad = _in_turn(read, worst, set())
    good = _in_turn([i for i in reversed(read) if i.status == "scored" and i.score > 0], best, set(bad))
    return bad + good


def _in_turn(items: Sequence[EmotionItem], count: int, taken: set[str]) -> list[str]:
    """``count`` dialogues in the order of ``items``; an n-th of a task and language after every other's (n-1)-th."""
    seen: dict[tuple[str, str], int] = {}
    ranked: list[tuple[int, int, str]] = []
    met = set(taken)
    for place, i in enumerate(items):
        if i.id not in met:
            met.add(i.id)
            seen[i.task, i.language] = turn = seen.get((i.task, i.language), 0) + 1
            ranked.append((turn, place, i.id))
    task = {i.id: TASKS.index(i.task) for i in reversed(items)}
    return [id for _, _, id in sorted(sorted(ranked)[:count], key=lambda r: (task[r[2]], r[1]))]


def gather(
    item: OpenDialogue, answers: Answers, items: Mapping[tuple[str, str], EmotionItem], own: OwnNames = ()
) -> EmotionTake:
    """What a page shows of ``item``; ``items`` are the card's lines by dialogue and probe, ``own`` its own labels."""
    d = item.dialogue
    owed = expected(d)
    found = tuple(
        Answered(e, hear(e, key_of(e, answers, alone=len(owed) == 1), answers, own), items[e.id, e.probe])
        for e in owed
        if (e.id, e.probe) in items
    )
    if not d.audio:
        return EmotionTake(d, found)
    main = item.file("main")
    samples, rate = item.audio(0, which=main.id, end=min(main.length, round(LONGEST * main.sample_rate)))
    return EmotionTake(d, found, np.asarray(samples, np.float32), rate)
