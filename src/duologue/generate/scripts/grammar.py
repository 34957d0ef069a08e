"""A small template language for spoken lines: alternatives, slots, marked spans, skeletons.

Syntax of a template::

    {fine|quite fine|}      one alternative is drawn; alternatives nest and may be empty
    {name}                  a slot: ``slots[name]`` is expanded in its place (text, or a tuple to draw from)
    {a}                     English article: "a" or "an" by the word that follows
    <cause>...</cause>      marks code points of the finished text; any name of letters
    <pause/>                marks one code point offset
    <low/>                  the next letter is no sentence's start: lower case, unless it is the word "I"
    [sigh] [laughter] ...   a mark: in ``raw``, not in ``text``

Slots are looked up as they stand, so a script that must say a name twice puts the drawn name into its slots.
Spaces are never doubled, spaces before punctuation are dropped, and in English every sentence starts with
a capital; offsets are those of the finished text. Equal (template, slots, state of ``rng``) give equal results.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from duologue.errors import UserError

Slots = Mapping[str, "str | tuple[str, ...]"]

_TOKEN = re.compile(r"\{|\}|\||</?[a-z]+/?>|\[[a-z ]+\]|[^{}|<\[]+|[<\[]")
_NAME = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?:^|[.!?][\"']? )[\"']?([a-z])")
# By sound where the letter misleads: an hour, an heir, a uniform, a one-way street, a European.
_VOWEL = re.compile(r"[\s\"']*(?!uni(?!n)|use|usu|one\b|once|eu)(?:[aeiou]|hour|hono|heir)", re.I)
_LOW = re.compile(r"[A-Z](?=[a-z])|A(?= )")
_PLAIN = re.compile(r"[^{}|<\[]*").fullmatch
_SHUT = ",.!?;:，。！？；：、"


class _Text(msgspec.Struct, frozen=True):
    text: str


class _Slot(msgspec.Struct, frozen=True):
    name: str


class _Mark(msgspec.Struct, frozen=True):
    """``kind``: "open", "close", "point" or "sound"."""

    kind: str
    name: str


class _Choice(msgspec.Struct, frozen=True):
    options: tuple[tuple[_Node, ...], ...]


_Node = _Text | _Slot | _Mark | _Choice


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """What a template came to.

    ``spans`` maps a mark to its (start, end) code points of ``text``, in order; ``points`` a point mark to its
    offsets. ``raw`` is ``text`` with the sound marks put in. ``skeleton`` names the alternatives drawn.
    """

    text: str
    raw: str
    spans: dict[str, list[tuple[int, int]]]
    points: dict[str, list[int]]
    skeleton: str


def _bad(template: str, what: str) -> UserError:
    return UserError(what, field="template", value=template, mend="see duologue.generate.scripts.grammar")


@lru_cache(maxsize=1 << 15)
def parse(template: str) -> tuple[_Node, ...]:
    """The template's tree; UserError where braces do not pair."""
    stack: list[list[list[_Node]]] = [[[]]]
    for token in _TOKEN.findall(template):
        top = stack[-1]
        if token == "{":
            stack.append([[]])
        elif token == "|":
            if len(stack) == 1:
                raise _bad(template, "a | stands outside of braces")
            top.append([])
        elif token == "}":
            if len(stack) == 1:
                raise _bad(template, "a closing brace has no opening one")
            options = stack.pop()
            only = options[0][0] if len(options) == 1 and len(options[0]) == 1 else None
            if isinstance(only, _Text) and _NAME.fullmatch(only.text):
                stack[-1][-1].append(_Slot(only.text))
            else:
                stack[-1][-1].append(_Choice(tuple(tuple(o) for o in options)))
        elif token[0] == "<" and len(token) > 1:
            kind = "close" if token[1] == "/" else "point" if token[-2] == "/" else "open"
            top[-1].append(_Mark(kind, token.strip("</>")))
        elif token[0] == "[" and len(token) > 1:
            top[-1].append(_Mark("sound", token))
        else:
            top[-1].append(_Text(token))
    if len(stack) > 1:
        raise _bad(template, "an opening brace is not closed")
    return tuple(stack[0][0])


def variants(template: str) -> int:
    """How many different choices a template holds (slots count as one)."""

    def count(nodes: tuple[_Node, ...]) -> int:
        n = 1
        for node in nodes:
            if isinstance(node, _Choice):
                n *= sum(count(o) for o in node.options)
        return n

    return count(parse(template))


