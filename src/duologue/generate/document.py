"""A YAML file checked against a struct, where each finding names its line and the nearest valid key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import msgspec.inspect as inspect
import yaml

from duologue.errors import UserError

T = TypeVar("T")
Place = tuple[str | int, ...]


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
        """UserError for a file that cannot be read, is no YAML, or says a key twice."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
        except UnicodeDecodeError:
            raise UserError("is not a text file in UTF-8", where=str(path)) from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        lines: dict[Place, int] = {}
        try:
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
        except yaml.YAMLError as error:
            raise UserError(f"is not valid YAML: {error}", where=name) from None
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
