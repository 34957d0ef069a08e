"""The files of one split of a corpus, to be scanned without the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duologue.corpus.dialogue import SPLITS
from duologue.corpus.manifest import AUDIO, MANIFEST, read_manifest
from duologue.errors import UserError


def of_split(path: Path, split: str) -> Iterator[Path]:
    """Shards and audio folders of ``split`` where ``path`` is a corpus; anything else as it is.

    UserError for a split that there is not.
    """
    if not (path / MANIFEST).is_file():
        yield path
        return
    if split not in SPLITS:
        raise UserError("unknown split", field="split", value=split, allowed=", ".join(SPLITS))
    for shard in read_manifest(path).shards:
        if shard.split == split:
            yield path / shard.path
            if (audio := path / AUDIO / shard.name).is_dir():
                yield audio
