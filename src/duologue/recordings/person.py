"""The people who read: a file that says who they are and what they agreed to."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.dialogue import LANGUAGES
from duologue.corpus.speaker import ROLES, Age, Role, Sex
from duologue.corpus.table import read_table
from duologue.document import LARGEST, Document, nearest
from duologue.errors import UserError

_COLUMNS = ("name", "languages", "sex", "age", "licence", "consent_id", "roles")
_NO_CONSENT = "not-applicable"


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Someone who reads lines. ``licence`` (SPDX) is that of the recordings, ``consent_id`` names the record of the
    consent. ``roles`` are those that they may read; who reads the system's turns reads no others, since the system's
    speakers are shared by all splits.
    """

    name: str
    languages: tuple[str, ...]
    sex: Sex = "unknown"
    age: Age = "unknown"
    licence: str = ""
    consent_id: str = ""
    roles: tuple[Role, ...] = ("user", "third_party", "addressee")


class _People(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    people: tuple[Person, ...]


def read_people(path: str | Path) -> dict[str, Person]:
    """The people in a YAML file (``people:``) or CSV table, by name, in its order.

    UserError names the person without consent or licence, a name that comes twice, or what cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        rows = _rows(path)
    else:
        document = Document.read(path)
        rows = [(document.where(("people", i)), p) for i, p in enumerate(document.convert(_People).people)]
    found: dict[str, Person] = {}
    for where, person in rows:
        _check(person, where)
        if person.name in found:
            raise UserError("a name comes twice", where=where, field="name", value=person.name)
        found[person.name] = person
    if not found:
        raise UserError("names nobody", where=str(path))
    return found


def _rows(path: Path) -> list[tuple[str, Person]]:
    reader = csv.DictReader(io.StringIO(read_table(path, LARGEST), newline=""))
    try:
        for column in reader.fieldnames or ():
            if column not in _COLUMNS:
                mend = nearest(column, _COLUMNS)
                raise UserError(
                    "unknown column", where=f"{path}:1", value=column, allowed=", ".join(_COLUMNS), mend=mend
                )
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"is no table: {error}", where=f"{path}:{reader.line_num}") from None
    found = []
    for number, row in enumerate(rows, 2):
        where = f"{path}:{number}"
        given: dict[str, Any] = {k: v.strip() for k, v in row.items() if k and isinstance(v, str) and v.strip()}
        for key in ("languages", "roles"):
            if key in given:
                given[key] = re.split(r"[\s;,]+", given[key])
        try:
            found.append((where, msgspec.convert(given, Person)))
        except msgspec.ValidationError as error:
            message, _, field = str(error).partition(" - at `$.")
            raise UserError(message, where=where, field=field.rstrip("`")) from None
    return found


def _check(person: Person, where: str) -> None:
    name = person.name
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise UserError("is no name", where=where, field="name", value=name, allowed="1 to 100 printable characters")
    for language in person.languages:
        if language not in LANGUAGES:
            raise UserError(
                "unknown language", where=where, field="languages", value=language, allowed=", ".join(LANGUAGES)
            )
    if not person.languages:
        raise UserError(f"which languages does {name} read?", where=where, field="languages")
    if not person.roles or ("system" in person.roles and len(set(person.roles)) > 1):
        raise UserError(
            f"{name} cannot read these roles together",
            where=where,
            field="roles",
            value=", ".join(person.roles),
            allowed=f"system alone, or any of {', '.join(r for r in ROLES if r != 'system')}",
        )
    if not person.consent_id.strip() or person.consent_id == _NO_CONSENT:
        raise UserError(
            f"{name} gave no consent", where=where, field="consent_id", allowed="the id of the record of their consent"
        )
    if not person.licence.strip():
        raise UserError(f"under which licence are the recordings of {name}?", where=where, field="licence")
