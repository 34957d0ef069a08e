"""How natural and how free of noise speech sounds to two published networks; optional parts (extra ``quality``)."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError

RATE = 16_000
_LENGTH = round(9.01 * RATE)


class Noise(msgspec.Struct, frozen=True):
    """DNSMOS P.835 on its scale of 1 to 5: the speech itself, the background, both together."""

    speech: float
    background: float
    overall: float


class NoiseListener:
    """DNSMOS P.835 (Reddy et al. 2022): the network of the package speechmos, on onnxruntime, without torch.

    The network and the polynomials that map its outputs to ratings are the package's; its own code is not loaded, as
    it needs librosa for another measure. Windows of 9.01 s every second, shorter speech repeated, as there.
    """

    @cached_property
    def _session(self) -> Any:
        mend = "pip install 'duologue[quality]'"
        found = find_spec("speechmos")
        if found is None or not found.submodule_search_locations:
            raise MissingPartError("DNSMOS needs the package 'speechmos'", mend=mend)
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPartError(f"DNSMOS needs the package {error.name!r}", mend=mend) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        network = Path(found.submodule_search_locations[0]) / "dnsmos_models" / "sig_bak_ovr.onnx"
        return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])

    def hear(self, samples: npt.NDArray[np.float32]) -> Noise:
        """Rate mono ``samples`` at 16 kHz in [-1, 1], at least one of them."""
        session = self._session
        x = np.asarray(samples, np.float32)
        while len(x) < _LENGTH:
            x = np.concatenate([x, x])
        hops = int(len(x) / RATE - 9.01) + 1
        raw = np.array(
            [session.run(None, {"input_1": x[None, i * RATE : i * RATE + _LENGTH]})[0][0] for i in range(hops)]
        )
        speech, background, overall = (
            float(np.polyval(p, raw[:, i]).mean())
            for i, p in enumerate(
                (
                    (-0.08397278, 1.22083953, 0.0052439),
                    (-0.13166888, 1.60915514, -0.39604546),
                    (-0.06766283, 1.11546468, 0.04602535),
                )
            )
        )
        return Noise(speech, background, overall)


class NaturalnessListener:
    """DistillMOS (Stahl & Gamper 2025): a distilled network that rates speech from 1 to 5. Needs torch."""

    @cached_property
    def _model(self) -> Any:
        try:
            import distillmos
        except (ImportError, OSError) as error:
            # A torchaudio that was built for another torch fails with OSError.
            what = f"the package {error.name!r}" if isinstance(error, ImportError) else "a torchaudio that fits torch"
            raise MissingPartError(
                f"naturalness needs {what}",
                mend="install torch and torchaudio, then pip install --no-deps distillmos==0.9.1 xls-r-sqa",
            ) from error
        # It tells on standard output which weights it loads, where only figures belong.
        with redirect_stdout(sys.stderr):
            model = distillmos.ConvTransformerSQAModel()
        model.eval()
        return model

    def hear(self, samples: npt.NDArray[np.float32]) -> float:
        """Rate mono ``samples`` at 16 kHz in [-1, 1]."""
        model = self._model
        import torch

        with torch.no_grad():
            return float(model(torch.from_numpy(np.ascontiguousarray(samples[None])))[0])
