"""Composes a duplex script: ordinary turns from a topic, the planned events between them, or a confusing neighbour."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from duologue.corpus.dialogue import TASKS, Situation
from duologue.corpus.event import SCENARIOS, Act
from duologue.corpus.scenario import STANDARD, Scenario
from duologue.corpus.speaker import Role
from duologue.corpus.turn import TurnKind
from duologue.errors import UserError
from duologue.generate.script import SCRIPT_VERSION, Brief, Feeling, Line, Script, ScriptEvent
from duologue.generate.scripts.duplex.content import Exchange, Topic, phrases, topics
from duologue.generate.scripts.grammar import Expansion, expand
from duologue.generate.seeds import stream

VERSION = "2"
REGISTERS = ("casual", "formal")
MAX_TURNS = 5
# Most events of a kind that one user turn and its answer can carry.
_PER_TURN = {s.name: s.per_turn for s in STANDARD}
# Places that share what bystanders say there.
_PLACE = {"home": "home", "office": "office"}
_WORDS = re.compile(r"[A-Za-z0-9']+")
_HAN = re.compile(r"[\u4e00-\u9fff]")
# Shortest, ideal range and longest answer, in English words or Chinese characters (Latin words count as two).
_LENGTH = {"en": (15, 16, 30, 40), "zh": (30, 35, 66, 84)}
_HOME = "@home "
_YES = ("yes", "no ", "sure", "可以", "能", "会，", "好，", "不用", "有点用")
# Questions that yes or no answers: no answer may begin as if it had said so.
_POLAR = {
    "en": re.compile(
        r"(?:^|[,:.] )(?:so )?(?:can|could|is|are|am|do|does|did|will|would|should|may|must|has|have)\b", re.I
    ),
    "zh": re.compile("吗|呢？|[能可会要有行好该值需用](?:不|没)|是不是|靠谱|来得及"),
}
# How often a feeling is heard as a laugh or a sigh before the words.
_SOUNDS = {
    "happy": ("[laughter]", 0.3),
    "surprised": ("[laughter]", 0.08),
    "sad": ("[sigh]", 0.45),
    "angry": ("[sigh]", 0.3),
    "fearful": ("[sigh]", 0.2),
    "disgusted": ("[sigh]", 0.3),
    "calm": ("[sigh]", 0.06),
}
# Questions shorter than this seldom stand alone.
_SHORT = {"en": 8, "zh": 15}
_Move = tuple[Exchange, str, int]


def _lowered(text: str, template: str) -> str:
    """``text`` with its first letter small again where its template's is (so that a lead can be put before it)."""
    first = re.search(r"[A-Za-z]", template)
    return text[:1].lower() + text[1:] if first and first.group().islower() else text


def _mentions(text: str, key: str, language: str) -> bool:
    """Whether ``text`` shares a longer word (en) or two characters in a row (zh) with ``key``."""
    if language == "en":
        return any(w in text.lower() for w in _WORDS.findall(key.lower()) if len(w) > 4)
    return any(key[i : i + 2] in text for i in range(len(key) - 1))


def _size(text: str, language: str) -> int:
    if language == "en":
        return len(text.split())
    return len(_HAN.findall(text)) + 2 * len(_WORDS.findall(text))


