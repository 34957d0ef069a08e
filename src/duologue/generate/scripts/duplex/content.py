"""The content of the duplex writer: topics and phrases, read from the text files of each language folder.

A topic file starts with ``@ domain | settings | relationships`` and holds topics. A line's first word tells
what it is; the rest is a template of :mod:`duologue.generate.scripts.grammar` in which ``^`` marks a place
where the speaker may pause and ``~`` such a place before which the words are complete in themselves,
and ``*word*`` the word that is stressed::

    = id | noun phrase for the topic
    c something that the user may say first
    q the question (several lines: several wordings)
    a an answer: sentences parted by " / "; the first is always said, the others in order, as many as fit
    r the answer's gist in other words (for a short or summed-up reply)
    k noun phrase that a request for repetition asks for
    + a later question on the topic    (its answers follow as "a")
    ! a correction by the user         (its corrected answers follow as "a")
    > a question that leaves the topic (its answers follow as "a")

``phrases.txt`` holds sections ``# name``, a template a line; ``@home`` before one keeps it for scenes at home.
In English a sentence starts with a small letter (the grammar lifts it), so that openers can be put before it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import msgspec

from duologue.errors import UserError
from duologue.generate.scripts.grammar import parse

LANGUAGES = ("en", "zh")
_HERE = "duologue.generate.scripts.duplex"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A question in several wordings and its answers, each a row of sentences."""

    questions: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    gist: tuple[str, ...] = ()
    key: str = ""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One family: everything that can be said about one everyday matter."""

    domain: str
    name: str
    settings: tuple[str, ...]
    relationships: tuple[str, ...]
    label: str
    contexts: tuple[str, ...]
    main: Exchange
    later: tuple[Exchange, ...]
    corrections: tuple[Exchange, ...]
    switches: tuple[Exchange, ...]

    @property
    def family(self) -> str:
        return f"{self.domain}/{self.name}"


def _marked(template: str, language: str) -> str:
    space = " " if language == "en" else ""
    marks = {"^": f"{space}{{filler}}<pause/>{space}", "~": f"<pause/><cut/>{space}"}
    template = re.sub(r"\*(.+?)\*", r"<em>\1</em>", template)
    return re.sub(r" *([\^~]) *", lambda m: marks[m.group(1)], template)


class _Draft:
    def __init__(self, language: str) -> None:
        self.language = language
        self.blocks: list[tuple[str, list[str], list[tuple[str, ...]], list[str], list[str]]] = []
        self.contexts: list[str] = []

    def add(self, mark: str, text: str) -> None:
        text = _marked(text, self.language)
        if mark == "c":
            self.contexts.append(text)
        elif mark == "q" and self.blocks:
            self.blocks[-1][1].append(text)
        elif mark in "q+!>":
            self.blocks.append((mark, [text], [], [], []))
        elif mark == "a":
            self.blocks[-1][2].append(tuple(s.strip() for s in text.split(" / ")))
        elif mark == "r":
            self.blocks[-1][3].append(text)
        elif mark == "k":
            self.blocks[-1][4].append(text)

    def exchanges(self, mark: str) -> tuple[Exchange, ...]:
        return tuple(
            Exchange(questions=tuple(q), answers=tuple(a), gist=tuple(r), key=k[0] if k else "")
            for m, q, a, r, k in self.blocks
            if m == mark
        )


def _topics(language: str, file: str, text: str) -> list[Topic]:
    topics: list[Topic] = []
    head: tuple[str, tuple[str, ...], tuple[str, ...]] = ("", (), ())
    name = label = ""
    draft = _Draft(language)

    def close() -> None:
        if name:
            topics.append(
                Topic(
                    domain=head[0],
                    name=name,
                    settings=head[1],
                    relationships=head[2],
                    label=label,
                    contexts=tuple(draft.contexts),
                    main=draft.exchanges("q")[0],
                    later=draft.exchanges("+"),
                    corrections=draft.exchanges("!"),
                    switches=draft.exchanges(">"),
                )
            )

    for number, row in enumerate(text.splitlines(), 1):
        mark, _, rest = row.strip().partition(" ")
        if not mark:
            continue
        if mark == "@":
            close()
            name = ""
            domain, settings, relationships = (part.strip() for part in rest.split("|"))
            head = (domain, tuple(settings.split()), tuple(relationships.split()))
        elif mark == "=":
            close()
            name, label = (part.strip() for part in rest.split("|"))
            draft = _Draft(language)
        elif mark in ("c", "q", "a", "r", "k", "+", "!", ">"):
            for template in rest.split(" / "):
                parse(_marked(template, language))
            draft.add(mark, rest)
        else:
            raise UserError("unknown mark", where=f"{file}:{number}", value=mark, allowed="@ = c q a r k + ! >")
    close()
    return topics


@cache
def topics(language: str) -> dict[str, Topic]:
    """Family name to topic, in the order of file names and of the files; UserError for an unknown language."""
    if language not in LANGUAGES:
        raise UserError("unknown language", field="language", value=language, allowed=", ".join(LANGUAGES))
    folder = resources.files(_HERE) / language
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".txt")), key=lambda f: f.name)
    return {
        topic.family: topic
        for f in files
        if f.name != "phrases.txt"
        for topic in _topics(language, f"{language}/{f.name}", f.read_text("utf-8"))
    }


@cache
def phrases(language: str) -> dict[str, tuple[str, ...]]:
    """Section name to its templates."""
    sections: dict[str, list[str]] = {}
    rows = sections.setdefault("", [])
    for row in (resources.files(_HERE) / language / "phrases.txt").read_text("utf-8").splitlines():
        if row.startswith("# "):
            rows = sections.setdefault(row[2:].strip(), [])
        elif row.strip():
            parse(row.strip())
            rows.append(row.strip())
    return {name: tuple(rows) for name, rows in sections.items() if name}
