"""The composer of track 1: a brief becomes a clip or a dialogue, with causes, emphasis and reference replies.

A user turn joins a link to what came before, the telling of an event and a reaction to it. The reaction is tied
to the event in words (an explicit cause), stands beside it untied, or is left to the voice; or the event was
told flatly in the turn before and the feeling only surfaces now (latent causes). What is said to have happened
is drawn once a script, so that replies and references speak of the same thing.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec

from duologue.corpus.annotation import CauseKind
from duologue.corpus.dialogue import Situation
from duologue.corpus.emotion import DUOLOGUE, Taxonomy
from duologue.errors import UserError
from duologue.generate.script import SCRIPT_VERSION, Brief, Feeling, Line, Script, ScriptCause, ScriptProbe
from duologue.generate.scripts.emotion.material import Material, Story, StoryEvent, lines, material
from duologue.generate.scripts.grammar import Expansion, expand
from duologue.generate.seeds import stream

SCENARIOS = ("clip", "conflict_clip", "dialogue")
REGISTERS = ("casual", "formal")
STRENGTH = {1: "mild", 2: "mid", 3: "strong"}
GOOD = ("calm", "happy")
# Stands in an event for the story's person until it is known whether this is the first mention.
_PERSON = "\ue000"

_YOU_EN = {
    "i": "you",
    "i'm": "you're",
    "i've": "you've",
    "i'd": "you'd",
    "i'll": "you'll",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "we": "you",
    "we're": "you're",
    "we've": "you've",
    "we'd": "you'd",
    "we'll": "you'll",
    "us": "you",
    "our": "your",
    "ours": "yours",
    "ourselves": "yourselves",
}
_ABOUT_PERSON = re.compile(r"\{(P|he|him|his)\}")
_POLITE = re.compile("你(?!们)")
_FIRST_EN = re.compile(r"\b(I|we) (am|was)\b|\b(" + "|".join(sorted(_YOU_EN, key=len, reverse=True)) + r")\b", re.I)


def _second_person(text: str, language: str, formal: bool) -> str:
    """What the user said of themselves, turned towards the user."""
    if language == "zh":
        you = "您" if formal else "你"
        text = text.replace("我们", you + "们").replace("咱们", you + "们").replace("咱", you).replace("我", you)
        return text.replace("您们", "你们")

    def turn(m: re.Match[str]) -> str:
        if m.group(1):
            return "you " + {"am": "are", "was": "were"}[m.group(2)]
        return _YOU_EN[m.group(3).lower()]

    return _FIRST_EN.sub(turn, text)


def worded(phrases: dict[str, Any], taxonomy: Taxonomy, language: str) -> dict[str, Any]:
    """``phrases`` with entries for labels that the standard taxonomy lacks: their own words where they bring some,
    else those of the label that they are like."""
    new = [c for c in taxonomy.classes if c.label not in DUOLOGUE.labels]
    if not new:
        return phrases
    found = dict(phrases)
    for part in ("word", "feel", "react", "empathy", "comfort", "state"):
        found[part] = dict(phrases[part])
        for c in new:
            found[part][c.label] = phrases[part][c.like]
    for c in new:
        own = {k: lines("\n".join(v)) for k, v in c.says.get(language, {}).items()}
        if word := own.get("word"):
            found["word"][c.label] = word
        if state := own.get("state"):
            found["state"][c.label] = dict.fromkeys(STRENGTH.values(), state)
        shapes = {k: own[k] for k in ("show", "link") if own.get(k)}
        found["feel"][c.label] = {s: {**found["feel"][c.label][s], **shapes} for s in STRENGTH.values()}
    return found


class _Told(msgspec.Struct):
    """An event of this script: its words with the person left open, and the line and span where it was told."""

    text: str
    kind: CauseKind
    line: int = -1
    span: tuple[int, int] = (0, 0)


class _Moment(msgspec.Struct):
    """One user turn as composed: what was felt, why, and how it was linked."""

    line: int
    feeling: Feeling
    told: _Told | None
    explicit: bool = False
    latent: bool = False


def families(language: str, scenario: str) -> tuple[str, ...]:
    """All stories as "domain/story", sorted; every story can carry every scenario and feeling."""
    if scenario not in SCENARIOS:
        raise UserError("unknown scenario", field="scenario", value=scenario, allowed=", ".join(SCENARIOS))
    return tuple(sorted(material(language).stories))


def axes(language: str, family: str) -> dict[str, tuple[str, ...]]:
    """Who the story's main person can be, where it can be told, and in which registers."""
    story = _story(material(language), family)
    return {"relationship": story.who, "setting": story.where, "register": REGISTERS}


