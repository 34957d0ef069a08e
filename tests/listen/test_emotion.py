"""The listener is right about half the time on real actors it never heard (rendered ones: benchmarks/emotion.py)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs the extra 'analysis'")

import soundfile

from duologue.listen.emotion import FEATURES, EmotionListener, leave_speakers_out, recall, relative
from duologue.listen.prosody import measure

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "ravdess_en_16k"


def test_recall_counts_calm_as_neutral() -> None:
    r = recall(["calm", "neutral", "sad", "sad"], ["neutral", "sad", "sad", "sad"])
    assert r.by_class == {"neutral": 0.5, "sad": 1.0}
    assert r.mean == 0.75
    assert r.confusion["neutral"] == {"neutral": 1, "sad": 1}


def test_separable_classes_are_learnt() -> None:
    clips = [{f: float(i % 2) + 0.01 * (i % 7) for f in FEATURES} for i in range(60)]
    labels = ["happy" if i % 2 else "sad" for i in range(60)]
    assert EmotionListener(loudness=False).fit(clips, labels).hear(clips) == labels


@pytest.mark.long
@pytest.mark.skipif(not DATA.is_dir(), reason="no recordings in ../shared/data/ravdess_en_16k")
def test_real_actors_left_out() -> None:
    rows = []
    with (DATA / "labels.csv").open(encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            path = next(p for p in (DATA / row["file"], DATA / "audio" / row["file"]) if p.is_file())
            rows.append((row, measure(*soundfile.read(path))))
    clips, labels, actors = [], [], []
    for row, heard in rows:
        neutral = [
            m for r, m in rows
            if r["emotion"] == "neutral" and r["actor"] == row["actor"] and r["text"] == row["text"] and m is not heard
        ]  # fmt: skip
        assert heard is not None
        clips.append(relative(heard, [n for n in neutral if n is not None]))
        labels.append(row["emotion"])
        actors.append(row["actor"])
    found = recall(["neutral" if x == "calm" else x for x in labels], leave_speakers_out(clips, labels, actors))
    assert 0.42 < found.mean < 0.65
    assert min(found.by_class.values()) > 0.2
