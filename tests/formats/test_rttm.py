"""Real meetings with RTTM: all excerpts, their overlap, and lines that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from duologue.corpus import read
from duologue.corpus.describe import describe
from duologue.corpus.invariants import breaches
from duologue.formats import rttm
from duologue.formats.format import ImportReport, options_of


def take(src: Path, out: Path, rights: dict[str, str], **more: Any) -> ImportReport:
    return rttm.import_(src, out, options_of(rttm.OPTIONS, {**rights, "kind": "human-human", "language": "en", **more}))


def test_all_meeting_excerpts(data: Path, tmp_path: Path, rights: dict[str, str]) -> None:
    report = take(data / "ami_overlap_en" / "tests_data", tmp_path / "out", rights)
    assert report.written, report.problems
    assert report.dialogues == 14
    assert int(100 * report.overlap["tst00"].of_time) == 59
    assert int(100 * report.overlap["trn09"].of_time) == 44
    assert any("trñ00.wav" in n for n in report.notes)
    assert any("empty.wav" in n for n in report.notes)
    corpus = read.open(tmp_path / "out")
    segments = 0
    for item in corpus:
        assert not list(breaches(item.dialogue, corpus.manifest.taxonomy))
        assert all(t.text == "" for t in item.dialogue.turns)
        segments += sum(len(t.segments) for t in item.dialogue.turns)
    assert segments == 121  # All RTTM lines.
    assert "spk-MÉO069" in {s.id for i in corpus for s in i.dialogue.speakers}


def test_stats_show_the_overlap_of_one_excerpt(data: Path, tmp_path: Path, rights: dict[str, str]) -> None:
    src = tmp_path / "src"
    src.mkdir()
    real = data / "ami_overlap_en" / "tests_data"
    (src / "tst00.wav").symlink_to((real / "tst00.wav").resolve())
    lines = [x for x in (real / "debug.test.rttm").read_text().splitlines() if " tst00 " in x]
    (src / "a.rttm").write_text("\n".join(lines))
    take(src, tmp_path / "out", rights)
    share = describe(read.open(tmp_path / "out")).timing["en"].overlap_share
    assert share == pytest.approx(0.595, abs=0.006)


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ("SPEAKER a 1 0.5 0.2", "x.rttm:2", "too few fields"),
        ("SPEAKER a 1 zero 0.2 <NA> <NA> S <NA> <NA>", "x.rttm:2", "onset: not a time (got 'zero')"),
        ("SPEAKER a 1 -1 0.2 <NA> <NA> S <NA> <NA>", "x.rttm:2", "not a time"),
        ("SPEAKER a 1 0.5 9 <NA> <NA> S <NA> <NA>", "a.wav", "x.rttm:2: lies beyond the end"),
        ("SPEAKER b 1 0.5 0.2 <NA> <NA> S <NA> <NA>", "b", "no recording of this name"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, rights: dict[str, str], line: str, where: str, what: str) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    (src / "x.rttm").write_text(f"SPEAKER a 1 0.1 0.4 <NA> <NA> S <NA> <NA>\n{line}\n\n", "utf-8-sig")
    report = take(src, tmp_path / "out", rights)
    assert not report.written
    assert [p.where for p in report.problems] == [where]
    assert what in report.problems[0].what


def test_overlap_counts_a_speaker_once_and_only_annotated_time(tmp_path: Path, rights: dict[str, str]) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "a.wav", np.random.default_rng(0).normal(0, 0.1, 160_000), 16_000)
    rows = [("A", 0, 4), ("A", 2, 2), ("B", 3, 3), ("C", 8, 2)]
    (src / "x.rttm").write_text("".join(f"SPEAKER a 1 {s} {d} <NA> <NA> {n} <NA> <NA>\n" for n, s, d in rows))
    (src / "x.uem").write_text("a 1 0 8\n")
    share = take(src, tmp_path / "out", rights).overlap["a"]
    assert (share.of_time, share.of_speech) == (0.125, round(1 / 6, 4))
