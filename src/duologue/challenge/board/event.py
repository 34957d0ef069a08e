"""One entry of a board's history. The history is the board: whatever is shown is derived from it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, get_args

import msgspec

Kind = Literal[
    "opened",
    "amended",
    "received",
    "checked",
    "refused",
    "scored",
    "flagged",
    "cleared",
    "disqualified",
    "reinstated",
    "withdrawn",
    "restored",
    "frozen",
    "revealed",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# The digest that the first entry follows.
GENESIS = "0" * 64


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Entry ``seq`` (from 1) of a challenge's history: at ``at`` (UTC) ``by`` decided by ``rule``, on ``evidence``.

    ``submission`` and ``phase`` are "" where they do not apply, ``data`` is what the kind needs. ``digest`` is SHA-256
    over all of it and ``previous``, the digest of the entry before: a change anywhere breaks the chain.
    """

    challenge: str
    seq: int
    kind: Kind
    at: str
    by: str
    rule: str = ""
    evidence: str = ""
    submission: str = ""
    phase: str = ""
    data: dict[str, Any] = {}
    previous: str = GENESIS
    digest: str = ""


def digest_of(e: Event) -> str:
    """The digest that ``e`` has to have: hex SHA-256 of its other fields as JSON with sorted keys."""
    body = msgspec.structs.replace(e, digest="")
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def chained(e: Event, previous: Event | None) -> Event:
    """``e`` as the entry after ``previous``."""
    seq, before = (1, GENESIS) if previous is None else (previous.seq + 1, previous.digest)
    placed = msgspec.structs.replace(e, seq=seq, previous=before)
    return msgspec.structs.replace(placed, digest=digest_of(placed))


def broken(events: list[Event]) -> str:
    """What is wrong with a chain of entries, "" for nothing."""
    previous: Event | None = None
    for e in events:
        seq, before = (1, GENESIS) if previous is None else (previous.seq + 1, previous.digest)
        if e.seq != seq:
            return f"entry {seq} is missing: entry {e.seq} comes in its place"
        if e.previous != before:
            return f"entry {e.seq} does not follow entry {seq - 1} as it is now"
        if e.digest != digest_of(e):
            return f"entry {e.seq} was changed after it was written"
        previous = e
    return ""
