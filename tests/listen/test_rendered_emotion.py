"""Rendered emotion is about as hard to hear as acted emotion: the proof of benchmarks/emotion.py on fewer clips."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sklearn", reason="needs the extra 'analysis'")
pytest.importorskip("espeakng_loader", reason="needs the extra 'espeak'")

from duologue.generate.emotion_prosody import tabulate
from duologue.generate.voices.espeak import EspeakVoice
from duologue.listen.emotion import EmotionListener, leave_speakers_out, recall

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "ravdess_en_16k"


def proof() -> ModuleType:
    spec = importlib.util.spec_from_file_location("emotion_proof", ROOT / "benchmarks" / "emotion.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.skipif(not DATA.is_dir(), reason="no recordings in ../shared/data/ravdess_en_16k")
def test_rendered_emotion_is_heard_about_as_well_as_acted_emotion() -> None:
    """Table and listener come from disjoint actors. Mean recall over seven classes, each heard above chance."""
    bench = proof()
    ours, theirs = bench.halves(bench.recordings(DATA))
    rendered = bench.render(EspeakVoice(), tabulate(bench.takes(ours)), "en", 24, 6, 1)
    clips, labels = [c.relative for c in theirs], bench.labels(theirs)
    for loudness in (True, False):
        listener = EmotionListener(loudness=loudness).fit(clips, labels)
        acted = recall(labels, leave_speakers_out(clips, labels, [c.speaker for c in theirs], loudness=loudness))
        spoken = recall(bench.labels(rendered), listener.hear([c.relative for c in rendered]))
        # 24 clips a cell: the standard error of a mean of seven recalls is about 0.03.
        assert abs(spoken.mean - acted.mean) <= 0.10
        assert spoken.mean >= 2 / 7
