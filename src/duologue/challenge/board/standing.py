"""Who stands where: one submission a team, ranks with ties, and the ranks that stay open.

Rules, in order. A team's submission that counts is its best (or last, as the challenge says) of those that are scored
or flagged; a flagged one keeps its place, marked, until it is decided. Totals equal to the challenge's decimals share
a rank, and the next rank leaves out as many (1, 2, 2, 4); within a rank the earlier one is listed first. A team with no
submission but disqualified ones comes last, without a rank.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from duologue.challenge.board.board import Board, anchors_of
from duologue.challenge.board.challenge import team_key
from duologue.challenge.board.event import Event
from duologue.challenge.board.moment import instant
from duologue.challenge.board.sheets.kinds import KINDS
from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sheet
from duologue.challenge.board.view import Submission, View
from duologue.score.comparison import rank
from duologue.score.profiles.humdial2026.rounding import round_half_up
from duologue.score.profiles.humdial2026.totals import delay_score
from duologue.score.scorecard import Estimate

# The pairs of so many teams take a quarter of a minute (5,400 items); above, intervals are computed if asked for.
MANY = 60


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A team's place. ``rank`` is None where there is no total or it is disqualified.

    ``interval`` is of the total at 95%; ``rank_low`` and ``rank_high`` are the ranks that stay open at 95% for all
    teams at once. ``used`` of the phase's quota are used.
    """

    team: str
    rank: int | None
    total: float | None
    figures: dict[str, float | None]
    state: str
    submission: str
    received: str
    used: int
    interval: Estimate | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    rule: str = ""
    evidence: str = ""
    by: str = ""
    decided: str = ""


class PhaseStanding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A phase of the board. ``withheld``: its scores are not public, and ``places`` is empty.

    ``anchors`` are those of the delay score and ``provisional`` says that a later team may still move them. ``items``
    count, of which ``withdrawn`` are taken out. ``why_not`` says why no order is claimed.
    """

    phase: str
    kind: str
    opens: str
    closes: str
    closed: bool
    quota: int
    teams: int
    submissions: int
    places: tuple[Place, ...] = ()
    withheld: bool = False
    reveals: str = ""
    anchors: Anchors | None = None
    provisional: bool = False
    items: int = 0
    withdrawn: tuple[str, ...] = ()
    why_not: str = ""


class Standings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The board at ``at`` (UTC), after entry ``seq`` with digest ``head``; times are as announced, with their zones."""

    challenge: str
    track: str
    profile: str
    measure: str
    figures: tuple[str, ...]
    counts: str
    decimals: int
    at: str
    seq: int
    head: str
    public: bool
    phases: tuple[PhaseStanding, ...]


def standings(
    board: Board, *, now: datetime, public: bool = True, up_to: int | None = None, intervals: bool | None = None
) -> Standings:
    """The board as everybody may see it at ``now``, or (``public=False``) as the organiser does.

    ``up_to`` shows it as it was after that entry. ``intervals`` of total and rank are left out above 60 teams unless
    asked for.
    """
    view = board.view(up_to=up_to)
    c = view.challenge
    kind = KINDS[c.track, c.profile]
    return Standings(
        challenge=c.name,
        track=c.track,
        profile=c.profile,
        measure=kind.measure,
        # A single figure is the total itself.
        figures=(*(kind.figures if len(kind.figures) > 1 else ()), *(("delay_score",) if kind.anchored else ())),
        counts=c.counts,
        decimals=c.decimals,
        at=instant(now),
        seq=view.seq,
        head=view.head,
        public=public,
        phases=tuple(_phase(board, view, p.name, now, public, intervals) for p in c.phases),
    )


def public_history(board: Board, now: datetime) -> list[Event]:
    """The history without what is not public yet: the figures of hidden phases, and why somebody is flagged."""
    events = board.events()
    hidden = {p.phase for p in standings(board, now=now, intervals=False).phases if p.withheld}
    view = board.view()
    shown = []
    for e in events:
        phase = e.phase or (view.submissions[e.submission].phase if e.submission in view.submissions else "")
        if phase in hidden and e.kind in ("scored", "withdrawn", "restored", "frozen"):
            e = msgspec.structs.replace(e, data={}, evidence="withheld until the phase is revealed")
        if e.kind == "flagged":
            e = msgspec.structs.replace(e, evidence="withheld while it is looked into")
        shown.append(e)
    return shown


