"""Whose voice is it: speaker embeddings and how alike two are (Resemblyzer, an optional part that needs torch)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError, UserError

Embedding = npt.NDArray[np.float32]
_RATE = 16_000
_SHORTEST = 0.5  # seconds; less tells nothing about a voice


class SpeakerEncoder:
    """Embeddings of 256 dimensions and length 1; the cosine of two is their similarity.

    Generalized end-to-end loss for speaker verification, Wan et al. 2018, as Resemblyzer implements it.
    """

    @cached_property
    def _encoder(self) -> Any:
        try:
            from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise MissingPartError(
                f"speaker similarity needs the package {error.name!r}",
                mend="pip install torch==2.13.0, then pip install 'duologue[speaker]'",
            ) from error
        return VoiceEncoder("cpu", verbose=False)

    def embed(self, samples: npt.NDArray[np.float32], sample_rate: int) -> Embedding:
        """Embedding of mono ``samples``; UserError where they are shorter than half a second or silent."""
        if len(samples) < _SHORTEST * sample_rate or not np.any(samples):
            raise UserError(
                "too little speech to tell a voice by", value=len(samples) / sample_rate, allowed=">= 0.5 s"
            )
        if sample_rate != _RATE:
            import soxr

            samples = soxr.resample(samples, sample_rate, _RATE)
        level = float(np.sqrt(np.mean(np.square(samples))))
        # The encoder was trained on speech at -30 dB.
        embedding: Embedding = self._encoder.embed_utterance(
            np.asarray(samples * (10 ** (-30 / 20) / level), np.float32)
        )
        return embedding


def similarity(a: Embedding, b: Embedding) -> float:
    """Cosine of two embeddings, in [-1, 1]; equal voices score near 0.9, different ones near 0.6."""
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))
