"""Unseal a test set: the corpus of the answers as it was, and a run on the public items under the corpus's own ids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from duologue.corpus.manifest import MANIFEST, read_manifest, sealed
from duologue.corpus.observation import Observation, RunManifest
from duologue.corpus.read import Corpus, resolve_inside
from duologue.corpus.run import MANIFEST as RUN_MANIFEST
from duologue.corpus.run import OBSERVATIONS, Run
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.protect.commitment import Opening, map_sha256
from duologue.protect.key import Secret
from duologue.protect.release import VAULT, read_card
from duologue.protect.seal import INSIDE, MAP, SealMap
from duologue.protect.vault import Tampered, Vault

ANSWERS = "answers.jsonl"
_ENCODER = msgspec.json.Encoder(order="deterministic")


class UnsealReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came out. ``opening`` opens the public commitment, with which it was compared."""

    path: str
    dialogues: int
    corpus_sha256: str
    commitment: str
    opening: Opening


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run under the corpus's ids: ``items`` of ``expected`` had an output; ``strangers`` are no items of the set."""

    path: str
    expected: int
    items: int
    strangers: tuple[str, ...]
    notices: tuple[str, ...]


def unseal(
    public: str | Path, out: str | Path, secret: Secret, *, progress: Callable[[int], object] = lambda _: None
) -> UnsealReport:
    """Write the answers' corpus of the release at ``public`` to the new folder ``out``: the bytes that were sealed.

    ``progress`` is told the number of bytes just written. Nothing is visible before all of it is authenticated and
    compared with the public commitment. Raises WrongKey, Tampered, Truncated (:mod:`duologue.protect.vault`), and
    UserError where the answers are not those that the public commitment names.
    """
    card = read_card(public)
    with Vault(Path(public) / VAULT, secret) as vault, aside(Path(out)) as folder:
        whole = None
        for path, pieces in vault.read():
            if path == MAP:
                whole = b"".join(pieces)
                continue
            target = _inside(folder, path, vault.where)
            with target.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                    progress(len(piece))
        table = _map(whole, vault.where)
        manifest = read_manifest(folder)
        opening = table.opening
        named = Opening(
            salt=opening.salt, corpus_sha256=sealed(manifest).corpus_sha256, map_sha256=map_sha256(table.items)
        )
        if named != opening or opening.commitment() != card.commitment:
            raise UserError(
                "these answers are not the ones that the public commitment names",
                where=str(public),
                field="commitment",
                value=named.commitment(),
                allowed=card.commitment,
            )
        reveal(folder, Path(out))
    return UnsealReport(
        path=str(out),
        dialogues=manifest.totals.dialogues,
        corpus_sha256=manifest.corpus_sha256,
        commitment=card.commitment,
        opening=opening,
    )


