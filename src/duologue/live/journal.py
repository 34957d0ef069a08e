"""The journal of a run: ``observations.jsonl``, a line an item, written by one process at a time.

A line appears whole, by one write and a sync; what a kill cut short is dropped when the run goes on.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from duologue.corpus.observation import Observation, RunManifest
from duologue.corpus.run import MANIFEST, OBSERVATIONS
from duologue.corpus.write import write_atomic, write_error
from duologue.errors import UserError

_LOCK = ".lock"
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Journal:
    """The journal of the run in ``folder``, begun or taken up again.

    ``manifest`` says what is run; a folder that holds another run is refused. Items that failed for want of
    infrastructure are forgotten, so that they are tried again; ``done`` holds the others.
    """

    def __init__(self, folder: str | Path, manifest: RunManifest) -> None:
        self.folder = Path(folder)
        self._path = self.folder / OBSERVATIONS
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise write_error(self.folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise UserError("another process writes this run", where=str(self.folder)) from None
        try:
            self._take_up(manifest)
            self.done = {o.id: o for o in self._read()}
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, seen: Observation) -> None:
        data = _ENCODER.encode(seen) + b"\n"
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            raise write_error(self._path, error) from error
        self.done[seen.id] = seen

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._file)
            os.close(self._lock)

    def _take_up(self, manifest: RunManifest) -> None:
        path = self.folder / MANIFEST
        try:
            found = msgspec.json.decode(path.read_bytes(), type=RunManifest)
        except FileNotFoundError:
            # The lock is the journal's own.
            if any(p.name != _LOCK for p in self.folder.iterdir()):
                raise UserError(
                    "this folder holds something else than a run", where=str(self.folder), mend="name a new folder"
                ) from None
            write_atomic(path, msgspec.json.format(_ENCODER.encode(manifest), indent=2) + b"\n")
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UserError(f"the run's manifest cannot be read: {error}", where=str(path)) from None
        for field in ("system", "mode", "corpus_sha256", "frame_ms", "parameters"):
            old, new = getattr(found, field), getattr(manifest, field)
            if _ENCODER.encode(old) != _ENCODER.encode(new):
                raise UserError(
                    "another run lies in this folder",
                    where=str(self.folder),
                    field=field,
                    value=new,
                    allowed=f"{old!r}, as the run was begun",
                    mend="name a new folder, or the same run",
                )

    def _read(self) -> list[Observation]:
        """The items that need not be tried again; leaves a journal of these alone."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        kept: dict[str, tuple[Observation, bytes]] = {}
        for line in data.splitlines(keepends=True):
            try:
                seen = msgspec.json.decode(line, type=Observation)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # a line that a kill cut short
            if line.endswith(b"\n") and seen.status != "infrastructure":
                kept.setdefault(seen.id, (seen, line))
        lines = b"".join(line for _, line in kept.values())
        if lines != data:
            write_atomic(self._path, lines)
        return [seen for seen, _ in kept.values()]
