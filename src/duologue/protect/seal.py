"""Seal a test set: a public part that holds no answer, and the answers in one encrypted file."""

from __future__ import annotations

import functools
import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import numpy as np

from duologue.corpus.dialogue import Dialogue, SourceKind, Split
from duologue.corpus.manifest import AUDIO, MANIFEST, Manifest, ShardEntry, encode_manifest, sealed
from duologue.corpus.migrate import decode_dialogue
from duologue.corpus.read import Corpus, OpenDialogue, resolve_inside
from duologue.corpus.rights import Rights
from duologue.corpus.write import (
    codec_part,
    encode_dialogue,
    encode_flac,
    is_main,
    write_atomic,
    write_manifest,
    write_shard,
)
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.generate.site import KEY_PART
from duologue.live.without_echo import user_channel
from duologue.protect.canary import PLEA, new_canary
from duologue.protect.commitment import Opening, PublicItem, map_sha256
from duologue.protect.given_away import GivenAway, Label, given_away
from duologue.protect.key import Entropy, Secret
from duologue.protect.plain_flac import plain_flac
from duologue.protect.release import (
    CARD,
    MTIME,
    README,
    VAULT,
    Card,
    heard,
    opaque_id,
    public_dialogue,
    readme,
)
from duologue.protect.vault import Member, write_vault

MAP = "map.json"
INSIDE = "corpus"
SHARD_ITEMS = 1000


class SealMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``map.json`` in the vault: what the public ids stand for, and what opens the commitment."""

    opening: Opening
    items: tuple[PublicItem, ...]


class SealReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed. ``corpus_sha256`` names the corpus of the answers, ``public_sha256`` the public part.
    ``given_away`` says what can be told from the length of the audio alone."""

    path: str
    dialogues: int
    items: int
    twins: int
    keyed: bool
    corpus_sha256: str
    public_sha256: str
    commitment: str
    canary: str
    vault_bytes: int
    given_away: tuple[GivenAway, ...]
    notices: tuple[str, ...]


class _Row(msgspec.Struct, frozen=True, gc=False):
    public: str
    shard: str
    offset: int
    length: int
    audio: str
    track: str
    language: str


def part_of(manifest: Manifest, split: Split) -> Manifest:
    """The manifest of the corpus that holds only the shards of ``split``: the same where it holds no others."""
    shards = tuple(s for s in manifest.shards if s.split == split)
    if not shards:
        held = ", ".join(sorted({s.split for s in manifest.shards})) or "none"
        raise UserError(f"no dialogue is in split {split!r}", where=manifest.name, allowed=held)
    if len(shards) == len(manifest.shards):
        return manifest
    notes = manifest.notes | {"part_of": {"corpus_sha256": manifest.corpus_sha256, "split": split}}
    return sealed(msgspec.structs.replace(manifest, shards=shards, notes=notes))