def _story(stock: Material, family: str) -> Story:
    if family in stock.stories:
        return stock.stories[family]
    near = difflib.get_close_matches(family, stock.stories, n=1)
    raise UserError(
        "unknown script family", field="family", value=family, mend=f"did you mean {near[0]!r}?" if near else ""
    )


def _checked(brief: Brief) -> None:
    where = f"brief for {brief.family}"
    if brief.scenario not in SCENARIOS:
        raise UserError(
            "unknown scenario", where=where, field="scenario", value=brief.scenario, allowed=", ".join(SCENARIOS)
        )
    if brief.user_turns != len(brief.feelings):
        raise UserError(
            "each user turn needs one feeling",
            where=where,
            field="feelings",
            value=len(brief.feelings),
            allowed=f"{brief.user_turns}, as user_turns says",
        )
    allowed = {"trajectory", "reasoning", "empathy"} if brief.scenario == "dialogue" else None
    if brief.scenario == "clip":
        allowed = {"recognition", "expression", "empathy"}
    if brief.scenario == "conflict_clip":
        allowed = {"recognition", "empathy"}
    if allowed is not None and brief.task not in allowed:
        raise UserError(
            f"scenario {brief.scenario} has no such task",
            where=where,
            field="task",
            value=brief.task,
            allowed=", ".join(sorted(allowed)),
        )
    least = 2 if brief.scenario == "dialogue" else 1
    if brief.user_turns < least or (brief.scenario != "dialogue" and brief.user_turns != 1):
        raise UserError(
            f"scenario {brief.scenario} cannot have so many user turns",
            where=where,
            field="user_turns",
            value=brief.user_turns,
            allowed="2 or more" if brief.scenario == "dialogue" else "1",
        )
    for feeling in brief.feelings:
        for label in filter(None, (feeling.label, feeling.semantic, feeling.acoustic)):
            taxonomy = brief.taxonomy or DUOLOGUE
            if label not in taxonomy.labels:
                taxonomy.resolve(label, where=where, field="feelings")
                raise UserError("an alias is not a label", where=where, field="feelings", value=label)
        if not 0 <= feeling.intensity <= 3 or (feeling.label == "neutral") != (feeling.intensity == 0):
            raise UserError(
                "intensity does not fit the label",
                where=where,
                field="feelings.intensity",
                value=(feeling.label, feeling.intensity),
                allowed="0 for neutral, 1 to 3 for all others",
            )
    if brief.register and brief.register not in REGISTERS:
        raise UserError(
            "unknown register", where=where, field="register", value=brief.register, allowed=", ".join(REGISTERS)
        )


