"""What a licence allows, by its name: the lists are in ``licences.yaml``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

# From the freest on; "unknown" is in no list.
Class = Literal["open", "restricted", "closed", "unknown"]
CLASSES: tuple[Class, ...] = ("open", "restricted", "closed", "unknown")
_CC = re.compile(r"https?://creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(/.*)?", re.IGNORECASE)
_CC0 = re.compile(r"https?://creativecommons\.org/publicdomain/zero/1\.0(/.*)?", re.IGNORECASE)
_PAGES = re.compile(
    r"https?://(?:www\.)?(?:spdx\.org/licenses/|opensource\.org/licen[sc]es?/|choosealicense\.com/licenses/)([\w.+-]+?)(?:\.html|/)?",
    re.IGNORECASE,
)
_APACHE = re.compile(r"https?://(?:www\.)?apache\.org/licenses/LICENSE-2\.0(?:\.\w+)?", re.IGNORECASE)


@cache
def _lists() -> tuple[dict[str, Class], dict[str, str]]:
    """Name -> class; folded spelling -> name."""
    data = yaml.safe_load(Path(__file__).with_name("licences.yaml").read_text(encoding="utf-8"))
    classes: dict[str, Class] = {name: kind for kind in CLASSES[:3] for name in data[kind]}
    spelt = {_folded(name): name for name in classes}
    return classes, spelt | {_folded(str(k)): v for k, v in data["also"].items()}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def licences() -> dict[str, Class]:
    """Every licence that has a class."""
    return dict(_lists()[0])


def named(text: str) -> str:
    """The name in SPDX's spelling of a licence, an address of one, or an expression; what is not known stays."""
    text = text.strip()
    if _CC0.fullmatch(text):
        return "CC0-1.0"
    if (cc := _CC.fullmatch(text)) is not None:
        text = f"cc-{cc[1]}-{cc[2]}"
    elif _APACHE.fullmatch(text):
        return "Apache-2.0"
    elif (page := _PAGES.fullmatch(text)) is not None:
        text = page[1]
    return _lists()[1].get(_folded(text), text)


def class_of(text: str) -> Class:
    """The class of a licence or of an SPDX expression: of "A OR B" the freer, of "A AND B" the less free.

    An exception ("WITH ...") changes nothing, as exceptions only add permissions. A broken expression is "unknown".
    """
    whole = _one(text)
    if whole != "unknown":
        return whole
    tokens = re.findall(r"[()]|[^\s()]+", text)
    if len(tokens) > 64:
        return "unknown"
    found, rest = _either(tokens)
    return found if not rest else "unknown"


def _one(text: str) -> Class:
    return _lists()[0].get(named(text), "unknown")


def _either(tokens: list[str]) -> tuple[Class, list[str]]:
    found, rest = _both(tokens)
    while rest and rest[0].upper() == "OR":
        other, rest = _both(rest[1:])
        found = min(found, other, key=CLASSES.index)
    return found, rest


def _both(tokens: list[str]) -> tuple[Class, list[str]]:
    found, rest = _term(tokens)
    while rest and rest[0].upper() == "AND":
        other, rest = _term(rest[1:])
        found = max(found, other, key=CLASSES.index)
    return found, rest


def _term(tokens: list[str]) -> tuple[Class, list[str]]:
    if not tokens:
        return "unknown", ["?"]
    if tokens[0] == "(":
        found, rest = _either(tokens[1:])
        return (found, rest[1:]) if rest and rest[0] == ")" else ("unknown", ["?"])
    found, rest = _one(tokens[0]), tokens[1:]
    if len(rest) > 1 and rest[0].upper() == "WITH":
        rest = rest[2:]
    return found, rest
