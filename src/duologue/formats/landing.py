"""Where imports land: a corpus folder that appears only when it is complete."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio, Channel, Twin
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import AUDIO, Manifest
from duologue.corpus.write import codec_part, encode_dialogue, encode_flac, write_atomic, write_manifest, write_shard
from duologue.errors import UserError


class Landing:
    """Collects dialogues and their samples; ``with`` it, then :meth:`finish` makes the corpus visible at once.

    Audio goes to disk as it comes, beside ``out``; only the lines of JSON stay in memory.
    """

    def __init__(self, out: Path) -> None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError("the folder is not empty", where=str(out), mend="give a new folder")
        self.out = out
        self._aside = out.with_name(f".{out.name}.{os.getpid()}.importing")
        self._lines: dict[str, list[bytes]] = {}
        self._ids: set[str] = set()

    def __enter__(self) -> Landing:
        try:
            self._aside.mkdir(parents=True)
        except OSError as error:
            raise UserError(
                f"this folder cannot be written: {error.strerror}", where=str(self.out.parent), mend="choose another"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    @staticmethod
    def shard_of(d: Dialogue) -> str:
        return f"{d.track}-{d.languages[0]}-{d.split}-000"

    def store(
        self,
        d: Dialogue,
        id: str,
        samples: npt.NDArray[np.int16],
        rate: int,
        channels: tuple[Channel, ...],
        twin: Twin | None = None,
    ) -> Audio:
        """Write one audio file of ``d`` (of which track, language, split and id are read) and describe it."""
        flac = encode_flac(samples, rate)
        name = d.id if twin is None else f"{d.id}.{id}"
        path = f"{AUDIO}/{self.shard_of(d)}/{name}.flac"
        write_atomic(self._aside / path, flac.data, sync=False)
        return Audio(
            id=id,
            path=path,
            sha256=flac.sha256,
            pcm_sha256=flac.pcm_sha256,
            sample_rate=rate,
            length=flac.length,
            channels=channels,
            twin=twin,
        )

    def add(self, d: Dialogue) -> None:
        """Take a finished dialogue; its id must be new."""
        if d.id in self._ids:
            raise UserError("an id comes twice", field="id", value=d.id)
        self._ids.add(d.id)
        self._lines.setdefault(self.shard_of(d), []).append(encode_dialogue(d))

    def finish(self, notes: dict[str, Any]) -> Manifest:
        """Write shards and manifest, sync, and move the folder into place."""
        shards = tuple(write_shard(self._aside, name, lines) for name, lines in sorted(self._lines.items()))
        manifest = write_manifest(
            self._aside,
            Manifest(
                name=self.out.name, duologue=version("duologue"), parts=(codec_part(),), shards=shards, notes=notes
            ),
        )
        if hasattr(os, "sync"):
            os.sync()
        if self.out.exists():
            self.out.rmdir()
        self._aside.replace(self.out)
        return manifest
