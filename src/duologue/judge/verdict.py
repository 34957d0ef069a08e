"""What a judge found: every expected item gets one verdict, judged or not, and says why."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

# "unparsable": the judge answered, but not as the rubric asks; "missing": the system left nothing to judge;
# "wrong-language": the system spoke another language; "infrastructure": the judge could not be reached or refused.
Status = Literal["ok", "unparsable", "missing", "wrong-language", "infrastructure"]
STATUSES: tuple[Status, ...] = ("ok", "unparsable", "missing", "wrong-language", "infrastructure")
# "drop" leaves out what the judge failed on; "floor" gives it the lowest grade, as the official scorer does.
Policy = Literal["drop", "floor"]
FLOOR = 1.0


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of a judge. ``raw`` is its text unchanged; ``served_by`` the server's own name for the model;
    ``form`` how the schema was asked for; ``scores`` 1-5 by dimension or ``tag`` what was taken from it."""

    status: Status
    seed: int
    scores: dict[str, int] = {}
    tag: str = ""
    reason: str = ""
    raw: str = ""
    served_by: str = ""
    fingerprint: str = ""
    form: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    detail: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The judgement of item ``id``.

    ``scores`` are means over the readings that are ok, ``variance`` their sample variances (n - 1; only where there
    are two or more). ``tag`` is the commonest (the earliest among equals), ``agreement`` its share of the readings that
    are ok. ``prompt_sha256`` names the wording, ``parameters`` how the answers were drawn. A status other than
    "ok" has neither scores nor tag, and ``detail`` says why.
    """

    id: str
    status: Status
    judge: str
    model: str = ""
    endpoint: str = ""
    prompt_sha256: str = ""
    parameters: dict[str, Any] = {}
    scores: dict[str, float] = {}
    variance: dict[str, float] = {}
    tag: str = ""
    agreement: float = 0.0
    readings: tuple[Reading, ...] = ()
    detail: str = ""

    def score(self, dimension: str, policy: Policy) -> float | None:
        """The grade to count under ``policy``; None where it drops the item.

        A system that said nothing, or spoke another language, gets the lowest grade under either policy: that is its
        own doing. What the judge failed on (unparsable, infrastructure) is dropped or floored.
        """
        if self.status == "ok":
            return self.scores[dimension]
        return None if policy == "drop" and self.status in ("unparsable", "infrastructure") else FLOOR


def merge(readings: Sequence[Reading]) -> dict[str, Any]:
    """Status, scores, variance, tag and agreement of a verdict from its readings.

    "wrong-language" needs more than half of the readings that could be read; else any ok reading makes it "ok".
    """
    ok = [r for r in readings if r.status == "ok"]
    foreign = [r for r in readings if r.status == "wrong-language"]
    if len(foreign) > len(ok):
        return {"status": "wrong-language", "detail": foreign[0].detail}
    if not ok:
        worst: Status = "unparsable" if any(r.status == "unparsable" for r in readings) else "infrastructure"
        return {"status": worst, "detail": next(r.detail for r in readings if r.status == worst)}
    found: dict[str, Any] = {"status": "ok"}
    if ok[0].scores:
        columns = {d: [float(r.scores[d]) for r in ok] for d in ok[0].scores}
        found["scores"] = {d: statistics.fmean(v) for d, v in columns.items()}
        if len(ok) > 1:
            found["variance"] = {d: statistics.variance(v) for d, v in columns.items()}
    if ok[0].tag:
        # Counter keeps the order of first sight, and most_common is stable.
        found["tag"], count = Counter(r.tag for r in ok).most_common(1)[0]
        found["agreement"] = count / len(ok)
    return found


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of verdicts in figures: ``statuses`` add up to ``expected``; means under both policies; ``variance`` is
    the mean, over items with repeats, of the variance between repeats. None where there is nothing to average."""

    expected: int
    statuses: dict[str, int]
    drop: dict[str, float | None]
    floor: dict[str, float | None]
    variance: dict[str, float | None]


def tally(verdicts: Sequence[Verdict], dimensions: Sequence[str]) -> Tally:
    """Count ``verdicts`` and average each of ``dimensions`` under both policies."""

    def mean(values: list[float]) -> float | None:
        return statistics.fmean(values) if values else None

    def column(dimension: str, policy: Policy) -> list[float]:
        return [s for v in verdicts if (s := v.score(dimension, policy)) is not None]

    return Tally(
        expected=len(verdicts),
        statuses={s: sum(v.status == s for v in verdicts) for s in STATUSES},
        drop={d: mean(column(d, "drop")) for d in dimensions},
        floor={d: mean(column(d, "floor")) for d in dimensions},
        variance={d: mean([v.variance[d] for v in verdicts if d in v.variance]) for d in dimensions},
    )
