"""Degenerate systems: what a careless metric would reward. The regression suite of scorers.

Each takes a dialogue of track 2 and gives what it "says", on the clock of the user's audio. None hears anything: all
read the corpus. The same seed gives the same bytes, whatever the order and the number of workers. What each does and
which measure it would win is told in docs/degenerate-systems.md. ``honest`` is the yardstick: the reference system
that speaks in the corpus itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from duologue.corpus.observation import SaidWord
from duologue.corpus.read import OpenDialogue
from duologue.errors import UserError
from duologue.systems.degenerate.copying import echo, parrot
from duologue.systems.degenerate.empty import (
    filler_only,
    nodder,
    one_behind,
    one_word,
    random_talker,
    same_answer,
    wrong_language,
    wrong_topic,
)
from duologue.systems.degenerate.mistimed import (
    always_stops,
    answers_everyone,
    early_talker,
    filler_then_late,
    never_stops,
    peeker,
    restarter,
    stutterer,
)
from duologue.systems.degenerate.others import Others, stream
from duologue.systems.degenerate.scene import Scene, Take, scene
from duologue.systems.degenerate.silent import ghostwriter, hum, mute, quiet_babble
from duologue.systems.degenerate.tape import Samples, Tape, shifted

__all__ = ["DEGENERATE", "HONEST", "Others", "describe", "honest", "perform"]

System = Callable[[Scene, Others, np.random.Generator], Tape]

HONEST = "honest"
DEGENERATE: dict[str, System] = {
    "mute": mute,
    "ghostwriter": ghostwriter,
    "hum": hum,
    "quiet_babble": quiet_babble,
    "echo": echo,
    "parrot": parrot,
    "never_stops": never_stops,
    "always_stops": always_stops,
    "stutterer": stutterer,
    "restarter": restarter,
    "early_talker": early_talker,
    "filler_only": filler_only,
    "filler_then_late": filler_then_late,
    "one_word": one_word,
    "nodder": nodder,
    "random_talker": random_talker,
    "wrong_language": wrong_language,
    "wrong_topic": wrong_topic,
    "same_answer": same_answer,
    "one_behind": one_behind,
    "answers_everyone": answers_everyone,
    "peeker": peeker,
}


def honest(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The reference system of the corpus: its channel, sample by sample, and its own words."""
    tape = Tape(s.length)
    tape.samples = s.reference
    words = [w for a in s.answers for w in shifted(a.said.words, a.at, s.length)]
    tape.words = sorted(words, key=lambda w: (w.start, w.end))
    return tape


def describe(name: str) -> str:
    """One sentence on what the system does."""
    return " ".join((_system(name).__doc__ or "").split())


def perform(
    name: str, item: OpenDialogue, others: Others, *, seed: int, take: Take = "main"
) -> tuple[Samples, tuple[SaidWord, ...]]:
    """What system ``name`` says in ``item``, or in its twin: float32 [n] at 16 kHz on that take's clock, and its words.

    Words are exact where the corpus has their times. Raises UserError for an unknown name, a dialogue without a
    reference system, and where the corpus holds no other dialogue that the system would speak from.
    """
    system = _system(name)
    tape = system(scene(item, take), others, stream(seed, name, item.id, take))
    return np.clip(tape.samples, -1.0, 32_767 / 32_768), tuple(sorted(tape.words, key=lambda w: (w.start, w.end)))


def _system(name: str) -> System:
    if name == HONEST:
        return honest
    if name not in DEGENERATE:
        allowed = ", ".join([HONEST, *DEGENERATE])
        raise UserError("no such system", field="system", value=name, allowed=allowed)
    return DEGENERATE[name]
