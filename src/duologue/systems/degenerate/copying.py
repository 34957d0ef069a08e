"""Systems that give the user back what the user said."""

from __future__ import annotations

import numpy as np

from duologue.systems.degenerate.others import Others
from duologue.systems.degenerate.scene import Scene
from duologue.systems.degenerate.tape import RATE, Said, Tape, shifted

ECHO_DELAY = round(0.3 * RATE)
PARROT_DELAY = round(0.3 * RATE)


def echo(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The user's channel again, 0.3 s later: it starts and stops with the user, and its words are to the point."""
    tape = Tape(s.length)
    tape.samples[ECHO_DELAY:] = s.user[: max(0, s.length - ECHO_DELAY)]
    words = tuple(sorted((w for h in s.heard for w in h.words), key=lambda w: (w.start, w.end)))
    tape.words = list(shifted(words, ECHO_DELAY, s.length))
    return tape


def parrot(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Each turn that it hears, word for word, 0.3 s after the turn: prompt, fluent and full of the right words."""
    tape = Tape(s.length)
    for h in sorted(s.heard, key=lambda h: h.end):
        words = shifted(h.words, -h.start, h.end - h.start)
        tape.say(Said(s.user[h.start : h.end], words), h.end + PARROT_DELAY)
    return tape