def seal(
    corpus: str | Path,
    out: str | Path,
    secret: Secret,
    *,
    name: str = "",
    split: Split = "test",
    twins: bool = True,
    entropy: Entropy = os.urandom,
    progress: Callable[[int], object] = lambda _: None,
) -> SealReport:
    """Seal split ``split`` of ``corpus`` into the new folder ``out``.

    A dialogue gives one public item, and one more for its twin unless ``twins`` is false: the user's channel of each,
    without the reference system's echo. All else, the original audio too, goes into the vault. Equal ``entropy`` gives
    equal bytes. ``progress`` is told the number of items just written. UserError where the corpus is unfinished, holds
    no dialogue of the split, or says something of a file that is not so.
    """
    opened = Corpus(corpus)
    if not opened.manifest.complete:
        raise UserError("the corpus is not finished", where=str(corpus), mend="run its build again")
    inner = part_of(opened.manifest, split)
    keyed = any(p.name == KEY_PART for p in inner.parts)
    canary = new_canary(entropy)
    id_key, salt = entropy(32), entropy(32).hex()
    rows, items, labels, kinds = _survey(opened, inner, id_key, twins)
    rights, notices = _common(kinds)
    opening = Opening(salt=salt, corpus_sha256=inner.corpus_sha256, map_sha256=map_sha256(items))
    name = name or f"{inner.name}-{split}"
    with aside(Path(out)) as folder:
        entries = tuple(_write(opened, folder, rows, rights, canary, progress))
        members = list(_members(opened.root, inner))
        whole = msgspec.json.encode(SealMap(opening=opening, items=tuple(items)))
        members.insert(0, Member(MAP, len(whole), functools.partial(io.BytesIO, whole)))
        sha256, size = write_vault(folder / VAULT, members, secret, entropy)
        card = Card(
            canary=canary,
            notice=PLEA,
            items=len(items),
            commitment=opening.commitment(),
            vault_sha256=sha256,
            vault_bytes=size,
            keyed=keyed,
        )
        texts = {
            CARD: msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n",
            README: readme(name, card).encode(),
        }
        for file, data in texts.items():
            write_atomic(folder / file, data, sync=False)
        from duologue import __version__

        manifest = write_manifest(
            folder,
            Manifest(
                name=name,
                duologue=__version__,
                taxonomy=inner.taxonomy,
                parts=(codec_part(),),
                shards=entries,
                files={VAULT: sha256, **{f: hashlib.sha256(data).hexdigest() for f, data in texts.items()}},
                notes={"sealed": True, "canary": canary, "notice": PLEA},
            ),
        )
        _same_times(folder)
        reveal(folder, Path(out))
    return SealReport(
        path=str(out),
        dialogues=inner.totals.dialogues,
        items=len(items),
        twins=sum(i.twin for i in items),
        keyed=keyed,
        corpus_sha256=inner.corpus_sha256,
        public_sha256=manifest.corpus_sha256,
        commitment=card.commitment,
        canary=canary,
        vault_bytes=size,
        given_away=given_away(labels),
        notices=(*notices, *_warnings(keyed, bool(inner.recipe_sha256), labels)),
    )


class _Kinds(msgspec.Struct):
    """What differs between items and would tell them apart, were it public as it is."""

    sources: Counter[SourceKind]
    licences: Counter[str]
    holders: Counter[tuple[str, str]]
    consents: Counter[str]


def _survey(
    opened: Corpus, inner: Manifest, id_key: bytes, twins: bool
) -> tuple[list[_Row], list[PublicItem], list[Label], _Kinds]:
    """Go through the dialogues once: where each lies, what its public items are, what duration might tell."""
    rows: list[_Row] = []
    items: list[PublicItem] = []
    labels: list[Label] = []
    kinds = _Kinds(Counter(), Counter(), Counter(), Counter())
    for shard in inner.shards:
        for offset, line in _lines(opened.root, shard):
            d = decode_dialogue(line, shard.path, None)
            mains = [a for a in d.audio if is_main(a)]
            if not mains:
                raise UserError(
                    "has no audio, and a release holds audio alone", where=f"dialogue {d.id}", mend="leave it out"
                )
            kinds.sources[d.source] += 1
            kinds.licences[d.rights.licence] += 1
            kinds.holders[d.rights.holder, d.rights.source_url] += 1
            kinds.consents[d.rights.consent_id] += 1
            for a in [mains[0], *([a for a in d.audio if a.twin is not None] if twins else [])]:
                public = opaque_id(id_key, d.id, a.id)
                items.append(PublicItem(public=public, dialogue=d.id, audio=a.id, twin=a.twin is not None))
                rows.append(_Row(public, shard.path, offset, len(line), a.id, d.track, d.languages[0]))
                labels.append(Label.of(d, a))
    rows.sort(key=lambda r: (r.track, r.language, r.public))
    items.sort(key=lambda i: i.public)
    if len({i.public for i in items}) < len(items):
        raise UserError("two items got the same public id", mend="seal again: it is chance")
    return rows, items, labels, kinds


def _lines(root: str, shard: ShardEntry) -> Iterator[tuple[int, bytes]]:
    """Each line of a shard with its place, and proof at the end that the shard is what the manifest says."""
    sha, at = hashlib.sha256(), 0
    with Path(resolve_inside(root, shard.path)).open("rb") as file:
        for line in file:
            sha.update(line)
            yield at, line
            at += len(line)
    if sha.hexdigest() != shard.sha256:
        raise UserError("the file was changed", where=shard.path, mend="run 'duologue check'")


