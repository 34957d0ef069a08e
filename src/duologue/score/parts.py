"""The parts that scoring uses unless it is told otherwise: what hears speech and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from duologue.corpus.interval import Intervals
from duologue.listen.transcribe import Listener
from duologue.score.exchange import RATE
from duologue.score.hear import Ears, Samples

# Whose words count: the run's own where it has any ("auto"), only those ("run"), or what is heard ("recogniser").
Words = Literal["auto", "run", "recogniser"]


def refined_speech(threads: int = 1) -> Callable[[Sequence[Samples]], list[Intervals]]:
    """Finds speech in channels (mono, 16 kHz): Silero's segments with edges set by energy."""
    from duologue.listen.edges import refine
    from duologue.listen.speech import SpeechDetector

    detector = SpeechDetector()

    def one(samples: Samples) -> Intervals:
        return refine(samples, RATE, detector.segments(samples))

    def speech(channels: Sequence[Samples]) -> list[Intervals]:
        if threads == 1 or len(channels) < 2:
            return [one(c) for c in channels]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, channels))

    return speech


def ears(words: Words = "auto", *, threads: int = 1, listener: Listener | None = None) -> Ears:
    """What hears a run. ``listener`` None takes the embedded recogniser.

    With "auto" the recogniser is asked for, and missed, only where a run says something and brings no words.
    """
    if words != "run" and listener is None:
        from duologue.listen.words import Recogniser

        listener = Recogniser(threads)
    return Ears(
        speech=refined_speech(threads),
        listener=None if words == "run" else listener,
        rehear=words == "recogniser",
    )
