"""Corpora on disk for tests: made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from small_corpus import build


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound corpus; read only."""
    root = tmp_path_factory.mktemp("corpus") / "small"
    build(root)
    return root


@pytest.fixture
def corpus(tmp_path: Path, pristine: Path) -> Path:
    """A sound corpus of one's own, to break."""
    shutil.copytree(pristine, tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def edit(corpus: Path) -> Callable[..., None]:
    """Change the plain JSON of dialogues, keeping shard hashes and the manifest in step."""

    def apply(change: Callable[[dict[str, Any]], object], *ids: str) -> None:
        from duologue.corpus.manifest import read_manifest
        from duologue.corpus.write import write_manifest, write_shard

        manifest = read_manifest(corpus)
        shards = []
        for shard in manifest.shards:
            rows = [msgspec.json.decode(line) for line in (corpus / shard.path).read_bytes().splitlines()]
            for row in rows:
                if row["id"] in ids:
                    change(row)
            lines = [msgspec.json.encode(row) + b"\n" for row in rows]
            try:
                shards.append(write_shard(corpus, shard.name, lines, sync=False))
            except Exception:  # a change that the writer itself refuses: written as it is
                (corpus / shard.path).write_bytes(b"".join(lines))
                shards.append(shard)
        write_manifest(corpus, msgspec.structs.replace(manifest, shards=tuple(shards)))

    return apply
