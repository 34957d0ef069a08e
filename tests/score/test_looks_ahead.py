"""A system that looks ahead is told on the card, and does not rank among live systems."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from duologue.corpus.manifest import Manifest
from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.corpus.write import write_manifest
from duologue.score.profiles.corrected.evaluate import assemble
from duologue.score.profiles.corrected.limits import DEFAULT


@pytest.mark.parametrize(("looks", "group"), [(True, "files"), (False, "live"), (None, "live")])
def test_a_run_that_looks_ahead_ranks_among_files(tmp_path: Path, looks: bool | None, group: str) -> None:
    corpus, run = tmp_path / "corpus", tmp_path / "run"
    manifest = write_manifest(corpus, Manifest(name="empty", duologue="0"))
    run.mkdir()
    told = {"system": "command:x", "mode": "fixed", "corpus_sha256": manifest.corpus_sha256}
    (run / "run.json").write_text(json.dumps(told))
    lines = [{"id": f"d{k}", "status": "ok", "looks_ahead": looks if k < 2 else None} for k in range(3)]
    (run / "observations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    card = assemble([], Corpus(corpus), Run(run), cast(Any, SimpleNamespace(methods={})), DEFAULT)
    assert card.comparable == group
    assert ["2 dialogues (d0, d1)" in w for w in card.warnings] == ([True] if looks else [])