class _Builder:
    def __init__(self, template: str, slots: Slots, rng: random.Random) -> None:
        self.template, self.slots, self.rng = template, slots, rng
        self.parts: list[str] = []
        self.length = 0
        self.last = ""
        self.article = False
        self.opened: list[tuple[str, int]] = []
        self.pending: list[str] = []
        self.spans: dict[str, list[tuple[int, int]]] = {}
        self.points: dict[str, list[int]] = {}
        self.sounds: list[tuple[int, str]] = []
        self.drawn: list[str] = []

    def put(self, text: str) -> None:
        if not self.last or self.last == " ":
            text = text.lstrip(" ")
        if text[:1] in _SHUT and text and self.last == " ":
            self.parts[-1] = self.parts[-1].rstrip(" ")
            self.length -= 1
        if not text:
            return
        if self.article and text.strip():
            self.article = False
            self._add("an" if _VOWEL.match(text) else "a")
            if text[0] != " ":
                text = " " + text
        self._add(text)

    def _add(self, text: str) -> None:
        # A span opens at its first letter, so that it never starts with a space.
        if self.pending and text.strip():
            start = self.length + len(text) - len(text.lstrip(" "))
            self.opened += [(name, start) for name in self.pending]
            self.pending.clear()
        self.parts.append(text)
        self.length += len(text)
        self.last = text[-1]

    def walk(self, nodes: tuple[_Node, ...], depth: int = 0) -> None:
        if depth > 40:
            raise _bad(self.template, "slots refer to each other without end")
        for node in nodes:
            if isinstance(node, _Text):
                self.put(node.text)
            elif isinstance(node, _Choice):
                i = self.rng.randrange(len(node.options))
                self.drawn.append(str(i))
                self.walk(node.options[i], depth + 1)
            elif isinstance(node, _Slot):
                self.slot(node.name, depth)
            else:
                self.mark(node)

    def slot(self, name: str, depth: int) -> None:
        if name == "a":
            self.article = True
            return
        if name not in self.slots:
            raise UserError(
                "unknown slot in a template",
                field=name,
                value=self.template,
                allowed=", ".join(sorted(self.slots)),
            )
        value = self.slots[name]
        if isinstance(value, tuple):
            i = self.rng.randrange(len(value))
            self.drawn.append(f"{name}{i}")
            value = value[i]
        if _PLAIN(value):
            self.put(value)
        else:
            self.walk(parse(value), depth + 1)

    def mark(self, node: _Mark) -> None:
        if node.kind == "open":
            self.pending.append(node.name)
        elif node.kind == "point":
            self.points.setdefault(node.name, []).append(self.length - (self.last == " "))
        elif node.kind == "sound":
            self.sounds.append((self.length, node.name))
        elif node.name in self.pending:
            self.pending.remove(node.name)
        else:
            at = next((i for i in reversed(range(len(self.opened))) if self.opened[i][0] == node.name), None)
            if at is None:
                raise _bad(self.template, f"</{node.name}> closes nothing")
            start = self.opened.pop(at)[1]
            self.spans.setdefault(node.name, []).append((start, self.length - (self.last == " ")))

    def finish(self, language: str) -> Expansion:
        if self.opened or self.pending:
            raise _bad(self.template, f"<{(self.opened or [(self.pending[0], 0)])[0][0]}> is not closed")
        text = "".join(self.parts).rstrip(" ")
        if language == "en":
            text = _SENTENCE.sub(lambda m: m.group()[:-1] + m.group(1).upper(), text)
        for offset in self.points.pop("low", ()):
            at = offset + (text[offset : offset + 1] == " ")
            if _LOW.match(text, at):
                text = text[:at] + text[at].lower() + text[at + 1 :]
        if unicodedata.normalize("NFC", text) != text:
            raise _bad(self.template, "a template is not in NFC")
        raw, done = "", 0
        for offset, sound in self.sounds:
            raw += text[done:offset]
            raw += f"{sound} " if not raw or raw[-1] in " " + _SHUT[7:] else f" {sound}"
            done = offset
        return Expansion(
            text=text,
            raw=(raw + text[done:]).rstrip(" ") if self.sounds else "",
            spans={k: sorted((s, min(e, len(text))) for s, e in v) for k, v in self.spans.items()},
            points=self.points,
            skeleton=".".join(self.drawn),
        )


def expand(template: str, slots: Slots, rng: random.Random, *, language: str = "en") -> Expansion:
    """Draw one line from ``template``; UserError for an unknown slot or marks that do not pair."""
    builder = _Builder(template, slots, rng)
    builder.walk(parse(template))
    return builder.finish(language)
