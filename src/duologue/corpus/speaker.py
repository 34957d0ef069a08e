"""A person or a synthetic voice that speaks in a dialogue."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import Name

Role = Literal["user", "system", "third_party", "addressee"]
Sex = Literal["female", "male", "unknown"]
Age = Literal["child", "young", "adult", "senior", "unknown"]
ROLES: tuple[Role, ...] = ("user", "system", "third_party", "addressee")


class Speaker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One speaker of one dialogue; ``id`` is unique in the corpus for a person or voice.

    ``addressee`` is the role of a bystander whom the user turns to; ``third_party`` one who speaks unasked.
    ``parent_voice`` joins a derived synthetic voice with the one it was made from, so that a split keeps
    them together; for an original voice it equals ``voice``.
    """

    id: Name
    role: Role
    languages: tuple[str, ...]
    synthetic: bool
    voice: str = ""
    parent_voice: str = ""
    sex: Sex = "unknown"
    age: Age = "unknown"
    consent_id: str = ""
