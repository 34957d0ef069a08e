"""Prosody put into the network: F0, energy and frames between its halves; level, tilt and breath after them."""

from __future__ import annotations

from duologue.generate.prosody import Prosody
from duologue.generate.voices.kokoro_network import Features, FloatArray
from duologue.generate.voices.kokoro_timing import Placed


def edit(features: Features, words: list[Placed], prosody: Prosody, *, last: bool) -> tuple[Features, list[Placed]]:
    return features, words


def colour(samples: FloatArray, words: list[Placed], prosody: Prosody, seed: int) -> FloatArray:
    return samples
