"""What an inspection finds: figures with their n and interval, distributions, the worst items."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number about a corpus, or why there is none.

    ``group`` is the part of the report ("read-back"), ``name`` the figure, ``of`` the language, voice, role or label
    that it is about ("" for the whole). ``low`` and ``high`` bound the 95% interval where the figure is of a sample.
    ``n`` counts what ``counted`` names. ``how`` says how it was got. ``missing`` is why ``value`` is None.
    """

    group: str
    name: str
    of: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: int = 0
    counted: str = ""
    how: str = ""
    missing: str = ""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """``counts`` in bins of ``width`` (in ``unit``) from ``start`` on; tails lie in the first and the last bin."""

    name: str
    of: str
    unit: str
    start: float
    width: float
    counts: tuple[int, ...]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A cumulative distribution: the share of values at or below each point, as (value, share)."""

    name: str
    unit: str
    n: int
    source: str
    points: tuple[tuple[float, float], ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One of the worst items: ``value`` of ``unit`` at samples [start, end) of ``channel`` of ``audio``.

    ``turn`` is the index of the turn that it is about, None for a whole channel. ``text`` is what is said there by the
    corpus, ``heard`` what the recogniser made of it. ``channel`` None means all.
    """

    dialogue: str
    audio: str
    channel: int | None
    start: int
    end: int
    value: float
    unit: str
    turn: int | None = None
    language: str = ""
    text: str = ""
    heard: str = ""
    note: str = ""


class WorstList(msgspec.Struct, frozen=True, kw_only=True):
    """Items in the order in which a person should look at them."""

    name: str
    how: str
    items: tuple[Finding, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found about a corpus.

    ``sample`` dialogues of ``dialogues`` were heard, drawn with ``seed``; ``filters`` narrowed the corpus. ``shifts``
    is language -> from -> to -> count; ``labels`` are the taxonomy's.
    """

    name: str
    corpus_sha256: str
    duologue: str
    dialogues: int
    seconds: float
    sample: int
    seed: int
    filters: dict[str, str]
    figures: tuple[Figure, ...]
    worst: tuple[WorstList, ...]
    histograms: tuple[Histogram, ...]
    curves: tuple[Curve, ...]
    shifts: dict[str, dict[str, dict[str, int]]]
    labels: tuple[str, ...]
