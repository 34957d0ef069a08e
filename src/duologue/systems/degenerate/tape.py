"""What a system says, on the clock of one dialogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from duologue.corpus.observation import SaidWord

RATE = 16_000
# How long a voice takes to fade where it is cut.
FADE = RATE // 100

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Said:
    """Speech by itself: ``samples`` float32 [k] at 16 kHz, and its words in samples from its start."""

    samples: Samples
    words: tuple[SaidWord, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def cut(self, start: int, end: int) -> Said:
        """The part [start, end), faded at its cut end, with the words whose middle lies in it."""
        end = min(end, len(self))
        part = self.samples[start:end].copy()
        if end < len(self):
            _fade(part)
        return Said(part, shifted(self.words, -start, len(part)))


@dataclass(slots=True)
class Tape:
    """A system's channel: silence of ``length`` samples until something is said. It says one thing at a time."""

    length: int
    samples: Samples = field(init=False)
    words: list[SaidWord] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.samples = np.zeros(self.length, np.float32)

    def say(self, said: Said, at: int, until: int | None = None) -> None:
        """Say it from sample ``at`` (0 at the earliest), to its end or ``until``; what is being said breaks off."""
        at = max(0, at)
        until = self.length if until is None else min(until, self.length)
        if at >= until:
            return
        self.hush(at)
        part = said if len(said) <= until - at else said.cut(0, until - at)
        self.samples[at : at + len(part)] = part.samples
        self.words += shifted(part.words, at, self.length)

    def hush(self, start: int, end: int | None = None) -> None:
        """Be silent in [start, end), to the tape's end by default."""
        end = self.length if end is None else end
        if start >= end:
            return
        self.samples[start:end] = 0
        _fade(self.samples[max(0, start - FADE) : start])
        kept = []
        for w in self.words:
            if w.start >= end or w.end <= start:
                kept.append(w)
            elif (w.start + w.end) // 2 < start:
                kept.append(SaidWord(w.text, w.start, start))
        self.words = kept


def lasting(parts: Iterator[Said], length: int) -> Said:
    """``parts`` one after another, 0.2 s apart, cut to ``length`` samples; shorter only where they run out."""
    tape, at = Tape(length), 0
    while at < length and (part := next(parts, None)) is not None and len(part):
        tape.say(part, at)
        at += len(part) + RATE // 5
    return Said(tape.samples[: min(at, length)], tuple(tape.words))


def shifted(words: tuple[SaidWord, ...], by: int, length: int) -> tuple[SaidWord, ...]:
    """``words`` moved by ``by`` samples; those whose middle then lies outside [0, length) are left out."""
    moved = (SaidWord(w.text, max(0, w.start + by), min(w.end + by, length)) for w in words)
    return tuple(w for w, old in zip(moved, words, strict=True) if 0 <= (old.start + old.end) // 2 + by < length)


def _fade(x: Samples) -> None:
    n = min(FADE, len(x))
    if n:
        x[-n:] *= np.linspace(1, 0, n, dtype=np.float32)
