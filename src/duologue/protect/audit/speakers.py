"""Voices of the test set in the training data: a suspicion, since two people may sound alike."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError, UserError

# Cosine of two Resemblyzer embeddings; different voices score near 0.6, the same 0.84 and more.
ALIKE = 0.86
LONGEST = 30.0  # seconds of a sound that are listened to
SHORTEST = 2.0


class Encoder:
    """Embeddings as int8; ``why_not`` is set, and nothing is embedded, once the part proves to be missing."""

    def __init__(self) -> None:
        self.why_not = ""

    @cached_property
    def _encoder(self) -> object:
        from duologue.listen.identity import SpeakerEncoder

        return SpeakerEncoder()

    def embed(self, mono: npt.NDArray[np.float32], rate: int) -> bytes:
        """256 bytes, b"" where there is too little to tell a voice by."""
        if self.why_not or len(mono) < SHORTEST * rate:
            return b""
        from duologue.listen.identity import SpeakerEncoder

        assert isinstance(self._encoder, SpeakerEncoder)
        try:
            vector = self._encoder.embed(mono[: int(LONGEST * rate)], rate)
        except MissingPartError as error:
            self.why_not = f"not installed: {error.mend}"
            return b""
        except UserError:
            return b""
        steps: bytes = np.rint(vector / np.linalg.norm(vector) * 127).astype(np.int8).tobytes()
        return steps


def similarities(embedding: bytes, known: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """Cosines of one embedding with each of int8 [n, 256]."""
    ours = np.frombuffer(embedding, np.int8).astype(np.float64)
    theirs = known.astype(np.float64)
    return np.asarray(theirs @ ours / (np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours)))
