"""From averages to the ranking's numbers. r_n is :func:`~.rounding.round_half_up` to n places.

Sources: the evaluation readme (which scenarios enter, roundings) and the results page (delay score, weights) of the
challenge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from duologue.errors import UserError
from duologue.score.profiles.humdial2026.rounding import Number, exact, mean, round_half_up

# The published anchors: the fastest system that entered in 2026, and the baseline.
LMIN = 0.624
LBASE = 2.531
SLOPE = 40.0

# What a total delay of 0 s scores, for which the formula has no value (log 0): nothing, as the fastest, or 0.
Mute = Literal["undefined", "best", "zero"]


def interruption_score(respond: Sequence[Number]) -> float:
    """Int = r1(100 * mean of the five RESPOND ratios)."""
    return round_half_up(100 * mean(respond), 1)


def third_party_score(resume_after: Number, rejection_before: Number) -> float:
    """r3(0.5 * RESUME where the third party speaks after the query + 0.5 * rejection rate where before)."""
    return round_half_up(mean((resume_after, rejection_before)), 3)


def rejection_score(rates: Sequence[Number]) -> float:
    """Rej = r1(100 * mean of backchannel RESUME, third-party score, pause rejection rate, others-directed RESUME)."""
    return round_half_up(100 * mean(rates), 1)


def total_delay(stop: Sequence[Number], response: Sequence[Number], first_response: Sequence[Number]) -> float:
    """L = r3(mean(r3 mean of stop latencies, r3 mean of response latencies, r3 mean of first-response delays)), s.

    The averages of the five interruption scenarios, the same five, and all nine.
    """
    return round_half_up(mean(round_half_up(mean(part), 3) for part in (stop, response, first_response)), 3)


def language_mean(values: Sequence[Number]) -> float:
    """r1 of the mean over the languages, for Int and Rej."""
    return round_half_up(mean(values), 1)


def delay_score(
    delay: float, *, slope: float = SLOPE, lmin: float = LMIN, lbase: float = LBASE, mute: Mute = "undefined"
) -> float | None:
    """100 - slope * ln(L / Lmin) / ln(Lbase / Lmin), not rounded: 100 at ``lmin``, 100 - slope at ``lbase`` (seconds).

    Above 100 for delays below ``lmin``, below 0 for very long ones. A delay of 0 scores what ``mute`` says (None
    for "undefined"). UserError unless 0 < lmin < lbase and delay >= 0.
    """
    if not (0 < lmin < lbase and math.isfinite(lbase)):
        raise UserError("not a pair of anchors", field="lmin, lbase", value=(lmin, lbase), allowed="0 < lmin < lbase")
    if not (delay >= 0 and math.isfinite(delay)):
        raise UserError("not a delay", field="delay", value=delay, allowed="seconds from 0")
    if delay == 0:
        return {"undefined": None, "best": 100.0, "zero": 0.0}[mute]
    return 100 - slope * math.log(delay / lmin) / math.log(lbase / lmin)


def total_score(interruption: float, rejection: float, delay: float) -> float:
    """r1(0.4 * Int + 0.4 * Rej + 0.2 * delay score); the delay score enters unrounded.

    Rounding only once matters: 34.5499 (Moshi in the published table) is 34.5.
    """
    return round_half_up((2 * exact(interruption) + 2 * exact(rejection) + exact(delay)) / 5, 1)
