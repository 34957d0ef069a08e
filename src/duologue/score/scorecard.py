"""What scoring gives back: the score of an item with all that the rules saw, and the card of a whole run."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from duologue.corpus.observation import RunMode, RunStatus

# An item's status in a card; "not exercised" is a system that never let the event happen.
Outcome = Literal["scored", "missing", "failed", "infrastructure"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as applied: what it measured (``value`` in ``unit``), what it allows, and its score in [0, 1].

    ``score`` is None where the rule could not be applied; ``start`` and ``end`` (seconds on the item's clock) show
    where it looked.
    """

    name: str
    score: float | None
    value: float | None = None
    unit: str = ""
    allowed: str = ""
    why: str = ""
    start: float | None = None
    end: float | None = None


class EventScore(msgspec.Struct, frozen=True, kw_only=True):
    """How an event was handled: the product of its rules. An event that was not exercised scores 0."""

    event: str
    kind: str
    position: str = ""
    start: float
    end: float
    score: float
    exercised: bool = True
    why: str = ""
    rules: tuple[Rule, ...] = ()
    # Seconds from the event's onset until the system is silent; None where it is not to stop or never did.
    stop: float | None = None
    # How long the stop was waited for.
    stop_limit: float | None = None


class ReplyScore(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to one turn of the user that wants one. Offsets are signed seconds from the turn's end, None if missed.

    ``sound`` is the first sound of the reply, ``content`` its first word that is no filler. ``limit`` is how long was
    waited. ``relevance``, ``speed`` and their product ``score`` are in [0, 1]; ``rank`` of ``candidates`` is that of
    the true query; ``early`` is how many seconds the system began before the user was done.
    """

    turn: int
    end: float
    limit: float
    score: float
    speed: float = 0.0
    relevance: float | None = None
    sound: float | None = None
    content: float | None = None
    text: str = ""
    query: str = ""
    rank: int | None = None
    candidates: int | None = None
    copied: float | None = None
    language: str = ""
    early: float = 0.0
    why: str = ""
    # The interval of the reply on the item's clock, seconds.
    start: float | None = None
    stop: float | None = None


class ItemScore(msgspec.Struct, frozen=True, kw_only=True):
    """One item. ``utility`` = ``behaviour`` x mean of the replies' scores, all in [0, 1]; 0 unless it was scored.

    ``clusters`` maps "script_family" and "speaker" to what the item shares with others.
    """

    id: str
    language: str
    scenario: str
    split: str
    outcome: Outcome
    utility: float
    behaviour: float = 0.0
    speed: float = 0.0
    relevance: float | None = None
    naturalness: float | None = None
    why: str = ""
    events: tuple[EventScore, ...] = ()
    replies: tuple[ReplyScore, ...] = ()
    clusters: dict[str, str] = {}
    words_from: str = ""
    notes: tuple[str, ...] = ()
    # What the official profile sees of the same item, and why it differs: filled by "explain".
    official: dict[str, Any] = {}


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean or rate with its 95% interval [low, high] (None where too few clusters tell), over ``n`` items."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    clusters: int = 0
    method: str = ""


class DelaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Kaplan-Meier quantiles of a delay in seconds, misses censored at ``limit``; None means "> limit"."""

    n: int
    missed: int
    limit: float
    median: float | None
    median_low: float | None = None
    median_high: float | None = None
    p90: float | None = None
    p95: float | None = None
    # The survival curve, for plots: (seconds, share not yet happened).
    curve: tuple[tuple[float, float], ...] = ()


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a card: a scenario, a language, or both; every expected item is in every denominator."""

    scenario: str
    language: str
    expected: int
    scored: int
    utility: Estimate
    behaviour: Estimate
    speed: Estimate
    relevance: Estimate
    naturalness: Estimate


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A run's card. ``scored`` + sum of ``accounted`` = ``expected``.

    ``cells`` hold scenario "all" and language "all" for the margins. ``delays`` and ``rates`` are named; see docs/
    metrics. ``methods`` says which part heard the words, ranked relevance and judged naturalness. ``comparable`` is
    the group that this run may be ranked in ("files" or "live").
    """

    profile: str
    system: str
    mode: RunMode
    comparable: str
    corpus: str
    corpus_sha256: str
    expected: int
    scored: int
    accounted: dict[str, int]
    headline: Estimate
    cells: tuple[Cell, ...]
    delays: dict[str, DelaySummary] = {}
    rates: dict[str, Estimate] = {}
    # A judge's grades, 1 to 5, by dimension and policy ("fluency, floor"), and how its verdicts ended.
    judged: dict[str, Estimate] = {}
    verdicts: dict[str, int] = {}
    methods: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    extra_files: tuple[str, ...] = ()
    items: tuple[ItemScore, ...] = ()


def outcome(status: RunStatus) -> Outcome:
    """The card's word for an observation's status."""
    return "scored" if status == "ok" else status
