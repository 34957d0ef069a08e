"""The folder that a build works in: one build at a time, what is there already, and what may be added to it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import TracebackType

import msgspec

from duologue.corpus.manifest import AUDIO, DIALOGUES, MANIFEST, WORKING, Manifest, ShardEntry, read_manifest
from duologue.corpus.write import write_atomic, write_error, write_manifest
from duologue.errors import UserError
from duologue.generate.ledger import Log, Record, audio_is_whole, read_log, read_shard
from duologue.generate.recipe import Recipe, lasting_options

RECIPE = "recipe.yaml"
_SHARDS = "shards.log"
# The part that stands for the secret of a keyed test split.
KEY_PART = "key"


class Site:
    """A corpus folder under construction, held by a lock that the system frees when the process ends.

    >>> with Site("data/demo") as site:  # doctest: +SKIP
    ...     site.begin(recipe, manifest)
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.working = self.root / WORKING
        self.published: dict[str, ShardEntry] = {}
        self._lock = -1
        self._shards: Log | None = None

    def __enter__(self) -> Site:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            strangers = [p.name for p in self.root.iterdir() if not p.name.startswith(".") and p.name != RECIPE]
        except FileExistsError:
            raise UserError("is a file, not a folder", where=str(self.root), mend="choose another folder") from None
        except OSError as error:
            raise write_error(self.root / MANIFEST, error) from error
        if strangers and not (self.root / MANIFEST).exists():
            raise UserError(
                f"the folder is not empty and holds no corpus ({min(strangers)}...)",
                where=str(self.root),
                mend="choose another folder",
            )
        try:
            self.working.mkdir(exist_ok=True)
            self._lock = self._take()
        except OSError as error:
            raise write_error(self.working / "lock", error) from error
        self._sweep()
        return self

    def _take(self) -> int:
        path = self.working / "lock"
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.read(handle, 20).decode(errors="replace").strip()
                os.close(handle)
                raise UserError(
                    f"another build is at work in this folder (process {owner or 'unknown'})",
                    where=str(self.root),
                    mend="wait until it ends, or stop it",
                ) from None
            try:
                # A build that ends removes its lock; what we hold must still be the file of that name.
                if os.fstat(handle).st_ino == path.stat().st_ino:
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
                    return handle
            except FileNotFoundError:
                self.working.mkdir(exist_ok=True)
            os.close(handle)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shards:
            self._shards.close()
        if kind is not None:
            self._sweep()
        os.close(self._lock)

    def _sweep(self) -> None:
        """Remove what a killed build was writing when it died."""
        for folder in (self.root, self.root / DIALOGUES, *(self.root / AUDIO).glob("*"), self.working):
            for aside in folder.glob(".*.tmp"):
                aside.unlink(missing_ok=True)

    def begin(self, recipe: Recipe, manifest: Manifest) -> None:
        """Check that what is here belongs to ``recipe``, and mark the corpus as unfinished.

        ``manifest`` names the recipe and the parts. Raises UserError where the folder holds another recipe, more
        than the recipe asks for, or dialogues made by other parts.
        """
        text = msgspec.yaml.encode(_portable(recipe))
        if (self.root / MANIFEST).exists():
            there = read_manifest(self.root)
            self._check(recipe, manifest, there)
            self.published = {s.name: s for s in there.shards}
        for log in sorted(self.working.glob(f"*.{_SHARDS}")):
            for record in read_log(log):
                entry = msgspec.json.decode(record.line(), type=ShardEntry)
                self.published[entry.name] = entry
        write_atomic(self.root / RECIPE, text)
        files = {RECIPE: hashlib.sha256(text).hexdigest()}
        self.manifest = msgspec.structs.replace(manifest, files=files, complete=False)
        write_manifest(self.root, msgspec.structs.replace(self.manifest, shards=tuple(self.published.values())))
        self.run = 1 + max((int(p.name[:6]) for p in self.working.glob("[0-9]*.log")), default=0)
        self._shards = Log(self.working / f"{self.run:06d}.{_SHARDS}")

    def _check(self, recipe: Recipe, manifest: Manifest, there: Manifest) -> None:
        where = str(self.root)
        other = "choose another folder, or give the recipe that this corpus was built from"
        if not there.recipe_sha256:
            raise UserError("the folder holds a corpus that no recipe built", where=where, mend="choose another folder")
        try:
            old: Recipe | None = msgspec.yaml.decode((self.root / RECIPE).read_bytes(), type=Recipe)
        except (OSError, msgspec.MsgspecError, UserError):
            old = None
        if there.recipe_sha256 != manifest.recipe_sha256:
            a, b = (msgspec.to_builtins(_portable(r)) if r else {} for r in (old, recipe))
            differs = [k for k in b if k != "counts" and a.get(k) != b[k]]
            raise UserError(
                f"the folder holds a corpus of another recipe (it differs in: {', '.join(differs) or 'its content'})",
                where=where,
                mend=other,
            )
        ours = {(p.name, p.version, p.sha256) for p in manifest.parts}
        theirs = {(p.name, p.version, p.sha256) for p in there.parts}
        if {p for p in ours if p[0] == KEY_PART} != {p for p in theirs if p[0] == KEY_PART}:
            raise UserError(
                "the test split of this corpus was built with another key, or one of the two without any",
                where=where,
                field="seal key",
                mend="give the key that it was built with, or choose another folder",
            )
        if ours != theirs or there.duologue != manifest.duologue:
            changed = sorted({f"{n} {v}" for n, v, _ in theirs - ours} or {f"duologue {there.duologue}"})
            raise UserError(
                f"the corpus was built with other parts ({', '.join(changed)}); a mixture could not be reproduced",
                where=where,
                mend="install those versions again, or choose another folder",
            )
        if old is None:
            raise UserError(f"{RECIPE} is missing or damaged", where=where, mend=other)
        wanted = {c.key: c.count for c in recipe.cells()}
        for cell in old.cells():
            if cell.count > wanted.get(cell.key, 0):
                raise UserError(
                    f"the folder's recipe asks for {cell.count} dialogues of {cell.key}, this one for fewer",
                    where=where,
                    value=wanted.get(cell.key, 0),
                    mend="a corpus can only grow: raise the counts or the scale, or choose another folder",
                )

    def finished(self, threads: int) -> dict[str, dict[str, Record]]:
        """Records of all whole dialogues, by shard and id: those whose record and audio have the hashes they should."""
        found: dict[str, dict[str, Record]] = {}
        with ThreadPoolExecutor(threads) as pool:
            every = self._records()
            while records := tuple(islice(every, 256)):
                whole = pool.map(lambda r: audio_is_whole(self.root, r.line()), records)
                for record, good in zip(records, whole, strict=True):
                    if good:
                        found.setdefault(record.shard, {})[record.id] = record
        return found

    def _records(self) -> Iterator[Record]:
        for name, entry in list(self.published.items()):
            path = self.root / entry.path
            try:
                with path.open("rb") as file:
                    good = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
            except OSError:
                good = False
            if good:
                yield from read_shard(path, name)
            else:
                del self.published[name]
        for log in sorted(self.working.glob("*.made.log")):
            yield from read_log(log)

    def log_path(self, number: int) -> Path:
        """Where worker ``number`` of this run keeps its records."""
        return self.working / f"{self.run:06d}-{number:04d}.made.log"

    def note(self, entry: ShardEntry) -> None:
        """Remember that a shard is published."""
        assert self._shards is not None
        self.published[entry.name] = entry
        self._shards.append(entry.name, entry.name, msgspec.json.encode(entry) + b"\n")

    def end(self, shards: Sequence[str]) -> Manifest:
        """Publish the finished corpus of ``shards`` and clear the working folder away."""
        self._sweep()
        entries = tuple(self.published[name] for name in shards)
        manifest = write_manifest(self.root, msgspec.structs.replace(self.manifest, shards=entries, complete=True))
        shutil.rmtree(self.working)
        return manifest


def _portable(recipe: Recipe) -> Recipe:
    """The recipe without the places of this machine's files, and without options that are its own alone."""
    folder = Path(recipe.acoustics.noise_folder).name
    return msgspec.structs.replace(
        recipe,
        scripts=Path(recipe.scripts).name,
        options=lasting_options(recipe),
        acoustics=msgspec.structs.replace(recipe.acoustics, noise_folder=folder),
    )
