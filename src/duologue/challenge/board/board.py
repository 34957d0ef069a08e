"""What can be done with a board. Every decision is an entry of its history; time is always passed in.

A submission goes from received to checked to scored in three transactions. Each leaves the board whole, so that a
process may die between any two instructions and the next one goes on from there (:meth:`Board.finish`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from duologue.challenge.board.challenge import Challenge, check_challenge, team_key, team_name
from duologue.challenge.board.database import LARGEST, Database, Transaction
from duologue.challenge.board.event import Event, Kind, broken
from duologue.challenge.board.moment import instant, shown
from duologue.challenge.board.sheets.kinds import KINDS
from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sheet
from duologue.challenge.board.view import Submission, View, after, view_of
from duologue.errors import UserError

# Who decides what follows from the rules alone.
BY_RULE = "duologue"
LONGEST = 10_000


class Board:
    """The board of ``challenge`` in ``database``. ``by`` is who decides, ``now`` the time with a zone."""

    def __init__(self, database: Database, challenge: str) -> None:
        self.database, self.challenge = database, challenge

    @classmethod
    def create(cls, database: Database, challenge: Challenge, *, by: str, now: datetime) -> Board:
        """A new board; UserError where the database has one of this name."""
        check_challenge(challenge, challenge.name)
        database.create(instant(now))
        with database.write(challenge.name, create=True) as t:
            _append(t, "opened", by, now, data={"challenge": challenge})
        return cls(database, challenge.name)

    @classmethod
    def open(cls, database: Database, challenge: str = "") -> Board:
        """The board of ``challenge``, or the only one that there is."""
        names = database.challenges()
        if not challenge and len(names) == 1:
            return cls(database, names[0])
        if challenge not in names:
            what = "which challenge's board?" if not challenge else "no board of this challenge"
            raise UserError(
                what, where=database.shown, field="--challenge", value=challenge or None, allowed=", ".join(names)
            )
        return cls(database, challenge)

    def events(self) -> list[Event]:
        """The whole history."""
        with self.database.read(self.challenge) as t:
            return t.events()

    def view(self, *, up_to: int | None = None) -> View:
        """The board as it is, or as it was after entry ``up_to``."""
        with self.database.read(self.challenge) as t:
            return view_of(t.events(up_to))

    def sheets(self, submissions: Sequence[Submission]) -> dict[str, Sheet[Any]]:
        """Submission -> the item values of its card."""
        with self.database.read(self.challenge) as t:
            kind = _kind(view_of(t.events()).challenge)
            return {s.id: kind.load(t.items(s.card), s.fixed) for s in submissions}

    def amend(self, challenge: Challenge, *, why: str, by: str, now: datetime) -> None:
        """Announce a change: a later deadline, another quota, a further phase or team.

        UserError for what would change scores that stand: the track, profile, anchors, slope, or a phase that is gone.
        """
        check_challenge(challenge, challenge.name)
        _needs(why, "why")
        with self.database.write(self.challenge) as t:
            old = view_of(t.events()).challenge
            for field in ("name", "track", "profile", "anchors", "slope", "baseline"):
                if getattr(old, field) != getattr(challenge, field):
                    raise UserError(
                        "cannot be changed once the board is open",
                        field=field,
                        value=getattr(challenge, field),
                        allowed=str(getattr(old, field)),
                    )
            kept = {p.name: p for p in challenge.phases}
            for p in old.phases:
                if p.name not in kept:
                    raise UserError("a phase is gone", field="phases", value=p.name)
            _append(t, "amended", by, now, evidence=why, data={"challenge": challenge})

    def add(
        self, data: bytes, *, team: str, phase: str, by: str, now: datetime, received: datetime | None = None
    ) -> Submission:
        """Take a card, check and score it. ``received`` is when the team handed in, ``now`` if not given.

        The same file again goes on with a submission that was left half-way, and is refused after that. UserError,
        and no entry, for what is no card, is late or early, or is over the quota; UserError and an entry "refused",
        which does not count, for a card of another test set.
        """
        if len(data) > LARGEST:
            raise UserError("too large a card", allowed=f"up to {LARGEST} bytes")
        name, arrived = team_name(team), received or now
        with self.database.read(self.challenge) as t:
            sheet = _kind(view_of(t.events()).challenge).read(data)
        sha256 = hashlib.sha256(data).hexdigest()
        with self.database.write(self.challenge) as t:
            view = view_of(t.events())
            id = _same(view, phase, name, sha256)
            if not id:
                name = _admitted(view, name, phase, arrived, now)
                number = 1 + len(view.of(phase))
                id = f"{phase}-{number}"
                t.keep_card(sha256, data)
                entry = {"team": name, "number": number, "received": instant(arrived), "card": sha256}
                rule = f"quota {view.challenge.phase(phase).quota}, closes {view.challenge.phase(phase).closes}"
                _append(t, "received", by, now, rule=rule, submission=id, phase=phase, data=entry)
        return self.finish(id, now=now, sheet=sheet)

    def finish(self, id: str, *, now: datetime, sheet: Sheet[Any] | None = None) -> Submission:
        """Check and score submission ``id`` from where it is; nothing where that is done."""
        with self.database.read(self.challenge) as t:
            view = view_of(t.events())
            s = view.submission(id)
            if s.state not in ("received", "checked"):
                return s
            kind = _kind(view.challenge)
            sheet = kind.read(t.card(s.card)) if sheet is None else sheet
        problem = self._check(id, sheet, now)
        if problem is not None:
            raise problem
        while True:
            without = view.withdrawn.get(s.phase, frozenset())
            parts = sheet.parts(without)
            with self.database.write(self.challenge) as t:
                view = view_of(t.events())
                s = view.submission(id)
                if s.state != "checked":
                    return s
                # Items may have been withdrawn while this was computed.
                if view.withdrawn.get(s.phase, frozenset()) != without:
                    continue
                t.keep_items(s.card, sheet.rows())
                what = {"parts": parts, "fixed": sheet.fixed | {"items": _digest(sheet)}}
                rule = f"{kind.profile}: {kind.measure}"
                evidence = f"card {s.card}"
                _append(t, "scored", BY_RULE, now, rule=rule, evidence=evidence, submission=id, data=what)
                twin = next((o for o in view.submissions.values() if o.card == s.card and _other(o, s)), None)
                if twin is not None:
                    evidence = f"the card is the same file as {twin.id}, of {twin.team}"
                    _append(t, "flagged", BY_RULE, now, rule="one card, two teams", evidence=evidence, submission=id)
                return view_of(t.events()).submission(id)

    def resume(self, *, now: datetime) -> list[Submission]:
        """Finish every submission that was left half-way; what is refused on the way is among them."""
        left = [s.id for s in self.view().submissions.values() if s.state in ("received", "checked")]
        done = []
        for id in left:
            try:
                done.append(self.finish(id, now=now))
            except UserError:
                done.append(self.view().submission(id))
        return done

    def decide(self, kind: Kind, id: str, *, rule: str, evidence: str, by: str, now: datetime) -> Submission:
        """Flag, clear, disqualify or reinstate a submission: by which ``rule``, on which ``evidence``."""
        if kind not in ("flagged", "cleared", "disqualified", "reinstated"):
            raise ValueError(kind)
        _needs(rule, "rule")
        _needs(evidence, "evidence")
        with self.database.write(self.challenge) as t:
            s = view_of(t.events()).submission(id)
            after(s, kind)
            _append(t, kind, by, now, rule=rule, evidence=evidence, submission=id)
            return view_of(t.events()).submission(id)

    def withdraw(
        self, phase: str, names: Sequence[str], *, why: str, by: str, now: datetime, restore: bool = False
    ) -> dict[str, tuple[Parts, Parts]]:
        """Take items (or all items of a dialogue) out of ``phase``, or back in: everybody's figures are made anew.

        Gives submission -> figures before and after. UserError for an item that no scored submission has, or that is
        (or is not) withdrawn already.
        """
        _needs(why, "why")
        with self.database.write(self.challenge) as t:
            view = view_of(t.events())
            view.challenge.phase(phase)
            scored = [s for s in view.of(phase) if s.parts is not None]
            if not scored:
                raise UserError("nothing is scored in this phase yet", field="phase", value=phase)
            kind = _kind(view.challenge)
            sheets = {s.id: kind.load(t.items(s.card), s.fixed) for s in scored}
            before = view.withdrawn.get(phase, frozenset())
            keys = _keys(next(iter(sheets.values())), names, before, restore)
            without = before - keys if restore else before | keys
            changed: dict[str, tuple[Parts, Parts]] = {}
            for s in scored:
                parts = sheets[s.id].parts(without) if sheets[s.id].kept(without) else None
                if parts is None or s.parts is None:
                    raise UserError("no item would be left", field="items")
                changed[s.id] = (s.parts, parts)
            data = {"items": sorted(keys), "parts": {id: new for id, (_, new) in changed.items()}}
            what: Kind = "restored" if restore else "withdrawn"
            _append(t, what, by, now, rule="withdrawn items", evidence=why, phase=phase, data=data)
        return changed

    def freeze(self, phase: str, *, why: str, by: str, now: datetime, again: bool = False) -> Anchors:
        """Fix the delay anchors of ``phase`` as the teams make them now, so that later teams change no score.

        UserError where the profile has none, where they are given, where they are frozen already (unless ``again``), or
        where the fastest submission is not faster than the baseline's.
        """
        _needs(why, "why")
        with self.database.write(self.challenge) as t:
            view = view_of(t.events())
            view.challenge.phase(phase)
            if not _kind(view.challenge).anchored:
                raise UserError("this profile has no delay anchors", field="profile", value=view.challenge.profile)
            if view.challenge.fixed_anchors is not None:
                raise UserError("the anchors are given and do not move", field="anchors")
            if phase in view.anchors and not again:
                raise UserError("frozen already", where=phase, mend="give --again to freeze anew")
            found, evidence = anchors_by_teams(view, phase)
            if not found.apart:
                raise UserError("these anchors have no scale", value=(found.lmin, found.lbase), allowed="lmin < lbase")
            _append(t, "frozen", by, now, rule=why, evidence=evidence, phase=phase, data={"anchors": found})
        return found

    def reveal(self, phase: str, *, why: str, by: str, now: datetime) -> None:
        """Make the scores of a hidden phase public."""
        _needs(why, "why")
        with self.database.write(self.challenge) as t:
            view = view_of(t.events())
            if view.challenge.phase(phase).kind != "hidden" or phase in view.revealed:
                raise UserError("there is nothing hidden in this phase", field="phase", value=phase)
            _append(t, "revealed", by, now, rule=why, phase=phase)

    def verify(self, head: str = "") -> list[str]:
        """What is wrong with the board: the chain, the cards' and items' digests, figures that do not follow.

        ``head`` is a digest that was published earlier: it has to be in the history still.
        """
        with self.database.read(self.challenge) as t:
            events = t.events()
            if why := broken(events):
                return [why]
            found = []
            if head and all(e.digest != head for e in events):
                found.append(f"no entry has the digest {head}: the history was cut or written anew")
            view = view_of(events)
            kind = _kind(view.challenge)
            for s in view.submissions.values():
                try:
                    if hashlib.sha256(t.card(s.card)).hexdigest() != s.card:
                        found.append(f"{s.id}: its card was changed")
                    if s.parts is None:
                        continue
                    sheet = kind.load(t.items(s.card), s.fixed)
                    if _digest(sheet) != s.fixed["items"] or _values(sheet) != _values(kind.read(t.card(s.card))):
                        found.append(f"{s.id}: its items were changed")
                    elif sheet.parts(view.withdrawn.get(s.phase, frozenset())) != s.parts:
                        found.append(f"{s.id}: its figures do not follow from its items")
                except (UserError, msgspec.DecodeError) as error:
                    found.append(f"{s.id}: {error}")
            return found

    def _check(self, id: str, sheet: Sheet[Any], now: datetime) -> UserError | None:
        """Take submission ``id`` from received to checked, or to refused and say why."""
        with self.database.write(self.challenge) as t:
            view = view_of(t.events())
            s = view.submission(id)
            if s.state != "received":
                return None
            problem = _unfit(view, s, sheet)
            kind: Kind = "checked" if problem is None else "refused"
            evidence = f"{len(sheet.items)} items" if problem is None else problem.message
            _append(t, kind, BY_RULE, now, rule="one test set, one profile", evidence=evidence, submission=id)
            return problem


def anchors_of(view: View, phase: str) -> tuple[Anchors, bool]:
    """The anchors of ``phase`` as they stand, and whether they can still move."""
    if (fixed := view.challenge.fixed_anchors) is not None:
        return fixed, False
    if phase in view.anchors:
        return view.anchors[phase], False
    return anchors_by_teams(view, phase)[0], True


def anchors_by_teams(view: View, phase: str) -> tuple[Anchors, str]:
    """The smallest delay of any submission that stands, the baseline team's smallest, and whose they are.

    Without a baseline ``lbase`` is the published one.
    """
    standing = [
        (delay, s)
        for s in view.of(phase)
        if s.state in ("scored", "flagged") and s.parts is not None and (delay := s.parts.get("delay"))
    ]
    found, said = Anchors(slope=float(view.challenge.slope)), []
    if standing:
        delay, s = min(standing, key=lambda row: row[0])
        found = msgspec.structs.replace(found, lmin=delay)
        said.append(f"lmin {delay:g} s of {s.id}, {s.team}")
    base = [row for row in standing if team_key(row[1].team) == team_key(view.challenge.baseline)]
    if base:
        delay, s = min(base, key=lambda row: row[0])
        found = msgspec.structs.replace(found, lbase=delay)
        said.append(f"lbase {delay:g} s of {s.id}, {s.team}")
    else:
        said.append(f"lbase {found.lbase:g} s as published: there is no submission of {view.challenge.baseline}")
    return found, "; ".join(said)


def _append(t: Transaction, kind: Kind, by: str, now: datetime, **fields: Any) -> None:
    who = by.strip()
    if not who or len(who) > 200:
        raise UserError("who decides?", field="--by", value=by or None, mend="give a name, or set DUOLOGUE_BY")
    for name, text in (("by", who), ("rule", fields.get("rule", "")), ("evidence", fields.get("evidence", ""))):
        if len(text) > LONGEST or "\0" in text or not _encodable(text):
            raise UserError("not a text that can be kept", field=name, allowed=f"up to {LONGEST} characters of UTF-8")
    t.append(Event(challenge=t.challenge, seq=0, kind=kind, at=instant(now), by=who, **fields))


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _needs(text: str, field: str) -> None:
    if not text.strip():
        raise UserError("a decision needs its reason", field=f"--{field}")


def _kind(challenge: Challenge) -> type[Sheet[Any]]:
    return KINDS[challenge.track, challenge.profile]


def _other(a: Submission, b: Submission) -> bool:
    return a.id != b.id and a.state != "refused" and team_key(a.team) != team_key(b.team)


def _same(view: View, phase: str, team: str, sha256: str) -> str:
    """The id of this team's submission of the same file that was left half-way; UserError where it was not."""
    for s in view.of(phase):
        if s.card == sha256 and team_key(s.team) == team_key(team) and s.state != "refused":
            if s.state not in ("received", "checked"):
                raise UserError(f"the same card is submitted as {s.id}", field="card", value=s.state)
            return s.id
    return ""


