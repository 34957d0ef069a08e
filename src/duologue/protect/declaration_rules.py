"""What a challenge allows to be used, and what a declaration breaks of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from duologue.document import Document, nearest
from duologue.protect.declaration import USES, Declaration, Resource, Use
from duologue.protect.licence import CLASSES, class_of, licences, named

_HASH = re.compile(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}|git:[0-9a-f]{64}")
_DOI = re.compile(r"(doi:)?10\.\d{4,9}/\S+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"(YOUR|NAME OF A) ")
REQUIRED = ("version", "source", "licence", "hash", "uses")


class Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``public``: only what anyone can get. ``licences``: classes (open, restricted, closed, unknown) or licences."""

    public: bool = True
    licences: tuple[str, ...] = ("open", "restricted")


class DeclarationRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules for data sets, for models, and for models by which training data were made (beside those for models).

    The defaults are those of the HumDial challenge: public data alone, any model that anyone can get, and synthesis by
    open models alone. What is used in no other way than ``exempt`` need not keep to them. ``required`` fields have to
    be filled in.
    """

    name: str = "humdial2026"
    datasets: Allowed = Allowed()
    models: Allowed = Allowed()
    synthesis: Allowed = Allowed(licences=("open",))
    exempt: tuple[Use, ...] = ("evaluation",)
    required: tuple[str, ...] = REQUIRED


class DeclarationFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``where`` is FILE:LINE; ``resource`` its name."""

    what: str
    level: Literal["error", "warning"] = "error"
    where: str = ""
    resource: str = ""
    field: str = ""
    value: str = ""
    allowed: str = ""


def read_declaration_rules(path: Path | None) -> DeclarationRules:
    """The rules in a YAML file, or those above; UserError names the line of a licence or field that nothing knows."""
    if path is None:
        return DeclarationRules()
    document = Document.read(path)
    rules = document.convert(DeclarationRules)
    check_rules(rules, document)
    return rules


def check_rules(rules: DeclarationRules, document: Document, at: tuple[str, ...] = ()) -> None:
    """UserError for a word in ``rules`` that nothing knows; they stand at ``at`` in the document."""
    known = [*CLASSES, *licences()]
    for part in ("datasets", "models", "synthesis"):
        for i, word in enumerate(getattr(rules, part).licences):
            if word not in known:
                place = (*at, part, "licences", i)
                raise document.error(
                    "unknown licence",
                    place,
                    value=word,
                    allowed=f"{', '.join(CLASSES)}, or one of docs/declarations.md",
                    mend=nearest(word, known),
                )
    for i, word in enumerate(rules.required):
        if word not in REQUIRED:
            raise document.error("unknown field", (*at, "required", i), value=word, allowed=", ".join(REQUIRED))


def check_declaration(
    declaration: Declaration, rules: DeclarationRules, document: Document | None = None
) -> list[DeclarationFinding]:
    """Everything in ``declaration`` that breaks ``rules``, in its order."""
    findings = []
    for field in ("team", "system"):
        value = getattr(declaration, field)
        if _PLACEHOLDER.match(value):
            where = document.where((field,)) if document else ""
            findings.append(DeclarationFinding(what="not filled in", where=where, field=field, value=value))
    if not declaration.resources:
        where = document.where(()) if document else ""
        findings.append(DeclarationFinding(what="nothing is declared", where=where, field="resources"))
    for i, r in enumerate(declaration.resources):
        for found in _check(r, rules):
            where = document.where(("resources", i, found.field)) if document else ""
            findings.append(msgspec.structs.replace(found, where=where, resource=r.name))
    return findings


def _check(r: Resource, rules: DeclarationRules) -> Iterable[DeclarationFinding]:
    if _PLACEHOLDER.match(r.name):
        yield DeclarationFinding(what="not filled in", field="name", value=r.name)
    for field in rules.required:
        if not getattr(r, field):
            yield DeclarationFinding(what="missing", field=field, allowed=_WANTED[field])
    if r.hash and not _HASH.fullmatch(r.hash):
        yield DeclarationFinding(what="no hash", field="hash", value=r.hash, allowed=_WANTED["hash"])
    if r.kind == "dataset" and "synthesis" in r.uses:
        yield DeclarationFinding(
            what="a data set makes no data", level="warning", field="uses", value="synthesis", allowed="training"
        )
    if r.uses and set(r.uses) <= set(rules.exempt):
        return
    allowed = rules.datasets if r.kind == "dataset" else rules.models
    yield from _public(r, allowed)
    yield from _licence(r, allowed, "data sets" if r.kind == "dataset" else "models")
    if r.kind == "model" and "synthesis" in r.uses:
        yield from _licence(r, rules.synthesis, "models that make training data")
        if rules.synthesis.public and not allowed.public:
            yield from _public(r, rules.synthesis)


def _public(r: Resource, allowed: Allowed) -> Iterable[DeclarationFinding]:
    if not allowed.public:
        return
    if r.public is None:
        yield DeclarationFinding(what="nobody says whether it is public", field="public", allowed="true or false")
    elif not r.public:
        yield DeclarationFinding(what="not public", field="public", value="false", allowed="public resources only")
    elif r.source and (why := _private(r.source)):
        yield DeclarationFinding(
            what=f"called public, but {why}", field="source", value=r.source, allowed="https://..., or a DOI"
        )


def _private(source: str) -> str:
    """Why nobody else can get something from ``source``, or ""."""
    if _DOI.fullmatch(source):
        return ""
    try:
        url = urlsplit(source)
        host = url.hostname or ""
    except ValueError:
        return "its source is no address"
    if url.scheme not in ("http", "https", "ftp") or "." not in host:
        return "its source is no public address"
    if host.endswith((".local", ".localhost", ".internal", ".lan", ".test", ".invalid")):
        return "its source is no public address"
    try:
        return "" if ipaddress.ip_address(host).is_global else "its source is no public address"
    except ValueError:
        return ""


def _licence(r: Resource, allowed: Allowed, what: str) -> Iterable[DeclarationFinding]:
    if not r.licence:
        return
    kind = class_of(r.licence)
    if kind in allowed.licences or named(r.licence) in allowed.licences:
        return
    yield DeclarationFinding(
        what=f"a licence that is not allowed for {what} ({kind})",
        field="licence",
        value=r.licence,
        allowed=", ".join(allowed.licences),
    )


_WANTED = {
    "version": "a version, a date or a commit",
    "source": "where anyone gets it: https://..., or a DOI",
    "licence": "an SPDX name or expression",
    "hash": "sha256: and 64 digits, or git: and those of a commit",
    "uses": ", ".join(USES),
}
