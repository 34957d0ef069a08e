"""A voice is commanded so that it answers as asked; what needs no correction is left as it was."""

from __future__ import annotations

import pytest

from duologue.generate.prosody import NEUTRAL, Prosody
from duologue.generate.voices.response import IDENTITY, command, shipped


@pytest.mark.parametrize("voice", ["espeak", "kokoro"])
def test_neutral_stays_and_gain_moves_nothing_else(voice: str) -> None:
    assert command(shipped(voice), NEUTRAL) == NEUTRAL
    assert command(shipped(voice), Prosody(gain=7.0)) == Prosody(gain=7.0)
    assert command(shipped(voice), Prosody(f0_shift=8.0)).f0_shift == pytest.approx(8.0, abs=1.0)


def test_a_voice_without_figures_is_commanded_as_asked() -> None:
    assert shipped("nobody") == IDENTITY
    assert command(IDENTITY, Prosody(f0_shift=3.0)) == Prosody(f0_shift=3.0)
