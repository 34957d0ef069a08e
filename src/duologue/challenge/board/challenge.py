"""What an organiser announces: phases with deadlines and quotas, and how teams are ranked (docs/leaderboard.md)."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from duologue.challenge.board.moment import parse_moment
from duologue.challenge.board.sheets.kinds import KINDS
from duologue.challenge.board.sheets.sheet import Anchors
from duologue.corpus.table import read_table
from duologue.errors import UserError

LARGEST = 2**20
LONGEST_NAME = 100
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A phase. Times are texts with a zone; a submission counts from ``opens`` to ``closes``, both included.

    ``quota`` is how many submissions a team has. The scores of a "hidden" phase are the organiser's until ``reveals``
    or until they are revealed by hand. ``corpus_sha256`` and ``expected``, where given, are what every card has to be
    of and how many items it has.
    """

    name: Name
    kind: Literal["public", "hidden"] = "public"
    opens: str = ""
    closes: str
    reveals: str = ""
    quota: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 3
    corpus_sha256: str = ""
    expected: Annotated[int, msgspec.Meta(ge=1)] | None = None

    @property
    def opening(self) -> datetime | None:
        return parse_moment(self.opens, day="begins") if self.opens else None

    @property
    def closing(self) -> datetime:
        return parse_moment(self.closes, day="ends")

    @property
    def revealing(self) -> datetime | None:
        return parse_moment(self.reveals, day="begins") if self.reveals else None


class Challenge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A challenge on one track. ``counts`` says which of a team's submissions ranks: its best or its last.

    Totals that are equal to ``decimals`` places share a rank. ``anchors`` are "published", given in seconds, or
    "teams": the fastest submission and that of team ``baseline``, until they are frozen. No ``teams``: any may enter.
    """

    name: Name
    track: Literal["duplex", "emotion"]
    profile: Literal["corrected", "humdial2026"] = "corrected"
    counts: Literal["best", "last"] = "best"
    decimals: Annotated[int, msgspec.Meta(ge=0, le=12)] = 6
    anchors: Literal["published", "teams"] | Anchors = "published"
    slope: Literal[40, 50] = 40
    baseline: str = "Baseline"
    teams: tuple[str, ...] = ()
    phases: tuple[Phase, ...]

    def phase(self, name: str) -> Phase:
        for p in self.phases:
            if p.name == name:
                return p
        raise UserError("unknown phase", field="phase", value=name, allowed=", ".join(p.name for p in self.phases))

    @property
    def fixed_anchors(self) -> Anchors | None:
        """The anchors that are known from the start; None where they come from the teams."""
        if isinstance(self.anchors, Anchors):
            return msgspec.structs.replace(self.anchors, slope=float(self.slope))
        return Anchors(slope=float(self.slope)) if self.anchors == "published" else None


def read_challenge(path: Path) -> Challenge:
    """The challenge in a YAML file; UserError names what is wrong in it."""
    text = read_table(path, LARGEST)
    try:
        # Every scalar as text: YAML would make a naive time of a deadline.
        data = yaml.load(text, Loader=yaml.BaseLoader)
        found = msgspec.convert(data, Challenge, strict=False)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"not YAML: {error.problem}", where=f"{path}{line}") from None
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {error}", where=str(path)) from None
    except RecursionError:
        raise UserError("nested too deeply", where=str(path)) from None
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at ")
        raise UserError(what[:1].lower() + what[1:], where=str(path), field=at.strip("`$.")) from None
    check_challenge(found, str(path))
    return found


def check_challenge(c: Challenge, where: str) -> None:
    """UserError for what a type cannot say: clashing names, times that are none or in the wrong order."""
    if (c.track, c.profile) not in KINDS:
        raise UserError("no board for this profile", where=where, field="profile", value=c.profile)
    if not c.phases:
        raise UserError("no phase", where=where, field="phases")
    names = [p.name.casefold() for p in c.phases]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError("two phases of one name", where=where, field="phases", value=twice)
    for i, p in enumerate(c.phases):
        moments = {}
        for field in ("opens", "closes", "reveals"):
            text = getattr(p, field)
            try:
                moments[field] = parse_moment(text, day="ends" if field == "closes" else "begins") if text else None
            except UserError as error:
                raise UserError(
                    error.what,
                    where=where,
                    field=f"phases[{i}].{field}",
                    value=error.value,
                    allowed=error.allowed,
                    mend=error.mend,
                ) from None
        opens, closes = moments["opens"], moments["closes"]
        if closes is None:
            raise UserError("no deadline", where=where, field=f"phases[{i}].closes")
        if opens is not None and opens >= closes:
            raise UserError("closes before it opens", where=where, field=f"phases[{i}]", value=(p.opens, p.closes))
        if p.reveals and p.kind == "public":
            raise UserError("a public phase hides nothing", where=where, field=f"phases[{i}].reveals")
    keys = [team_key(t) for t in c.teams]
    if twice := next((t for t, k in zip(c.teams, keys, strict=True) if keys.count(k) > 1), None):
        raise UserError("two teams of one name", where=where, field="teams", value=twice)
    if isinstance(c.anchors, Anchors) and not c.anchors.apart:
        raise UserError("not a pair of anchors", where=where, field="anchors", allowed="0 < lmin < lbase")


def team_name(text: str) -> str:
    """A team's name as shown: NFC, single spaces. UserError for one that is empty, too long or not printable."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
    if not name or len(name) > LONGEST_NAME:
        raise UserError("not a team's name", field="team", value=text, allowed=f"1 to {LONGEST_NAME} characters")
    if bad := next((c for c in name if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn")), None):
        raise UserError(f"a team's name with the invisible character U+{ord(bad):04X}", field="team", value=text)
    return name


def team_key(text: str) -> str:
    """What makes two names one team: compatibility forms, case and spaces do not tell them apart."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
