"""Kokoro's network in two halves: tokens to durations, F0 and energy; and those to sound.

The graph is cut in memory from the one file whose hash is pinned, so nothing unverified is ever run. Both halves
together give the same samples as the whole graph.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError

FloatArray = npt.NDArray[np.float32]
SAMPLE_RATE = 24_000
FRAME = 600  # samples of one frame of text features: 25 ms
MAX_TOKENS = 510
# Names inside the ONNX export of Kokoro v1.0 (thewh1teagle/kokoro-onnx, model-files-v1.0).
_TEXT, _F0, _ENERGY = "/encoder/MatMul_1_output_0", "/encoder/Reshape_output_0", "/encoder/Reshape_1_output_0"
_DURATION = "/encoder/Clip_output_0"


class Features(NamedTuple):
    """What passes between the halves, for T frames of 25 ms.

    ``text`` [512, T]; ``f0`` [2T] in Hz, under 10 where unvoiced; ``energy`` [2T] on the network's own scale,
    about -9 in silence and 7 in vowels; ``durations`` frames of each token, padding tokens at both ends included.
    """

    text: FloatArray
    f0: FloatArray
    energy: FloatArray
    durations: npt.NDArray[np.int64]


class Network:
    """Both halves, one thread each: bytes do not depend on how many workers run."""

    def __init__(self, model: Path, vocabulary: Path) -> None:
        try:
            import onnx
            import onnxruntime
            from onnx.utils import Extractor
        except ImportError as error:
            raise MissingPartError(
                f"voice 'kokoro' needs the package {error.name!r}", mend="pip install 'duologue[neural]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3

        def session(graph: Any) -> Any:
            return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])

        cut = Extractor(onnx.load(model))
        between = [_TEXT, _F0, _ENERGY]
        self._front = session(cut.extract_model(["tokens", "style", "speed"], [*between, _DURATION]))
        self._back = session(cut.extract_model([*between, "style"], ["audio"]))
        self.vocabulary: dict[str, int] = json.loads(vocabulary.read_text("utf-8"))["vocab"]

    def features(self, tokens: list[int], style: FloatArray) -> Features:
        """First half. ``tokens`` without padding, at most 510; ``style`` [1, 256]."""
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style,
            "speed": np.ones(1, np.float32),
        }
        text, f0, energy, durations = self._front.run([_TEXT, _F0, _ENERGY, _DURATION], inputs)
        return Features(text[0], f0[0], energy[0], np.rint(durations.ravel()).astype(np.int64))

    def sound(self, features: Features, style: FloatArray) -> FloatArray:
        """Second half: 600 samples a frame, float32 mono."""
        inputs = {_TEXT: features.text[None], _F0: features.f0[None], _ENERGY: features.energy[None], "style": style}
        samples: FloatArray = self._back.run(["audio"], inputs)[0].ravel()
        return samples
