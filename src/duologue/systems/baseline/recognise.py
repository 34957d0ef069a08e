"""Words of one utterance as fast as the processor allows: Whisper base on no more sound than there is.

:class:`duologue.listen.words.Recogniser` gives the network half a minute, whatever was said; most of that is silence,
and the user waits for it. Here the spectrum ends a second after the speech, one guess is followed (no beam), and the
language is the likelier of the two that the system speaks. It is less exact, and several times as fast.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.listen.words import simplifier, whisper

_RATE = 16_000
_LONGEST = 28.0
_PAD = 1.0
LANGUAGES = ("en", "zh")
# Synthetic or hurried Mandarin is often taken for these; no other language is spoken here that they could be.
_TAKEN_FOR_CHINESE = ("zh", "yue", "ja", "ko", "th", "vi", "lo", "km", "my", "bo", "mn")
# Tokens a second that nobody speaks faster than, and a few more for punctuation.
_FASTEST, _MORE = 7.0, 10
# From this probability of silence on, with a poor guess, nothing was said.
_SILENCE, _POOR = 0.6, -1.0


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """``text`` was understood in ``language``; ``evidence`` is the log odds of English against Chinese, ``score``
    the mean log probability of the words."""

    text: str
    language: str
    evidence: float = 0.0
    score: float = 0.0


class QuickRecogniser:
    """Not safe for several threads at once; ``threads`` is how many one call computes with."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads

    @cached_property
    def _model(self) -> Any:
        return whisper(self._threads)

    @cached_property
    def _tokens(self) -> dict[str, Any]:
        from faster_whisper.tokenizer import Tokenizer

        return {code: Tokenizer(self._model.hf_tokenizer, True, "transcribe", code) for code in LANGUAGES}

    @cached_property
    def _simplify(self) -> Callable[[str], str]:
        return simplifier()

    def load(self) -> None:
        """Load the weights now, and compute once, so that the first user does not wait for it."""
        _ = self._simplify
        self.hear(np.full(_RATE, 1e-3, np.float32))

    def hear(self, samples: npt.NDArray[np.float32], language: str | None = None, lean: float = 0.0) -> Utterance:
        """The words in ``samples`` (mono, 16 kHz; of longer ones the last 28 s).

        ``language`` None takes the likelier one, ``lean`` added to the evidence for English: what was spoken so far.
        """
        samples = samples[-round(_LONGEST * _RATE) :]
        model = self._model
        padded = np.concatenate([samples, np.zeros(round(_PAD * _RATE), np.float32)])
        features = model.feature_extractor(padded)
        encoded = model.encode(features[:, : features.shape[1] // 2 * 2])
        likely = {name[2:-2]: p for name, p in model.model.detect_language(encoded)[0]}
        chinese = sum(likely.get(name, 0.0) for name in _TAKEN_FOR_CHINESE)
        evidence = math.log((1 - chinese + 1e-3) / (chinese + 1e-3))
        code = language or ("en" if evidence + lean > 0 else "zh")
        tokens = self._tokens[code]
        found = model.model.generate(
            encoded,
            [[*tokens.sot_sequence, tokens.no_timestamps]],
            beam_size=1,
            max_length=min(200, _MORE + round(_FASTEST * len(samples) / _RATE)),
            # Without the silence that it was trained with the network tends to say things twice.
            no_repeat_ngram_size=5,
            suppress_blank=True,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        score = float(found.scores[0])
        text = tokens.decode(found.sequences_ids[0]).strip()
        if found.no_speech_prob > _SILENCE and score < _POOR:
            text = ""
        text = _once(text)
        return Utterance(
            text=self._simplify(text) if code == "zh" else text, language=code, evidence=evidence, score=score
        )


def _once(text: str) -> str:
    """``text`` without a last part that says the beginning again."""
    clean = text.replace("\ufffd", "")
    for size in range(len(clean) // 2, 5, -1):
        head = clean[:size]
        at = clean.find(head.strip(), size)
        if 0 < at <= size + 2:
            return clean[:at].strip()
    return re.sub(r"(.{2,}?)\1{2,}", r"\1", clean).strip()
