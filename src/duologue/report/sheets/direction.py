"""What an actor is told about a line, in the language of the script (Chinese, else English)."""

from __future__ import annotations

import re

from duologue.corpus.emotion import Taxonomy
from duologue.generate.script import Line

PAUSE = "‖"

_MARK = re.compile(r"\[[^\[\]]{1,40}\]")
_ROLE = {
    "en": {
        "user": "the user",
        "system": "the assistant",
        "third_party": "another person in the room",
        "addressee": "the person beside the user",
    },
    "zh": {"user": "用户", "system": "语音助手", "third_party": "在场的另一个人", "addressee": "用户身边的人"},
}
_STRENGTH = {"en": ("", "slightly", "clearly", "strongly"), "zh": ("", "略微", "明显", "强烈")}
_OVER = {
    "en": {
        "turn": "spoken over line {n}, while {role} is talking",
        "backchannel": "a short sign of listening over line {n}, while {role} is talking; do not take over",
        "interruption": "break in over line {n}, while {role} is talking",
        "third_party": "from aside, over line {n}, while {role} is talking",
        "others_directed": "turned away, over line {n}, while {role} is talking",
    },
    "zh": {
        "turn": "在{role}说第{n}句时同时说",
        "backchannel": "在{role}说第{n}句时简短附和，不抢话",
        "interruption": "在{role}说第{n}句时插话打断",
        "third_party": "在{role}说第{n}句时从旁说话",
        "others_directed": "在{role}说第{n}句时转向别人说",
    },
}


def tongue(language: str) -> str:
    """The language of the directions: "zh" or "en"."""
    return "zh" if language == "zh" else "en"


def role_name(role: str, language: str) -> str:
    """``role`` in words."""
    return _ROLE[tongue(language)][role]


def directions(line: Line, lines: tuple[Line, ...], language: str, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Feeling, whom the line is said to, and over which it is spoken; UserError for a label that is not known."""
    zh = tongue(language) == "zh"
    to = role_name(line.to, language)
    if line.to == line.role:
        said = "自言自语或对同伴说" if zh else "said to oneself or a companion"
    else:
        said = f"对{to}说" if zh else f"said to {to}"
    parts = [_feeling(line, zh, taxonomy), said]
    if line.over is not None:
        other = role_name(lines[line.over].role, language)
        parts.append(_OVER[tongue(language)][line.kind].format(n=line.over + 1, role=other))
    return tuple(parts)


def _feeling(line: Line, zh: bool, taxonomy: Taxonomy) -> str:
    def name(label: str) -> str:
        found = taxonomy.of(taxonomy.resolve(label))
        return (found.zh or found.label) if zh else found.label

    feeling = line.feeling
    strength = _STRENGTH["zh" if zh else "en"][feeling.intensity]
    heard = name(feeling.heard)
    graded = f"{strength}{heard}" if zh else f"{strength} {heard}".strip()
    if feeling.intensity:
        graded += f"（强度 {feeling.intensity}/3）" if zh else f" (intensity {feeling.intensity} of 3)"
    if feeling.semantic and feeling.semantic != feeling.heard:
        said = name(feeling.semantic)
        graded += f"，虽然字面是{said}" if zh else f" in the voice, although the words are {said}"
    return graded


def pieces(line: Line) -> list[tuple[str, str]]:
    """The words in order as (kind, text): "plain", "emphasis", "pause" (its sign) or "mark" ([sigh] and the like).

    Marks stand in ``text_raw`` alone; where its words are not those of ``text``, they come first.
    """
    inserts: list[tuple[int, str, str]] = [(at, "pause", PAUSE) for at in line.pause_at]
    inserts += [(at, "mark", mark) for at, mark in _marks(line)]
    start, end = line.emphasis or (0, 0)
    cuts = sorted({0, start, end, len(line.text), *(at for at, _, _ in inserts)})
    found: list[tuple[str, str]] = []
    for a, b in zip(cuts, [*cuts[1:], len(line.text)], strict=True):
        found += [(kind, shown) for at, kind, shown in inserts if at == a]
        if b > a:
            found.append(("emphasis" if start <= a < end else "plain", line.text[a:b]))
    return found


def _marks(line: Line) -> list[tuple[int, str]]:
    """(code point offset in ``text``, mark)."""
    raw, marks, before, last = line.text_raw, [], "", 0
    for m in _MARK.finditer(raw):
        before += "".join(raw[last : m.start()].split())
        marks.append((len(before), m.group()))
        last = m.end()
    before += "".join(raw[last:].split())
    if before != "".join(line.text.split()):
        return [(0, mark) for _, mark in marks]
    # Offsets so far count no spaces: a mark stands before the next word.
    solid = [i for i, c in enumerate(line.text) if not c.isspace()] + [len(line.text)]
    return [(solid[at], mark) for at, mark in marks]


def notation(line: Line) -> str:
    """The words with their signs as plain text: *emphasised*, pauses and marks."""
    out = ""
    for kind, text in pieces(line):
        out += f"*{text}*" if kind == "emphasis" else text if kind == "plain" else f" {text} "
    return " ".join(out.split())
