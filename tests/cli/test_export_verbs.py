"""``duologue export`` and ``import textgrid`` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.errors import UserError
from duologue.formats.landing import Landing


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One dialogue of training and one of the test split."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    landing = Landing(folder)
    for id, split in (("a", "train"), ("b", "test")):
        d = Dialogue(
            schema_version=SCHEMA_VERSION,
            id=id,
            track="duplex",
            tasks=("rejection",),
            languages=("en",),
            split=split,  # type: ignore[arg-type]
            scenario="none",
            source="synthetic",
            rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
            speakers=(Speaker(id=f"u{id}", role="user", languages=("en",), synthetic=True),),
            turns=(
                Turn(
                    index=0,
                    role="user",
                    speaker=f"u{id}",
                    addressee="",
                    language="en",
                    text="Hello.",
                    segments=(Segment(audio="a0", channel=0, start=100, end=900),),
                ),
            ),
        )
        samples = np.random.default_rng(0).integers(-3000, 3000, (1000, 1)).astype(np.int16)
        entry = landing.store(d, "a0", samples, 16_000, (Channel(kind="user-mic", speakers=(f"u{id}",)),))
        landing.add(Dialogue(**{**{f: getattr(d, f) for f in d.__struct_fields__}, "audio": (entry,)}))
    landing.finish("two", {})
    return folder


def run(*argv: object):
    return CliRunner().invoke(cli, [str(a) for a in argv])


def test_an_export_says_what_went_out_and_what_stayed(corpus: Path, tmp_path: Path) -> None:
    done = run("export", "webdataset", corpus, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "train: 1 dialogues" in done.output
    assert "left out: 1 of the test split" in done.output
    done = run("export", "webdataset", corpus, tmp_path / "all", "--answers", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["written"] == {"test": 1, "train": 1}
    assert "train nothing on it" in run("export", "rttm", corpus, tmp_path / "warned", "--answers").stderr


def test_a_format_that_is_only_imported_is_named(corpus: Path, tmp_path: Path) -> None:
    done = run("export", "folder", corpus, tmp_path / "out")
    assert isinstance(done.exception, UserError)
    assert "only imported" in done.exception.message


def test_a_corrected_grid_comes_back(corpus: Path, tmp_path: Path) -> None:
    assert run("export", "textgrid", corpus, tmp_path / "grids").exit_code == 0
    grid = tmp_path / "grids" / "train" / "a.TextGrid"
    grid.write_text(grid.read_text().replace("0: Hello.", "0: Hallo."))
    done = run("import", "textgrid", tmp_path / "grids", tmp_path / "better", "--corpus", corpus, "--rater", "anna")
    assert done.exit_code == 0, done.output
    assert "1 grids, 1 dialogues changed" in done.output
    assert '"text":"Hallo."' in next((tmp_path / "better" / "dialogues").glob("*train*")).read_text()
