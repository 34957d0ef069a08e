"""Answers of remote parts on disk, found again by what was asked.

One file an answer: ``FOLDER/ab/ab12….json``, named by the SHA-256 of what was asked (kind, model, prompt, parameters,
hash of the input). It appears whole or not at all, so that any number of processes may share a folder. What was asked
is kept as hashes and parameters only: neither texts, audio, addresses nor keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.write import write_atomic
from duologue.errors import UserError

_VERSION = 1
_ENCODER = msgspec.json.Encoder(order="deterministic")


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    asked: dict[str, Any]
    answer: Any
    sha256: str


def digest(value: object) -> str:
    """SHA-256 of ``value`` as canonical JSON (sorted keys); of the bytes where it is bytes."""
    return hashlib.sha256(value if isinstance(value, bytes) else _ENCODER.encode(value)).hexdigest()


class Cache:
    """Answers under ``folder``, which is made when the first is kept."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, asked: Mapping[str, Any]) -> Path:
        key = digest(asked)
        return self.folder / key[:2] / f"{key}.json"

    def get(self, asked: Mapping[str, Any]) -> Any:
        """The answer to ``asked``, None where there is none. A broken or altered entry counts as none."""
        path = self.path(asked)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"the cached answer cannot be read: {error.strerror}", where=str(path)) from error
        try:
            entry = msgspec.json.decode(data, type=_Entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if entry.version != _VERSION or digest(entry.asked) != digest(asked) or digest(entry.answer) != entry.sha256:
            return None
        return entry.answer

    def put(self, asked: Mapping[str, Any], answer: Any) -> None:
        """Keep ``answer`` (JSON values), replacing what was there."""
        entry = _Entry(version=_VERSION, asked=dict(asked), answer=answer, sha256=digest(answer))
        write_atomic(self.path(asked), _ENCODER.encode(entry) + b"\n", sync=False)
