"""The system's speech as turns of talk: where it starts, goes on and ends, whatever the breaths between."""

from __future__ import annotations

from duologue.corpus.interval import Intervals, clip, merge_gaps
from duologue.score.exchange import RATE, Exchange
from duologue.score.profiles.corrected.limits import Limits


def samples(seconds: float) -> int:
    return round(seconds * RATE)


def talk(x: Exchange, limits: Limits) -> Intervals:
    """The system's speech with breaths filled: a row is one stretch of talk."""
    return merge_gaps(x.speech, samples(limits.breath))


def touches(spans: Intervals, start: int, end: int) -> bool:
    """Whether any of ``spans`` reaches into [start, end)."""
    return bool(len(clip(spans, start, end)))


def is_signal(x: Exchange, start: int, end: int, limits: Limits) -> bool:
    """Whether speech in [start, end) is a listener's signal: shorter than a second and at most two words.

    In Chinese, where a word is often one character, twice as many characters are allowed.
    """
    words = sum(start <= (w.start + w.end) // 2 < end for w in x.words)
    allowed = limits.signal_words * (2 if x.language == "zh" else 1)
    return end - start < samples(limits.signal) and words <= allowed
