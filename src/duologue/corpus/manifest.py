"""``corpus.json``: what a corpus folder holds, as a tree of hashes with one name at its root.

A shard's line gives the SHA-256 of each of its dialogues' audio files and of their PCM; the manifest gives the
SHA-256 of each shard; :func:`corpus_hash` gives one hash over the manifest. So each byte is covered while the
manifest stays small, and one hash names the corpus.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.dialogue import SCHEMA_VERSION, Split, Track
from duologue.corpus.emotion import DUOLOGUE, Taxonomy
from duologue.corpus.scenario import Scenario
from duologue.errors import UserError

MANIFEST = "corpus.json"
DIALOGUES = "dialogues"
AUDIO = "audio"
# A build's own notes while it runs; the one folder beside the corpus that is no part of it.
WORKING = ".build"


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part that shaped the corpus (voice, writer, codec); ``sha256`` pins weights or data where there are any."""

    name: str
    version: str
    sha256: str = ""


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shard: the dialogues of one track, main language and split.

    ``path`` is relative to the corpus, with forward slashes. ``sha256`` and ``bytes`` are of the JSON Lines file.
    ``seconds`` counts main audio, ``audio_files`` and ``audio_seconds`` every file, twins and stems included.
    """

    name: str
    path: str
    sha256: str
    bytes: int
    dialogues: int
    seconds: float
    audio_files: int
    audio_seconds: float
    track: Track
    language: str
    split: Split


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over the shards."""

    dialogues: int = 0
    seconds: float = 0.0
    audio_files: int = 0
    audio_seconds: float = 0.0
    bytes: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``corpus.json``. Holds no clock time, so equal contents give equal bytes.

    ``recipe_sha256`` is "" for a corpus that no recipe built. ``files`` maps each further file of the corpus
    (``recipe.yaml``, a licence) to the SHA-256 of its bytes. ``notes`` holds facts for people and tools (pools
    drawn per split, draws, reasons). ``scenarios`` describes those that are not of the standard nine; left out where
    there are none. ``complete`` is false while a build is under way. :func:`sealed` fills in
    ``totals`` and ``corpus_sha256``.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    duologue: str
    recipe_sha256: str = ""
    taxonomy: Taxonomy = DUOLOGUE
    scenarios: tuple[Scenario, ...] | msgspec.UnsetType = msgspec.UNSET
    parts: tuple[Part, ...] = ()
    shards: tuple[ShardEntry, ...] = ()
    files: dict[str, str] = {}
    totals: Totals = Totals()
    notes: dict[str, Any] = {}
    complete: bool = True
    corpus_sha256: str = ""


_ENCODER = msgspec.json.Encoder(order="deterministic")


def corpus_hash(manifest: Manifest) -> str:
    """SHA-256 (hex) over the canonical JSON of everything in the manifest but the hash itself."""
    return hashlib.sha256(_ENCODER.encode(msgspec.structs.replace(manifest, corpus_sha256=""))).hexdigest()


def sealed(manifest: Manifest) -> Manifest:
    """The manifest with shards and parts in order of their names, totals summed and its hash set."""
    shards = tuple(sorted(manifest.shards, key=lambda s: s.name))
    totals = Totals(
        dialogues=sum(s.dialogues for s in shards),
        seconds=round(sum(s.seconds for s in shards), 6),
        audio_files=sum(s.audio_files for s in shards),
        audio_seconds=round(sum(s.audio_seconds for s in shards), 6),
        bytes=sum(s.bytes for s in shards),
    )
    parts = tuple(sorted(manifest.parts, key=lambda p: (p.name, p.version)))
    manifest = msgspec.structs.replace(manifest, shards=shards, parts=parts, totals=totals)
    return msgspec.structs.replace(manifest, corpus_sha256=corpus_hash(manifest))


def encode_manifest(manifest: Manifest) -> bytes:
    """Indented JSON, keys in a fixed order, with a final newline."""
    return msgspec.json.format(_ENCODER.encode(manifest), indent=1) + b"\n"


def read_manifest(root: str | Path) -> Manifest:
    """The manifest of the corpus at ``root``; UserError where there is none, or it is broken or from the future."""
    path = Path(root) / MANIFEST
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            "no corpus here", where=str(root), mend=f"a corpus is a folder with {MANIFEST}; 'duologue build' makes one"
        ) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise UserError(
                "the corpus was written by a newer duologue",
                where=str(path),
                field="schema_version",
                value=version,
                allowed=f"up to {SCHEMA_VERSION}",
                mend="pip install --upgrade duologue",
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"broken manifest: {error}", where=str(path), mend="build or copy the corpus again") from None


class _Version(msgspec.Struct):
    schema_version: int
