"""What made a dialogue: every step with its part, version, parameters and seed."""

from __future__ import annotations

from typing import Any

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One step ("plan", "script", "voice", "scene", "import"). ``sha256`` pins weights or an input file."""

    step: str
    part: str
    version: str
    sha256: str = ""
    seed: str = ""
    parameters: dict[str, Any] = {}


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    recipe_sha256: str = ""
    steps: tuple[Step, ...] = ()
    parents: tuple[str, ...] = ()
