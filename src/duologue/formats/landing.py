"""Where imports land: a corpus folder, written shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio, Channel, Twin
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import AUDIO, Manifest
from duologue.corpus.write import codec_part, encode_dialogue, encode_flac, write_atomic, write_manifest, write_shard
from duologue.errors import UserError
from duologue.formats.aside import reveal
from duologue.formats.format import ImportReport, Overlap, Problem


class Landing:
    """Collects dialogues and their samples in ``folder``; :meth:`finish` closes the corpus and
    :meth:`reveal` also gives it its name.

    Audio goes to disk as it comes; only the lines of JSON stay in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, list[bytes]] = {}
        self._ids: set[str] = set()

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
        write_atomic(self._folder / path, flac.data, sync=False)
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

    def finish(self, name: str, notes: dict[str, Any]) -> Manifest:
        """Write the shards and the manifest of the corpus called ``name``."""
        shards = tuple(write_shard(self._folder, shard, lines) for shard, lines in sorted(self._lines.items()))
        return write_manifest(
            self._folder,
            Manifest(name=name, duologue=version("duologue"), parts=(codec_part(),), shards=shards, notes=notes),
        )

    def reveal(
        self,
        out: Path,
        source: str,
        problems: Sequence[Problem],
        notes: Sequence[str],
        overlap: dict[str, Overlap] | None = None,
    ) -> ImportReport:
        """Finish, and give the folder the name ``out``. ``source`` is the format that was imported."""
        manifest = self.finish(out.name, {"import": source, "skipped": [f"{p.where}: {p.what}" for p in problems]})
        reveal(self._folder, out)
        return ImportReport(
            written=True,
            dialogues=manifest.totals.dialogues,
            seconds=manifest.totals.seconds,
            corpus_sha256=manifest.corpus_sha256,
            problems=tuple(problems),
            notes=tuple(notes),
            overlap=overlap or {},
        )
