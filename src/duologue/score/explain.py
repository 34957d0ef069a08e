"""One item, looked at closely: what each rule saw, what the official scoring sees of it, and why the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from duologue.corpus.event import INTERRUPTION, SCENARIOS
from duologue.corpus.read import OpenDialogue
from duologue.corpus.run import Run
from duologue.score.exchange import Exchange
from duologue.score.hear import Ears, hear, take
from duologue.score.profiles.corrected.evaluate import Reader, read, score_read
from duologue.score.profiles.corrected.limits import DEFAULT, Limits
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.profiles.humdial2026.evaluate import evaluate
from duologue.score.profiles.humdial2026.item import OfficialItem
from duologue.score.profiles.humdial2026.latency import response_latencies, stop_latencies
from duologue.score.profiles.humdial2026.rule_tag import METHOD, rule_tag
from duologue.score.scorecard import ItemScore


def explain(
    item: OpenDialogue,
    run: Run,
    ears: Ears,
    reader: Reader,
    *,
    official: OfficialEars | None = None,
    tags: Mapping[str, Sequence[str]] | None = None,
    limits: Limits = DEFAULT,
) -> tuple[ItemScore, Exchange]:
    """The score of ``item`` with its ``official`` view filled in, and the exchange it was read from.

    Without a tag for it the official tag is given by rule, and says so.
    """
    taken = take([item], run)
    (x,) = hear([item], taken, ears)
    (answered,) = read([x], reader, limits)
    (one,) = score_read([answered], reader, limits)
    if official is None or one.outcome != "scored" or one.scenario not in SCENARIOS:
        return one, x
    given = (tags or {}).get(item.id)
    seen = official.item(item, x, taken[0][0], given if given is not None else [rule_tag(answered, reader)])
    return msgspec.structs.replace(one, official=view(seen, one, by_rule=given is None)), x


def view(seen: OfficialItem, one: ItemScore, *, by_rule: bool) -> dict[str, Any]:
    """What the official scoring makes of one recording, by the names of its measures, and why it differs."""
    score = evaluate([seen])
    cell = next(iter(score.languages[seen.language].scenarios.values()))
    found: dict[str, Any] = {}
    if seen.scenario in INTERRUPTION and seen.system_segments is not None:
        found["stop_latency"] = [round(float(v), 3) for v in stop_latencies(seen.user_segments, seen.system_segments)]
        found["response_latency"] = [
            round(float(v), 3) for v in response_latencies(seen.user_segments, seen.system_segments)
        ]
    found["first_response_delay"] = cell.first_response_delay
    found["tag"] = ", ".join(seen.tags or ()) + (f" ({METHOD})" if by_rule else "")
    if cell.behaviour is not None:
        found["counts as"] = cell.behaviour
    found["why"] = _why(found, one, [u.why for u in cell.unscored])
    return found


def _why(found: Mapping[str, Any], one: ItemScore, left_out: Sequence[str]) -> list[str]:
    """Reasons, in words, why the two profiles can differ on this item."""
    why = [f"left out officially: {w}" for w in dict.fromkeys(left_out)]
    stops = found.get("stop_latency")
    if stops is not None and not stops and any(e.stop_limit is not None for e in one.events):
        why.append("no overlap with the user counts as a stop latency of 0, the best; the corrected rule wants a stop")
    if stops and any(e.stop_limit is not None and e.stop is None for e in one.events):
        why.append("a stop latency is capped at the length of the interruption, though the system never stopped")
    if any(r.early > 0.5 for r in one.replies):
        why.append("a start inside the user's turn counts as stop latency, not as a barge-in")
    if any(r.sound is None for r in one.replies):
        why.append("a turn that was never answered has no latency and costs nothing")
    if any(not e.exercised for e in one.events):
        why.append("an event that found the system silent was not exercised and scores 0 in the corrected profile")
    tag = str(found.get("tag", ""))
    if tag.startswith("UNKNOWN") and one.behaviour >= 0.5:
        kinds = {e.kind for e in one.events}
        what = "silent compliance" if "termination" in kinds else "going on without a break"
        why.append(f"{what} opens no new stretch of speech and is tagged UNKNOWN, which counts as 0")
    if any(r.content is not None and r.sound is not None and r.content - r.sound > 0.3 for r in one.replies):
        why.append("the first-response delay counts fillers; the corrected speed counts content")
    return why