class _Composer:
    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.language = brief.language
        self.zh = brief.language == "zh"
        self.stock = material(brief.language)
        self.taxonomy = brief.taxonomy or DUOLOGUE
        self.p = worded(self.stock.phrases, self.taxonomy, brief.language)
        self.story = _story(self.stock, brief.family)
        self.rng = stream(brief.seed, "emotion", brief.language, brief.family, brief.scenario, brief.task)
        self.register = brief.register or self.rng.choice(REGISTERS)
        self.formal = self.register == "formal"
        self.who = self._axis("relationship", brief.relationship, self.story.who)
        self.where = self._axis("setting", brief.setting, self.story.where)
        self.full, self.short, slots = self._person()
        self.slots: dict[str, str | tuple[str, ...]] = {**self.p["slots"], **slots, "P": _PERSON}
        self.about = self.rng.choice(self.story.about)
        self.slots["about"] = self.about
        # A weekday and a number are drawn once, so that what is told twice stays the same.
        for name in ("day", "num"):
            self.slots[name] = self.rng.choice(self.p["slots"][name])
        self.known = False
        self.lines: list[Line] = []
        self.moments: list[_Moment] = []
        self.causes: list[ScriptCause] = []
        self.left = {label: self._dealt(label) for label in self.taxonomy.labels}
        self.said: dict[str, set[str]] = {}

    def _axis(self, field: str, value: str, allowed: tuple[str, ...]) -> str:
        if value and value not in allowed:
            raise UserError(
                f"{field} does not suit the family",
                where=f"brief for {self.brief.family}",
                field=field,
                value=value,
                allowed=", ".join(allowed),
            )
        return value or self.rng.choice(allowed)

    def _person(self) -> tuple[str, str, dict[str, str]]:
        """The person's full and short form and the pronouns."""
        table = {line.split(" = ")[0]: line.split(" = ")[1] for line in self.p["relations"]}
        if self.who not in table:
            return "", "", {}
        full, short, *fixed = (part.strip() for part in table[self.who].split("/"))
        sex = fixed[0] if fixed else self.rng.choice("fm")
        name = self.rng.choice(self.p["names"][sex])
        he = {"f": ("she", "her", "her"), "m": ("he", "him", "his")}[sex]
        if self.zh:
            he = ("她",) * 3 if sex == "f" else ("他",) * 3
        return full.replace("#", name), short.replace("#", name), {"he": he[0], "him": he[1], "his": he[2]}

    def _dealt(self, label: str) -> list[StoryEvent]:
        events = list(self.story.events[self.taxonomy.like(label)])
        self.rng.shuffle(events)
        return events

    # -- words -------------------------------------------------------------------------------------------

    def pick(self, *path: str) -> str:
        """A template from the phrases, not used before in this script if that can be."""
        node = self.p
        for key in path:
            node = node[key]
        used = self.said.setdefault("/".join(path), set())
        fresh = [t for t in node if t not in used] or list(node)
        choice: str = self.rng.choice(fresh)
        used.add(choice)
        return choice

    def told(self, label: str) -> _Told | None:
        """A new event for ``label``, its words fixed; None where the story has no more."""
        if not self.left[label]:
            return None
        event = self.left[label].pop()
        words = expand(event.template, self.slots, self.rng, language="").text
        return _Told(words, event.kind)

    def named(self, text: str) -> str:
        """Put the person in: in full when first mentioned, short afterwards."""
        while _PERSON in text:
            text = text.replace(_PERSON, self.short if self.known else self.full, 1)
            self.known = True
        return text

    def you(self, told: _Told) -> str:
        short = _second_person(self.short, self.language, self.formal)
        return _second_person(told.text.replace(_PERSON, short), self.language, self.formal)

    def join(self, *parts: str) -> str:
        if self.zh:
            return "".join(parts)
        found: list[str] = []
        for part in filter(None, parts):
            # After a comma the sentence goes on; what an event starts with may be a name and stays.
            goes_on = found and found[-1].endswith(",") and not part.startswith("<cause>")
            found.append("<low/>" + part if goes_on else part)
        return " ".join(found)

    def line(self, template: str, **slots: str) -> Expansion:
        found = expand(template, {**self.slots, **slots}, self.rng, language=self.language)
        if self.zh and self.formal:
            # The polite "you" has as many code points, so that spans stay.
            polite = {"text": _POLITE.sub("您", found.text), "raw": _POLITE.sub("您", found.raw)}
            return msgspec.structs.replace(found, **polite)
        return found

    # -- the user's turns --------------------------------------------------------------------------------

    def opener(self) -> str:
        """How a first turn begins; often not at all."""
        roll = self.rng.random()
        parts = []
        if roll < 0.3 and self.where in self.p["setting"]:
            parts.append(self.pick("setting", self.where))
        if roll > 0.2 and roll < 0.8:
            parts.append(self.pick("opener", self.register))
        return self.join(*parts)

    def bridge(self, before: Feeling, now: Feeling) -> str:
        """How a later turn connects to the feeling of the one before."""
        if self.rng.random() < 0.2:
            return ""
        a, b = before.label, now.label
        old, new = self.taxonomy.like(a), self.taxonomy.like(b)
        if b == "neutral":
            kind = "flat"
        elif a == "neutral":
            kind = "leave" if self.rng.random() < 0.7 else ("twist" if new == "surprised" else "leave")
        elif a == b:
            kind = "more"
        elif new == "surprised":
            kind = "twist"
        elif old == "surprised":
            kind = "after"
        elif old in GOOD:
            kind = "good" if new in GOOD else "down"
        else:
            kind = "up" if new in GOOD else "worse"
        if a != b and old not in ("neutral", "surprised") and b != "neutral" and self.rng.random() < 0.12:
            return expand(
                self.pick("fixshift"), {**self.slots, "from": self.pick("word", a)}, self.rng, language=""
            ).text
        return self.pick("transition", kind)

    def add(self, expansion: Expansion, feeling: Feeling, skeleton: str) -> Line:
        emphasis = expansion.spans.get("emph", [])
        line = Line(
            role="user",
            text=expansion.text,
            to="system",
            text_raw=expansion.raw,
            feeling=feeling,
            emphasis=emphasis[0] if emphasis and feeling.label != "neutral" else None,
            skeleton=f"{skeleton}:{expansion.skeleton}",
        )
        self.lines.append(line)
        return line

    def fill(self, template: str, told: _Told | None, **slots: str) -> Expansion:
        """Expand with the event's words in ``{E}``; remembers where the event was told."""
        event = self.named(told.text) if told else ""
        expansion = self.line(template, E=event, **slots)
        if told and "cause" in expansion.spans:
            told.line, told.span = len(self.lines), expansion.spans["cause"][0]
        return expansion

    def neutral(self, lead: str, carried: _Told | None) -> None:
        """A matter-of-fact turn; it may carry, flatly, what a later feeling is about."""
        told = carried or self.told("neutral")
        if told is None:
            told = _Told(expand(self.pick("neutral_again"), self.slots, self.rng, language="").text, "event")
        tail = self.pick("neutral") if self.rng.random() < (0.6 if carried else 0.45) else ""
        before = self.pick("plain") if carried and self.rng.random() < 0.6 else ""
        stop = "。" if self.zh else "."
        second = None if carried or tail or self.rng.random() < 0.5 else self.told("neutral")
        parts = [lead, before, "<cause>{E}</cause>" + stop, tail]
        if second:
            parts.append(self.named(second.text) + stop)
        expansion = self.fill(self.join(*parts), told)
        feeling = Feeling()
        self.moments.append(_Moment(len(self.lines), feeling, None))
        self.add(expansion, feeling, "neutral")

    def feel(self, lead: str, feeling: Feeling, carried: _Told | None, *, words: str = "", ask: str = "") -> None:
        """A turn with a feeling. ``words`` is the label that the words carry, if not the feeling's own."""
        label = words or feeling.label
        strength = STRENGTH[feeling.intensity or 2]
        stop = "。" if self.zh else ("!" if strength == "strong" and self.rng.random() < 0.4 else ".")
        if self.zh and strength == "strong" and self.rng.random() < 0.4:
            stop = "！"
        back = carried
        told = carried or self.told(label)
        if told is None:
            told = back = next(m.told for m in reversed(self.moments) if m.told and m.feeling.label == label)
        show = self.pick("feel", label, strength, "show")
        explicit = latent = False
        bare = "<cause>{E}</cause>" + stop
        if back:
            shape, latent = "back", True
            like = self.taxonomy.like(label)
            kind = "good" if like in GOOD else "other" if like == "surprised" else "bad"
            parts = [lead, self.pick("backref", kind), show]
            if self.rng.random() < 0.35:
                parts = [lead, show, parts[1]]
            elif self.rng.random() < 0.3:
                parts.append(self.pick("feel", label, strength, "show"))
        else:
            # Conflict clips must read plainly as what they say; elsewhere the event often speaks for itself.
            weights = (4, 4, 2, 0, 0, 0) if words or ask else (3, 3, 2, 4, 3, 0 if strength == "strong" else 1)
            shape = self.rng.choices(("link", "linkshow", "showlink", "told", "showtold", "bare"), weights)[0]
            link = self.pick("feel", label, strength, "link") if "link" in shape else ""
            explicit, latent = bool(link), shape == "bare"
            parts = {
                "link": [lead, link],
                "linkshow": [lead, link, show],
                "showlink": [lead, show, link],
                "told": [lead, bare, show],
                "showtold": [lead, show, bare],
                "bare": [lead, bare],
            }[shape]
        expansion = self.fill(self.join(*parts, ask), None if back else told)
        index = len(self.lines)
        if back and told.line < 0:
            raise AssertionError("an event is referred to before it was told")
        if "emph" not in expansion.spans:
            expansion.spans["emph"] = [self._weight(expansion)]
        self.add(expansion, feeling, f"{label}/{strength}/{shape}")
        self.moments.append(_Moment(index, feeling, told, explicit, latent))
        self.causes.append(
            ScriptCause(
                emotion_line=index,
                evidence_line=told.line,
                span=told.span,
                cause_kind="latent" if latent else told.kind,
                explicit=explicit,
                explanation=self.explanation(label, strength, told, explicit, back is not None),
            )
        )

    def _weight(self, expansion: Expansion) -> tuple[int, int]:
        """The word that carries the feeling where no word names it: the last of what is told."""
        text = expansion.text.rstrip(".!?。！？")
        start, end = expansion.spans.get("cause", [(0, len(text))])[0]
        if self.zh:
            return max(start, end - 2), end
        return max(start, expansion.text.rfind(" ", start, end) + 1), end

    def explanation(self, label: str, strength: str, told: _Told, explicit: bool, back: bool) -> str:
        state = self.rng.choice(self.p["state"][label][strength])
        how = "linked" if explicit else "earlier" if back else "untied"
        event = told.text.replace(_PERSON, self.short)
        text = self.line(self.p["explanation"][how][0], s=state, c=event).text
        return text

    # -- the system's turns ------------------------------------------------------------------------------

    def reply(self, moment: _Moment) -> Line:
        """An ordinary answer: reacts to what was said, and as a rule asks on."""
        label = moment.feeling.label
        react = self.pick("react", label)
        ask = self.question()
        shapes: list[tuple[str, ...]] = [("react", "ask"), ("react", "followup"), ("react", "comfort")]
        if moment.told and label != "neutral":
            shapes += [("echo", "react"), ("echo", "ask"), ("empathy",), ("empathy", "ask"), ("echo", "followup")]
        elif self.rng.random() < 0.25:
            shapes = [("ask",)]
        if self.taxonomy.like(label) not in (*GOOD, "surprised", "neutral"):
            # Whoever is upset is not asked for practical details.
            shapes = [s for s in shapes if "ask" not in s] or [("react", "comfort")]
        shape = self.rng.choice(shapes)
        parts: dict[str, str] = {
            "react": react,
            "ask": ask,
            "echo": self.pick("echo"),
            "followup": self.pick("followup", self.mood(label)),
            "comfort": self.pick("comfort", label) if label != "neutral" else ask,
            "empathy": self.pick("empathy", label) if label != "neutral" else react,
        }
        return self.say([parts[key] for key in shape], "+".join(shape), moment.told)

    def empathise(self, moment: _Moment) -> Line:
        """An answer that names what happened, takes the feeling up and leaves room."""
        label = moment.feeling.label
        if label == "neutral" or moment.told is None:
            return self.reply(moment)
        parts = [self.pick("empathy", label), self.pick("comfort", label)]
        if self.rng.random() < 0.5:
            parts.insert(0, self.pick("react", label))
        return self.say(parts, "empathy", moment.told)

    def mood(self, label: str) -> str:
        if label == "neutral":
            return "plain"
        like = self.taxonomy.like(label)
        if like == "surprised" or self.rng.random() < 0.5:
            return "any"
        return "good" if like in GOOD else "bad"

    def question(self) -> str:
        asked = self.said.setdefault("ask", set())
        # A question about the person waits until the person was mentioned.
        fit = [t for t in self.story.ask if self.known or not _ABOUT_PERSON.search(t)] or [
            self.pick("followup", "plain")
        ]
        fresh = [t for t in fit if t not in asked] or fit
        choice = self.rng.choice(fresh)
        asked.add(choice)
        return choice

    def say(
        self, parts: list[str], skeleton: str, told: _Told | None, feeling: Feeling = Feeling(), **slots: str
    ) -> Line:
        """Add a line of the system; in it the story's person is always known."""
        short = _second_person(self.short, self.language, self.formal)
        expansion = self.line(self.join(*parts), P=short, you=self.you(told) if told else "", **slots)
        emphasis = expansion.spans.get("emph", [])
        line = Line(
            role="system",
            text=expansion.text,
            to="user",
            feeling=feeling,
            emphasis=emphasis[0] if emphasis and feeling.label != "neutral" else None,
            skeleton=f"{skeleton}:{expansion.skeleton}",
        )
        self.lines.append(line)
        return line

    # -- whole scripts -----------------------------------------------------------------------------------

    def carried(self, i: int) -> _Told | None:
        """The event that turn ``i`` tells flatly because turn ``i + 1`` will feel it."""
        feelings = self.brief.feelings
        last = len(feelings) - (self.brief.task != "empathy")
        if i + 1 >= last or feelings[i].label != "neutral" or feelings[i + 1].label == "neutral":
            return None
        return self.told(feelings[i + 1].label) if self.rng.random() < 0.3 else None

    def user(self, i: int, carried: _Told | None, hand: _Told | None) -> None:
        """User turn ``i``: ``hand`` was told in the turn before, ``carried`` is told here for the next."""
        feeling = self.brief.feelings[i]
        lead = self.opener() if i == 0 else self.bridge(self.brief.feelings[i - 1], feeling)
        if feeling.label == "neutral":
            self.neutral(lead, carried)
            return
        again = hand
        if not again and i and self.brief.feelings[i - 1].label == feeling.label and self.rng.random() < 0.35:
            again = self.moments[-1].told
        if again:
            lead = self.pick("transition", "leave") if hand and self.rng.random() < 0.3 else ""
        self.feel(lead, feeling, again)

    def dialogue(self) -> Script:
        feelings = self.brief.feelings
        asks = self.brief.task in ("trajectory", "reasoning")
        target = self._target()
        hand: _Told | None = None
        for i in range(len(feelings) - asks):
            carried = self.carried(i)
            self.user(i, carried, hand)
            hand = carried
            if self.brief.task == "empathy" and i in (target, len(feelings) - 1):
                self.empathise(self.moments[i])
            else:
                self.reply(self.moments[i])
        if asks:
            return self.script((self.asked(),))
        reference = self.lines[2 * target + 1].text
        probe = ScriptProbe(task="empathy", line=len(self.lines) - 2, target_line=2 * target, reference=reference)
        return self.script((probe,))

    def _target(self) -> int:
        """The turn that the official code scores for empathy: the second that is not neutral, else the last such."""
        felt = [i for i, f in enumerate(self.brief.feelings) if f.label != "neutral"]
        return felt[1] if len(felt) > 1 else felt[0] if felt else len(self.brief.feelings) - 1

    def asked(self) -> ScriptProbe:
        """The last user turn asks, the system answers: adds both lines."""
        told = list(self.moments)
        felt = [m for m in told if m.feeling.label != "neutral"]
        now = self.brief.feelings[-1]
        last = felt[-1] if felt and self.rng.random() < 0.5 else None
        if last and now.label not in ("neutral", last.feeling.label):
            # "Just now" would mean the feeling of the question itself.
            last = None
        index = len(self.lines)
        lead = self.pick("lead", self.register) if self.rng.random() < 0.85 else ""
        word = ""
        if self.brief.task == "trajectory":
            question = self.pick("question", "trajectory", self.register)
        elif last:
            question = self.pick("question", "reasoning_last", self.register)
            word = self.rng.choice(self.p["word"][last.feeling.label])
        else:
            question = self.pick("question", "reasoning_all", self.register)
        self.slots["word"] = word
        feeling = self.brief.feelings[-1]
        if feeling.label == "neutral":
            self.add(self.line(self.join(lead, question)), feeling, "ask")
        else:
            same = [m.told for m in felt if m.feeling.label == feeling.label and m.told]
            self.feel(
                lead if same else self.bridge(told[-1].feeling, feeling),
                feeling,
                same[-1] if same else None,
                ask=question,
            )
            asking = self.moments.pop()
            if not same:
                felt.append(asking)
        if self.brief.task == "trajectory":
            self.trace(told)
            answer = ">".join(m.feeling.label for m in told)
            return ScriptProbe(task="trajectory", line=index, reference=self.lines[-1].text, answer=answer)
        self.account([last] if last else felt)
        causes = [self.you(m.told) for m in ([last] if last else felt) if m.told]
        return ScriptProbe(
            task="reasoning",
            line=index,
            target_line=last.line if last else None,
            reference=self.lines[-1].text,
            answer=("；" if self.zh else "; ").join(causes),
        )

    def state(self, feeling: Feeling) -> str:
        node = self.p["state"][feeling.label]
        found: str = self.rng.choice(node if feeling.label == "neutral" else node[STRENGTH[feeling.intensity]])
        return found

    def trace(self, told: list[_Moment]) -> None:
        """The reference answer to a question for the trajectory."""
        comma, stop = ("，", "。") if self.zh else (", ", ".")
        if all(m.feeling.label == "neutral" for m in told):
            self.say([self.pick("answer", "flat")], "flat", None)
            return
        parts: list[str] = []
        before = ""
        reasons = 0
        for i, m in enumerate(told):
            kind = "start" if i == 0 else "same" if m.feeling.label == before else "next"
            clause = self.pick("answer", kind).replace("{s}", self.state(m.feeling))
            # With many turns not every cause is named, or nobody could listen to it.
            if m.told and kind != "same" and (reasons < 2 or len(told) < 4):
                because = self.pick("answer", "because").replace("{c}", self.you(m.told))
                clause = because.replace("{s}", clause) if "{s}" in because else self.join(clause, because)
                reasons += 1
            parts.append(clause)
            before = m.feeling.label
        if self.zh:
            text = stop.join(parts) + stop
        else:
            half = max(1, len(parts) // 2)
            text = stop.join(filter(None, (comma.join(parts[:half]), " " + comma.join(parts[half:]) + stop)))
        self.say([text, self.pick("answer", "end") if self.rng.random() < 0.6 else ""], "trace", None)

    def account(self, felt: list[_Moment]) -> None:
        """The reference answer to a question for the reasons."""
        if not felt:
            self.say([self.pick("answer", "noreason")], "noreason", None)
            return
        stop = "。" if self.zh else "."
        parts = []
        # Who feels the same about the same thing twice is told so once.
        once = {(m.feeling.label, id(m.told)): m for m in felt}
        for m in list(once.values())[-4:]:
            clause = self.pick("answer", "why").replace("{s}", self.state(m.feeling))
            parts.append(clause.replace("{c}", self.you(m.told) if m.told else "") + stop)
        parts.append(self.pick("answer", "whyend") if len(felt) < 3 and self.rng.random() < 0.6 else "")
        self.say(parts, "why", None)

    def clip(self) -> Script:
        feeling = self.brief.feelings[0]
        if self.brief.task == "expression":
            return self.expression(feeling)
        words = feeling.semantic or feeling.label
        if words == "neutral":
            # A bare fact alone would soon repeat itself over many clips.
            self.neutral(self.opener() or self.pick("opener", self.register), None)
            self.lines[0] = msgspec.structs.replace(self.lines[0], feeling=feeling)
            self.moments[0].feeling = feeling
        else:
            lead = self.opener() or self.pick("opener", self.register)
            self.feel(lead, feeling, None, words=words if self.brief.scenario == "conflict_clip" else "")
        heard = Feeling(label=feeling.heard, intensity=0 if feeling.heard == "neutral" else feeling.intensity or 2)
        if self.brief.task == "empathy":
            self.empathise(self.moments[0])
            return self.script((ScriptProbe(task="empathy", line=0, target_line=0, reference=self.lines[1].text),))
        answer = feeling.heard
        template, w = self.pick("recognition"), ""
        if words != feeling.heard:
            answer = f"words:{words} voice:{feeling.heard}"
            template, w = self.pick("conflict"), self.rng.choice(self.p["word"][words])
        reference = self.line(template, s=self.state(heard), w=w).text
        return self.script(
            (ScriptProbe(task="recognition", line=0, target_line=0, reference=reference, answer=answer),)
        )

    def expression(self, feeling: Feeling) -> Script:
        """The user, in a neutral voice, asks for a line in ``feeling``; the system says it so."""
        told = self.told(feeling.label)
        if told is None:
            raise AssertionError("a story has no event for a label")
        event = self.named(told.text)
        stop = "。" if self.zh else "."
        if feeling.label == "neutral":
            template = "{E}" + stop
        elif self.rng.random() < 0.6:
            template = self.pick("feel", feeling.label, STRENGTH[feeling.intensity], "link")
        else:
            template = self.join("{E}" + stop, self.pick("feel", feeling.label, STRENGTH[feeling.intensity], "show"))
        target = self.line(template, E=event)
        ask = self.line(self.pick("expression", "ask"), s=self.state(feeling), line=target.text)
        self.add(ask, Feeling(), "expression")
        emphasis = target.spans.get("emph", [])
        self.lines.append(
            Line(
                role="system",
                text=target.text,
                to="user",
                text_raw=target.raw,
                feeling=feeling,
                emphasis=emphasis[0] if emphasis else None,
                skeleton=f"expression:{target.skeleton}",
            )
        )
        answer = f"{feeling.label}:{feeling.intensity}"
        return self.script((ScriptProbe(task="expression", line=0, reference=target.text, answer=answer),))

    def script(self, probes: tuple[ScriptProbe, ...]) -> Script:
        brief = self.brief
        return Script(
            version=SCRIPT_VERSION,
            language=brief.language,
            track="emotion",
            tasks=(brief.task,),
            scenario=brief.scenario,
            family=brief.family,
            situation=Situation(
                domain=brief.family.split("/")[0],
                relationship=self.who,
                setting=self.where,
                register=self.register,
            ),
            lines=tuple(self.lines),
            causes=tuple(self.causes),
            probes=probes,
            writer="embedded",
            writer_version="1",
        )


def write(brief: Brief) -> Script:
    """The script for ``brief``; UserError where the brief cannot be met."""
    _checked(brief)
    composer = _Composer(brief)
    return composer.dialogue() if brief.scenario == "dialogue" else composer.clip()
