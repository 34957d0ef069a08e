"""A YAML file checked against a struct, where each finding names its line and the nearest valid key.

Whoever wrote it may be a stranger: its size and depth are bounded, and anchors, aliases and tags are not read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import msgspec.inspect as inspect
import yaml

from duologue.corpus.table import read_table
from duologue.errors import UserError

T = TypeVar("T")
Place = tuple[str | int, ...]
# PyYAML reads about 100 kB a second; a thousand resources take as much.
LARGEST = 512 * 2**10
_DEEPEST = 12


def nearest(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'x'?" for the closest of ``known``, or ""."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


class Document:
    """``data`` as plain Python and, for every place in it, the line of ``name`` where it stands (from 1)."""

    def __init__(self, name: str, data: Any, lines: dict[Place, int]) -> None:
        self.name, self.data, self._lines = name, data, lines

    @classmethod
    def read(cls, path: str | Path) -> Document:
        """UserError for a file that cannot be read, is too large, no plain YAML, or says a key twice."""
        return cls.parse(read_table(Path(path), LARGEST), str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        """As :meth:`read`, of a text that is at hand."""
        lines: dict[Place, int] = {}
        try:
            _only_plain(text, name)
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            if node is None:
                raise UserError("is empty", where=name)
            _walk(node, (), name, lines)
            data = loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{name}:{mark.line + 1}" if mark else name
            raise UserError(f"is not valid YAML: {error.problem}", where=where) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            # A date or number that is none, a character that YAML does not admit.
            raise UserError(f"is not valid YAML: {str(error)[:100]}", where=name) from None
        return cls(name, data, lines)

    def where(self, place: Place) -> str:
        """ "file:line" of ``place`` or of the nearest thing around it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self._lines:
                return f"{self.name}:{self._lines[place[:length]]}"
        return self.name

    def error(self, what: str, place: Place, *, value: object = None, allowed: str = "", mend: str = "") -> UserError:
        return UserError(what, where=self.where(place), field=dotted(place), value=value, allowed=allowed, mend=mend)

    def convert(self, kind: type[T]) -> T:
        """The document as ``kind``; UserError names an unknown key's nearest valid one, or the wrong value."""
        self._check_keys(self.data, inspect.type_info(kind), ())
        try:
            return msgspec.convert(self.data, kind)
        except msgspec.ValidationError as error:
            what, _, path = str(error).partition(" - at ")
            place = _place(path)
            raise self.error(what[:1].lower() + what[1:], place, value=self._value(place)) from None

    def _value(self, place: Place) -> Any:
        value = self.data
        for key in place:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value if not isinstance(value, dict) else None

    def _check_keys(self, data: Any, kind: inspect.Type, place: Place) -> None:
        if isinstance(kind, inspect.StructType) and isinstance(data, dict):
            fields = {f.encode_name: f.type for f in kind.fields}
            for key, value in data.items():
                if key not in fields:
                    raise self.error(
                        f"unknown key {key!r}",
                        (*place, key),
                        allowed=", ".join(fields),
                        mend=nearest(str(key), fields),
                    )
                self._check_keys(value, fields[key], (*place, key))
        elif isinstance(kind, inspect.DictType) and isinstance(data, dict):
            for key, value in data.items():
                self._check_keys(value, kind.value_type, (*place, key))
        elif isinstance(kind, inspect.VarTupleType | inspect.ListType) and isinstance(data, list):
            for i, value in enumerate(data):
                self._check_keys(value, kind.item_type, (*place, i))
        elif isinstance(kind, inspect.UnionType):
            for option in kind.types:
                if isinstance(option, inspect.StructType):
                    self._check_keys(data, option, place)


_OPENED = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSED = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def _only_plain(text: str, name: str) -> None:
    """Raise UserError, with the line, for what makes a small file large or an object of a text."""
    depth = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        line = f"{name}:{token.start_mark.line + 1}"
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            raise UserError("anchors and aliases are not read", where=line, mend="write it out")
        if isinstance(token, yaml.TagToken):
            raise UserError("tags are not read", where=line, mend="leave it out")
        depth += isinstance(token, _OPENED) - isinstance(token, _CLOSED)
        if depth > _DEEPEST:
            raise UserError("nested too deeply", where=line, allowed=f"{_DEEPEST} levels")


def _walk(node: yaml.Node, place: Place, name: str, lines: dict[Place, int]) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                raise UserError(
                    "a key comes twice", where=f"{name}:{line}", field=dotted(here), mend=f"first in line {lines[here]}"
                )
            lines[here] = line
            _walk(value, here, name, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _walk(value, (*place, i), name, lines)


def dotted(place: Place) -> str:
    """("counts", 0, "train") as "counts[0].train"."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")


def _place(path: str) -> Place:
    """msgspec's "`$.counts[0].train`" as ("counts", 0, "train")."""
    parts = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", path)
    return tuple(int(index) if index else key for key, index in parts)
