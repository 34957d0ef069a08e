"""Full-duplex scenarios as data: who speaks when, relative to what, and what is expected of the system.

The nine of the challenge are :data:`STANDARD`. Whoever needs another describes it with the same type, in a recipe
(``scenarios:``) or in a package (entry points ``duologue.scenarios``); the corpus carries the description in
``corpus.json``, so that it is checked and scored wherever it goes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec

from duologue.corpus.bounds import Name
from duologue.corpus.event import Act
from duologue.corpus.speaker import Role
from duologue.corpus.turn import TurnKind
from duologue.errors import UserError

Family = Literal["interruption", "rejection"]
# "over": during the system's answer; "before": ahead of the user's query; "after": when the answer is over;
# "within": the user's own turn halts.
When = Literal["over", "before", "after", "within"]
PerTurn = Annotated[int, msgspec.Meta(ge=1, le=3)]


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One kind of event.

    ``role`` says it to ``to``, as a turn of kind ``kind`` (which tells the scene how loud and from where). ``when``
    lists the places where it can fall; a scenario with both "before" and "over" has positions "before" and "after".
    ``expected`` is what the system should do, in order; ``expected_before`` the same where it falls ahead of the query.
    ``per_turn`` is the most events of the kind that one user turn and its answer can carry.

    ``says`` and ``replies`` hold templates by language (see docs/scripts.md) from which the embedded writer makes the
    event's words and, where ``expected`` ends in "respond", the reference reply; {topic} in them names what the
    dialogue is about. ``neighbours`` are openings of an ordinary user turn that only sounds like the event, put before
    its question. All are empty for the nine, which it composes by rules of its own.
    """

    name: Name
    family: Family
    about: str
    role: Role = "user"
    to: Role = "system"
    kind: TurnKind = "interruption"
    when: tuple[When, ...] = ("over",)
    expected: tuple[Act, ...]
    expected_before: tuple[Act, ...] = ()
    per_turn: PerTurn = 3
    says: dict[str, tuple[str, ...]] = {}
    replies: dict[str, tuple[str, ...]] = {}
    neighbours: dict[str, tuple[str, ...]] = {}

    @property
    def within(self) -> bool:
        return self.when == ("within",)

    @property
    def positioned(self) -> bool:
        """Whether an event of it stands before or after the user's query."""
        return "before" in self.when and "over" in self.when


def check_scenario(s: Scenario, *, where: str = "") -> None:
    """Raise UserError for a description that contradicts itself."""

    def error(message: str, field: str, value: object, allowed: str) -> UserError:
        return UserError(message, where=where or f"scenario {s.name}", field=field, value=value, allowed=allowed)

    if not s.name.isidentifier() or s.name in ("none", "clip", "conflict_clip", "dialogue", "all"):
        raise error("not a name for a scenario", "name", s.name, "letters, digits and _, and no reserved word")
    if not s.expected:
        raise error("a scenario expects something of the system", "expected", [], "one act or more")
    if not s.when:
        raise error("a scenario has a place", "when", [], "over, before, after, within")
    if ("within" in s.when) != (s.expected[0] == "wait") or ("within" in s.when and (len(s.when) > 1)):
        raise error("'within' alone goes with 'wait' first", "when", list(s.when), "within with expected: [wait, ...]")
    if ("stop" in s.expected) != (s.kind == "interruption"):
        raise error("'stop' and turns of kind 'interruption' go together", "kind", s.kind, "see docs/duplex-scenarios")
    if s.kind == "interruption" and (s.when != ("over",) or s.role != "user"):
        raise error("an interruption is the user's, over the answer", "when", list(s.when), "role: user, when: [over]")
    if "before" in s.when and not s.expected_before:
        raise error("it can fall before the query", "expected_before", [], "one act or more, such as [ignore, respond]")
    if (s.kind == "turn") != s.within:
        raise error("only what lies within a turn is an ordinary turn", "kind", s.kind, ", ".join(_KINDS))
    if s.role not in _KINDS.get(s.kind, ("user",)):
        raise error(f"does not fit kind {s.kind}", "role", s.role, ", ".join(_KINDS[s.kind]))
    if s.kind == "others_directed" and s.to not in ("addressee", "third_party"):
        raise error("speech to others has somebody to hear it", "to", s.to, "addressee, third_party")


# Who can say a turn of a kind.
_KINDS: dict[TurnKind, tuple[Role, ...]] = {
    "interruption": ("user",),
    "backchannel": ("user",),
    "third_party": ("third_party", "addressee"),
    "others_directed": ("user",),
}
_IGNORED: tuple[Act, ...] = ("ignore", "continue")
STANDARD: tuple[Scenario, ...] = (
    Scenario(
        name="follow_up",
        family="interruption",
        about="a further question during the answer",
        expected=("stop", "respond"),
    ),
    Scenario(
        name="negation",
        family="interruption",
        about="a correction or complaint about the answer",
        expected=("stop", "respond"),
    ),
    Scenario(
        name="repetition", family="interruption", about="asks for all or one detail again", expected=("stop", "respond")
    ),
    Scenario(name="topic_switch", family="interruption", about="another topic", expected=("stop", "respond")),
    Scenario(
        name="termination", family="interruption", about="asks for silence", expected=("stop", "wait"), per_turn=1
    ),
    Scenario(
        name="backchannel",
        family="rejection",
        about="short signals of listening during the answer",
        kind="backchannel",
        expected=("continue",),
    ),
    Scenario(
        name="pause",
        family="rejection",
        about="the user halts inside a clause",
        kind="turn",
        when=("within",),
        expected=("wait", "respond"),
        per_turn=1,
    ),
    Scenario(
        name="third_party",
        family="rejection",
        about="a bystander speaks, to the user or to others",
        role="third_party",
        to="user",
        kind="third_party",
        when=("before", "over"),
        expected=_IGNORED,
        expected_before=("ignore", "respond"),
    ),
    Scenario(
        name="others_directed",
        family="rejection",
        about="the user turns to somebody near",
        to="addressee",
        kind="others_directed",
        when=("over", "after"),
        expected=_IGNORED,
    ),
)


def by_name(more: Iterable[Scenario] = ()) -> dict[str, Scenario]:
    """The nine and ``more``, by name; UserError where a name comes twice."""
    found = {s.name: s for s in STANDARD}
    for s in more:
        if s.name in found and found[s.name] != s:
            raise UserError("two scenarios have one name", field="scenarios", value=s.name)
        found[s.name] = s
    return found


def find(name: str, known: Mapping[str, Scenario]) -> Scenario:
    """The scenario called ``name``; UserError names the nearest where unknown."""
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    raise UserError(
        "unknown scenario",
        field="scenario",
        value=name,
        allowed=", ".join(known),
        mend=f"did you mean {near[0]!r}?" if near else "",
    )
