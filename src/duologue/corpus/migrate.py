"""Bring a line of any known ``schema_version`` to the current one.

A version's migration is a function from its plain JSON object to that of the next version. Version 1 is the
first, so there is none yet; a change of the schema adds one here and freezes a fixture of the version it
leaves under ``tests/corpus/fixtures``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.errors import UserError

# schema_version -> its JSON object turned into that of schema_version + 1.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class _Version(msgspec.Struct):
    schema_version: int


_decode = msgspec.json.Decoder(Dialogue).decode
_version_of = msgspec.json.Decoder(_Version).decode


def decode_dialogue(line: bytes, where: str, number: int | None) -> Dialogue:
    """The dialogue on one line, migrated where it is older; UserError names file, line and field.

    The current version takes one pass; only a line that fails it is looked at again.
    """
    try:
        dialogue = _decode(line)
        if dialogue.schema_version == SCHEMA_VERSION:
            return dialogue
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        failure: Exception | None = error
    else:
        failure = None
    place = where if number is None else f"{where}:{number}"
    try:
        version = _version_of(line).schema_version
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"broken line: {error}", where=place, mend="run 'duologue check'") from None
    if version == SCHEMA_VERSION:
        raise UserError(f"not a dialogue: {failure}", where=place, mend="run 'duologue check'") from None
    known = sorted({SCHEMA_VERSION, *MIGRATIONS})
    if version not in known:
        raise UserError(
            "the line was written by a newer duologue" if version > SCHEMA_VERSION else "unknown schema version",
            where=place,
            field="schema_version",
            value=version,
            allowed=", ".join(map(str, known)),
            mend="pip install --upgrade duologue" if version > SCHEMA_VERSION else "",
        )
    plain = msgspec.json.decode(line)
    while version < SCHEMA_VERSION:
        plain = MIGRATIONS[version](plain)
        version += 1
    try:
        return msgspec.convert(plain | {"schema_version": version}, Dialogue)
    except msgspec.MsgspecError as error:
        raise UserError(f"not a dialogue after migration: {error}", where=place) from None
