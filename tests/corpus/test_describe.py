"""Figures that can be worked out by hand come out as worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import duologue
from duologue.cli import cli
from duologue.corpus.describe import Stats, _Sketch, describe
from duologue.corpus.turn import Segment


@pytest.fixture(scope="module")
def stats(pristine: Path) -> Stats:
    return describe(duologue.open(pristine))


def test_totals_and_axes(stats: Stats) -> None:
    assert (stats.dialogues, stats.turns, stats.audio_files) == (24, 72, 36)
    assert (stats.seconds, stats.audio_seconds) == (96.0, 144.0)
    axes = {name: {v: t.count for v, t in axis.rows.items()} for name, axis in stats.axes.items()}
    assert axes["language"] == {"en": 12, "zh": 12}
    assert axes["task"] == {"interruption": 12, "trajectory": 12}
    assert axes["split"] == {"dev": 8, "test": 8, "train": 8}
    assert axes["emotion"] == {"sad": 24, "angry": 24}
    assert axes["intensity"] == {"2": 24, "1": 24}
    assert axes["shift"] == {"sad > angry": 24}
    assert axes["cause"] == {"event, explicit": 24}
    # Six users (a split and language each) and one system voice: people are counted once.
    assert axes["sex"] == {"female": 6, "unknown": 1}
    assert axes["speaker"]["sys"] == 24
    # Sad turns last 2 s, angry ones 0.5 s.
    assert stats.axes["emotion"].rows["sad"].hours == pytest.approx(48 / 3600, abs=1e-6)
    assert {(c.task, c.language, c.split, c.dialogues) for c in stats.cells} >= {("trajectory", "zh", "test", 2)}


def test_timing(stats: Stats) -> None:
    t = stats.timing["en"]
    # Answer 0.2 s after the question; interruption 0.3 s before the answer ends.
    assert t.offset is not None and (t.offset.n, t.offset.p5, t.offset.p95) == (24, -0.3, 0.2)
    assert t.offset.mean == pytest.approx(-0.05) and t.overlap == 0.5
    # Speech covers 1600-33600 and 36800-56000, twice over 48000-52800.
    assert t.overlap_share == pytest.approx(4800 / (32000 + 19200), abs=1e-4)
    assert t.pause is None
    assert t.turn is not None and {t.turn.p5, t.turn.p95} == {1.0, 2.0}
    # Four of five words begun ("Oh no, that sounds" = 18 characters) of an intended 48.
    assert t.interruption is not None and t.interruption.p50 == pytest.approx(18 / 48, abs=0.01)


def test_pauses_are_the_silences_inside_a_turn(corpus: Path) -> None:
    item = duologue.open(corpus).get("d0000")
    turn = item.dialogue.turns[0]
    split = (
        Segment(audio="main", channel=0, start=1600, end=9600),
        Segment(audio="main", channel=0, start=19200, end=33600),
    )
    d = msgspec.structs.replace(
        item.dialogue, turns=(msgspec.structs.replace(turn, segments=split), *item.dialogue.turns[1:])
    )

    class One:
        manifest = duologue.open(corpus).manifest

        def __iter__(self) -> Any:
            return iter([type(item)(d, "")])

    pause = describe(One()).timing["en"].pause  # type: ignore[arg-type]
    assert pause is not None and (pause.n, pause.mean) == (1, 0.6)


def test_gaps_name_empty_cells_unseen_shifts_and_thin_values(stats: Stats) -> None:
    kinds = {(g.kind, g.where, g.value) for g in stats.gaps}
    assert ("empty", "zh dev", "empathy") in kinds and ("empty", "zh dev", "trajectory") not in kinds
    assert ("unseen", "en", "angry > sad") in kinds and ("unseen", "en", "sad > angry") not in kinds
    assert sum(g.kind == "unseen" for g in stats.gaps) == 2 * (8 * 7 - 1)


def test_quantiles_and_histogram_of_a_sketch() -> None:
    sketch = _Sketch("s", 0.01, 0.1)
    for i in range(1, 1001):
        sketch.add(i / 1000 - 0.3)
    d = sketch.done()
    assert d is not None and d.n == 1000 and sum(d.histogram) == 1000
    assert d.mean == pytest.approx(0.2005) and d.sd == pytest.approx(0.2887, abs=1e-3)
    assert d.p50 == pytest.approx(0.2, abs=0.011) and d.p5 == pytest.approx(-0.25, abs=0.011)
    assert _Sketch("s", 0.01, 0.1).done() is None


def test_the_command_prints_tables_and_json(pristine: Path) -> None:
    run = CliRunner().invoke
    out = run(cli, ["stats", str(pristine)], env={"COLUMNS": "150"})
    assert out.exit_code == 0
    for expected in ("24 dialogues", "floor-transfer offset", "trajectory", "unseen", "sad > angry"):
        assert expected in out.stdout
    again = json.loads(run(cli, ["stats", str(pristine), "--json"]).stdout)
    assert msgspec.convert(again, Stats) == describe(duologue.open(pristine))


def test_the_page_is_one_file_that_opens_offline(pristine: Path, tmp_path: Path) -> None:
    out = CliRunner().invoke(cli, ["stats", str(pristine), "--html", str(tmp_path / "r" / "report.html")])
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert out.exit_code == 0 and "small" in page and "trajectory" in page
    assert 'src="http' not in page and "<link" not in page
