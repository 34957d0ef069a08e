"""A commitment: what the answers are is settled and published before anybody may know them.

The commitment is SHA-256 over a label, a random salt and the two hashes that name the answers. The salt, sealed with
the answers, keeps it from being tried against guesses (hiding); SHA-256 keeps anybody, the organiser too, from finding
other answers that fit (binding). Whoever is given the :class:`Opening` and the answers can check it without the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from duologue.errors import UserError


class PublicItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Item ``public`` of a release is audio ``audio`` of dialogue ``dialogue``; ``twin``: the twin's side of a pair."""

    public: str
    dialogue: str
    audio: str
    twin: bool


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What opens a commitment: the salt, the hash that names the answers' corpus, and that of the map of ids."""

    salt: str
    corpus_sha256: str
    map_sha256: str

    def commitment(self) -> str:
        """Hex SHA-256, the same for the same answers and salt."""
        parts = ["duologue-commitment-1", self.salt, self.corpus_sha256, self.map_sha256]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def map_sha256(items: Sequence[PublicItem]) -> str:
    """Hex SHA-256 over the canonical JSON of the items, in order of their public ids."""
    rows = [(i.public, i.dialogue, i.audio, i.twin) for i in sorted(items, key=lambda i: i.public)]
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def read_opening(path: str | Path) -> Opening:
    """The opening in a file that ``duologue unseal`` wrote; UserError for anything else."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Opening)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"is no opening of a commitment: {error}", where=str(path)) from None
