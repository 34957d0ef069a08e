"""Which words of a reply are filler, and where its content begins.

A filler buys time or takes the turn and could open any reply: hesitations, acknowledgements, "let me think", "that's a
good question". "Yes" and "no" are content, since they can be the answer. The lists are closed; what they hold is read
off the patterns below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from duologue.language.tokens import is_hanzi, split


class _Patterns(NamedTuple):
    """``always`` are fillers wherever they open a reply; ``apart`` only before a mark, the end or another filler."""

    always: tuple[re.Pattern[str], ...]
    apart: re.Pattern[str]
    loose: re.Pattern[str]


@cache
def _patterns(language: str) -> _Patterns:
    """The regular expressions of ``fillers_<language>.txt``, one a line in two sections."""
    text = (resources.files("duologue.score") / f"fillers_{language}.txt").read_text("utf-8")
    always, apart = (part.split() if language == "zh" else part.strip().split("\n") for part in text.split("# apart\n"))
    always = always[2:] if language == "zh" else always[1:]
    # A space stands between English words, "," where a mark stood.
    after, end = (",?", "(?:,|$)") if language == "zh" else ("(?:,? |,?$)", "(?:, |,?$)")
    doubtful = "|".join(apart)
    return _Patterns(
        tuple(re.compile(f"(?:{p}){after}") for p in always),
        re.compile(f"(?:{doubtful}){end}"),
        re.compile(f"(?:{doubtful}){after}"),
    )


def _opening(text: str, language: str) -> int:
    """Characters of ``text`` that its fillers at the start take."""
    always, apart, loose = _patterns(language)
    at = 0
    while at < len(text):
        ends = [m.end() for p in always if (m := p.match(text, at))]
        if m := apart.match(text, at):
            ends.append(m.end())
        if not ends and (m := loose.match(text, at)) and any(p.match(text, m.end()) for p in always):
            ends.append(m.end())
        if not ends:
            break
        at = max(ends)
    return at


def _joined(words: Sequence[str], language: str) -> tuple[str, list[int]]:
    """The words as one string for the patterns, and the index of the word that each character is of."""
    text = ""
    owner: list[int] = []
    for i, word in enumerate(words):
        tokens = split(word)
        if language == "zh":
            piece = "".join(tokens)
        else:
            piece = " ".join(tokens) + " " if tokens else ""
        if re.search(r"[,.;:!?，。；：！？、…—]\W*$", word):
            if not tokens:  # a mark on its own belongs to the word before
                text = text.rstrip(" ,")
                owner = owner[: len(text)]
            if text or tokens:
                piece = piece.rstrip(" ") + ("," if language == "zh" else ", ")
        text += piece
        owner += [i] * (len(text) - len(owner))
    return text, owner


def first_content(words: Sequence[str], language: str) -> int | None:
    """Index of the first word of ``words`` that is content, or None where there is none.

    ``words`` are as a recogniser gives them, with or without punctuation, in Chinese words or single characters.
    A word that is part filler, part content counts as content.
    """
    text, owner = _joined(words, language)
    at = _opening(text, language)
    while at < len(text) and text[at] in " ,":
        at += 1
    return owner[at] if at < len(text) else None


def without_fillers(text: str, language: str) -> str:
    """``text`` from its first content on, "" where there is none."""
    words = _words(text, language)
    first = first_content(words, language)
    return "" if first is None else "".join(words[first:]).strip()


def _words(text: str, language: str) -> list[str]:
    """Pieces of ``text`` that joined give it back: words with the marks and spaces after them, hanzi one by one."""
    if language != "zh":
        return re.findall(r"\S+\s*", text)
    pieces: list[str] = []
    for char in text:
        if pieces and not is_hanzi(char) and not (is_hanzi(pieces[-1][0]) and char.isalnum()):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces
