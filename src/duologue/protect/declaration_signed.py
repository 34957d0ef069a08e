"""A declaration as a team signs it, for a submission: what was used, by which rules it was checked, under whose key.

The signature is Ed25519 (RFC 8032), by the library ``cryptography``, over the canonical JSON of everything but itself:
keys sorted, no spaces, UTF-8, no floating-point numbers (as RFC 8785 would write it). It shows that whoever holds the
key said this and that nobody changed it since. It does not show that it is true.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from duologue.errors import MissingPartError, UserError
from duologue.protect.declaration import Declaration, Resource
from duologue.protect.declaration_manifest import ManifestSummary
from duologue.protect.declaration_rules import DeclarationFinding, DeclarationRules

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = "duologue-declaration/1"
LARGEST, LARGEST_KEY = 4 * 2**20, 16 * 1024


class SignedDeclaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rules`` is the name of the rules, ``rules_sha256`` their hash; ``manifest`` is None where none was looked at.
    ``errors`` and ``warnings`` count what the check found. ``public_key`` and ``signature`` are Base64."""

    format: str
    team: str
    system: str
    resources: tuple[Resource, ...]
    rules: str
    rules_sha256: str
    manifest: ManifestSummary | None
    errors: int
    warnings: int
    public_key: str
    signature: str = ""

    def body(self) -> bytes:
        """What is signed."""
        data = msgspec.to_builtins(msgspec.structs.replace(self, signature=""))
        del data["signature"]
        return canonical(data)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the key."""
        return hashlib.sha256(base64.b64decode(self.public_key)).hexdigest()[:16]

    def declaration(self) -> Declaration:
        return Declaration(team=self.team, system=self.system, resources=self.resources)


def canonical(value: Any) -> bytes:
    """One and the same JSON for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def make_key(path: Path) -> str:
    """Write a new private key (PEM, readable by its owner alone) and beside it ``.pub``; its fingerprint."""
    serialization, ed25519 = _library()
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(raw)
    except FileExistsError:
        raise UserError("there is a file already", where=str(path), mend="a key is never overwritten") from None
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
    public = key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.with_name(f"{path.name}.pub").write_bytes(pem)
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def sign(
    declaration: Declaration,
    rules: DeclarationRules,
    findings: list[DeclarationFinding],
    manifest: ManifestSummary | None,
    key: Path,
) -> bytes:
    """The signed declaration as JSON. UserError where it breaks the rules, or the key cannot be read."""
    errors = sum(f.level == "error" for f in findings)
    if errors:
        raise UserError(f"{errors} errors: it is not signed", mend="look at them: duologue declare check")
    private = _private(key)
    unsigned = SignedDeclaration(
        format=FORMAT,
        team=declaration.team,
        system=declaration.system,
        resources=declaration.resources,
        rules=rules.name,
        rules_sha256=hashlib.sha256(canonical(msgspec.to_builtins(rules))).hexdigest(),
        manifest=manifest,
        errors=0,
        warnings=len(findings),
        public_key=base64.b64encode(private.public_key().public_bytes_raw()).decode(),
    )
    try:
        signature = base64.b64encode(private.sign(unsigned.body())).decode()
    except UnicodeEncodeError:
        raise UserError("characters that are no Unicode", where=declaration.team) from None
    signed = msgspec.structs.replace(unsigned, signature=signature)
    return json.dumps(msgspec.to_builtins(signed), ensure_ascii=False, indent=1).encode() + b"\n"


def verify(data: bytes, name: str, public: Path | None = None) -> SignedDeclaration:
    """The declaration in ``data``; UserError where it is none, was changed after it was signed, or was signed with
    another key than ``public`` (a PEM file)."""
    try:
        found = msgspec.json.decode(data, type=SignedDeclaration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"no signed declaration: {str(error)[:120]}", where=name) from None
    if found.format != FORMAT:
        raise UserError("another format", where=name, field="format", value=found.format, allowed=FORMAT)
    _, ed25519 = _library()
    from cryptography.exceptions import InvalidSignature

    try:
        raw = base64.b64decode(found.public_key, validate=True)
        key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
        key.verify(base64.b64decode(found.signature, validate=True), found.body())
    except (InvalidSignature, binascii.Error, ValueError):
        raise UserError("changed after it was signed, or never signed", where=name, field="signature") from None
    if public is not None and _public(public).public_bytes_raw() != raw:
        raise UserError("signed with another key", where=name, field="public_key", value=found.fingerprint)
    return found


def _library() -> tuple[ModuleType, ModuleType]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingPartError("signatures need the extra 'protect'", mend="pip install 'duologue[protect]'") from None
    return serialization, ed25519


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_KEY + 1)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > LARGEST_KEY:
        raise UserError("no key", where=str(path))
    return data


def _private(path: Path) -> Ed25519PrivateKey:
    serialization, ed25519 = _library()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key: Ed25519PrivateKey | None = serialization.load_pem_private_key(_read_key(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if key is None or not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UserError("no private key", where=str(path), mend="duologue declare key KEYFILE")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    serialization, ed25519 = _library()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key: Ed25519PublicKey | None = serialization.load_pem_public_key(_read_key(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if key is None or not isinstance(key, ed25519.Ed25519PublicKey):
        raise UserError("no public key", where=str(path), mend="the .pub file beside the team's key")
    return key
