"""Behaviour: shares of the judge's tags, and rejection rates.

Source: ``eval.py`` (tags, after Full-Duplex-Bench v1.5) and ``compute_rejection_rate.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from duologue.score.profiles.humdial2026.rounding import round_half_up

TAGS = ("RESPOND", "RESUME", "UNCERTAIN_HANDLING", "UNKNOWN")


def read_tag(text: str) -> str | None:
    """The tag that ``text`` names: "RESPOND", or "C_RESPOND" as the script writes it; None for anything else."""
    name = text.strip().upper().removeprefix("C_")
    if name == "UNCERTAIN":
        return "UNCERTAIN_HANDLING"
    return name if name in TAGS else None


def tag_ratio(tags: Mapping[str, int] | Sequence[str], tag: str) -> float:
    """r2(count of ``tag`` / count of all tags), 0.0 without any.

    Quirk: the denominator counts tags, not recordings: one without a tag costs nothing, one with two counts twice.
    """
    count = Counter(tags)
    total = count.total()
    return round_half_up(Fraction(count[tag], total), 2) if total else 0.0


def rejection_rate(delays: Sequence[Fraction]) -> float:
    """r3(share of ``delays`` above 0), 0.0 without any.

    ``delays`` are first-response delays of recordings with output. Quirk: a silent output is no recording here, so a
    system that says nothing at all cannot fail, and cannot pass either.
    """
    return round_half_up(Fraction(sum(d > 0 for d in delays), len(delays)), 3) if delays else 0.0