def _admitted(view: View, team: str, phase: str, arrived: datetime, now: datetime) -> str:
    """The team's name as it is known; UserError where it may not submit to ``phase``."""
    p, key = view.challenge.phase(phase), team_key(team)
    listed = {team_key(t): team_name(t) for t in view.challenge.teams}
    if listed and key not in listed:
        raise UserError("not a team of this challenge", field="team", value=team, allowed=", ".join(listed.values()))
    seen = {team_key(s.team): s.team for s in reversed(view.submissions.values())}
    if arrived > now:
        raise UserError("received after now", field="received", value=shown(arrived), allowed=f"up to {shown(now)}")
    if p.opening is not None and arrived < p.opening:
        raise UserError("the phase is not open yet", where=phase, value=shown(arrived), allowed=shown(p.opening))
    if arrived > p.closing:
        late = arrived.astimezone(p.closing.tzinfo)
        raise UserError("after the deadline", where=phase, value=shown(late), allowed=f"up to {shown(p.closing)}")
    used = [s for s in view.of(phase) if team_key(s.team) == key and s.state != "refused"]
    if len(used) >= p.quota:
        raise UserError(
            f"the team has used its {p.quota} submissions", where=phase, value=", ".join(s.id for s in used)
        )
    return listed.get(key) or seen.get(key) or team


