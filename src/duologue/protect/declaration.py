"""A declaration: every data set and model that went into a system, one by one.

team: Example
system: example-1
resources:
  - name: EmotionTalk
    kind: dataset
    version: "1.0"
    source: https://example.org/emotiontalk
    licence: CC-BY-NC-4.0
    public: true
    hash: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    uses: [training]
    files: ["data/emotiontalk/*"]
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from duologue.document import Document
from duologue.errors import UserError

Kind = Literal["dataset", "model"]
# What it was used for: to train or tune, to start from, to make training data by, in the system itself, to measure.
Use = Literal["training", "initialisation", "synthesis", "inference", "evaluation"]
USES: tuple[Use, ...] = ("training", "initialisation", "synthesis", "inference", "evaluation")
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Free = Annotated[str, msgspec.Meta(max_length=2_000)]
MOST = 2_000


class Resource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A data set or model.

    ``hash`` is "sha256:" and 64 digits (of the archive, of the weights, or of a list of hashes) or "git:" and the 40 of
    a commit. ``public`` says that anyone can get it; None where nobody said so yet. ``files`` are patterns (``*``,
    ``?``, ``[...]``) of the files of a training manifest that belong to it, ``names`` other names that a manifest has
    for it.
    """

    name: Text
    kind: Kind
    version: Free = ""
    source: Free = ""
    licence: Free = ""
    public: bool | None = None
    hash: Free = ""
    uses: tuple[Use, ...] = ()
    files: tuple[Text, ...] = ()
    names: tuple[Text, ...] = ()
    note: Free = ""


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``team`` and ``system`` as in the submission."""

    team: Text
    system: Text
    resources: tuple[Resource, ...] = ()
    note: Free = ""


def read_declaration(path: Path) -> tuple[Declaration, Document]:
    """The declaration in a YAML file, and its lines; UserError names the line and the nearest key."""
    document = Document.read(path)
    if not isinstance(document.data, dict):
        raise UserError("a declaration is a mapping of keys to values", where=document.where(()))
    try:
        found = document.convert(Declaration)
    except UserError as error:
        if "expected `str`" in error.what:
            raise UserError(
                error.what, where=error.where, field=error.field, value=error.value, mend="put it in quotes"
            ) from None
        raise
    if len(found.resources) > MOST:
        raise UserError("too many resources", where=document.where(("resources",)), allowed=f"up to {MOST}")
    seen: dict[str, int] = {}
    for i, r in enumerate(found.resources):
        for name in (r.name, *r.names):
            first = seen.setdefault(f"{r.kind} {plain(name)}", i)
            if first != i:
                raise document.error(
                    "a resource comes twice", ("resources", i, "name"), value=name, mend=f"it is resources[{first}]"
                )
    return found, document


def plain(name: str) -> str:
    """A name as it is compared: case, width and the marks between its words do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isalnum()) or folded


def to_yaml(declaration: Declaration) -> str:
    """The declaration as a file to fill in; what is not known yet stands there empty."""
    rows = []
    for r in declaration.resources:
        row = {f: getattr(r, f) for f in ("name", "kind", "version", "source", "licence", "public", "hash")}
        row |= {"uses": list(r.uses)}
        row |= {f: list(v) for f in ("files", "names") if (v := getattr(r, f))}
        rows.append(row | ({"note": r.note} if r.note else {}))
    data = {"team": declaration.team, "system": declaration.system, "resources": rows}
    return _HEAD + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


_HEAD = f"""\
# Every data set and model used, one by one (docs/declarations.md).
# kind: dataset or model; hash: "sha256:..." or "git:..." (a commit); public: true or false
# uses: {", ".join(USES)}
# files: patterns of the files in your training manifest that belong to it
"""
EXAMPLE = Declaration(
    team="YOUR TEAM",
    system="YOUR SYSTEM",
    resources=(
        Resource(name="NAME OF A DATA SET", kind="dataset", uses=("training",), files=("data/name/*",)),
        Resource(name="NAME OF A MODEL", kind="model", uses=("synthesis",)),
    ),
)
