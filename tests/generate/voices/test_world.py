"""WORLD changes a recording's prosody by as much as it was asked."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyworld", reason="needs the extra 'world'")
pytest.importorskip("espeakng_loader", reason="needs the extra 'espeak'")

from duologue.generate.prosody import Prosody
from duologue.generate.voices import world
from duologue.generate.voices.espeak import EspeakVoice
from duologue.generate.voices.voice import Speech
from duologue.listen.prosody import ProsodicFeatures, measure


@pytest.fixture(scope="module")
def speech() -> Speech:
    voice = EspeakVoice()
    return voice.synthesise("Kids are talking by the door.", language="en", speaker=voice.speakers("en")[0].id)


def heard(samples: np.ndarray, rate: int) -> ProsodicFeatures:
    found = measure(samples, rate)
    assert found is not None
    return found


@pytest.mark.parametrize("shift", [-3.0, 4.0])
def test_mean_pitch_moves_as_asked(speech: Speech, shift: float) -> None:
    plain = heard(world.apply(speech.samples, speech.sample_rate, Prosody()), speech.sample_rate)
    moved = heard(world.apply(speech.samples, speech.sample_rate, Prosody(f0_shift=shift)), speech.sample_rate)
    assert moved.f0_mean - plain.f0_mean == pytest.approx(shift, abs=0.5)


def test_range_slope_and_gain(speech: Speech) -> None:
    plain = heard(world.apply(speech.samples, speech.sample_rate, Prosody()), speech.sample_rate)
    asked = Prosody(f0_range=1.6, gain=-6.0, tilt=2.0)
    moved = heard(world.apply(speech.samples, speech.sample_rate, asked), speech.sample_rate)
    assert moved.f0_sd / plain.f0_sd == pytest.approx(1.6, rel=0.2)
    assert moved.energy_mean - plain.energy_mean == pytest.approx(-6.0, abs=2.5)
    assert 1.0 < moved.tilt - plain.tilt < 3.0


@pytest.mark.parametrize("tempo", [0.7, 1.3])
def test_tempo_scales_samples_and_words(speech: Speech, tempo: float) -> None:
    made = world.apply(speech.samples, speech.sample_rate, Prosody(tempo=tempo))
    assert len(made) == round(len(speech.samples) * tempo)
    words = world.scale_words(speech.words, tempo, len(made))
    assert [w.start for w in words] == [round(w.start * tempo) for w in speech.words]
    assert words[-1].end <= len(made)


def test_too_short_to_analyse_is_only_amplified() -> None:
    assert len(world.apply(np.zeros(0), 16_000, Prosody(gain=6))) == 0
    assert world.apply(np.full(10, 0.1), 16_000, Prosody(gain=20.0)) == pytest.approx(np.full(10, 1.0), rel=1e-4)