class _Composer:
    """Lines and events so far, and what of the topic is still unused."""

    def __init__(self, brief: Brief, topic: Topic, situation: Situation) -> None:
        self.brief, self.topic, self.situation = brief, topic, situation
        self.language = brief.language
        self.rng = stream(brief.seed, "duplex", brief.language, topic.family)
        self.book = phrases(brief.language)
        self.lines: list[Line] = []
        self.events: list[ScriptEvent] = []
        self.space = " " if self.language == "en" else ""
        self.later = self.rng.sample(topic.later, len(topic.later))
        self.switches = self.rng.sample(topic.switches, len(topic.switches))
        self.corrections = self.rng.sample(topic.corrections, len(topic.corrections))
        self.away = False  # the talk has left the topic
        self.summed = self.thanked = self.styled = False
        self.stopped: Exchange | None = None
        self.resumable = True
        self.used: set[str] = set()
        self.said: tuple[str, ...] = ()  # the last answer's sentences, without lead and closing words
        # The user's mood colours some lines; most dialogues are neutral.
        self.mood = self.rng.choices(
            ("neutral", "happy", "calm", "sad", "angry", "fearful", "surprised"), (66, 9, 7, 4, 5, 4, 5)
        )[0]

    # -- words ---------------------------------------------------------------------------------------------

    def pool(self, name: str) -> tuple[str, ...]:
        return self.book.get(name, ()) + self.book.get(f"{name}_{self.situation.register}", ())

    def pick(self, name: str, share: float = 1.0) -> str:
        """A phrase not yet used in this dialogue, or nothing (1 - ``share`` of the time)."""
        if share < 1.0 and self.rng.random() >= share:
            return ""
        options = self.pool(name)
        fresh = [o for o in options if o not in self.used] or list(options)
        choice = self.rng.choice(fresh)
        self.used.add(choice)
        return choice

    def lead(self, exchange: Exchange, share: float) -> str:
        """The first words of an answer, or nothing (1 - ``share`` of the time)."""
        if self.rng.random() >= share:
            return ""
        polar = any(_POLAR[self.language].search(q) for q in exchange.questions)
        return self.rng.choice(self.pool("lead") if polar else self.pool("lead") + self.pool("lead_how"))

    def toned(self, template: str, feeling: Feeling) -> str:
        """``template``, now and then after a laugh or a sigh that suits ``feeling``."""
        sound, share = _SOUNDS.get(feeling.label, ("", 0.0))
        if not sound or "[" in template or self.rng.random() >= share:
            return template
        return f"{sound} {template}"

    def join(self, *parts: str) -> str:
        return self.space.join(p for p in parts if p)

    def expand(self, template: str, **slots: str | tuple[str, ...]) -> Expansion:
        given: dict[str, str | tuple[str, ...]] = {
            "topic": self.topic.label,
            "filler": ("",) * 9 + self.book["filler"] if self.rng.random() < 0.12 else "",
            "name": self.book["name"],
        }
        return expand(template, given | slots, self.rng, language=self.language)

    def feel(self, extra: dict[str, float] | None = None) -> Feeling:
        """A mostly neutral feeling: the dialogue's mood now and then, or what the moment suggests (``extra``)."""
        draw = self.rng.random()
        for label, share in (extra or {}).items():
            if draw < share:
                return self.felt(label, self.rng.choice((1, 1, 1, 2)))
            draw -= share
        if self.mood != "neutral" and self.rng.random() < 0.6:
            return self.felt(self.mood, self.rng.choice((1, 1, 2)))
        return Feeling()

    def felt(self, label: str, intensity: int) -> Feeling:
        """A feeling in the words of the corpus's taxonomy; neutral where it has no such label."""
        taxonomy = self.brief.taxonomy
        if taxonomy is not None and label not in taxonomy.labels:
            label = next((c.label for c in taxonomy.classes if c.like == label), "")
        return Feeling(label=label, intensity=intensity) if label else Feeling()

    # -- lines ---------------------------------------------------------------------------------------------

    def put(
        self,
        role: Role,
        text: Expansion,
        part: str,
        *,
        to: Role | None = None,
        kind: TurnKind = "turn",
        over: int | None = None,
        feeling: Feeling | None = None,
        pause_at: tuple[int, ...] = (),
    ) -> int:
        if to is None:
            to = "user" if role in ("system", "third_party") else "system"
        self.lines.append(
            Line(
                role=role,
                text=text.text,
                to=to,
                kind=kind,
                text_raw=text.raw,
                feeling=feeling or Feeling(),
                emphasis=next(iter(text.spans.get("em", ())), None),
                pause_at=pause_at,
                over=over,
                skeleton=f"{part}:{text.skeleton}" if text.skeleton else part,
            )
        )
        return len(self.lines) - 1

    def event(
        self, line: int, reference: int, expected: tuple[Act, ...], response: int | None = None, kind: str = ""
    ) -> None:
        described = self.brief.described
        positioned = described.positioned if described else (kind or self.brief.scenario) == "third_party"
        position = self.position if positioned else ""
        self.events.append(
            ScriptEvent(
                kind=kind or self.brief.scenario,
                line=line,
                reference_line=reference,
                expected=expected,
                response_line=response,
                position=position,  # type: ignore[arg-type]
            )
        )

    position: str = ""

    def answer(
        self, exchange: Exchange, lead: str = "", *, skip: int = 0, brisk: bool = False, close: bool = True
    ) -> Expansion:
        """Sentences of one of the exchange's answers, in order, as many as make a natural length.

        ``close`` lets a closing sentence follow.
        """
        low, ideal_low, ideal_high, high = _LENGTH[self.language]
        rows = self.rng.choice(exchange.answers)
        if sum(_size(s, self.language) for s in rows[skip:]) >= 2 * _LENGTH[self.language][0]:
            rows = rows[skip:]
        if rows[0].startswith(_YES) or lead[:1] == "先" == rows[0][:1]:
            lead = ""  # "sure" and "yes" in one breath, or "first" twice
        lead = self.expand(lead).text if lead else ""
        said = [self.expand(self.join(lead, rows[0])), *(self.expand(s) for s in rows[1:])]
        target = low if brisk or self.rng.random() < 0.3 else self.rng.randint(ideal_low, ideal_high)
        keep, size = {0}, _size(said[0].text, self.language)
        for i in self.rng.sample(range(1, len(said)), len(said) - 1):
            more = _size(said[i].text, self.language)
            if size < low or (size < target and size + more <= high):
                keep.add(i)
                size += more
        parts = [said[i].text for i in sorted(keep)]
        bare = parts[0].removeprefix(lead).strip()
        self.said = (_lowered(bare, rows[0]), *parts[1:])
        if close and len(rows) > 1 and self.rng.random() < 0.3:
            parts.append(self.expand(self.pick("close")).text)
        shape = "".join("." + said[i].skeleton for i in sorted(keep))
        return Expansion(text=self.space.join(parts), raw="", spans={}, points={}, skeleton=f"{sorted(keep)}{shape}")

    def gist(self) -> str:
        return self.rng.choice(self.topic.main.gist)

    def say(self, text: Expansion, part: str) -> int:
        return self.put("system", text, part)

    # -- ordinary turns ------------------------------------------------------------------------------------

    def question(self, exchange: Exchange, opener: str, *, first: bool = False) -> str:
        asked = self.rng.choice(exchange.questions)
        # A short question alone would be the same sentence in many dialogues.
        short = _size(asked, self.language) < _SHORT[self.language]
        before = ""
        if self.rng.random() < (0.92 if short else 0.5 if first else 0.3):
            before = self.rng.choice(self.topic.contexts) if first else self.pick("why")
        if before and opener and not first and opener[-1] not in ".。":
            opener = self.pick("open_stop", 0.6)
        return self.join(opener, before, asked, self.pick("tail", 0.15))

    def ask(self, template: str, part: str, pause: bool = False, feeling: Feeling | None = None) -> int:
        """The user's ordinary line; with ``pause`` one or two of its marked places become pauses."""
        slots: dict[str, str | tuple[str, ...]] = {}
        if pause:
            slots["filler"] = ("",) * 3 + self.book["filler"]
        feeling = feeling or self.feel()
        said = self.expand(self.toned(template, feeling), **slots)
        pauses: tuple[int, ...] = ()
        if pause:
            points = sorted(set(said.points.get("pause", ())))
            count = min(len(points), self.rng.choice((1, 1, 1, 2)))
            pauses = tuple(sorted(self.rng.sample(points, count)))
            last = -99
            pauses = tuple(p for p in pauses if p - last >= 4 and (last := p) >= 0)
        return self.put("user", said, part, pause_at=pauses, feeling=feeling)

    def turn(self, index: int, pause: bool = False) -> _Move:
        """The next ordinary user line, its answer still unsaid: (exchange, lead of the answer, line)."""
        if index == 0:
            q = self.question(self.topic.main, self.pick("open_first", 0.55), first=True)
            return self.topic.main, self.lead(self.topic.main, 0.5), self.ask(q, "main", pause)
        if self.later:
            exchange = self.later.pop()
            opener = self.pick("open_back") if self.away else self.pick("open_next", 0.65)
            self.away = False
            return exchange, self.lead(exchange, 0.45), self.ask(self.question(exchange, opener), "later", pause)
        if self.switches:
            exchange = self.switches.pop()
            self.away = True
            line = self.ask(self.question(exchange, self.pick("open_aside", 0.8)), "aside", pause)
            return exchange, self.lead(exchange, 0.5), line
        return self.closing(pause)

    def closing(self, pause: bool = False) -> _Move:
        if not self.summed:
            self.summed = True
            return self.summary(), "", self.ask(self.pick("sum_up"), "sum_up", pause)
        self.thanked = True
        return self.fixed("welcome"), "", self.ask(self.pick("thanks"), "thanks", pause)

    def fixed(self, name: str) -> Exchange:
        return Exchange(questions=(), answers=((self.pick(name),),))

    def summary(self) -> Exchange:
        return Exchange(questions=self.pool("sum_up"), answers=((self.pick("in_short") + self.space + self.gist(),),))

    def another(self) -> Exchange:
        """A further question on the topic for an interruption."""
        if self.later:
            return self.later.pop()
        if self.switches:
            self.away = True
            return self.switches.pop()
        return self.summary()

    # -- events --------------------------------------------------------------------------------------------

    def interrupt(
        self, template: str, part: str, over: int, reply: Callable[[], Expansion], feeling: Feeling, kind: str = ""
    ) -> int:
        said = self.expand(self.toned(template, feeling))
        line = self.put("user", said, part, kind="interruption", over=over, feeling=feeling)
        response = self.say(reply(), f"reply.{part}")
        self.event(line, over, ("stop", "respond"), response, kind)
        return response

    def follow_up(self, move: _Move, over: int) -> _Move:
        exchange = self.another()
        template = self.join(self.pick("follow", 0.95), self.rng.choice(exchange.questions))
        lead = self.lead(exchange, 0.5)
        feeling = self.feel({"surprised": 0.12, "happy": 0.06, "fearful": 0.03})
        return exchange, "", self.interrupt(template, "follow", over, lambda: self.answer(exchange, lead), feeling)

    def negation(self, move: _Move, over: int) -> _Move:
        exchange = move[0]
        on_topic = exchange is self.topic.main or exchange in self.topic.corrections
        ways = []
        if self.corrections and on_topic:
            ways += ["fix", "fix"]
        if exchange.questions and exchange not in self.topic.corrections:
            ways.append("again")
        if (on_topic and not self.styled) or not ways:
            ways.append("style")
        way = self.rng.choice(ways)
        reworded: Exchange | None = None
        feeling = self.feel({"angry": 0.3, "sad": 0.04, "disgusted": 0.03, "surprised": 0.05})
        lead = self.pick("apology", 0.75)
        if way == "fix":
            exchange = self.corrections.pop()
            template = self.join(self.pick("no", 0.75), self.rng.choice(exchange.questions))
        elif way == "again":
            template = self.join(self.pick("not_asked"), self.rng.choice(exchange.questions))
            if exchange.gist:  # to say the same words again would help nobody
                reworded = Exchange(questions=(), answers=((self.rng.choice(exchange.gist),),))
        else:
            self.styled = True
            template = self.pick("too_much")
            exchange = Exchange(questions=(), answers=((self.pick("in_short") + self.space + self.gist(),),))
        reply = reworded or exchange
        answer = self.interrupt(template, f"no.{way}", over, lambda: self.answer(reply, lead, brisk=True), feeling)
        return exchange if way != "style" else self.topic.main, "", answer

    def repetition(self, move: _Move, over: int) -> _Move:
        exchange = move[0]
        # The scene cuts the answer between 20 and 80%, so only its first sentence is sure to have been heard.
        heard = self.said
        key = bool(exchange.key) and _mentions(heard[0], exchange.key, self.language)
        template = self.pick("repeat_key" if key else "repeat")
        lead = self.pick("repeat_lead", 0.8)
        restated = Exchange(questions=(), answers=(heard,))
        feeling = self.feel({"surprised": 0.1, "angry": 0.04, "sad": 0.02})
        said = self.expand(self.toned(template, feeling), key=exchange.key)
        line = self.put("user", said, "repeat", kind="interruption", over=over, feeling=feeling)
        response = self.say(self.answer(restated, lead, brisk=True), "reply.repeat")
        self.event(line, over, ("stop", "respond"), response)
        return exchange, "", response

    def topic_switch(self, move: _Move, over: int) -> _Move:
        if self.switches:
            exchange, opener = self.switches.pop(), self.pick("switch", 0.95)
            self.away = True
        else:
            exchange, opener = self.another(), self.pick("switch_back")
            self.away = False
        template = self.join(opener, self.rng.choice(exchange.questions))
        lead = self.pick("switch_lead", 0.5)
        feeling = self.feel({"surprised": 0.06, "happy": 0.07, "fearful": 0.05})
        return exchange, "", self.interrupt(template, "switch", over, lambda: self.answer(exchange, lead), feeling)

    def termination(self, move: _Move, over: int, resumed: bool) -> _Move:
        feeling = self.feel({"angry": 0.15, "surprised": 0.06, "calm": 0.05, "sad": 0.02})
        line = self.put(
            "user",
            self.expand(self.toned(self.join(self.pick("before_stop", 0.4), self.pick("stop")), feeling)),
            "stop",
            kind="interruption",
            over=over,
            feeling=feeling,
        )
        self.event(line, over, ("stop", "wait", "resume") if resumed else ("stop", "wait"))
        if resumed:
            self.stopped = move[0]
            self.resumable = False
        return move

    def will_resume(self, index: int) -> bool:
        """Whether the user takes the stopped answer up again later (once in a dialogue)."""
        return self.resumable and index + 1 < self.brief.user_turns and self.rng.random() < 0.65

    def resume(self, exchange: Exchange) -> _Move:
        line = self.ask(self.pick("resume"), "resume")
        return exchange, self.pick("resume_lead"), line

    def signal(self) -> str:
        """A backchannel: a quarter of them the short words alone."""
        return self.pick("backchannel" if self.rng.random() < 0.25 else "backchannel_more")

    def backchannel(self, over: int) -> None:
        said = self.expand(self.signal())
        feeling = self.feel({"surprised": 0.08, "happy": 0.08, "calm": 0.05})
        line = self.put("user", said, "backchannel", kind="backchannel", over=over, feeling=feeling)
        self.event(line, over, ("continue",))

    def near(self, kind: str) -> tuple[str, ...]:
        """What is said between the user and whoever is near ("third", "others"), as it suits the place."""
        relationship, setting = self.situation.relationship, self.situation.setting
        pool = self.pool(f"{kind}_{relationship}")
        if setting == "home":
            return tuple(p.removeprefix(_HOME) for p in pool)
        family = relationship in ("spouse", "child", "parent", "roommate")
        return tuple(p for p in pool if not p.startswith(_HOME)) + (self.pool(f"{kind}_away") if family else ())

    def bystander(self) -> tuple[Expansion, Role]:
        """What somebody near the user says, to the user or to others."""
        place = _PLACE.get(self.situation.setting, "out")
        near = self.near("third") + self.pool(f"third_to_user_{place}")
        others = self.pool(f"third_{place}")
        to: Role = "user" if self.rng.random() < 0.6 else "third_party"
        options = [o for o in (near if to == "user" else others) if o not in self.used]
        choice = self.rng.choice(options or list(others))
        self.used.add(choice)
        return self.expand(choice), to

    def third_party(self, over: int | None) -> int:
        said, to = self.bystander()
        self.mood, mood = "neutral", self.mood
        feeling = self.feel({"happy": 0.08, "angry": 0.05, "surprised": 0.04})
        self.mood = mood
        return self.put("third_party", said, "third", to=to, kind="third_party", over=over, feeling=feeling)

    def others_directed(self, query: int, over: int | None) -> None:
        place = _PLACE.get(self.situation.setting, "out")
        options = self.near("others") if self.rng.random() < 0.7 else self.pool(f"others_{place}")
        choice = self.rng.choice([o for o in options if o not in self.used] or options)
        self.used.add(choice)
        ahead = self.pick("ahead", 0.6) if choice.startswith(("{call}", "{name}")) else ""
        said = self.expand(self.join(ahead, choice), call=self.pool(f"call_{self.situation.relationship}"))
        feeling = self.feel({"happy": 0.08, "angry": 0.06, "calm": 0.04})
        line = self.put("user", said, "others", to="addressee", kind="others_directed", over=over, feeling=feeling)
        self.event(line, query, ("ignore",) if over is None else ("ignore", "continue"))

    # -- scenarios that a recipe or a package describes ------------------------------------------------------

    def template(self, pool: tuple[str, ...]) -> str:
        """One of ``pool`` that this dialogue has not used, if that can be."""
        choice = self.rng.choice([t for t in pool if t not in self.used] or list(pool))
        self.used.add(choice)
        return choice

    def said_as(self, s: Scenario, over: int | None) -> int:
        feeling = self.feel() if s.role == "user" else Feeling()
        said = self.expand(self.template(s.says[self.language]))
        return self.put(s.role, said, s.name, to=s.to, kind=s.kind, over=over, feeling=feeling)

    def described(self, s: Scenario, move: _Move, query: int) -> _Move:
        exchange, _, answer = move
        if s.within:
            self.event(query, query, s.expected, answer)
            return move
        over = "over" in s.when and ("after" not in s.when or self.rng.random() < 0.75)
        line = self.said_as(s, answer if over else None)
        self.position = "after"
        expected = s.expected if over else tuple(a for a in s.expected if a != "continue")
        response = None
        if "respond" in s.expected:
            response = self.say(self.expand(self.template(s.replies[self.language])), f"reply.{s.name}")
        self.event(line, answer, expected, response)
        return exchange, "", answer if response is None else response

    # -- whole scripts -------------------------------------------------------------------------------------

    def plain(self, turns: int, start: int = 0) -> None:
        for index in range(start, turns):
            exchange, lead, _ = self.turn(index)
            self.say(self.answer(exchange, lead), "answer")

    def with_events(self) -> None:
        scenario, described = self.brief.scenario, self.brief.described
        ahead = "before" in described.when if described else scenario == "third_party"
        halts = described.within if described else scenario == "pause"
        for index, count in enumerate(self.deal()):
            early: list[int] = []
            if self.stopped is not None:
                exchange, lead, query = self.resume(self.stopped)
                resumed, self.stopped = True, None
            else:
                early = self.before(count) if ahead else []
                exchange, lead, query = self.turn(index, pause=halts and count > 0)
                count -= len(early)
                resumed = False
            skip = min(len(row) for row in exchange.answers) - 1 if resumed else 0
            answer = self.say(self.answer(exchange, lead, skip=min(skip, 2)), "answer")
            self.position = "before"
            for line in early:
                self.event(line, query, described.expected_before if described else ("ignore", "respond"), answer)
            move: _Move = (exchange, "", answer)
            for _ in range(count):
                move = self.one(scenario, move, query, index)

    def one(self, scenario: str, move: _Move, query: int, index: int) -> _Move:
        answer = move[2]
        if self.brief.described is not None:
            return self.described(self.brief.described, move, query)
        if scenario == "follow_up":
            return self.follow_up(move, answer)
        if scenario == "negation":
            return self.negation(move, answer)
        if scenario == "repetition":
            return self.repetition(move, answer)
        if scenario == "topic_switch":
            return self.topic_switch(move, answer)
        if scenario == "termination":
            return self.termination(move, answer, self.will_resume(index))
        if scenario == "backchannel":
            self.backchannel(answer)
        elif scenario == "pause":
            self.event(query, query, ("wait", "respond"), answer)
        elif scenario == "third_party":
            line = self.third_party(answer)
            self.position = "after"
            self.event(line, answer, ("ignore", "continue"))
        else:
            self.others_directed(query, answer if self.rng.random() < 0.75 else None)
        return move

    def before(self, count: int) -> list[int]:
        """Third-party lines ahead of the query: all of this turn's for "before", none for "after", else some."""
        s = self.brief.described
        if s is not None and not s.positioned:
            return [self.said_as(s, None) for _ in range(count)]
        want = {"before": count, "after": 0}.get(
            self.brief.position, sum(self.rng.random() < 0.5 for _ in range(count))
        )
        return [self.said_as(s, None) if s else self.third_party(None) for _ in range(want)]

    def deal(self) -> list[int]:
        """How many events fall on each user turn."""
        turns, scenario = self.brief.user_turns, self.brief.scenario
        dealt = [0] * turns
        for _ in range(self.brief.events):
            most = self.brief.described.per_turn if self.brief.described else _PER_TURN[scenario]
            free = [i for i in range(turns) if dealt[i] < most]
            dealt[self.rng.choice(free)] += 1
        return dealt

    # -- confusing neighbours (docs/duplex-scenarios.md) ---------------------------------------------------

    def neighbour(self) -> None:
        scenario, turns = self.brief.scenario, self.brief.user_turns
        if self.brief.described is not None:
            self.quoted(turns)
        elif scenario == "backchannel":
            self.answering_word(turns)
        elif scenario == "pause":
            self.complete_prefix(turns)
        elif scenario == "others_directed" and self.rng.random() < 0.5:
            self.asked_for_other(turns)
        elif scenario == "follow_up":
            self.second_sentence(turns)
        elif scenario == "topic_switch" and turns > 1:
            self.plain(turns - 1)
            exchange = self.switches.pop()
            self.ask(self.question(exchange, self.pick("switch")), "late_switch")
            self.say(self.answer(exchange, self.pick("switch_lead", 0.5)), "answer")
        else:
            self.quoted(turns)

    def quoted(self, turns: int) -> None:
        """A turn for the system that quotes or names what would elsewhere be an event ("she told me to stop")."""
        at = self.rng.randrange(turns)
        for index in range(turns):
            if index == at:
                exchange = self.topic.main if index == 0 else self.another()
                s = self.brief.described
                bridge = self.template(s.neighbours[self.language]) if s else self.pick(f"quoted_{self.brief.scenario}")
                line = self.join(bridge, self.rng.choice(exchange.questions))
                self.ask(line, "quoted")
                self.say(self.answer(exchange, self.lead(exchange, 0.5)), "answer")
            else:
                self.plain(index + 1, index)

    def second_sentence(self, turns: int) -> None:
        """A second question that waits for its turn: after the answer, or in the same breath as the first."""
        if turns == 1:
            more = self.another()
            line = self.join(
                self.question(self.topic.main, self.pick("open_first", 0.5)),
                self.pick("follow"),
                self.rng.choice(more.questions),
            )
            self.ask(line, "double")
            first, second = self.topic.main, self.answer(more, self.pick("and_second"), brisk=True)
            head = self.expand(self.gist() if first.gist else first.answers[0][0])
            joined = Expansion(
                text=head.text + self.space + second.text, raw="", spans={}, points={}, skeleton=second.skeleton
            )
            self.say(joined, "answer")
            return
        at = self.rng.randrange(1, turns)
        for index in range(turns):
            if index == at:
                exchange = self.another()
                self.ask(self.join(self.pick("follow"), self.rng.choice(exchange.questions)), "late_follow")
                self.say(self.answer(exchange, self.lead(exchange, 0.3)), "answer")
            else:
                self.plain(index + 1, index)

    def answering_word(self, turns: int) -> None:
        """A backchannel word that answers the system's question."""
        if turns == 1 or self.rng.random() < 0.4:
            self.say(self.expand(self.pick("offer")), "offer")
            self.ask(self.signal(), "yes")
            self.say(self.answer(self.topic.main, self.lead(self.topic.main, 0.5)), "answer")
            self.plain(turns, 1)
            return
        at = self.rng.randrange(turns - 1)
        for index in range(turns - 1):
            exchange, lead, _ = self.turn(index)
            said = self.answer(exchange, lead, close=index != at)
            if index == at:
                question = self.expand(self.pick("check"))
                said = Expansion(
                    text=said.text + self.space + question.text, raw="", spans={}, points={}, skeleton=said.skeleton
                )
            self.say(said, "answer")
            if index == at:
                self.ask(self.signal(), "yes")
                self.say(self.answer(self.summary()), "answer")

    def complete_prefix(self, turns: int) -> None:
        """The words before a possible pause, said as a whole question: an answer is due at once."""
        whole = [q for q in self.topic.main.questions if "<cut/>" in q]
        if not whole:
            self.quoted(turns)
            return
        opener = self.pick("open_first", 0.5)
        context = self.rng.choice(self.topic.contexts) if self.rng.random() < 0.4 else ""
        template = self.rng.choice(whole).split("<pause/><cut/>")[0].strip()
        stated = self.language == "en" and template.startswith(("I ", "I'", "we'"))
        end = "." if stated else "?" if self.language == "en" else "？"
        self.ask(self.join(opener, context, template) + end, "prefix")
        self.say(self.answer(self.topic.main, self.lead(self.topic.main, 0.5)), "answer")
        self.plain(turns, 1)

    def asked_for_other(self, turns: int) -> None:
        """The user passes on a bystander's question over the answer: it names somebody, yet is for the system."""
        exchange, lead, _ = self.turn(0)
        over = self.say(self.answer(exchange, lead), "answer")
        other = self.another()
        template = self.join(self.pick("passes_on"), self.rng.choice(other.questions))
        reply = self.lead(other, 0.5)
        self.interrupt(
            template, "passes_on", over, lambda: self.answer(other, reply), self.feel({"happy": 0.08}), "follow_up"
        )
        self.plain(turns, 1)


def _topic(language: str, family: str) -> Topic:
    known = topics(language)
    if family not in known:
        raise UserError(
            "unknown family",
            field="family",
            value=family,
            allowed=f"{len(known)} families such as {', '.join(list(known)[:4])}",
        )
    return known[family]


def families(language: str, scenario: str) -> tuple[str, ...]:
    """All families ("domain/topic") that can be written for ``scenario`` (one of the nine or "none")."""
    _check_scenario(scenario)
    return tuple(topics(language))


def axes(language: str, family: str) -> dict[str, tuple[str, ...]]:
    """Which relationships (of the user to whoever is near), settings and registers suit ``family``."""
    topic = _topic(language, family)
    return {"relationship": topic.relationships, "setting": topic.settings, "register": REGISTERS}


def _check_scenario(scenario: str) -> None:
    if scenario not in (*SCENARIOS, "none"):
        raise UserError("unknown scenario", field="scenario", value=scenario, allowed=", ".join((*SCENARIOS, "none")))


def _check(brief: Brief) -> Topic:
    if brief.track != "duplex":
        raise UserError("not a brief for track 2", field="track", value=brief.track, allowed="duplex")
    if brief.described is None:
        _check_scenario(brief.scenario)
    elif brief.described.name != brief.scenario:
        raise UserError("another scenario is described", field="described", value=brief.described.name)
    if brief.task not in TASKS["duplex"]:
        raise UserError("unknown task", field="task", value=brief.task, allowed=", ".join(TASKS["duplex"]))
    if not 1 <= brief.user_turns <= MAX_TURNS:
        raise UserError("too few or many turns", field="user_turns", value=brief.user_turns, allowed=f"1-{MAX_TURNS}")
    per_turn = brief.described.per_turn if brief.described else _PER_TURN.get(brief.scenario, 3)
    most = min(3, per_turn * brief.user_turns)
    if brief.scenario != "none" and not brief.contrast and not 0 <= brief.events <= most:
        raise UserError(
            f"{brief.user_turns} user turn(s) of {brief.scenario} cannot hold these events",
            field="events",
            value=brief.events,
            allowed=f"0-{most}",
            mend="ask for more user turns or fewer events",
        )
    return _topic(brief.language, brief.family)


def _situation(brief: Brief, topic: Topic) -> Situation:
    rng = random.Random(brief.seed)
    chosen = {}
    for field, allowed in axes(brief.language, topic.family).items():
        value = getattr(brief, field)
        if value and value not in allowed:
            raise UserError(
                f"{field} does not suit {topic.family}", field=field, value=value, allowed=", ".join(allowed)
            )
        draw = rng.choice(allowed)
        chosen[field] = value or draw
    return Situation(domain=topic.domain, **chosen)


def write(brief: Brief) -> Script:
    """The script for ``brief``: equal briefs give equal scripts. UserError where the brief cannot be met."""
    topic = _check(brief)
    situation = _situation(brief, topic)
    composer = _Composer(brief, topic, situation)
    if brief.scenario == "none" or (brief.events == 0 and not brief.contrast):
        composer.plain(brief.user_turns)
    elif brief.contrast:
        composer.neighbour()
    else:
        composer.with_events()
    return Script(
        version=SCRIPT_VERSION,
        language=brief.language,
        track="duplex",
        tasks=(brief.task,),
        scenario=brief.scenario,
        family=brief.family,
        situation=situation,
        lines=tuple(composer.lines),
        events=tuple(composer.events),
        writer_version=VERSION,
    )