def _common(kinds: _Kinds) -> tuple[Rights, list[str]]:
    """The rights that all items state alike, since an answer could hide in what differs; and what still differs."""
    notices = []
    if len(kinds.sources) > 1:
        # What is synthetic says so, here too.
        kept = ", ".join(sorted(kinds.sources))
        notices.append(f"items come from several sources ({kept}), and each says from which: make sure that none tells")
    if len(kinds.licences) > 1:
        notices.append(f"several licences: every item names all of them ({', '.join(sorted(kinds.licences))})")
    holder, url = next(iter(kinds.holders)) if len(kinds.holders) == 1 else ("", "")
    consent = next(iter(kinds.consents)) if len(kinds.consents) == 1 else "withheld"
    licence = " AND ".join(sorted(kinds.licences))
    return Rights(licence=licence, consent_id=consent, holder=holder, source_url=url), notices


def _warnings(keyed: bool, built: bool, labels: list[Label]) -> Iterator[str]:
    if built and not keyed:
        yield (
            "this test was built without a key: whoever has its recipe and seed can build it again with all answers; "
            "build it with --seal-key"
        )
    rates = {label.rate for label in labels}
    if len(rates) > 1:
        yield f"the audio has several sample rates ({', '.join(map(str, sorted(rates)))} Hz), which are public"


def _write(
    opened: Corpus,
    folder: Path,
    rows: list[_Row],
    rights: Rights,
    canary: str,
    progress: Callable[[int], object],
) -> Iterator[ShardEntry]:
    """Write the public shards, in order of the public ids, so that no folder keeps the order of the originals."""
    groups: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.track, row.language), []).append(row)
    for (track, language), members in sorted(groups.items()):
        for n, start in enumerate(range(0, len(members), SHARD_ITEMS)):
            shard = f"{track}-{language}-test-{n:05d}"
            lines = []
            for row in members[start : start + SHARD_ITEMS]:
                d = _dialogue(opened.root, row)
                samples, rate = user_channel(OpenDialogue(d, opened.root), row.audio)
                flac = encode_flac(np.ascontiguousarray(samples), rate)
                data = plain_flac(flac.data, flac.length, 1)
                path = f"{AUDIO}/{shard}/{row.public}.flac"
                write_atomic(folder / path, data, sync=False)
                audio = heard(row.public, path, data, flac.pcm_sha256, rate, flac.length)
                lines.append(encode_dialogue(public_dialogue(d, row.public, audio, rights, canary)))
                progress(1)
            yield write_shard(folder, shard, lines, sync=False)


def _dialogue(root: str, row: _Row) -> Dialogue:
    with Path(resolve_inside(root, row.shard)).open("rb") as file:
        file.seek(row.offset)
        return decode_dialogue(file.read(row.length), row.shard, None)


def _members(root: str, inner: Manifest) -> Iterator[Member]:
    """Everything that the answers' corpus consists of, each file proven to be what its entry says."""
    manifest = encode_manifest(inner)
    yield Member(f"{INSIDE}/{MANIFEST}", len(manifest), lambda: io.BytesIO(manifest))
    for path, sha256 in sorted(inner.files.items()):
        yield _member(root, path, sha256)
    for shard in inner.shards:
        yield _member(root, shard.path, shard.sha256)
        for _, line in _lines(root, shard):
            for audio in decode_dialogue(line, shard.path, None).audio:
                yield _member(root, audio.path, audio.sha256)


def _member(root: str, path: str, sha256: str) -> Member:
    real = Path(resolve_inside(root, path))
    return Member(f"{INSIDE}/{path}", real.stat().st_size, lambda: cast(BinaryIO, _Proven(real, path, sha256)))


class _Proven(io.RawIOBase):
    """A file that, read to its end, has the SHA-256 that it should have."""

    def __init__(self, real: Path, path: str, sha256: str) -> None:
        self._file, self._path, self._wanted, self._sha = real.open("rb"), path, sha256, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._sha.update(piece)
        if not piece and self._sha.hexdigest() != self._wanted:
            raise UserError("the file was changed", where=self._path, mend="run 'duologue check'")
        return piece

    def close(self) -> None:
        self._file.close()
        super().close()


def _same_times(folder: Path) -> None:
    for place, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            os.utime(Path(place) / name, (MTIME, MTIME))
    os.utime(folder, (MTIME, MTIME))
