"""Systems with the right answers at the wrong times."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from duologue.systems.degenerate.others import Others
from duologue.systems.degenerate.scene import Answer, Scene
from duologue.systems.degenerate.tape import RATE, Tape, lasting

EARLY = round(1.5 * RATE)
FILLER_DELAY = round(0.2 * RATE)
LATE = 5 * RATE
# How long after a sound of the user's a system notices it.
NOTICE = round(0.2 * RATE)
BEFORE_EVENT = round(0.3 * RATE)
AFTER_SOUND = round(0.3 * RATE)


def never_stops(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Its answer to the first question over and over until the end, whoever speaks: never a gap, never a late start."""
    tape = Tape(s.length)
    if s.answers:
        first = s.answers[0]
        tape.say(lasting(cycle([first.whole]), s.length - first.at), first.at)
    return tape


def always_stops(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The reference, but silent 0.2 s after any sound in the user's channel, until its next answer."""
    tape = Tape(s.length)
    for a in s.answers:
        sounds = [h.start + NOTICE for h in s.heard if a.at < h.start + NOTICE < a.at + len(a.whole)]
        tape.say(a.whole, a.at, min(sounds, default=None))
    return tape


def stutterer(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Silent 0.2 s after any sound of the user's; takes up where it was 0.3 s after the sound, asked or not."""
    tape = Tape(s.length)
    for a in s.answers:
        at, done, until = a.at, 0, _next_answer(s, a)
        for h in s.heard:
            stop = h.start + NOTICE
            if at < stop < min(at + len(a.whole) - done, until):
                tape.say(a.whole.cut(done, done + stop - at), at)
                done += stop - at
                at = h.end + AFTER_SOUND
        tape.say(a.whole.cut(done, len(a.whole)), at, until)
    return tape


def restarter(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The reference, but after a signal, a bystander or an aside it starts its answer again from the first word."""
    tape = Tape(s.length)
    for a in s.answers:
        tape.say(a.said, a.at)
        for h in s.heard:
            if not h.asks and a.at < h.start < a.end:
                tape.hush(h.start + NOTICE)
                tape.say(a.said, h.end + AFTER_SOUND, min(_next_answer(s, a), s.next_ask(h.end) + NOTICE))
    return tape


def early_talker(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Each answer 1.5 s before the user is done asking: the shortest response times that there are."""
    tape = Tape(s.length)
    for a in s.answers:
        start = a.at if a.to is None else max(a.to.start, a.to.end - EARLY)
        tape.say(a.whole, start, a.end if a.broke_off else None)
    return tape


def filler_then_late(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """A filler 0.2 s after the question, the answer 5 s after it."""
    tape = Tape(s.length)
    filler = others.filler(s.language)
    for a in s.answers:
        if a.to is not None:
            tape.say(filler, a.to.end + FILLER_DELAY)
            tape.say(a.whole, a.to.end + LATE, s.next_ask(a.to.end + LATE) + NOTICE)
    return tape


def peeker(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """Knows what is to come: silent 0.3 s before each interruption, and its answer starts with the question's end."""
    tape = Tape(s.length)
    for a in s.answers:
        start = a.at if a.to is None else a.to.end
        stops = [e.start - BEFORE_EVENT for e in s.events if e.stop and start < e.start <= start + len(a.whole)]
        tape.say(a.whole, start, min(stops, default=a.end if a.broke_off else None))
    return tape


def answers_everyone(s: Scene, others: Others, rng: np.random.Generator) -> Tape:
    """The reference, but it also answers bystanders, asides and signals, 0.3 s after them, and drops what it said."""
    tape = Tape(s.length)
    lines = [(a.at, a.said) for a in s.answers]
    lines += [(h.end + AFTER_SOUND, others.answer(s, rng).cut(0, 3 * RATE)) for h in s.heard if not h.asks]
    for at, said in sorted(lines, key=lambda line: line[0]):
        tape.say(said, at)
    return tape


def _next_answer(s: Scene, a: Answer) -> int:
    """Where the reference begins its next answer; the end if it has none."""
    return min((b.at for b in s.answers if b.at > a.at), default=s.length)
