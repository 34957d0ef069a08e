"""What a recogniser hears: words with times, language; Whisper base on the processor.

An optional part (``pip install 'duologue[asr]'``, ``duologue models fetch whisper``). Its word times are estimates:
they come from attention weights and are good to about 100 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.models import store
from duologue.models.catalogue import WHISPER

_RATE = 16_000


class HeardWord(msgspec.Struct, frozen=True, gc=False):
    """``text`` was heard from ``start`` to ``end`` (seconds) with ``probability``."""

    text: str
    start: float
    end: float
    probability: float


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """``language`` is an ISO 639-1 code with its probability; ``text`` is simplified where it is Chinese."""

    text: str
    words: tuple[HeardWord, ...]
    language: str
    language_probability: float


class Recogniser:
    """Whisper base through faster-whisper: int8, beam 5, no fallback by temperature, so it repeats itself exactly."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads

    @cached_property
    def _model(self) -> Any:
        return whisper(self._threads)

    @cached_property
    def _simplify(self) -> Callable[[str], str]:
        return simplifier()

    def hear(
        self, samples: npt.NDArray[np.float32], sample_rate: int, *, language: str | None = None, times: bool = True
    ) -> Heard:
        """Recognise mono ``samples`` in [-1, 1]; ``language`` None lets the recogniser tell it.

        ``times`` False leaves ``words`` empty and is faster. Silence gives no words.
        """
        if sample_rate != _RATE:
            import soxr

            samples = soxr.resample(samples, sample_rate, _RATE)
        if not len(samples) or not np.any(samples):
            return Heard(text="", words=(), language=language or "", language_probability=1.0 if language else 0.0)
        segments, info = self._model.transcribe(
            np.ascontiguousarray(samples, np.float32),
            language=language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=times,
        )
        found = list(segments)
        to_simple = self._simplify if info.language == "zh" else str
        words = tuple(
            HeardWord(to_simple(w.word.strip()), float(w.start), float(w.end), float(w.probability))
            for s in found
            for w in s.words or ()
            if w.word.strip()
        )
        return Heard(
            text=to_simple("".join(s.text for s in found).strip()),
            words=words,
            language=info.language,
            language_probability=float(info.language_probability),
        )


def can_hear() -> bool:
    """Whether the recogniser, and what compares its words with a text, is installed and fetched."""
    if any(find_spec(name) is None for name in ("faster_whisper", "opencc", "jiwer")):
        return False
    try:
        store.paths(WHISPER, *(f.name for f in WHISPER.files))
    except MissingPartError:
        return False
    return True


def whisper(threads: int) -> Any:
    """The verified network, loaded to compute with ``threads``; MissingPartError where a part is not installed."""
    files = store.paths(WHISPER, *(f.name for f in WHISPER.files))
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise _missing(error) from error
    return WhisperModel(
        str(files[0].parent), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
    )


def simplifier() -> Callable[[str], str]:
    """Traditional characters and Taiwanese variants as simplified ones."""
    try:
        from opencc import OpenCC
    except ImportError as error:
        raise _missing(error) from error
    convert: Callable[[str], str] = OpenCC("tw2s").convert
    return convert


def _missing(error: ImportError) -> MissingPartError:
    return MissingPartError(f"the recogniser needs the package {error.name!r}", mend="pip install 'duologue[asr]'")