def _unfit(view: View, s: Submission, sheet: Sheet[Any]) -> UserError | None:
    """Why a card cannot stand beside the others of its phase."""
    p = view.challenge.phase(s.phase)
    if p.corpus_sha256 and "corpus_sha256" in sheet.fixed and sheet.fixed["corpus_sha256"] != p.corpus_sha256:
        return UserError(
            "scored on another corpus",
            where=s.id,
            field="corpus_sha256",
            value=sheet.fixed["corpus_sha256"],
            allowed=p.corpus_sha256,
        )
    if p.expected is not None and len(sheet.items) != p.expected:
        return UserError(
            "not the items of this phase", where=s.id, field="items", value=len(sheet.items), allowed=str(p.expected)
        )
    first = next((o for o in view.of(s.phase) if o.parts is not None), None)
    if first is not None:
        for field, value in (sheet.fixed | {"items": _digest(sheet)}).items():
            if first.fixed.get(field) != value:
                return UserError(
                    f"not what the other cards of this phase have ({first.id})",
                    where=s.id,
                    field=field,
                    value=value,
                    allowed=str(first.fixed.get(field)),
                    mend="score every submission on the same items with the same options",
                )
    return None


def _digest(sheet: Sheet[Any]) -> str:
    """SHA-256 of the items' names."""
    return hashlib.sha256("\n".join(sheet.items).encode()).hexdigest()


def _values(sheet: Sheet[Any]) -> list[tuple[str, bytes]]:
    return list(sheet.rows())


def _keys(sheet: Sheet[Any], names: Sequence[str], gone: frozenset[str], restore: bool) -> frozenset[str]:
    keys: set[str] = set()
    for name in names:
        found = set(sheet.keys_of(name))
        if not found:
            raise UserError("no such item", field="items", value=name)
        fresh = found & gone if restore else found - gone
        if not fresh:
            raise UserError("not withdrawn" if restore else "withdrawn already", field="items", value=name)
        keys |= fresh
    if not keys:
        raise UserError("no item is named", field="items")
    return frozenset(keys)