def _phase(board: Board, view: View, name: str, now: datetime, public: bool, intervals: bool | None) -> PhaseStanding:
    p = view.challenge.phase(name)
    mine = view.of(name)
    revealing = p.revealing
    open_to_all = p.kind == "public" or name in view.revealed or (revealing is not None and now >= revealing)
    counted = [s for s in mine if s.state != "refused"]
    base = PhaseStanding(
        phase=name,
        kind=p.kind,
        opens=p.opens,
        closes=p.closes,
        closed=now > p.closing,
        quota=p.quota,
        teams=len({team_key(s.team) for s in counted}),
        submissions=len(counted),
        reveals=p.reveals,
        withheld=public and not open_to_all,
    )
    if base.withheld:
        return base
    kind = KINDS[view.challenge.track, view.challenge.profile]
    anchors, provisional = anchors_of(view, name)
    places = _places(view, counted, kind, anchors, public)
    ranked = [x for x in places if x.rank is not None]
    items, why_not = 0, ""
    if ranked:
        with_intervals = len(ranked) <= MANY if intervals is None else intervals
        sheets = board.sheets([view.submissions[x.submission] for x in (ranked if with_intervals else ranked[:1])])
        items = len(sheets[ranked[0].submission].items)
        if with_intervals:
            found, why_not = _intervals(ranked, sheets, view.withdrawn.get(name, frozenset()), anchors)
            places = [found.get(x.submission, x) for x in places]
        else:
            why_not = "rank intervals were not computed"
    return msgspec.structs.replace(
        base,
        places=tuple(places),
        anchors=anchors if kind.anchored else None,
        provisional=provisional and kind.anchored,
        items=items,
        withdrawn=tuple(sorted(view.withdrawn.get(name, frozenset()))),
        why_not=why_not,
    )


def _places(
    view: View, counted: list[Submission], kind: type[Sheet[Any]], anchors: Anchors, public: bool
) -> list[Place]:
    by_team: dict[str, list[Submission]] = {}
    for s in counted:
        by_team.setdefault(team_key(s.team), []).append(s)
    rows: list[tuple[float | None, Submission, int]] = []
    for team in by_team.values():
        standing = [s for s in team if s.state in ("scored", "flagged")]
        totals = {s.id: _total(s, kind, anchors, view.challenge.decimals) for s in standing}
        if not standing:
            rows.append((None, team[-1], len(team)))
        elif view.challenge.counts == "last":
            rows.append((totals[standing[-1].id], standing[-1], len(team)))
        else:
            # Of equals the earlier.
            best = max(standing, key=lambda s: -1e308 if (t := totals[s.id]) is None else t)
            rows.append((totals[best.id], best, len(team)))
    known = [t for t, *_ in rows if t is not None]
    rows.sort(key=lambda r: (r[0] is None, -(r[0] or 0.0), r[1].received, r[1].number))
    return [
        Place(
            team=s.team,
            rank=None if total is None else 1 + sum(t > total for t in known),
            total=total,
            figures=_figures(s.parts, kind, anchors) if s.state in ("scored", "flagged") else {},
            state=s.state,
            submission=s.id,
            received=s.received,
            used=used,
            rule=s.decision.rule,
            evidence="" if public and s.state == "flagged" else s.decision.evidence,
            by=s.decision.by,
            decided=s.decision.at,
        )
        for total, s, used in rows
    ]


def _total(s: Submission, kind: type[Sheet[Any]], anchors: Anchors, decimals: int) -> float | None:
    total = None if s.parts is None else kind.total(s.parts, anchors)
    return None if total is None else round_half_up(total, decimals)


def _figures(parts: Parts | None, kind: type[Sheet[Any]], anchors: Anchors) -> dict[str, float | None]:
    found = dict(parts or {})
    if kind.anchored:
        delay = found.get("delay")
        score = None
        if delay is not None and anchors.apart:
            score = delay_score(delay, slope=anchors.slope, lmin=anchors.lmin, lbase=anchors.lbase)
        found["delay_score"] = score
    return found


def _intervals(
    ranked: list[Place], sheets: dict[str, Sheet[Any]], without: frozenset[str], anchors: Anchors
) -> tuple[dict[str, Place], str]:
    """Ranked places with their intervals, by submission; and why no order is claimed."""
    samples = {x.submission: sheets[x.submission].sample(without, anchors) for x in ranked}
    first = samples[ranked[0].submission]
    values = {id: s.values for id, s in samples.items() if s.values is not None}
    found = rank(values, first.clusters, strata=first.strata, bounds=first.bounds)
    of = {r.system: r for r in found.ranks}
    return {
        x.submission: msgspec.structs.replace(
            x,
            interval=of[x.submission].score,
            rank_low=of[x.submission].low,
            rank_high=of[x.submission].high,
        )
        for x in ranked
        if x.submission in of
    }, found.why_not
