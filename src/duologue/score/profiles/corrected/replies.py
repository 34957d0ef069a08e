"""Which turns of the user want a reply, and what the system gave for each."""

from __future__ import annotations

from dataclasses import dataclass

from duologue.score.exchange import RATE, Exchange, PlayedTurn
from duologue.score.profiles.corrected.limits import Limits
from duologue.score.profiles.corrected.speech import is_signal, samples, talk

# The first moments of a turn: what the system starts here is its own late stop or chance, not an answer to the turn.
_LEAD = 0.2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A turn of the user that wants a reply, begun by ``until`` at the latest.

    ``query`` is what the reply has to be about: the turn's words; with the words before where the turn only makes
    sense with them (a correction); those of the answer's own query where the turn asks to go on. ``previous`` is the
    query before it, which a reply may not be about instead. ``kind`` is that of the event the turn belongs to, or "".
    """

    played: PlayedTurn
    until: int
    query: str
    previous: str = ""
    kind: str = ""

    @property
    def index(self) -> int:
        return self.played.turn.index

    @property
    def end(self) -> int:
        return self.played.end


@dataclass(frozen=True, slots=True)
class Found:
    """A reply: [start, stop) in samples, and how early the system began, in samples (0: not before the turn's end)."""

    start: int
    stop: int
    early: int


def claims(x: Exchange) -> list[PlayedTurn]:
    """The user's turns to the system, in order of time: each of them takes the floor."""
    system = {s.id for s in x.dialogue.speakers if s.role == "system"}
    rows = [
        t
        for t in x.turns
        if t.turn.role == "user"
        and t.turn.kind in ("turn", "interruption")
        and (not t.turn.addressee or t.turn.addressee in system)
    ]
    return sorted(rows, key=lambda t: (t.start, t.turn.index))


def wanted(x: Exchange, limits: Limits) -> list[Wanted]:
    """Every turn that wants a reply: the user's turns to the system, but for "stop" and the like."""
    targets = {e.event.target_turn: e for e in x.events}
    floor = claims(x)
    rows: list[Wanted] = []
    asked: list[str] = []
    for i, t in enumerate(floor):
        event = targets.get(t.turn.index)
        kind = event.event.kind if event else ""
        if kind == "termination":
            continue
        after = floor[i + 1].start if i + 1 < len(floor) else x.heard_until
        until = min(t.end + samples(limits.wait), max(after, t.end))
        last = asked[-1] if asked else ""
        query, previous = t.turn.text, last
        if kind in ("negation", "repetition") and last:
            # Neither means anything without the query before.
            query, previous = f"{last} {t.turn.text}", ""
        elif resumes(x, t) and last:
            # "Go on, please": what is wanted is the answer that was broken off.
            query, previous = last, ""
        else:
            asked.append(t.turn.text)
        rows.append(Wanted(played=t, until=until, query=query, previous=previous, kind=kind))
    return rows


def resumes(x: Exchange, t: PlayedTurn) -> bool:
    """Whether this turn asks for an answer that was stopped before to be taken up again."""
    stops = [e for e in x.events if "resume" in e.event.expected and e.end <= t.start]
    later = [c for c in claims(x) if stops and c.start >= stops[-1].end]
    return bool(later) and later[0].turn.index == t.turn.index


def find(x: Exchange, w: Wanted, limits: Limits) -> Found | None:
    """The reply to ``w``: the first talk that the system starts after the turn (or within it), to its end.

    Talk that goes on from before the turn is no reply; listener's signals inside the turn are none either. The reply
    ends where the system falls silent before the user takes the floor again, or is silent again after that.
    """
    rows = talk(x, limits)
    lead = w.played.start + samples(_LEAD)
    starts = [
        (int(a), int(b))
        for a, b in rows
        if lead < a < w.until and not (a < w.end and b <= w.end and is_signal(x, int(a), int(b), limits))
    ]
    if not starts:
        return None
    start = starts[0][0]
    return Found(start=start, stop=starts[-1][1], early=max(0, w.end - start))


def seconds(n: int) -> float:
    return round(n / RATE, 4)
