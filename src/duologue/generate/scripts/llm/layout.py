"""The lines that a brief asks for: who says them, in which feeling, over what. The model gives the words alone.

Whatever a program can settle is settled here, from the brief's seed, so that no model can miss it: the number and order
of lines, feelings, events and what they expect.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from duologue.corpus.event import Act
from duologue.corpus.scenario import STANDARD, Scenario, by_name
from duologue.corpus.speaker import Role
from duologue.corpus.turn import TurnKind
from duologue.errors import UserError
from duologue.generate.script import Brief, Feeling
from duologue.generate.seeds import stream

_INTERRUPTING = tuple(s.name for s in STANDARD if "respond" in s.expected and s.kind == "interruption")
_TO_USER, _OVER, _RESUMES = 0.6, 0.75, 0.65


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A line without its words. ``part`` names what it is in ``words.yaml``; ``turn`` the user turn that it belongs to;
    ``over`` the slot that it is spoken over. ``told`` asks for the reason of its feeling, ``halts`` for pauses."""

    name: str
    role: Role
    to: Role
    part: str
    turn: int
    kind: TurnKind = "turn"
    feeling: Feeling = Feeling()
    over: str = ""
    halts: bool = False

    @property
    def words_say(self) -> str:
        """The label that the words carry."""
        return self.feeling.semantic or self.feeling.label

    @property
    def told(self) -> bool:
        return self.role == "user" and self.words_say != "neutral"


class SlotEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A :class:`~duologue.generate.script.ScriptEvent` by the names of its slots."""

    kind: str
    line: str
    reference: str
    expected: tuple[Act, ...]
    response: str = ""
    position: str = ""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """``asked`` is the slot that a probe is about, ``target`` the one that it asks after; ``fields`` are further texts
    that are wanted beside the lines."""

    slots: tuple[Slot, ...]
    events: tuple[SlotEvent, ...] = ()
    asked: str = ""
    target: str = ""
    fields: tuple[str, ...] = ()

    def parts(self, turns: int) -> Iterator[tuple[Slot, ...]]:
        """The slots, so many user turns at a time; all at once for 0."""
        if not turns:
            yield self.slots
            return
        for first in range(0, self.slots[-1].turn + 1, turns):
            yield tuple(s for s in self.slots if first <= s.turn < first + turns)


def layout(brief: Brief) -> Layout:
    """The lines for ``brief``; UserError where it contradicts itself."""
    if brief.track == "emotion":
        return _emotion(brief)
    return _Duplex(brief).made()


def _emotion(brief: Brief) -> Layout:
    if not brief.feelings or len(brief.feelings) != brief.user_turns:
        raise UserError("each user turn needs one feeling", field="feelings", value=len(brief.feelings))
    if brief.task == "expression":
        ask = Slot(name="u1", role="user", to="system", part="asks_to_express", turn=0)
        says = Slot(name="s1", role="system", to="user", part="expresses", turn=0, feeling=brief.feelings[0])
        return Layout(slots=(ask, says), asked="u1")
    if brief.task == "recognition":
        (feeling,) = brief.feelings
        part = "conflict" if brief.scenario == "conflict_clip" else "clip"
        said = Slot(name="u1", role="user", to="system", part=part, turn=0, feeling=feeling)
        return Layout(slots=(said,), asked="u1", target="u1", fields=("reference",))
    felt = [i for i, f in enumerate(brief.feelings) if f.label != "neutral"]
    # The turn that the challenge scores for empathy: the second that is not neutral.
    target = felt[1] if len(felt) > 1 else felt[0] if felt else len(brief.feelings) - 1
    asks = brief.task != "empathy"
    slots: list[Slot] = []
    for i, feeling in enumerate(brief.feelings):
        last = i == len(brief.feelings) - 1
        part = f"asks_{brief.task}" if asks and last else "tells"
        reply = f"answers_{brief.task}" if asks and last else "empathises" if not asks and i == target else "reacts"
        slots.append(Slot(name=f"u{i + 1}", role="user", to="system", part=part, turn=i, feeling=feeling))
        slots.append(Slot(name=f"s{i + 1}", role="system", to="user", part=reply, turn=i))
    fields = ("answer",) if brief.task == "reasoning" else ()
    asked = f"u{len(brief.feelings)}"
    return Layout(slots=tuple(slots), asked=asked, target="" if asks else f"u{target + 1}", fields=fields)


class _Duplex:
    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.rng = stream(brief.seed, "llm", brief.language, brief.family, brief.scenario)
        self.slots: list[Slot] = []
        self.events: list[SlotEvent] = []
        known = by_name([brief.described] if brief.described else [])
        self.scenario: Scenario | None = known.get(brief.scenario)
        if self.scenario is None and brief.scenario != "none":
            raise UserError("unknown scenario", field="scenario", value=brief.scenario, allowed=", ".join(known))
        if brief.user_turns < 1:
            raise UserError("too few turns", field="user_turns", value=brief.user_turns)

    def made(self) -> Layout:
        brief = self.brief
        if self.scenario is None or brief.contrast:
            near = self.rng.randrange(brief.user_turns) if brief.contrast else -1
            for turn in range(brief.user_turns):
                self._plain(turn, turn == near)
        else:
            stopped = False
            for turn, count in enumerate(self._dealt(self.scenario)):
                stopped = self._turn(self.scenario, turn, count, stopped)
        return Layout(slots=tuple(self.slots), events=tuple(self.events))

    def _add(self, letter: str, role: Role, to: Role, part: str, turn: int, **more: object) -> str:
        name = f"{letter}{sum(s.name[0] == letter for s in self.slots) + 1}"
        self.slots.append(Slot(name=name, role=role, to=to, part=part, turn=turn, **more))  # type: ignore[arg-type]
        return name

    def _plain(self, turn: int, near: bool) -> None:
        signal = near and self.brief.scenario == "backchannel"
        if signal:
            self._add("s", "system", "user", "offers", turn)
        self._add("u", "user", "system", "neighbour" if near else "first" if turn == 0 else "later", turn)
        self._add("s", "system", "user", "answers", turn)

    def _dealt(self, s: Scenario) -> list[int]:
        dealt = [0] * self.brief.user_turns
        for _ in range(self.brief.events):
            free = [i for i, n in enumerate(dealt) if n < s.per_turn]
            if not free:
                raise UserError("too few turns for so many events", field="events", value=self.brief.events)
            dealt[self.rng.choice(free)] += 1
        return dealt

    def _turn(self, s: Scenario, turn: int, count: int, stopped: bool) -> bool:
        """One user turn with ``count`` events; whether its answer was stopped to be taken up again."""
        ahead = 0
        if "before" in s.when:
            ahead = {"before": count, "after": 0}.get(self.brief.position, count if s.when == ("before",) else 0)
        early = [self._event_line(s, turn, "") for _ in range(ahead)]
        part = "resumes" if stopped else "first" if turn == 0 else "later"
        halts = s.within and count > 0
        query = self._add("u", "user", "system", part, turn, halts=halts)
        answer = self._add("s", "system", "user", "takes_up" if stopped else "answers", turn)
        for line in early:
            expected = s.expected_before
            self._event(s, line, query, expected, answer if "respond" in expected else "", "before")
        if halts:
            self._event(s, query, query, s.expected, answer if "respond" in s.expected else "", "")
            return False
        stopped = False
        for _ in range(count - ahead):
            over = "over" in s.when and ("after" not in s.when or self.rng.random() < _OVER)
            line = self._event_line(s, turn, answer if over else "")
            expected = s.expected if over else tuple(a for a in s.expected if a != "continue")
            if s.name == "termination" and turn + 1 < self.brief.user_turns and self.rng.random() < _RESUMES:
                expected, stopped = (*expected, "resume"), True
            reference = query if s.kind == "others_directed" else answer
            reply = ""
            if "respond" in expected:
                part = f"reply_{s.name}" if s.name in _INTERRUPTING else "reply_described"
                reply = self._add("s", "system", "user", part, turn)
            self._event(s, line, reference, expected, reply, "after")
            answer = reply or answer
        return stopped

    def _event_line(self, s: Scenario, turn: int, over: str) -> str:
        letter = {"interruption": "i", "backchannel": "b", "third_party": "t", "others_directed": "o"}[s.kind]
        part, to = s.name, s.to
        if self.brief.described is not None:
            part = "described"
        elif s.name == "third_party":
            to = "user" if self.rng.random() < _TO_USER else "third_party"
            part = f"third_party_{to}"
        return self._add(letter, s.role, to, part, turn, kind=s.kind, over=over)

    def _event(
        self, s: Scenario, line: str, reference: str, expected: tuple[Act, ...], response: str, position: str
    ) -> None:
        self.events.append(
            SlotEvent(
                kind=s.name,
                line=line,
                reference=reference,
                expected=expected,
                response=response,
                position=position if s.positioned else "",
            )
        )
