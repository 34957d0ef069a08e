"""The dialogue manager: what to say to what was understood, by rules and a little knowledge, or by a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from duologue.errors import UserError
from duologue.systems.baseline.knowledge import CLEAR, FAINT, Entry, Meaning, search
from duologue.systems.baseline.sounds_like import units
from duologue.systems.baseline.wording import Act, act, asks, asks_anywhere

# What to do: say something; ignore it (go on, or take up what was held back); be silent until spoken to.
Move = Literal["say", "ignore", "silence"]
# (role, text) of the dialogue so far and the language -> what to say.
Model = Callable[[Sequence[tuple[str, str]], str], str]

# What it says to what it did not understand.
SORRY = {
    "en": "Sorry, I did not get that. Could you say it in other words?",
    "zh": "抱歉，我没听明白，可以换个说法吗？",
}
_WELCOME = {"en": "You are welcome.", "zh": "不客气。"}
_GREETED = {"en": "Hello. What would you like to know?", "zh": "你好，想问点什么？"}
_NO_MORE = {"en": "That was all I know about it.", "zh": "我知道的就这些了。"}

# A request to the system has seldom more words (syllables in Chinese).
_REQUEST = {"en": 10, "zh": 16}

Found = Sequence[tuple[float, Entry]]


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the room when the user has spoken: what they ``heard`` of the last answer and its ``rest``, and
    whether they spoke ``over`` it; ``known`` is false while nobody has been understood yet."""

    over: bool = False
    heard: str = ""
    rest: str = ""
    known: bool = True


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    move: Move
    act: Act
    text: str = ""
    # The model has still to say what: :meth:`Manager.compose`, once the decision is carried out.
    composed: bool = False
    # How sure it is that the words were meant for the system and understood, in units of knowledge's evidence.
    evidence: float = 0.0


