"""The JSON Schema in docs is current, and old lines stay readable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from duologue.corpus import migrate
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.manifest import Manifest
from duologue.corpus.migrate import decode_dialogue
from duologue.corpus.schema import encode_schema, json_schema, mismatches
from duologue.errors import UserError

DOCS = Path(__file__).parents[2] / "docs" / "schema"
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(("name", "kind"), [("dialogue", Dialogue), ("corpus", Manifest)])
def test_the_schema_in_docs_is_current(name: str, kind: Any) -> None:
    # To mend: python -m duologue.corpus.schema docs/schema
    assert (DOCS / f"{name}.schema.json").read_bytes() == encode_schema(kind)


def test_the_schema_accepts_what_is_written_and_refuses_what_is_not(pristine: Path) -> None:
    check = jsonschema.Draft202012Validator(json_schema(Dialogue))
    check.check_schema(json_schema(Dialogue))
    lines = [line for f in (pristine / "dialogues").iterdir() for line in f.read_bytes().splitlines()]
    assert len(lines) == 24
    for line in lines:
        check.validate(msgspec.json.decode(line))
    plain = msgspec.json.decode(lines[0])
    for change in ({"track": "cooking"}, {"colour": "red"}, {"schema_version": "1"}, {"languages": []}):
        assert not check.is_valid(plain | change)
        assert list(mismatches(plain | change))
    jsonschema.validate(msgspec.json.decode((pristine / "corpus.json").read_bytes()), json_schema(Manifest))


def test_every_frozen_version_still_reads() -> None:
    frozen = sorted(FIXTURES.glob("dialogue_v*.jsonl"))
    assert {int(f.stem.rpartition("v")[2]) for f in frozen} == set(range(1, SCHEMA_VERSION + 1))
    for f in frozen:
        for number, line in enumerate(f.read_bytes().splitlines(), 1):
            d = decode_dialogue(line, f.name, number)
            assert d.schema_version == SCHEMA_VERSION
            assert d.turns[0].words and d.annotations and d.provenance.steps


def test_a_line_of_an_older_version_goes_through_its_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = msgspec.json.decode((FIXTURES / "dialogue_v1.jsonl").read_bytes().splitlines()[0])
    plain["schema_version"] = 0
    plain["lang"] = plain.pop("languages")[0]
    monkeypatch.setitem(
        migrate.MIGRATIONS, 0, lambda row: {k: v for k, v in row.items() if k != "lang"} | {"languages": [row["lang"]]}
    )
    assert decode_dialogue(msgspec.json.encode(plain), "x", 1).languages == ("en",)
    with pytest.raises(UserError, match="after migration"):
        decode_dialogue(msgspec.json.encode(plain | {"lang": 3}), "x", 1)


@pytest.mark.parametrize(
    ("version", "message"),
    [(2, "newer duologue.*pip install --upgrade"), (-3, "unknown schema version"), ("1", "broken")],
)
def test_an_unknown_version_is_named(version: Any, message: str) -> None:
    line = msgspec.json.encode({"schema_version": version, "shape": "unknown"})
    with pytest.raises(UserError, match=rf"x:7: .*{message}"):
        decode_dialogue(line, "x", 7)
