"""Pages and pictures: hostile text is escaped, nothing is fetched, unknown ids name the nearest."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from duologue.cli.show import command
from duologue.corpus import read
from duologue.corpus.audio import Channel
from duologue.corpus.describe import describe
from duologue.corpus.dialogue import Dialogue
from duologue.errors import UserError
from duologue.formats.landing import Landing
from duologue.report.corpus_page import render
from duologue.report.nearest import find
from duologue.report.waveform import envelope

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def corpus(tmp_path: Path) -> read.Corpus:
    (tmp_path / "c").mkdir()
    landing = Landing(tmp_path / "c")
    d = msgspec.convert(
        {
            "schema_version": 1,
            "id": "4f21c0",
            "track": "duplex",
            "tasks": ["rejection"],
            "languages": ["zh"],
            "split": "train",
            "scenario": "backchannel",
            "source": "synthetic",
            "rights": {"licence": "CC0-1.0", "consent_id": "not-applicable"},
            "situation": {"domain": HOSTILE},
            "speakers": [{"id": HOSTILE, "role": "user", "languages": ["zh"], "synthetic": True}],
            "turns": [
                {
                    "index": 0,
                    "role": "user",
                    "speaker": HOSTILE,
                    "addressee": "",
                    "language": "zh",
                    "text": f"你好{HOSTILE}",
                    "segments": [{"audio": "a0", "channel": 0, "start": 1000, "end": 9000}],
                    "words": [["你", 0, 1, 1000, 5000], ["好", 1, 2, 5000, 9000]],
                }
            ],
        },
        Dialogue,
    )
    samples = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)
    entry = landing.store(d, "a0", samples, 16_000, (Channel(kind="user-mic", speakers=(HOSTILE,)),))
    landing.add(msgspec.structs.replace(d, audio=(entry,)))
    landing.finish(HOSTILE, {})
    return read.open(tmp_path / "c")


def test_the_page_is_self_contained_and_escapes_everything(corpus: read.Corpus) -> None:
    page = render(corpus, describe(corpus), phases={"plan & write": 1.5})
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "plan &amp; write" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:audio/)""", page)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "data:audio/" in page
    assert "<svg" in page


def test_show_prints_and_draws(corpus: read.Corpus, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    png = tmp_path / "x.png"
    run = CliRunner().invoke(command, [corpus.root, "4f21", "--png", str(png)])
    assert run.exit_code == 0, run.output
    assert "你好" in run.output
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_picture_without_matplotlib_names_the_extra(
    corpus: read.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = CliRunner().invoke(command, [corpus.root, "4f21c0", "--png", str(tmp_path / "x.png")])
    assert "duologue[plots]" in str(run.exception)


def test_an_unknown_id_names_the_nearest(corpus: read.Corpus) -> None:
    with pytest.raises(UserError, match="did you mean 4f21c0"):
        find(corpus.root, "4e21c0")


def test_an_envelope_holds_every_extreme() -> None:
    x = np.zeros(1_000, np.float32)
    x[123], x[877] = 1.0, -1.0
    e = envelope(x, 10)
    assert e.shape == (10, 2)
    assert (e[1, 1], e[8, 0]) == (1.0, -1.0)
    assert envelope(x[:3], 10).shape == (3, 2)
