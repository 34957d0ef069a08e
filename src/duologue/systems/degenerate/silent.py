"""Systems that say nothing at all, though there may be sound or a transcript."""

from __future__ import annotations

import numpy as np

from duologue.systems.degenerate.others import Others
from duologue.systems.degenerate.scene import Scene
from duologue.systems.degenerate.tape import RATE, Tape, shifted

HUM_HZ = 120.0
HUM_RMS = 10 ** (-20 / 20)
BABBLE_RMS = 10 ** (-50 / 20)


def mute(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Silence. Nothing to stop, nobody barged in on, no delay that could be measured."""
    return Tape(s.length)


def ghostwriter(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Silence, with a transcript that claims all of the reference's answers, word times included."""
    tape = Tape(s.length)
    tape.words = [w for a in s.answers for w in shifted(a.said.words, a.at, s.length)]
    return tape


def hum(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """A tone of 120 Hz at -20 dBFS from the first to the last sample: sound at any moment that is asked about."""
    tape = Tape(s.length)
    t = np.arange(s.length) / RATE
    tape.samples = (HUM_RMS * np.sqrt(2) * np.sin(2 * np.pi * HUM_HZ * t)).astype(np.float32)
    return tape


def quiet_babble(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Three strands of speech played backwards, together at -50 dBFS, all the time: speech-like, hardly audible."""
    tape = Tape(s.length)
    for _ in range(3):
        at = 0
        while at < s.length:
            part = others.answer(s, rng).samples[::-1][: s.length - at]
            if not len(part):
                break
            tape.samples[at : at + len(part)] += part
            at += len(part)
    level = float(np.sqrt(np.mean(tape.samples**2)))
    if level:
        tape.samples *= BABBLE_RMS / level
    return tape
