"""The Silero VAD network on onnxruntime: how probable speech is in each 32 ms of a 16 kHz signal.

The weights are those of the official ``silero_vad_16k_sequence.onnx``; the graph is laid out anew, because the official
one convolves four columns at a time and so spends most of its time between small matrix products. Here a chunk of
frames goes through each layer in one product:

- a frame is its 512 samples and the 64 before it (zeros before the first); its spectrum is taken at four places, 128
  samples apart, the last one mirrored at the frame's end: magnitudes ``[4 * 129]``;
- the four convolutions over four, four, two and one places are each written out as one dense matrix, zeros where a
  kernel does not reach;
- an LSTM of 128 units runs over the frames, its state carried from chunk to chunk.

Sums are only taken in another order: probabilities agree with the official network to about 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.models import store
from duologue.models.catalogue import SILERO

RATE, FRAME = 16_000, 512
_CONTEXT, _HOP, _WINDOW, _UNITS = 64, 128, 256, 128
_BINS = _WINDOW // 2 + 1
_CHUNK = 256  # frames a run: large enough for one matrix product to fill a core, small enough to stay in its cache

Floats = npt.NDArray[np.float32]


class Silero:
    """The network, loaded at first use. One object may be run from several threads at once."""

    @cached_property
    def _session(self) -> Any:
        (path,) = store.paths(SILERO, SILERO.files[0].name)
        try:
            import onnxruntime

            model = _graph(_weights(path))
        except ImportError as error:
            raise MissingPartError(
                f"hearing where speech is needs the package {error.name!r}", mend="pip install 'duologue[vad]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def load(self) -> None:
        """Load the network now, so that threads that start together do not each load it."""
        _ = self._session

    def __call__(self, samples: Floats) -> Floats:
        """Probability of speech ``[ceil(n / 512)]`` in each frame of finite mono ``samples`` ``[n]`` at 16 kHz."""
        frames = -(-len(samples) // FRAME)
        if not frames:
            return np.empty(0, np.float32)
        padded = np.zeros(_CONTEXT + frames * FRAME, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        whole = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + FRAME)[::FRAME]
        out = np.empty(frames, np.float32)
        hidden = cell = np.zeros((1, 1, _UNITS), np.float32)
        for first in range(0, frames, _CHUNK):
            part = whole[first : first + _CHUNK]
            out[first : first + len(part)], hidden, cell = self._run(part, hidden, cell)
        return out

    def _run(self, frames: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats, Floats]:
        """Probabilities ``[n]`` in ``frames`` ``[n, 576]``, and the state after them."""
        shape = np.array([len(frames), 1, _UNITS], np.int64)
        probability, hidden, cell = self._session.run(
            None, {"windows": _windows(frames), "shape": shape, "hidden": hidden, "cell": cell}
        )
        return probability.ravel(), hidden, cell

    def stream(self) -> SileroStream:
        """The network on a signal that is still going on."""
        return SileroStream(self)


class SileroStream:
    """Hears a signal as it comes: the probabilities are those of the whole signal, however it is cut."""

    def __init__(self, network: Silero) -> None:
        self._network = network
        self._hidden = self._cell = np.zeros((1, 1, _UNITS), np.float32)
        # The 64 samples before the next frame, and what has come of that frame.
        self._kept = np.zeros(_CONTEXT, np.float32)

    def feed(self, samples: Floats) -> Floats:
        """Probabilities ``[k]`` of the frames of 512 samples that ``samples`` (mono, 16 kHz) complete; k may be 0."""
        self._kept = np.concatenate([self._kept, samples])
        count = (len(self._kept) - _CONTEXT) // FRAME
        if not count:
            return np.empty(0, np.float32)
        whole = np.lib.stride_tricks.sliding_window_view(self._kept, _CONTEXT + FRAME)[::FRAME][:count]
        found, self._hidden, self._cell = self._network._run(whole, self._hidden, self._cell)
        self._kept = self._kept[count * FRAME :]
        return found


def _windows(frames: Floats) -> Floats:
    """The four windows ``[4 * n, 256]`` of ``frames`` ``[n, 576]``; the last reaches past the end and is mirrored."""
    out = np.empty((len(frames), 4, _WINDOW), np.float32)
    for place in range(3):
        out[:, place] = frames[:, place * _HOP : place * _HOP + _WINDOW]
    kept = frames.shape[1] - 3 * _HOP
    out[:, 3, :kept] = frames[:, 3 * _HOP :]
    out[:, 3, kept:] = frames[:, -2 : -2 - (_WINDOW - kept) : -1]
    return out.reshape(-1, _WINDOW)


def _weights(path: Path) -> dict[str, Floats]:
    import onnx

    return {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}


def _dense(kernel: Floats, places: int, stride: int) -> tuple[Floats, int]:
    """A convolution of width 3, padded by one, over ``places`` as one matrix ``[places * in, out places * out]``."""
    outs, ins, width = kernel.shape
    left = (places + 2 - width) // stride + 1
    matrix = np.zeros((places, ins, left, outs), np.float32)
    for o in range(left):
        for tap in range(width):
            if 0 <= (i := o * stride + tap - 1) < places:
                matrix[i, :, o] = kernel[:, :, tap].T
    return matrix.reshape(places * ins, left * outs), left


def _graph(w: Mapping[str, Floats]) -> bytes:
    """The serialised ONNX model: windows, shape [frames, 1, 128], hidden, cell -> probability, hidden, cell."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, held = [], []

    def node(kind: str, inputs: list[str], *outputs: str, **attributes: int) -> None:
        nodes.append(helper.make_node(kind, inputs, list(outputs), **attributes))

    def hold(name: str, values: npt.NDArray[Any]) -> str:
        held.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    basis = w["stft.forward_basis_buffer"][:, 0].T
    for half, columns in (("real", basis[:, :_BINS]), ("imaginary", basis[:, _BINS:])):
        node("MatMul", ["windows", hold(f"{half} basis", columns)], half)
        node("Mul", [half, half], f"{half} square")
    node("Add", ["real square", "imaginary square"], "power")
    node("Sqrt", ["power"], "magnitude")
    node("Reshape", ["magnitude", hold("row", np.array([-1, 4 * _BINS], np.int64))], "layer 0")
    places = 4
    for i, stride in enumerate((1, 2, 2, 1)):
        matrix, places = _dense(w[f"encoder.{i}.weight"], places, stride)
        bias = np.tile(w[f"encoder.{i}.bias"], places)
        node("Gemm", [f"layer {i}", hold(f"weight {i}", matrix), hold(f"bias {i}", bias)], f"sum {i}")
        node("Relu", [f"sum {i}"], f"layer {i + 1}")
    node("Reshape", ["layer 4", "shape"], "sequence")
    lstm = [hold(f"lstm {n}", w[f"onnx::LSTM_{n}"]) for n in (209, 210, 211)]
    node(
        "LSTM",
        ["sequence", *lstm, "", "hidden", "cell"],
        "states",
        "hidden out",
        "cell out",
        hidden_size=_UNITS,
    )
    node("Relu", ["states"], "active")
    node("MatMul", ["active", hold("output weight", w["output.weight"][0])], "product")
    node("Add", ["product", hold("output bias", w["output.bias"])], "logit")
    node("Sigmoid", ["logit"], "probability")

    def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    state = (1, 1, _UNITS)
    graph = helper.make_graph(
        nodes,
        "silero",
        [
            value("windows", "n", _WINDOW),
            value("shape", 3, kind=TensorProto.INT64),
            value("hidden", *state),
            value("cell", *state),
        ],
        [value("probability", "t", 1, 1, 1), value("hidden out", *state), value("cell out", *state)],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
