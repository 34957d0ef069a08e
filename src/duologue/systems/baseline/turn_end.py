"""Is the user's turn over: how long to wait in a silence, by the words and by how the turn sounds."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.models import store
from duologue.models.catalogue import SMART_TURN
from duologue.systems.baseline.wording import asks, unfinished

Floats = npt.NDArray[np.float32]
_RATE, _SECONDS = 16_000, 8
# Seconds of silence after which a turn is over: a complete question, another complete clause, a broken-off one.
QUESTION, CLAUSE, BROKEN_OFF = 0.45, 0.75, 2.0
# The same where nothing is known of the words yet.
UNKNOWN = 1.0
# From this probability on a turn sounds finished; below the other it sounds as if it went on.
_OVER, _GOES_ON = 0.5, 0.15


class SmartTurn:
    """Smart Turn v3.2 on onnxruntime: the probability that a turn is over, from its last 8 seconds of sound.

    An optional part (``duologue models fetch smart-turn``). Input as its package prepares it: zeros in front of a
    shorter turn, mean 0 and variance 1, then Whisper's log-mel spectrum [80, 800].
    """

    @cached_property
    def _session(self) -> Any:
        (path,) = store.paths(SMART_TURN, SMART_TURN.files[0].name)
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPartError(
                f"turn detection needs the package {error.name!r}", mend="pip install 'duologue[vad]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _spectrum(self) -> Any:
        from faster_whisper.feature_extractor import FeatureExtractor

        return FeatureExtractor(chunk_length=_SECONDS)

    def load(self) -> None:
        _ = self._session, self._spectrum

    def __call__(self, samples: Floats) -> float:
        """Probability in [0, 1] that a turn ends with ``samples`` (mono, 16 kHz, its silence included)."""
        size = _SECONDS * _RATE
        x = samples[-size:]
        x = np.pad(x, (size - len(x), 0))
        x = ((x - x.mean()) / np.sqrt(x.var() + 1e-7)).astype(np.float32)
        features = self._spectrum(x, padding=0)[None, :, : size // 160].astype(np.float32)
        return float(self._session.run(None, {"input_features": features})[0].ravel()[0])


def leaves_open(text: str, language: str) -> bool:
    """Whether the words alone do not tell that the turn is over, nor that it goes on."""
    return not (unfinished(text, language) or asks(text, language))


def patience(text: str | None, language: str, sounds_over: float | None = None) -> float:
    """Seconds of silence after which a turn with these words is over. ``text`` None: not recognised yet.

    Wording decides between the three lengths; how the turn sounds (``sounds_over``, a probability) shortens or
    lengthens a wait that the words leave open (:func:`leaves_open`).
    """
    if text is None:
        return UNKNOWN
    if unfinished(text, language):
        return BROKEN_OFF
    if asks(text, language):
        return QUESTION if sounds_over is None or sounds_over >= _GOES_ON else CLAUSE
    if sounds_over is None:
        return CLAUSE
    return QUESTION if sounds_over >= _OVER else 1.5 if sounds_over < _GOES_ON else CLAUSE
