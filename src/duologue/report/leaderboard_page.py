"""A board as one self-contained HTML page: places with open ranks, decisions, history. Nothing is fetched.

Names of teams, rules and evidence are hostile until escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from duologue.challenge.board.event import Event
from duologue.challenge.board.moment import from_instant, shown
from duologue.challenge.board.standing import PhaseStanding, Place, Standings
from duologue.report.board_text import TITLES, count, number, short
from duologue.report.printable import html
from duologue.report.shell import page, section

_WITHHELD = "not public while it is looked into"
_DECIDED = ("flagged", "disqualified")


def render(found: Standings, history: Sequence[Event] = ()) -> str:
    """The page for ``found``; ``history`` are the entries to list under it."""
    return page(
        f"Leaderboard of {found.challenge}",
        (
            _head(found),
            *(section(p.phase, _phase(p, found)) for p in found.phases),
            section("How places are made", _rules(found)),
            section("History", _history(history)),
        ),
    )


def _head(found: Standings) -> str:
    private = "" if found.public else '<div class="warn"><p><b>For the organisers: not public.</b></p></div>'
    facts = (
        f"track <b>{html(found.track)}</b>",
        f"profile <b>{html(found.profile)}</b>",
        f"as of <b>{html(shown(from_instant(found.at)))}</b>",
    )
    return (
        f"<header><h1><bdi>{html(found.challenge)}</bdi></h1><p>{' · '.join(facts)}</p>"
        f"<p class='soft'>entry {found.seq} of the history, <code>{html(found.head)}</code></p></header>{private}"
    )


def _phase(p: PhaseStanding, found: Standings) -> str:
    facts = [
        *([f"opens {html(p.opens)}"] if p.opens else []),
        f"closes {html(p.closes)}",
        f"{count(p.teams, 'team')}, {count(p.submissions, 'submission')}, {p.quota:,} a team",
    ]
    state = "closed" if p.closed else "open"
    chips = "".join(f'<span class="chip">{html(word)}</span>' for word in (p.kind, state))
    top = f"<p>{chips}{' · '.join(facts)}</p>"
    if p.withheld:
        until = f" until {html(p.reveals)}" if p.reveals else " until the organisers reveal them"
        return f'{top}<div class="warn"><p>The scores of this phase are withheld{until}.</p></div>'
    if not p.places:
        return f"{top}<p>No submission yet.</p>"
    return top + _table(p, found) + _notes(p) + _decisions(p)


def _table(p: PhaseStanding, found: Standings) -> str:
    titles = "".join(f'<th class="n">{html(TITLES.get(name, name))}</th>' for name in found.figures)
    scale = _scale(p.places)
    rows = "".join(_row(x, found, p, scale) for x in p.places)
    return (
        '<div class="scroll"><table class="grid"><thead><tr><th class="n">rank</th><th>team</th>'
        f'<th class="n">total</th><th>95% interval</th><th class="n">open ranks</th>{titles}'
        f"<th>state</th><th>submission, UTC</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(x: Place, found: Standings, p: PhaseStanding, scale: tuple[float, float] | None) -> str:
    ranks = ""
    if x.rank_low is not None:
        ranks = f"{x.rank_low}" if x.rank_low == x.rank_high else f"{x.rank_low}–{x.rank_high}"
    figures = "".join(f'<td class="n">{html(short(x.figures.get(name)))}</td>' for name in found.figures)
    state = {"flagged": "partly", "disqualified": "failed"}.get(x.state, "soft")
    return (
        f'<tr><td class="n"><b>{"–" if x.rank is None else x.rank}</b></td><td style="min-width:8rem">'
        f"<bdi>{html(x.team)}</bdi></td>"
        f'<td class="n"><b>{html(number(x.total))}</b></td><td>{_interval(x, scale)}</td><td class="n">{ranks}</td>'
        f'{figures}<td class="{state}">{html(x.state)}</td><td>{html(x.submission)} '
        f'<span class="soft">({x.used} of {p.quota})<br>{html(_minute(x.received))}</span></td></tr>'
    )


def _minute(at: str) -> str:
    return at[:16].replace("T", "\u00a0")


def _scale(places: Sequence[Place]) -> tuple[float, float] | None:
    ends = [v for x in places if x.interval is not None for v in (x.interval.low, x.interval.high) if v is not None]
    return (min(ends), max(ends)) if ends and max(ends) > min(ends) else None


def _interval(x: Place, scale: tuple[float, float] | None) -> str:
    """The interval as a whisker, all rows of a phase on one scale."""
    e = x.interval
    if e is None or e.low is None or e.high is None:
        return ""
    text = f"{short(e.low)} to {short(e.high)}"
    if scale is None or e.value is None:
        return html(text)
    low, high = scale

    def at(v: float) -> float:
        return 4 + 96 * (min(max(v, low), high) - low) / (high - low)

    return (
        f'<span class="figure"><svg class="mini" viewBox="0 0 104 16" role="img" aria-label="{html(text)}">'
        f'<rect class="track" x="0" y="6" width="104" height="4" rx="2"/>'
        f'<path class="whisker" d="M{at(e.low):.1f} 3v10M{at(e.high):.1f} 3v10M{at(e.low):.1f} 8H{at(e.high):.1f}"/>'
        f'<circle cx="{at(e.value):.1f}" cy="8" r="3.5" fill="#0072b2"/></svg>{html(text)}</span>'
    )


def _notes(p: PhaseStanding) -> str:
    lines = []
    if p.anchors is not None:
        a = p.anchors
        moves = "; not frozen yet, a faster team moves them" if p.provisional else "; fixed"
        lines.append(f"Delay score: 100 at {a.lmin:g} s, {100 - a.slope:g} at {a.lbase:g} s{moves}.")
    if p.withdrawn:
        some = ", ".join(p.withdrawn[:20]) + (", ..." if len(p.withdrawn) > 20 else "")
        lines.append(f"{len(p.withdrawn):,} of {p.items:,} items are withdrawn and count for nobody: {some}.")
    elif p.items:
        lines.append(f"{p.items:,} items count.")
    body = "".join(f"<p>{html(line)}</p>" for line in lines)
    why = f'<div class="warn"><p>No order is claimed: {html(p.why_not)}.</p></div>' if p.why_not else ""
    return body + why


def _decisions(p: PhaseStanding) -> str:
    rows = "".join(
        f"<tr><td><bdi>{html(x.team)}</bdi></td><td>{html(x.submission)}</td><td>{html(x.state)}</td>"
        f"<td><bdi>{html(x.rule)}</bdi></td><td><bdi>{html(x.evidence or _WITHHELD)}</bdi></td>"
        f'<td style="min-width:6rem"><bdi>{html(x.by)}</bdi></td><td>{html(_minute(x.decided))}</td></tr>'
        for x in p.places
        if x.state in _DECIDED
    )
    if not rows:
        return ""
    titles = ("team", "submission", "state", "rule", "evidence", "by", "when, UTC")
    head = f"<tr>{''.join(f'<th>{t}</th>' for t in titles)}</tr>"
    return f'<h3>Decisions</h3><div class="scroll"><table class="grid">{head}{rows}</table></div>'


def _rules(found: Standings) -> str:
    same = f"Totals equal to {found.decimals} decimals share a rank, and the next rank leaves out as many."
    return (
        f"<p>The total is: {html(found.measure)}. Of each team its {html(found.counts)} submission counts. {same} "
        "Of equals the earlier is listed first. Open ranks are those that the data leave open at 95% for all teams at "
        "once: teams whose open ranks overlap cannot be told apart. A flagged submission keeps its place until it is "
        "decided; a disqualified one has none.</p>"
    )


def _history(events: Sequence[Event]) -> str:
    if not events:
        return ""
    rows = "".join(
        f'<tr><td class="n">{e.seq}</td><td>{html(e.at[:19].replace("T", " "))}</td><td>{html(e.kind)}</td>'
        f"<td>{html(e.submission or e.phase)}</td><td><bdi>{html(e.by)}</bdi></td><td><bdi>{html(e.rule)}</bdi></td>"
        f"<td><bdi>{html(e.evidence)}</bdi></td></tr>"
        for e in events
    )
    head = (
        '<tr><th class="n">entry</th><th>when, UTC</th><th>what</th><th>of</th><th>by</th><th>rule</th>'
        "<th>evidence</th></tr>"
    )
    return (
        f"<details><summary>{len(events):,} entries; nothing is ever overwritten</summary>"
        f'<div class="scroll"><table class="grid">{head}{rows}</table></div></details>'
    )
