"""Check a script before anything is spoken: what a writer, whoever it is, must have kept to.

The same rules hold for the embedded writer, a language model and a person who edits a script by hand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from duologue.corpus.dialogue import TASKS
from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.event import SCENARIOS
from duologue.corpus.finding import Finding
from duologue.corpus.scenario import Scenario, by_name
from duologue.generate.script import Brief, Line, Script
from duologue.language.identify import identify

# Longest line that a person says in one breath of talk: words (en), characters (zh).
LONGEST = {"en": 90, "zh": 160}
_MARKS = re.compile(r"\[[a-z ]+\]\s*")
# What no voice reads out as it stands: markup, braces of an unfilled slot, list marks, links.
_UNSPEAKABLE = re.compile(r"[{}<>|*_#`\\]|https?://|^\s*[-•]\s", re.M)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SAME_LANGUAGE = 0.6
_TELLING = 8  # code points from which a line tells its language

Breach = tuple[str, Any, str, str]  # field, value, what was allowed, message


def findings(script: Script, brief: Brief | None = None, *, file: str = "", id: str = "") -> list[Finding]:
    """Every rule that ``script`` breaks; with ``brief`` also where it does not do what it was asked for."""
    return [
        Finding(file=file, dialogue=id, field=field, value=value, allowed=allowed, message=message)
        for field, value, allowed, message in breaches(script, brief)
    ]


def breaches(script: Script, brief: Brief | None = None) -> Iterator[Breach]:
    """(field, value, allowed, message) in the order of the script."""
    taxonomy = (brief and brief.taxonomy) or DUOLOGUE
    known = by_name([brief.described] if brief and brief.described else [])
    if brief is not None:
        yield from _as_asked(script, brief)
    for i, task in enumerate(script.tasks):
        if task not in TASKS[script.track]:
            yield f"tasks[{i}]", task, ", ".join(TASKS[script.track]), f"no task of track {script.track}"
    if not script.lines:
        yield "lines", [], "one line or more", "nothing is said"
    for i, line in enumerate(script.lines):
        yield from _line(script, i, line, taxonomy.labels)
    yield from _causes(script)
    if script.track == "duplex":
        yield from _events(script, known)
    elif script.events:
        yield "events", len(script.events), "none in track emotion", "an event in a dialogue of track 1"
    for i, p in enumerate(script.probes):
        for field, at in (("line", p.line), ("target_line", p.target_line)):
            if at is not None and not 0 <= at < len(script.lines):
                yield f"probes[{i}].{field}", at, f"0..{len(script.lines) - 1}", "no such line"
        if not p.reference.strip():
            yield f"probes[{i}].reference", "", "a reply", "a question without a reference reply"


def _as_asked(script: Script, brief: Brief) -> Iterator[Breach]:
    for field in ("language", "track", "scenario", "family"):
        if getattr(script, field) != getattr(brief, field):
            yield field, getattr(script, field), getattr(brief, field), "not what was asked for"
    if brief.task not in script.tasks:
        yield "tasks", list(script.tasks), brief.task, "not what was asked for"
    if script.track == "emotion" and brief.task != "expression":
        felt = [line.feeling for line in script.lines if line.role == "user"]
        if len(felt) != len(brief.feelings):
            yield "lines", len(felt), f"{len(brief.feelings)} user lines", "another number of user turns"
        for n, (got, want) in enumerate(zip(felt, brief.feelings, strict=False)):
            if (got.label, got.semantic, got.acoustic) != (want.label, want.semantic, want.acoustic):
                yield f"user line {n}.feeling", got.label, want.label, "not the feeling that was asked for"
    if script.track == "duplex":
        ordinary = [line for line in script.lines if line.role == "user" and line.kind == "turn"]
        # Whoever takes a stopped answer up again may need a turn more.
        if not brief.contrast and len(ordinary) < brief.user_turns:
            yield "lines", len(ordinary), f"{brief.user_turns} ordinary user turns", "too few user turns"
        if brief.scenario == "none" or brief.contrast:
            if any(e.kind == brief.scenario for e in script.events):
                yield "events", len(script.events), "none of its kind", "an event where none was asked for"
        elif len(script.events) != brief.events:
            yield "events", len(script.events), str(brief.events), "another number of events"


def _line(script: Script, i: int, line: Line, labels: tuple[str, ...]) -> Iterator[Breach]:
    at, text, n = f"lines[{i}]", line.text, len(line.text)
    if not text.strip():
        yield f"{at}.text", text, "words", "a line without words"
        return
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        yield f"{at}.text", text, "Unicode NFC", "text is not in NFC"
    if text != text.strip() or "\n" in text:
        yield f"{at}.text", text, "one line without space around it", "stray white space"
    if found := _UNSPEAKABLE.search(text):
        yield f"{at}.text", found.group(), "words and ordinary punctuation", "what no voice reads out"
    said = identify(text)
    # "OK" and a name alone are at home in both languages.
    if len(text) > _TELLING and said.language != "none" and said.share(script.language) < _SAME_LANGUAGE:
        yield f"{at}.text", text, script.language, "another language"
    size = len(_HAN.findall(text)) if script.language == "zh" else len(text.split())
    if size > LONGEST.get(script.language, 200):
        yield f"{at}.text", size, f"at most {LONGEST[script.language]}", "too long to be said in one turn"
    if line.text_raw and "".join(_MARKS.sub("", line.text_raw).split()) != "".join(text.split()):
        yield f"{at}.text_raw", line.text_raw, "the text with marks such as [sigh]", "not the same words"
    if line.feeling.label not in labels:
        yield f"{at}.feeling.label", line.feeling.label, ", ".join(labels), "unknown emotion"
    if line.emphasis is not None and not 0 <= line.emphasis[0] < line.emphasis[1] <= n:
        yield f"{at}.emphasis", list(line.emphasis), f"inside 0..{n}", "no span of the text"
    for p in line.pause_at:
        if not 0 < p < n:
            yield f"{at}.pause_at", p, f"1..{n - 1}", "no place inside the text"
        elif script.language == "en" and text[p - 1].isalnum() and text[p].isalnum():
            yield f"{at}.pause_at", p, "a word boundary", "a pause inside a word"
    if line.over is not None and not 0 <= line.over < i:
        yield f"{at}.over", line.over, "an earlier line", "spoken over nothing"
    elif line.over is not None and script.lines[line.over].role == line.role:
        yield f"{at}.over", line.over, "a line of somebody else", "spoken over the same speaker's own line"
    if line.to == line.role and line.role in ("user", "system"):
        yield f"{at}.to", line.to, "somebody else", "speaks to itself"
    # Somebody near may speak to nobody in particular; the system has the user alone.
    if line.role == "system" and line.to != "user":
        yield f"{at}.to", line.to, "user", "the system speaks to the user"


def _causes(script: Script) -> Iterator[Breach]:
    last = len(script.lines) - 1
    for i, c in enumerate(script.causes):
        at = f"causes[{i}]"
        if not (0 <= c.emotion_line <= last and 0 <= c.evidence_line <= last):
            yield at, [c.emotion_line, c.evidence_line], f"0..{last}", "no such line"
            continue
        if c.evidence_line > c.emotion_line:
            yield f"{at}.evidence_line", c.evidence_line, f"at most {c.emotion_line}", "a cause told after its feeling"
        start, end = c.span
        text = script.lines[c.evidence_line].text
        if not 0 <= start < end <= len(text) or not text[start:end].strip():
            yield f"{at}.span", list(c.span), f"inside 0..{len(text)}", "no span of the text"
        feeling = script.lines[c.emotion_line].feeling
        if feeling.label == "neutral" and feeling.semantic in ("", "neutral"):
            yield f"{at}.emotion_line", c.emotion_line, "a line with a feeling", "a cause of no feeling"


def _events(script: Script, known: Mapping[str, Scenario]) -> Iterator[Breach]:
    last = len(script.lines) - 1
    for i, e in enumerate(script.events):
        at = f"events[{i}]"
        lines = (e.line, e.reference_line, *(() if e.response_line is None else (e.response_line,)))
        if not all(0 <= n <= last for n in lines):
            yield at, list(lines), f"0..{last}", "no such line"
            continue
        scenario = known.get(e.kind)
        if scenario is None:
            yield f"{at}.kind", e.kind, ", ".join(known), "unknown scenario"
            continue
        line = script.lines[e.line]
        if line.kind != scenario.kind or line.role != scenario.role:
            wanted = f"{scenario.kind} by {scenario.role}"
            yield f"{at}.line", f"{line.kind} by {line.role}", wanted, f"not a line of scenario {e.kind}"
        if e.halts and not line.pause_at:
            yield f"lines[{e.line}].pause_at", [], "one place or more", "a pause that falls nowhere"
        if not e.halts and line.over is None and scenario.when == ("over",):
            yield f"lines[{e.line}].over", None, "the answer", f"a {e.kind} over nothing"
        if "stop" in scenario.expected and e.expected[:1] != ("stop",):
            yield f"{at}.expected", list(e.expected), ", ".join(scenario.expected), "another reaction is right"
        if "respond" in e.expected and e.response_line is None:
            yield f"{at}.response_line", None, "the reference reply", "an event that wants a reply has none"
        if e.response_line is not None and script.lines[e.response_line].role != "system":
            yield f"{at}.response_line", e.response_line, "a line of the system", "no reply"
    for i, line in enumerate(script.lines):
        if line.kind != "turn" and line.kind != "others_directed" and i not in {e.line for e in script.events}:
            yield f"lines[{i}].kind", line.kind, "turn, or an event of its own", "an event that is not declared"
    if script.scenario not in (*SCENARIOS, *known, "none"):
        yield "scenario", script.scenario, ", ".join(known), "unknown scenario"