def _inside(folder: Path, path: str, where: str) -> Path:
    parts = path.split("/")
    if parts[0] != INSIDE or len(parts) < 2 or any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts):
        raise Tampered("holds a file that is no part of a corpus", where=where, value=path)
    target = folder.joinpath(*parts[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _map(data: bytes | None, where: str) -> SealMap:
    try:
        return msgspec.json.decode(data or b"", type=SealMap)
    except msgspec.MsgspecError:
        raise Tampered("holds no map of the items", where=where) from None


def open_map(public: str | Path, secret: Secret) -> SealMap:
    """What the public ids of the release at ``public`` stand for; reads the beginning of the vault alone."""
    with Vault(Path(public) / VAULT, secret) as vault:
        path, pieces = next(vault.read())
        table = _map(b"".join(pieces) if path == MAP else None, vault.where)
    if table.opening.commitment() != read_card(public).commitment:
        raise UserError("this map is not the one that the public commitment names", where=str(public))
    return table


def verify(public: str | Path, opening: Opening, corpus: str | Path) -> None:
    """Prove without a key that ``corpus`` is what was committed to; UserError where it is not.

    The corpus's manifest is compared, which holds a hash of everything; ``duologue check`` compares the rest with it.
    """
    card, manifest = read_card(public), read_manifest(corpus)
    if opening.commitment() != card.commitment:
        raise UserError("this opening does not open the commitment of this release", where=str(public))
    if sealed(manifest).corpus_sha256 != opening.corpus_sha256:
        raise UserError(
            "this corpus is not the one that was committed to",
            where=str(Path(corpus) / MANIFEST),
            field="corpus_sha256",
            value=sealed(manifest).corpus_sha256,
            allowed=opening.corpus_sha256,
        )


def named(public: str | Path, run: str | Path, out: str | Path, secret: Secret) -> RunReport:
    """Write the run ``run`` on the public items to the new folder ``out``, under the ids of the answers' corpus.

    Outputs are linked or copied, a twin's into ``clean/``. Answers of track 1 (``answers.jsonl``) get their dialogues'
    ids. What belongs to no item is left out and named.
    """
    table = open_map(public, secret)
    released, seen_run = Corpus(public), Run(run)
    notices = []
    said = seen_run.manifest.corpus_sha256
    if said and said != released.manifest.corpus_sha256:
        notices.append(f"the run says that it heard another corpus ({said[:12]}...)")
    items = {i.public: i for i in table.items}
    kept: list[Observation] = []
    found = 0
    with aside(Path(out)) as folder:
        for entry in released:
            item = items.get(entry.id)
            if item is None:
                raise UserError("an item that the sealed map does not know", where=str(public), value=entry.id)
            seen = seen_run.observe(entry.dialogue)
            if seen.status == "missing":
                continue
            found += 1
            audio = ""
            if seen.audio:
                source = Path(resolve_inside(seen_run.root, seen.audio))
                suffix = source.suffix.lower()
                audio = f"clean/{item.dialogue}{suffix}" if item.twin else f"{item.dialogue}{suffix}"
                _link(source, folder / audio)
            if not item.twin and entry.id in seen_run.observed:
                kept.append(msgspec.structs.replace(seen, id=item.dialogue, audio=audio, protocol=""))
            elif seen.words:
                _words(folder / audio, seen)
        strangers = [*_answers(seen_run.root, folder, {i.public: i.dialogue for i in table.items if not i.twin})]
        if kept:
            lines = b"".join(_ENCODER.encode(seen) + b"\n" for seen in sorted(kept, key=lambda seen: seen.id))
            write_atomic(folder / OBSERVATIONS, lines, sync=False)
        manifest = msgspec.structs.replace(
            seen_run.manifest, corpus_sha256="" if notices else table.opening.corpus_sha256
        )
        if manifest != RunManifest() or kept:
            write_atomic(folder / RUN_MANIFEST, _ENCODER.encode(manifest), sync=False)
        reveal(folder, Path(out))
    strangers += seen_run.extra
    return RunReport(
        path=str(out), expected=len(items), items=found, strangers=tuple(strangers), notices=tuple(notices)
    )


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _words(audio: Path, seen: Observation) -> None:
    """The transcript of an output, where the run kept it beside the audio."""
    rate = seen.sample_rate
    chunks = [{"text": w.text, "timestamp": [w.start / rate, w.end / rate]} for w in seen.words]
    text = " ".join(w.text for w in seen.words)
    write_atomic(audio.with_suffix(".json"), msgspec.json.encode({"text": text, "chunks": chunks}), sync=False)


def _answers(root: str, folder: Path, ids: dict[str, str]) -> list[str]:
    """Give track 1's answers their dialogues' ids, line by line, and name the lines that are of no item."""
    path = Path(root) / ANSWERS
    if not path.is_file():
        return []
    lines, strangers = [], []
    with Path(resolve_inside(root, ANSWERS)).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                row = None
            if isinstance(row, dict) and row.get("id") in ids:
                lines.append(msgspec.json.encode(row | {"id": ids[row["id"]]}) + b"\n")
            elif line.strip():
                strangers.append(f"{ANSWERS}:{number}")
    write_atomic(folder / ANSWERS, b"".join(lines), sync=False)
    return strangers
