"""Systems that say the wrong thing at the right time, or nothing that answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from duologue.systems.degenerate.others import Others
from duologue.systems.degenerate.scene import Scene
from duologue.systems.degenerate.tape import RATE, Said, Tape, lasting

PROMPT = round(0.2 * RATE)
NOD_EVERY = round(1.5 * RATE)


def filler_only(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """A filler 0.2 s after each question, and no more: fast, brief, easily interrupted."""
    tape = Tape(s.length)
    filler = others.filler(s.language)
    for h in s.asks:
        tape.say(filler, h.end + PROMPT)
    return tape


def one_word(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The first word of the reference's answer, 0.2 s after the question."""
    tape = Tape(s.length)
    for a in s.answers:
        if a.to is not None and a.said.words:
            tape.say(a.said.cut(0, a.said.words[0].end), a.to.end + PROMPT)
    return tape


def nodder(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """A listener's signal every 1.5 s, whoever speaks: too short to count as speech, never an answer."""
    tape = Tape(s.length)
    nod = others.filler(s.language).cut(0, round(0.7 * RATE))
    for at in range(NOD_EVERY, s.length, NOD_EVERY):
        tape.say(nod, at)
    return tape


def random_talker(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Answers of other dialogues, at random times: 1 to 5 s of silence between them."""
    tape = Tape(s.length)
    at = round(rng.uniform(1, 5) * RATE)
    while at < s.length:
        said = others.answer(s, rng)
        tape.say(said, at)
        at += len(said) + round(rng.uniform(1, 5) * RATE)
    return tape


def wrong_language(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Answers of the other language's dialogues, where and as long as the reference speaks: flawless timing."""
    return _instead(s, _drawn(s, others, rng, others.other_language(s)))


def wrong_topic(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Answers of other dialogues in the right language, where and as long as the reference speaks."""
    return _instead(s, _drawn(s, others, rng, s.language))


def same_answer(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """One and the same answer to everything, where and as long as the reference speaks: fluent, fitting nothing."""
    return _instead(s, cycle([others.same_answer(s.language)]))


def one_behind(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Always the answer to the question before, where and as long as the reference speaks; at first another's."""
    tape = Tape(s.length)
    before = others.answer(s, rng)
    for a in s.answers:
        tape.say(lasting(cycle([before]), len(a.said)), a.at)
        before = a.said
    return tape


def _drawn(s: Scene, others: Others, rng: np.random.Generator, language: str) -> Iterator[Said]:
    while True:
        yield others.answer(s, rng, language)


def _instead(s: Scene, parts: Iterator[Said]) -> Tape:
    tape = Tape(s.length)
    for a in s.answers:
        tape.say(lasting(parts, len(a.said)), a.at)
    return tape
