"""The board as its history makes it: submissions and their states, withdrawn items, frozen anchors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from duologue.challenge.board.challenge import Challenge
from duologue.challenge.board.event import Event
from duologue.challenge.board.sheets.sheet import Anchors, Parts
from duologue.errors import UserError

State = Literal["received", "checked", "refused", "scored", "flagged", "disqualified"]
# What may be decided of a submission in which state, and the state that it then has.
NEXT: dict[str, dict[State, State]] = {
    "checked": {"received": "checked"},
    "refused": {"received": "refused", "checked": "refused"},
    "scored": {"checked": "scored"},
    "flagged": {"scored": "flagged"},
    "cleared": {"flagged": "scored"},
    "disqualified": {
        "received": "disqualified",
        "checked": "disqualified",
        "scored": "disqualified",
        "flagged": "disqualified",
    },
    "reinstated": {},
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A state that a submission came to: when (UTC), by whose decision, by which rule, on which evidence."""

    seq: int
    state: State
    at: str
    by: str
    rule: str
    evidence: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A submission. ``received`` (UTC) is what the deadline is held against; ``parts`` are its figures as of now.

    ``card`` is the SHA-256 of the card's file; ``fixed`` what other cards of its phase have to share with it.
    """

    id: str
    team: str
    phase: str
    number: int
    received: str
    card: str
    state: State
    steps: tuple[Step, ...]
    parts: Parts | None = None
    fixed: dict[str, str] = {}

    @property
    def decision(self) -> Step:
        return self.steps[-1]


class View(msgspec.Struct, kw_only=True):
    """The board after entry ``seq``, whose digest is ``head``; submissions in the order in which they came."""

    challenge: Challenge
    seq: int = 0
    head: str = ""
    at: str = ""
    submissions: dict[str, Submission] = {}
    # By phase.
    withdrawn: dict[str, frozenset[str]] = {}
    anchors: dict[str, Anchors] = {}
    revealed: frozenset[str] = frozenset()

    def submission(self, id: str) -> Submission:
        if id not in self.submissions:
            near = [s for s in self.submissions if s.casefold() == id.casefold()]
            raise UserError(
                "no such submission", value=id, mend=f"did you mean {near[0]}?" if near else "duologue leaderboard show"
            )
        return self.submissions[id]

    def of(self, phase: str) -> list[Submission]:
        return [s for s in self.submissions.values() if s.phase == phase]


def view_of(events: Iterable[Event]) -> View:
    """What the entries, in their order, amount to; UserError where there is none."""
    view: View | None = None
    for e in events:
        if e.kind in ("opened", "amended"):
            challenge = msgspec.convert(e.data["challenge"], Challenge)
            if view is None:
                view = View(challenge=challenge)
            view.challenge = challenge
        if view is None:
            raise UserError("a history that does not begin with its challenge", value=e.kind)
        _apply(view, e)
        view.seq, view.head, view.at = e.seq, e.digest, e.at
    if view is None:
        raise UserError("a board without a history")
    return view


def _apply(view: View, e: Event) -> None:
    if e.kind == "received":
        view.submissions[e.submission] = Submission(
            id=e.submission,
            team=e.data["team"],
            phase=e.phase,
            number=e.data["number"],
            received=e.data["received"],
            card=e.data["card"],
            state="received",
            steps=(_step(e, "received"),),
        )
    elif e.kind in NEXT:
        s = view.submissions[e.submission]
        changed = msgspec.structs.replace(s, state=(state := after(s, e.kind)), steps=(*s.steps, _step(e, state)))
        if e.kind == "scored":
            changed = msgspec.structs.replace(changed, parts=e.data["parts"], fixed=e.data["fixed"])
        view.submissions[s.id] = changed
    elif e.kind in ("withdrawn", "restored"):
        items = frozenset(e.data["items"])
        before = view.withdrawn.get(e.phase, frozenset())
        view.withdrawn[e.phase] = before | items if e.kind == "withdrawn" else before - items
        for id, parts in e.data["parts"].items():
            view.submissions[id] = msgspec.structs.replace(view.submissions[id], parts=parts)
    elif e.kind == "frozen":
        view.anchors[e.phase] = msgspec.convert(e.data["anchors"], Anchors)
    elif e.kind == "revealed":
        view.revealed |= {e.phase}


def after(s: Submission, kind: str) -> State:
    """The state that ``s`` comes to by ``kind``; UserError where it may not."""
    if kind == "reinstated" and s.state == "disqualified":
        return s.steps[-2].state
    found = NEXT[kind].get(s.state)
    if found is None:
        can = [k for k, v in NEXT.items() if s.state in v] + (["reinstated"] if s.state == "disqualified" else [])
        raise UserError(
            f"it is {s.state} and cannot be {kind}", where=s.id, allowed=", ".join(can) or "nothing more happens to it"
        )
    return found


def _step(e: Event, state: State) -> Step:
    return Step(seq=e.seq, state=state, at=e.at, by=e.by, rule=e.rule, evidence=e.evidence)
