"""A declaration inside a submission: verified, and held against the challenge's rules whatever the team counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from submission_bytes import OWN, Entry, Zip, files

from duologue.challenge.submission.check import check
from duologue.challenge.submission.rules import SubmissionRules
from duologue.protect.declaration_check import check as check_declared
from duologue.protect.declaration_rules import Allowed, DeclarationRules

pytest.importorskip("cryptography", reason="signatures need the extra 'protect'")
DATA = {
    "name": "[red]Private calls",
    "kind": "dataset",
    "version": "1",
    "source": "https://example.org/x",
    "licence": "CC-BY-NC-4.0",
    "public": True,
    "hash": "sha256:" + "ab" * 32,
    "uses": ["training"],
}


def _signed(folder: Path, **change: object) -> bytes:
    from duologue.protect.declaration_signed import make_key, sign

    (folder / "r.yaml").write_text(yaml.safe_dump({"team": "Team", "system": "one", "resources": [DATA | change]}))
    make_key(folder / "team.pem")
    found = check_declared(folder / "r.yaml")
    return sign(found.declaration, found.rules, found.report.findings, None, folder / "team.pem")


def _whats(folder: Path, declaration: bytes, rules: SubmissionRules | None = None) -> set[str]:
    z = Zip([Entry(n.encode(), d) for n, d in (files(OWN) | {"declaration.json": declaration}).items()])
    (folder / "s.zip").write_bytes(z.bytes())
    return {c.what for c in check(folder / "s.zip", OWN, rules).counts}


def test_a_signed_declaration_is_held_against_the_rules(tmp_path: Path) -> None:
    signed = _signed(tmp_path)
    assert _whats(tmp_path, signed) == set()
    assert _whats(tmp_path, signed.replace(b"example.org", b"example.com")) == {"a declaration that cannot be accepted"}
    assert _whats(tmp_path, b"{}") == {"a declaration that cannot be accepted"}
    strict = SubmissionRules(declaration_rules=DeclarationRules(datasets=Allowed(licences=("open",))))
    assert _whats(tmp_path, signed, strict) == {"declared: a licence that is not allowed for data sets (restricted)"}
    assert _whats(tmp_path, signed, SubmissionRules(declaration="forbidden")) == {
        "a declaration that this challenge does not take"
    }
    assert json.loads(signed)["errors"] == 0
