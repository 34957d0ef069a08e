"""What the loopback server says as a model: answers to the LLM writer's requests, made of the embedded writer's words.

It is told which brief each request belongs to, and fits its words to the schema that the request asks for.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

from duologue.generate.script import Brief, Script
from duologue.generate.scripts.embedded import EmbeddedWriter
from duologue.generate.scripts.llm.writer import LlmWriter

KINDS = {"i": "interruption", "b": "backchannel", "t": "third_party", "o": "others_directed"}
PADDING = {
    "en": " Take your time with it, there is no need to do it all in one go.",
    "zh": "这个不用着急，慢慢来就行，一步一步做下去总会做好的。",
}
PADDED = {"en": "at least", "zh": "至少"}
SHORT = {"en": ("mm-hm", "right", "okay", "I see"), "zh": ("嗯", "对", "好的", "这样啊")}


class Model:
    """``say`` answers a body. ``spoil`` changes an answer (attempt from 0) before it is sent."""

    def __init__(self, writer: LlmWriter, briefs: Iterable[Brief]) -> None:
        self.briefs = {writer.request(b).messages[1].content: b for b in briefs}
        self.spoil: Callable[[dict[str, Any], int], Any] = lambda answer, attempt: answer
        self.lock = threading.Lock()

    def say(self, body: dict[str, Any]) -> str:
        brief = self.briefs[body["messages"][1]["content"]]
        if "response_format" in body and body["response_format"]["type"] == "json_schema":
            schema = body["response_format"]["json_schema"]["schema"]
        else:
            schema = json.loads(body["messages"][0]["content"].split("JSON Schema:\n")[1])
        answer = self.spoil(compose(brief, schema, body["messages"][1]["content"]), (len(body["messages"]) - 2) // 2)
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def compose(brief: Brief, schema: dict[str, Any], request: str = "") -> dict[str, Any]:
    """A good answer to ``schema`` for ``brief``, with pauses in the lines for which ``request`` asks for them."""
    if brief.track == "emotion":
        return _emotion(EmbeddedWriter().write(brief), schema)
    return _duplex(brief, schema, request)


def _emotion(script: Script, schema: dict[str, Any]) -> dict[str, Any]:
    wanted = schema["properties"]["lines"]["properties"]
    names = [f"{'u' if line.role == 'user' else 's'}{i // 2 + 1}" for i, line in enumerate(script.lines)]
    causes = {names[c.emotion_line]: c for c in script.causes}
    lines = {}
    for name, line in zip(names, script.lines, strict=True):
        if name not in wanted:
            continue
        lines[name] = {"text": line.text}
        if "cause" in wanted[name]["properties"]:
            c = causes[name]
            lines[name] |= {
                "emphasis": line.text[slice(*line.emphasis)] if line.emphasis else "",
                "sound": "",
                "cause": {
                    "line": names[c.evidence_line],
                    "quote": script.lines[c.evidence_line].text[slice(*c.span)],
                    "kind": c.cause_kind,
                    "explicit": c.explicit,
                    "explanation": c.explanation,
                },
            }
    (probe,) = script.probes
    texts = {"answer": probe.answer or "nothing", "reference": probe.reference}
    return {"lines": lines, **{f: texts[f] for f in schema["properties"] if f != "lines"}}


def _duplex(brief: Brief, schema: dict[str, Any], request: str) -> dict[str, Any]:
    """Questions and answers of a plain dialogue; words of events from a script that has them."""
    base, language = EmbeddedWriter(), brief.language
    plain = base.write(_with(brief, scenario="none", task="rejection", user_turns=5, described=None, contrast=False))
    said = {
        "u": [x.text for x in plain.lines if x.role == "user"],
        "s": [x.text for x in plain.lines if x.role != "user"],
    }
    event = plain
    if brief.described is None and brief.scenario not in ("none", "pause"):
        event = base.write(_with(brief, contrast=False, events=brief.user_turns, position="after"))
    for letter, kind in KINDS.items():
        said[letter] = [x.text for x in event.lines if x.kind == kind] or [
            "Just a moment, please." if language == "en" else "等一下。"
        ]
    said["b"] = list(SHORT[language])
    rng, lines = random.Random(brief.seed), {}
    halting = [row.split(":")[0] for row in request.splitlines() if "||" in row]
    for name in schema["properties"]["lines"]["properties"]:
        stock = said[name[0]]
        text = stock[(int(name[1:]) - 1) % len(stock)]
        if name[0] == "s":
            if f"{name}: " in request and PADDED[language] in request.split(f"{name}: ")[1].splitlines()[0]:
                text += PADDING[language]
            text += f" {rng.randrange(10, 99)} times out of a hundred it works." if language == "en" else "多半能成。"
        if name in halting:
            words = text.split(" ") if language == "en" else list(text)
            words.insert(2, "||")
            text = (" " if language == "en" else "").join(words)
        lines[name] = {"text": text}
    return {"lines": lines}


def _with(brief: Brief, **changes: Any) -> Brief:
    import msgspec

    return msgspec.structs.replace(brief, **changes)
