"""The schema of a dialogue: as JSON Schema for other tools, and as a list of what a line breaks."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.manifest import Manifest


def json_schema(kind: type[Dialogue] | type[Manifest] = Dialogue) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a dialogue's line, or of ``corpus.json``, generated from the types."""
    schema = msgspec.json.schema(kind)
    for part in schema["$defs"].values():
        # Python 3.13 strips a docstring's indent itself; so do we, that all versions give one schema.
        part["description"] = inspect.cleandoc(part.get("description", ""))
    name = "dialogue" if kind is Dialogue else "corpus"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Duologue {name}, schema version {SCHEMA_VERSION}",
        **schema,
    }


def encode_schema(kind: type[Dialogue] | type[Manifest] = Dialogue) -> bytes:
    """The schema as it is kept in ``docs/schema``."""
    return msgspec.json.format(msgspec.json.encode(json_schema(kind), order="sorted"), indent=2) + b"\n"


def mismatches(plain: Any, kind: Any = Dialogue, at: str = "") -> Iterator[tuple[str, Any, str]]:
    """(field, value, what is wrong) for each place where plain JSON data is not of type ``kind``.

    A decoder stops at the first; this goes into structs and arrays and names them all.
    """
    try:
        msgspec.convert(plain, kind)
        return
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
    inner = _unwrapped(kind)
    found = False
    if get_origin(inner) is tuple and isinstance(plain, list) and get_args(inner)[1:] == (...,):
        for i, element in enumerate(plain):
            for finding in mismatches(element, get_args(inner)[0], f"{at}[{i}]"):
                yield finding
                found = True
    elif isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(plain, dict):
        fields = {f.encode_name: f for f in msgspec.structs.fields(inner)}
        for name, value in plain.items():
            here = f"{at}.{name}" if at else name
            if name not in fields and name != inner.__struct_config__.tag_field:
                yield here, value, "unknown field"
                found = True
            elif name in fields:
                for finding in mismatches(value, fields[name].type, here):
                    yield finding
                    found = True
        for name, field in fields.items():
            if field.required and name not in plain:
                yield f"{at}.{name}" if at else name, None, "missing field"
                found = True
    if not found:
        yield (at + path.rstrip("`")).lstrip("."), plain, message


def _unwrapped(kind: Any) -> Any:
    """``kind`` without its bounds and without None as a choice."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, types.UnionType):
            others = [k for k in get_args(kind) if k is not type(None)]
            if len(others) != 1:
                return kind
            kind = others[0]
        else:
            return kind


if __name__ == "__main__":
    import sys
    from pathlib import Path

    for stem, kind in (("dialogue", Dialogue), ("corpus", Manifest)):
        Path(sys.argv[1], f"{stem}.schema.json").write_bytes(encode_schema(kind))
