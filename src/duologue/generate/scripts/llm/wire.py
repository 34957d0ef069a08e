"""What the model is to answer, as a JSON Schema, and the script that its answer makes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, get_args

from duologue.corpus.annotation import CauseKind
from duologue.corpus.dialogue import Situation
from duologue.generate.script import SCRIPT_VERSION, Brief, Line, Script, ScriptCause, ScriptEvent, ScriptProbe
from duologue.generate.scripts.inspect import breaches
from duologue.generate.scripts.llm.layout import Layout, Slot

PAUSE = "||"
SOUNDS = ("", "sigh", "laughter")
# Words (en) or characters (zh): the longest signal of listening, the shortest answer that can be spoken over.
_SIGNAL = {"en": 6, "zh": 10}
_ANSWER = {"en": 12, "zh": 22}
_ENDS = ".!?。！？…"


def schema(plan: Layout, slots: Sequence[Slot], first: bool, last: bool) -> dict[str, Any]:
    """JSON Schema of the answer for ``slots``: every line by its name, so that none can be missing or too many."""
    before = [s.name for s in plan.slots if s.role == "user"]
    lines: dict[str, Any] = {}
    for s in slots:
        fields: dict[str, Any] = {"text": _TEXT}
        if s.told:
            upto = before[: before.index(s.name) + 1]
            fields["emphasis"] = _TEXT
            fields["sound"] = {"type": "string", "enum": list(SOUNDS)}
            fields["cause"] = _object(
                {
                    "line": {"type": "string", "enum": upto},
                    "quote": _TEXT,
                    "kind": {"type": "string", "enum": list(get_args(CauseKind))},
                    "explicit": {"type": "boolean"},
                    "explanation": _TEXT,
                }
            )
        lines[s.name] = _object(fields)
    return _object({"lines": _object(lines), **(dict.fromkeys(plan.fields, _TEXT) if last else {})})


_TEXT = {"type": "string"}


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def misfits(value: Any, wanted: Mapping[str, Any], at: str = "answer") -> Iterator[str]:
    """Where ``value`` does not fit a schema of :func:`schema`."""
    kinds: dict[str, type] = {"object": dict, "string": str, "boolean": bool}
    if not issubclass(type(value), kinds[wanted["type"]]):
        yield f"{at}: is no {wanted['type']}"
    elif wanted["type"] == "object":
        for name, inner in wanted["properties"].items():
            if name in value:
                yield from misfits(value[name], inner, f"{at}.{name}")
            else:
                yield f"{at}.{name}: is missing"
        for name in value:
            if name not in wanted["properties"]:
                yield f"{at}.{str(name)[:40]}: is not asked for"
    elif "enum" in wanted and value not in wanted["enum"]:
        yield f"{at}: {str(value)[:40]!r} is none of {', '.join(map(repr, wanted['enum']))}"


class Read:
    """The lines of a brief as the model gives them, part by part; :attr:`findings` is what is wrong so far."""

    def __init__(self, brief: Brief, plan: Layout, situation: Situation, version: str) -> None:
        self.brief, self.plan, self.situation, self.version = brief, plan, situation, version
        self.given: dict[str, Any] = {}
        self.fields: dict[str, str] = {}
        self.findings: list[str] = []
        self.script: Script | None = None

    def take(self, answer: Mapping[str, Any], last: bool) -> bool:
        """Add the lines of ``answer`` (which fits its schema); whether all that there is now is right.

        What is wrong is taken back again.
        """
        old_given, old_fields = dict(self.given), dict(self.fields)
        self.given |= answer["lines"]
        self.fields |= {f: answer[f].strip() for f in self.plan.fields if f in answer}
        self.findings = []
        script = self._script(last)
        names = [s.name for s in self._slots()]
        found = list(breaches(script, self.brief))
        if not last:
            # What is asked of the whole is asked at the end.
            found = [b for b in found if "[" in b[0]]
        for field, value, allowed, message in found:
            for i, name in reversed(list(enumerate(names))):
                field = field.replace(f"lines[{i}]", f"lines.{name}")
            shown = "" if value in (None, "") else f" ({str(value)[:80]!r})"
            self.findings.append(f"{field}: {message}{shown}" + (f"; allowed: {allowed}" if allowed else ""))
        if self.findings:
            self.given, self.fields = old_given, old_fields
            return False
        self.script = script
        return True

    def so_far(self) -> list[tuple[str, str]]:
        """(slot, words) of all lines that were taken."""
        return [(s.name, self.given[s.name]["text"]) for s in self._slots()]

    def _slots(self) -> list[Slot]:
        return [s for s in self.plan.slots if s.name in self.given]

    def _script(self, last: bool) -> Script:
        slots = self._slots()
        index = {s.name: i for i, s in enumerate(slots)}
        lines = tuple(self._line(s, index) for s in slots)
        brief = self.brief
        return Script(
            version=SCRIPT_VERSION,
            language=brief.language,
            track=brief.track,
            tasks=(brief.task,),
            scenario=brief.scenario,
            family=brief.family,
            situation=self.situation,
            lines=lines,
            events=tuple(
                ScriptEvent(
                    kind=e.kind,
                    line=index[e.line],
                    reference_line=index[e.reference],
                    expected=e.expected,
                    response_line=index[e.response] if e.response else None,
                    position=e.position,  # type: ignore[arg-type]
                )
                for e in self.plan.events
                if e.line in index
            ),
            causes=tuple(c for s in slots if s.told for c in self._cause(s, index, lines)),
            probes=self._probes(index, lines) if last and self.plan.asked else (),
            writer="llm",
            writer_version=self.version,
        )

    def _line(self, s: Slot, index: Mapping[str, int]) -> Line:
        given = self.given[s.name]
        text, pauses = self._marked(s, _clean(given["text"]))
        size = len(text.split()) if self.brief.language == "en" else sum(c.isalnum() for c in text)
        if s.kind == "backchannel" and size > _SIGNAL[self.brief.language]:
            self._wrong(s, "text", f"a signal of listening is at most {_SIGNAL[self.brief.language]} long")
        if any(o.over == s.name for o in self.plan.slots) and size < _ANSWER[self.brief.language]:
            least = _ANSWER[self.brief.language]
            self._wrong(s, "text", f"too short to be spoken over: {size}, at least {least} words or characters")
        emphasis = self._span(s, "emphasis", given.get("emphasis", ""), text)
        sound = given.get("sound", "")
        return Line(
            role=s.role,
            text=text,
            to=s.to,
            kind=s.kind,
            text_raw=f"[{sound}] {text}" if sound else "",
            feeling=s.feeling,
            emphasis=emphasis,
            pause_at=pauses,
            over=index[s.over] if s.over else None,
            skeleton=f"llm:{s.part}",
        )

    def _marked(self, s: Slot, text: str) -> tuple[str, tuple[int, ...]]:
        """The words without pause marks, and where those stood: at the end of the word before."""
        parts = [p.strip() for p in text.split(PAUSE)]
        space = " " if self.brief.language == "en" else ""
        if not s.halts:
            if len(parts) > 1:
                self._wrong(s, "text", f"{PAUSE} stands only where a pause is asked for")
            return space.join(parts), ()
        if not 2 <= len(parts) <= 3 or not all(parts):
            self._wrong(s, "text", f"one or two pauses inside the sentence are wanted, each marked {PAUSE}")
            return space.join(filter(None, parts)), ()
        if any(p[-1] in _ENDS for p in parts[:-1]):
            self._wrong(s, "text", f"{PAUSE} stands inside a clause, not after a sentence")
        ends = accumulate(len(p) + len(space) for p in parts[:-1])
        return space.join(parts), tuple(e - len(space) for e in ends)

    def _cause(self, s: Slot, index: Mapping[str, int], lines: Sequence[Line]) -> Iterator[ScriptCause]:
        given = self.given[s.name]["cause"]
        if given["line"] not in index:
            self._wrong(s, "cause.line", f"{given['line']} was not written")
            return
        evidence = index[given["line"]]
        span = self._span(s, "cause.quote", given["quote"], lines[evidence].text, f"of {given['line']}")
        if span is None:
            if not given["quote"].strip():
                self._wrong(s, "cause.quote", "is empty")
            return
        yield ScriptCause(
            emotion_line=index[s.name],
            evidence_line=evidence,
            span=span,
            cause_kind=given["kind"],
            explicit=given["explicit"],
            explanation=_clean(given["explanation"]),
        )

    def _span(self, s: Slot, field: str, quote: str, text: str, of: str = "") -> tuple[int, int] | None:
        """Code points of ``quote`` in ``text``; None where nothing is quoted or it is not there, which is a finding."""
        quote = _clean(quote)
        if not quote:
            return None
        at = text.find(quote)
        if at < 0:
            self._wrong(s, field, f"{quote[:60]!r} does not stand word for word in the text {of}".rstrip())
            return None
        return at, at + len(quote)

    def _probes(self, index: Mapping[str, int], lines: Sequence[Line]) -> tuple[ScriptProbe, ...]:
        brief, asked = self.brief, index[self.plan.asked]
        target = index[self.plan.target] if self.plan.target else None
        reference, answer = "", ""
        if brief.task == "recognition":
            (feeling,) = brief.feelings
            words = feeling.semantic or feeling.label
            answer = feeling.heard if words == feeling.heard else f"words:{words} voice:{feeling.heard}"
            reference = _clean(self.fields["reference"])
        elif brief.task == "expression":
            reference, answer = lines[1].text, f"{brief.feelings[0].label}:{brief.feelings[0].intensity}"
            if reference.rstrip(_ENDS) not in lines[0].text:
                self.findings.append("lines.u1.text: the sentence that the system is to say does not stand in it")
        elif brief.task == "empathy":
            reference = lines[(asked if target is None else target) + 1].text
        else:
            reference = lines[asked + 1].text
            if brief.task == "trajectory":
                answer = ">".join(f.label for f in brief.feelings[:-1])
            else:
                answer = _clean(self.fields["answer"])
                if not answer:
                    self.findings.append("answer.answer: is empty")
        return (ScriptProbe(task=brief.task, line=asked, target_line=target, reference=reference, answer=answer),)

    def _wrong(self, s: Slot, field: str, message: str) -> None:
        self.findings.append(f"lines.{s.name}.{field}: {message}")


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def least_over(language: str) -> int:
    """Words (en) or characters (zh) from which an answer can be spoken over."""
    return _ANSWER[language]
