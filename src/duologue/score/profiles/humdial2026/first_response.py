"""First-response delay (FRD): from the end of the user's query to the system's first word.

Source: ``compute_first_response_delay.py`` and its variants for third-party speech before the query (k = 1) and for
backchannels (zero counts too).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from duologue.score.profiles.humdial2026.intervals import Interval
from duologue.score.profiles.humdial2026.rounding import exact

Position = Literal["", "before", "after"]


def query_segment(scenario: str, position: Position) -> int:
    """k: which entry of ``speech_segments`` is the query; the second where a third party speaks first."""
    return 1 if scenario == "third_party" and position == "before" else 0


def first_response(first_word: float, speech_segments: Sequence[Interval], k: int) -> Fraction | None:
    """Seconds from the end of ``speech_segments[k]`` to ``first_word``, negative where the system was early.

    None where there is no such segment (the script stops there).
    """
    return exact(first_word) - exact(speech_segments[k][1]) if k < len(speech_segments) else None


def counts(delay: Fraction, scenario: str) -> bool:
    """Whether ``delay`` enters the mean. Quirk: early and simultaneous starts are dropped, not punished."""
    return delay >= 0 if scenario == "backchannel" else delay > 0
