"""What a score says in words: grades of rules, figures with intervals, and why an item got what it got."""

from __future__ import annotations

from typing import Literal

from duologue.score.scorecard import DelaySummary, Estimate, EventScore, ItemScore, ReplyScore, Rule

Grade = Literal["passed", "partly", "failed", "not applied"]
GRADES: tuple[Grade, ...] = ("passed", "partly", "failed", "not applied")
# Drawn beside the colour, so that no one needs to see colours.
MARK: dict[Grade, str] = {"passed": "✓", "partly": "~", "failed": "✗", "not applied": "–"}
COLOUR: dict[Grade, str] = {"passed": "#1a7f4b", "partly": "#b97700", "failed": "#c22f2f", "not applied": "#8a94a0"}
# Below this a rule counts as failed.
FAILED = 0.5


def grade(score: float | None) -> Grade:
    """passed: 1 (to three places); partly: from 0.5; failed: below; not applied: the rule had nothing to look at."""
    if score is None:
        return "not applied"
    return "passed" if score >= 0.9995 else "partly" if score >= FAILED else "failed"


def figure(e: Estimate, digits: int = 2) -> str:
    """ "0.62 [0.55, 0.70]"; without an interval "0.62", without a value "–"."""
    if e.value is None:
        return "–"
    text = f"{e.value:.{digits}f}"
    return text if e.low is None or e.high is None else f"{text} [{e.low:.{digits}f}, {e.high:.{digits}f}]"


def signed(e: Estimate, digits: int = 3) -> str:
    """ "-0.041 [-0.062, -0.020]", for differences."""
    if e.value is None:
        return "–"
    text = f"{e.value:+.{digits}f}"
    return text if e.low is None or e.high is None else f"{text} [{e.low:+.{digits}f}, {e.high:+.{digits}f}]"


def delay(value: float | None, limit: float) -> str:
    """ "1.24 s", or "> 8 s" for a quantile that lies among the misses."""
    return f"> {limit:g} s" if value is None else f"{value:.2f} s"


def median(d: DelaySummary) -> str:
    """The median and its interval: "0.62 s [0.55, 0.70]"; an end beyond the limit shows as "> 8"."""
    text = delay(d.median, d.limit) if d.n else "–"
    if d.median is None or d.median_low is None:
        return text
    high = f"> {d.limit:g}" if d.median_high is None else f"{d.median_high:.2f}"
    return f"{text} [{d.median_low:.2f}, {high}]"


def measured(rule: Rule) -> str:
    """ "2.1 s (allowed: <= 1 s)"; only what is known."""
    value = "" if rule.value is None else f"{number(rule.value)} {rule.unit}".strip()
    allowed = f"allowed: {rule.allowed}" if rule.allowed else ""
    return f"{value} ({allowed})" if value and allowed else value or allowed


def number(value: float) -> str:
    """At most three places, no trailing zeros."""
    return f"{round(value, 3):g}"


def title(name: str) -> str:
    """A name from the data as a person writes it: "third_party" -> "third party"."""
    return name.replace("_", " ")


def kind(e: EventScore) -> str:
    """ "third party, before the query"."""
    return title(e.kind) + (f", {e.position} the query" if e.position else "")


def weakest(item: ItemScore) -> EventScore | ReplyScore | None:
    """The event or reply that cost the item most; None where all are perfect or there is none."""
    both: list[EventScore | ReplyScore] = [*item.events, *item.replies]
    found = [x for x in both if x.score < 0.9995]
    return min(found, key=lambda x: x.score, default=None)


def sentence(item: ItemScore) -> str:
    """Why the item got its score, in one sentence."""
    if item.outcome != "scored":
        return f"{item.outcome.capitalize()}, so it counts as 0: {item.why or 'no reason was given'}."
    replies = [r.score for r in item.replies]
    mean = sum(replies) / len(replies) if replies else 1.0
    many = f"the mean {mean:.2f} of {len(replies)} replies" if len(replies) > 1 else f"the reply's {mean:.2f}"
    head = f"{item.utility:.2f} = behaviour {item.behaviour:.2f} × {many if replies else '1 (no reply was wanted)'}"
    return f"{head}; {item.why or _loss(item)}.".replace("..", ".")


def _loss(item: ItemScore) -> str:
    worst = weakest(item)
    if worst is None:
        return "nothing was lost"
    if isinstance(worst, ReplyScore):
        cost = worst.why or f"speed {worst.speed:.2f}, relevance {worst.relevance or 0:.2f}"
        return f"most was lost on the reply to turn {worst.turn}: {cost}"
    if not worst.exercised:
        return f"most was lost on {kind(worst)}, which was not exercised: {worst.why}"
    rules = [r for r in worst.rules if r.score is not None]
    rule = min(rules, key=lambda r: r.score or 0.0, default=None)
    if rule is None:
        return f"most was lost on {kind(worst)}"
    detail = ", ".join(x for x in (measured(rule), rule.why) if x)
    return f"most was lost on {kind(worst)}: {rule.name}" + (f", {detail}" if detail else "")
