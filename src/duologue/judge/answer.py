"""Reading a judge's answer: a JSON object and nothing that only looks like one."""

from __future__ import annotations

import json
import re
from typing import Any

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)
# Looking for objects in prose tries every brace; no judge needs more than this.
_LONGEST = 20_000


def whole_object(text: str) -> dict[str, Any]:
    """The answer as one JSON object, fenced or not, after what a thinking model thought.

    Prose around it is refused: a judge that quotes a reply which holds a verdict must not be read as giving it. So
    are names that come twice and NaN. ValueError says what is wrong.
    """
    text = _THOUGHT.sub("", text, count=1)
    fenced = _FENCED.match(text)
    found = _decode(fenced[1] if fenced else text)
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def only_object(text: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """The one JSON object in ``text`` that has one of ``keys``, wherever it stands; ValueError for none or several."""
    text = _THOUGHT.sub("", text, count=1)
    if len(text) > _LONGEST:
        raise ValueError(f"the answer has {len(text):,} characters")
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
    found: list[dict[str, Any]] = []
    at = text.find("{")
    while at != -1 and any(f'"{k}"' in text for k in keys):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if any(k in value for k in keys):
                found.append(value)
        at = text.find("{", end)
    if len(found) != 1:
        raise ValueError(f"{len(found)} JSON objects with {' or '.join(keys)}, not one")
    return found[0]


def grade(found: dict[str, Any], name: str) -> int:
    """Field ``name`` as a whole number from 1 to 5; ValueError for anything else, however near."""
    value = found.get(name)
    if type(value) is not int or not 1 <= value <= 5:
        raise ValueError(f"{name} is no whole number from 1 to 5: {str(value)[:40]!r}")
    return value


def words(found: dict[str, Any], name: str) -> str:
    """Field ``name`` as text; ValueError where it is none."""
    value = found.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _decode(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in the answer")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
