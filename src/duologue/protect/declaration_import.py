"""Resources from what is published beside a data set or model: Croissant JSON-LD, cards with YAML front matter.

Croissant 1.0 (MLCommons) is schema.org's Dataset in JSON-LD; a card is a README.md of a hub. What such a file does
not say stays empty, and whether something is public is never taken from it: that is for the team to state.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from duologue.corpus.table import read_table
from duologue.document import Document
from duologue.errors import UserError
from duologue.protect.declaration import Kind, Resource
from duologue.protect.licence import named

LARGEST = 16 * 2**20
_FRONT = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", re.DOTALL)
# Keys of a card's front matter that only models have.
_OF_MODELS = ("pipeline_tag", "base_model", "library_name", "model-index", "model_name")


def import_resource(path: Path) -> Resource:
    """The resource that a Croissant file (JSON) or a card (Markdown with front matter) describes."""
    text = read_table(path, LARGEST)
    if path.suffix.casefold() in (".json", ".jsonld"):
        return _croissant(text, str(path))
    return _card(text, path)


def _croissant(text: str, where: str) -> Resource:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {str(error)[:100]}", where=where) from None
    if isinstance(data, dict) and isinstance(graph := data.get("@graph"), list):
        data = next((x for x in graph if isinstance(x, dict) and _is_dataset(x)), {})
    if not isinstance(data, dict) or not _is_dataset(data):
        raise UserError("no data set in JSON-LD", where=where, field="@type", allowed="schema.org's Dataset")
    name = _first(_texts(data, "name"))
    if not name:
        raise UserError("a data set without a name", where=where, field="name")
    return Resource(
        name=name[:400],
        kind="dataset",
        version=_first(_texts(data, "version"))[:400],
        source=_first([*_texts(data, "url"), *_texts(data, "sameAs"), *_texts(data, "@id")])[:2000],
        licence=" AND ".join(dict.fromkeys(named(x) for x in _texts(data, "license")))[:2000],
        hash=_hash(data.get("distribution", data.get("sc:distribution"))),
        uses=("training",),
    )


def _is_dataset(data: dict[str, Any]) -> bool:
    kinds = data.get("@type", "")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return any(isinstance(k, str) and re.split(r"[:/#]", k)[-1] == "Dataset" for k in kinds)


def _texts(data: dict[str, Any], field: str) -> list[str]:
    """The values of a field as text, whatever its prefix and shape."""
    value = next(
        (data[k] for k in (field, f"sc:{field}", f"schema:{field}", f"https://schema.org/{field}") if k in data), None
    )
    found = []
    for x in value if isinstance(value, list) else [value]:
        if isinstance(x, dict):
            x = next((x[k] for k in ("@value", "url", "@id", "name") if isinstance(x.get(k), str)), None)
        if isinstance(x, int | float) and not isinstance(x, bool):
            x = str(x)
        if isinstance(x, str) and x.strip():
            found.append(x.strip())
    return found


def _first(texts: Iterable[str]) -> str:
    return next(iter(texts), "")


def _hash(distribution: Any) -> str:
    """The hash of the one file, or of the list of "hash  name" lines of several; "" where any has none."""
    rows = distribution if isinstance(distribution, list) else [distribution]
    rows = [r for r in rows if isinstance(r, dict) and not str(r.get("@type", "")).endswith("FileSet")]
    found = []
    for row in rows:
        sha256 = _first(_texts(row, "sha256")).casefold()
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            return ""
        found.append(f"{sha256}  {_first([*_texts(row, '@id'), *_texts(row, 'name')])}\n")
    if len(found) == 1:
        return f"sha256:{found[0][:64]}"
    return f"sha256:{hashlib.sha256(''.join(sorted(found)).encode('utf-8', 'replace')).hexdigest()}" if found else ""


def _card(text: str, path: Path) -> Resource:
    found = _FRONT.match(text)
    if found is None:
        raise UserError("no front matter", where=str(path), allowed="YAML between two lines of ---")
    data = Document.parse(found[1], str(path)).data
    if not isinstance(data, dict):
        raise UserError("front matter that is no mapping", where=str(path))
    kind: Kind = "model" if any(k in data for k in _OF_MODELS) else "dataset"
    title = re.search(r"^#\s+(\S.*)$", text[found.end() :], re.MULTILINE)
    name = str(data.get("pretty_name") or data.get("model_name") or (title[1].strip() if title else path.parent.name))
    if not name:
        raise UserError("a card without a name", where=str(path), allowed="pretty_name, or a heading")
    given = data.get("license", "")
    licences = [str(x) for x in (given if isinstance(given, list) else [given]) if x]
    if licences == ["other"]:
        licences = [str(data.get("license_name") or data.get("license_link") or "other")]
    return Resource(
        name=name[:400],
        kind=kind,
        version=str(data.get("version") or "")[:400],
        licence=" AND ".join(dict.fromkeys(named(x) for x in licences))[:2000],
        uses=("training",) if kind == "dataset" else (),
        note="gated" if any(str(k).startswith("extra_gated") for k in data) else "",
    )
