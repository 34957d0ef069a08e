"""A declaration file against the rules and the training manifest, in one pass."""

from __future__ import annotations

from pathlib import Path

import msgspec

from duologue.protect.declaration import Declaration, read_declaration
from duologue.protect.declaration_manifest import ManifestSummary, check_manifest
from duologue.protect.declaration_rules import (
    DeclarationFinding,
    DeclarationRules,
    check_declaration,
    read_declaration_rules,
)


class DeclarationReport(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest`` is None where none was looked at: then nobody knows whether the declaration is complete."""

    rules: str
    resources: int
    manifest: ManifestSummary | None
    errors: int
    warnings: int
    findings: list[DeclarationFinding]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    declaration: Declaration
    rules: DeclarationRules
    report: DeclarationReport


def check(resources: Path, manifest: Path | None = None, rules: Path | None = None) -> Checked:
    """Everything that is wrong with the declaration ``resources``. UserError for a file that cannot be read at all."""
    wanted = read_declaration_rules(rules)
    declaration, document = read_declaration(resources)
    findings = check_declaration(declaration, wanted, document)
    summary = None
    if manifest is not None:
        summary, more = check_manifest(declaration, manifest)
        findings += more
    errors = sum(f.level == "error" for f in findings)
    report = DeclarationReport(
        rules=wanted.name,
        resources=len(declaration.resources),
        manifest=summary,
        errors=errors,
        warnings=len(findings) - errors,
        findings=findings,
    )
    return Checked(declaration=declaration, rules=wanted, report=report)
