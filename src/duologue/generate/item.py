"""One planned dialogue: every choice that is made before anything is written or heard."""

from __future__ import annotations

import msgspec

from duologue.corpus.dialogue import Split, Track
from duologue.corpus.speaker import Age, Role, Sex
from duologue.generate.script import Brief


class CastMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who plays ``role``: speaker ``speaker`` of voice ``voice`` (a registered synthesiser).

    A person is not ``synthetic`` and has a ``licence`` and a ``consent_id``.
    """

    role: Role
    voice: str
    speaker: str
    parent: str
    sex: Sex
    age: Age
    synthetic: bool = True
    licence: str = ""
    consent_id: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of a plan.

    ``id`` is opaque: it tells neither split nor scenario. ``shard`` names the shard that holds the dialogue,
    ``cell`` the recipe cell and ``index`` the place in it. ``seed`` is the only source of variation downstream;
    ``keyed`` says that it comes from a secret. ``noise`` and ``room`` are ids from the split's own pools ("" for none),
    ``snr_db`` the drawn level.
    """

    id: str
    cell: str
    index: int
    shard: str
    split: Split
    track: Track
    language: str
    seed: int
    brief: Brief
    cast: tuple[CastMember, ...]
    noise: str = ""
    snr_db: float | None = None
    room: str = ""
    band: str = "wide"
    packet_loss: float = 0.0
    echo_db: float | None = None
    twin: bool = False
    stems: bool = False
    keyed: bool = False
