"""The hand-written material of track 1: phrases that any story can use, and the stories.

``<language>/phrases.yaml`` holds openers, feelings, replies and questions; every other ``<language>/<domain>.yaml``
holds that domain's stories. A block of lines in a file is one template a line (see ``scripts/grammar.py``) with
two shorthands: ``*word*`` marks the word that carries the feeling, ``@`` stands for the event as a marked cause.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from duologue.corpus.annotation import CauseKind
from duologue.corpus.emotion import DUOLOGUE

FEELINGS = tuple(label for label in DUOLOGUE.labels if label != "neutral")
# Events marked so in a story file; unmarked ones are plain events.
_KINDS: dict[str, CauseKind] = {"i": "interpersonal", "s": "self"}
# An article before a choice follows the word that is drawn.
_ARTICLE = re.compile(r"\b(?<![\w{])an? (?=\{)")
_EMPHASIS = re.compile(r"\*([^*]+)\*")


class StoryEvent(msgspec.Struct, frozen=True):
    """Something that happened, as one clause without its full stop, and what kind of cause it is."""

    template: str
    kind: CauseKind


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One matter with its people. ``events`` maps each label to clauses that fit together in any order.

    ``about`` names the matter as a noun phrase; ``who`` are the relationships its main person can have;
    ``where`` the settings; ``ask`` the questions that a listener could put at any moment.
    """

    family: str
    about: tuple[str, ...]
    who: tuple[str, ...]
    where: tuple[str, ...]
    ask: tuple[str, ...]
    events: dict[str, tuple[StoryEvent, ...]]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Everything for one language. ``phrases`` is a nested mapping whose leaves are tuples of templates."""

    stories: dict[str, Story]
    phrases: dict[str, Any]


def lines(block: str) -> tuple[str, ...]:
    """The templates of a block, one a line; empty lines and lines that start with # are left out."""
    found = (line.strip() for line in block.splitlines())
    return tuple(
        _EMPHASIS.sub(r"<emph>\1</emph>", _ARTICLE.sub("{a} ", line)).replace("@", "<cause>{E}</cause>")
        for line in found
        if line and not line.startswith("#")
    )


def _leaves(node: Any) -> Any:
    return {k: _leaves(v) for k, v in node.items()} if isinstance(node, dict) else lines(str(node))


def _event(line: str) -> StoryEvent:
    mark, found, rest = line.partition("> ")
    if found and mark in _KINDS:
        return StoryEvent(rest, _KINDS[mark])
    return StoryEvent(line, "event")


def _story(family: str, node: dict[str, str]) -> Story:
    def listed(key: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in node[key].split(","))

    return Story(
        family=family,
        about=tuple(part.strip() for part in node["about"].split("/")),
        who=listed("who"),
        where=listed("where"),
        ask=lines(node["ask"]),
        events={label: tuple(map(_event, lines(node[label]))) for label in DUOLOGUE.labels},
    )


@cache
def material(language: str) -> Material:
    """The material of "en" or "zh", read once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = files(__package__) / language
    stories: dict[str, Story] = {}
    phrases: dict[str, Any] = {}
    for entry in sorted((e for e in folder.iterdir() if e.name.endswith(".yaml")), key=lambda e: e.name):
        data = yaml.load(entry.read_text(encoding="utf-8"), Loader=loader)
        if entry.name == "phrases.yaml":
            phrases = _leaves(data)
            continue
        for name, node in data.items():
            family = f"{entry.name.removesuffix('.yaml')}/{name}"
            stories[family] = _story(family, node)
    return Material(stories=stories, phrases=phrases)