class Manager:
    """One dialogue. ``model`` answers matters in place of the embedded knowledge, which ``meaning`` helps to search."""

    def __init__(self, model: Model | None = None, meaning: Meaning | None = None) -> None:
        self._model, self._meaning = model, meaning
        self._entry: Entry | None = None
        self._told: set[Entry] = set()
        self._history: list[tuple[str, str]] = []

    def read(self, text: str, language: str) -> None:
        """Do now, in any thread, what :meth:`decide` would spend time on."""
        if self._meaning is not None and text:
            self._meaning.near(text, language)

    def decide(self, text: str, language: str, floor: Floor = Floor()) -> Decision:
        """What to do now that the user has said ``text``; changes nothing until :meth:`said`."""
        kind = act(text, language)
        found = self._search(text, language) if text else ()
        evidence = found[0][0] if found else 0.0
        if kind == "nothing":
            return Decision(move="ignore", act=kind)
        if kind == "backchannel":
            # As an answer to a question of the system's own, or after it, a signal wants nothing either.
            return Decision(move="ignore", act=kind)
        long = len(units(text, language)) > _REQUEST[language]
        if evidence >= CLEAR and (
            (kind in ("stop", "others") and asks(text, language))
            or (kind in ("stop", "repeat", "continue", "shorten") and long and asks_anywhere(text, language))
        ):
            # What sounds like a request to the system stands inside a question about a matter.
            kind = "matter"
        if kind == "stop":
            return Decision(move="silence", act=kind)
        if kind == "others":
            return Decision(move="ignore", act=kind)
        if kind in ("thanks", "greeting") and evidence < CLEAR:
            return Decision(move="say", act=kind, text=(_WELCOME if kind == "thanks" else _GREETED)[language])
        if kind == "repeat" and (floor.heard or floor.rest):
            return Decision(move="say", act=kind, text=_first(floor.heard or floor.rest, language, 3))
        if kind == "continue" and (floor.rest or self._entry):
            return Decision(move="say", act=kind, text=floor.rest or self._more(language) or _NO_MORE[language])
        if kind == "shorten" and self._entry is not None and evidence < 2 * CLEAR:
            return Decision(move="say", act=kind, text=_first(self._entry.answer, language, 1))
        if self._model is not None:
            return Decision(move="say", act=kind, composed=True, evidence=evidence)
        return self._matter(kind, text, language, found, floor)

    def _matter(self, kind: Act, text: str, language: str, found: Found, floor: Floor) -> Decision:
        evidence = found[0][0] if found else 0.0
        asked = asks_anywhere(text, language)
        # The first words may be a bystander's: a remark has to be clearer there than a question.
        remark = CLEAR if floor.known else 1.5 * CLEAR
        if evidence >= (FAINT if asked or kind == "correct" else remark):
            return Decision(move="say", act=kind, text=self._answer(found, kind, language), evidence=evidence)
        if self._entry is not None and (kind == "correct" or (asked and floor.over)):
            # A further question on what is being spoken about, of which no word was understood.
            more = self._more(language)
            return Decision(move="say" if more else "ignore", act=kind, text=more, evidence=evidence)
        if asked and not floor.over:
            return Decision(move="say", act=kind, text=SORRY[language])
        # Neither understood nor a question: not meant for the system as far as it can tell.
        return Decision(move="ignore", act=kind)

    def said(self, decision: Decision, text: str, language: str) -> None:
        """``decision``, made about ``text``, is being carried out."""
        found = self._search(text, language)
        self._history.append(("user", text))
        if decision.text:
            self.answered(decision.text)
        for entry in [e for _, e in found[:5]] + self._neighbours():
            if entry.sentences[0] in decision.text:
                self._entry = entry
                self._told.add(entry)
                return

    def answered(self, text: str) -> None:
        """``text`` is what is being said."""
        self._history.append(("assistant", text))

    def compose(self, language: str) -> str:
        """What the model says to the dialogue so far; EndpointError where it says nothing. May take its time."""
        assert self._model is not None
        return self._model(tuple(self._history), language)

    def _search(self, text: str, language: str) -> Found:
        return search(text, language, self._entry.topic if self._entry else "", self._meaning)

    def _answer(self, found: Found, kind: Act, language: str) -> str:
        score, entry = found[0]
        # A further question seldom wants the same answer again, a corrected one often does.
        if entry in self._told and kind != "correct":
            fresh = [e for s, e in found[:4] if e not in self._told and s >= 0.6 * score and s >= FAINT]
            entry = fresh[0] if fresh else entry
        also = [e for s, e in found[1:3] if e.topic == entry.topic and e is not entry and s >= CLEAR]
        return _joined([entry.answer, *(e.sentences[0] for e in also)], language)

    def _more(self, language: str) -> str:
        """Something of the present topic that was not told yet, or ""."""
        return next((e.answer for e in self._neighbours() if e not in self._told), "")

    def _neighbours(self) -> list[Entry]:
        from duologue.systems.baseline.knowledge import entries

        if self._entry is None:
            return []
        known = [e for code in ("en", "zh") for e in entries(code) if e.topic == self._entry.topic]
        at = known.index(self._entry)
        return known[at + 1 :] + known[:at]


def language_model(endpoint: object, instructions: str = "") -> Model:
    """Answers by a :class:`duologue.remote.chat.ChatEndpoint`: short, spoken, in the user's language."""
    from duologue.remote.chat import ChatEndpoint, ChatRequest, Message, Sampling

    if not isinstance(endpoint, ChatEndpoint):
        raise UserError("not a chat endpoint", field="llm", value=type(endpoint).__name__)
    told = instructions or (
        "You are spoken to on the telephone; the words come from a speech recogniser and may be misheard. Answer in "
        "{language}, in two or three short spoken sentences, without lists or markup, and begin with the answer itself."
    )

    def answer(history: Sequence[tuple[str, str]], language: str) -> str:
        name = {"en": "English", "zh": "Mandarin Chinese"}[language]
        messages = (
            Message("system", told.replace("{language}", name)),
            *(Message(role, text) for role, text in history[-12:]),
        )
        request = ChatRequest(messages=messages, sampling=Sampling(temperature=0.3, max_tokens=160))
        return endpoint.complete(request).text.strip() or SORRY[language]

    return answer


def _first(text: str, language: str, count: int) -> str:
    return _joined(Entry("", (), text).sentences[:count], language)


def _joined(sentences: Sequence[str], language: str) -> str:
    return ("" if language == "zh" else " ").join(sentences)
