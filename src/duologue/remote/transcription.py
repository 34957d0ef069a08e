"""A recogniser behind an OpenAI-compatible server: `POST /audio/transcriptions`, with word times.

:class:`TranscriptionEndpoint` stands in for :class:`duologue.listen.words.Recogniser`: the same ``hear``.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.listen.words import Heard, HeardWord
from duologue.remote.cache import Cache
from duologue.remote.chat import wav_bytes
from duologue.remote.endpoint import Endpoint, EndpointError, MalformedError, Reply

# Whisper's servers name a language in English; the interface has no list, others pass as they are.
_CODES = {
    "arabic": "ar", "cantonese": "yue", "chinese": "zh", "dutch": "nl", "english": "en", "french": "fr",
    "german": "de", "hindi": "hi", "italian": "it", "japanese": "ja", "korean": "ko", "mandarin": "zh",
    "portuguese": "pt", "russian": "ru", "spanish": "es", "vietnamese": "vi",
}  # fmt: skip


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float


class _Segment(msgspec.Struct):
    start: float
    end: float
    avg_logprob: float | None = None


class _Transcript(msgspec.Struct):
    text: str
    language: str = ""
    words: list[_Word] | None = None
    segments: list[_Segment] | None = None


class TranscriptionEndpoint(Endpoint):
    """A recogniser behind a server; parameters as :class:`Endpoint`, and a folder to keep answers in."""

    def __init__(
        self,
        base_url: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        *,
        cache_dir: str | Path | None = None,
        **more: Any,
    ) -> None:
        super().__init__(base_url, model, key_env, **more)
        self._cache = Cache(cache_dir) if cache_dir is not None else None

    def hear(
        self, samples: npt.NDArray[np.float32], sample_rate: int, *, language: str | None = None, times: bool = True
    ) -> Heard:
        """Recognise mono ``samples`` in [-1, 1]; ``language`` None lets the server tell it.

        Word times are estimates of the server's model. A word's ``probability`` is exp(mean log probability) of the
        segment that holds it; NaN, and NaN as ``language_probability`` where the language was not given, mean that
        the server does not say. Silence makes no request. Raises EndpointError; UserError for a model without
        word times.
        """
        if not len(samples) or not np.any(samples):
            return Heard(text="", words=(), language=language or "", language_probability=1.0 if language else 0.0)
        wav = wav_bytes(samples, sample_rate)
        asked = {
            "kind": "transcription",
            "model": self.model,
            "prompt_sha256": "",
            "parameters": {"language": language or "", "times": times, "temperature": 0},
            "input_sha256": hashlib.sha256(wav).hexdigest(),
        }
        found = self._known(asked)
        if found is None:
            found = self._thread.run(self._ask(wav, language, times))
            if self._cache is not None:
                self._cache.put(asked, msgspec.to_builtins(found))
        return self._heard(found, language, times)

    def _known(self, asked: dict[str, Any]) -> _Transcript | None:
        known = self._cache.get(asked) if self._cache is not None else None
        try:
            return None if known is None else msgspec.convert(known, _Transcript)
        except msgspec.ValidationError:
            return None

    async def _ask(self, wav: bytes, language: str | None, times: bool) -> _Transcript:
        form: dict[str, Any] = {"model": self.model, "response_format": "verbose_json", "temperature": "0"}
        if language:
            form["language"] = language
        if times:
            form["timestamp_granularities[]"] = ["word", "segment"]
        return await self.request(
            "POST",
            "audio/transcriptions",
            form=form,
            files={"file": ("speech.wav", wav, "audio/wav")},
            read=self._read,
        )

    def _read(self, reply: Reply) -> _Transcript:
        try:
            found = msgspec.json.decode(reply.body, type=_Transcript)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError(f"no transcript: {error}") from None
        for word in found.words or ():
            if not 0 <= word.start <= word.end < math.inf:
                raise MalformedError(f"word {word.word[:40]!r} lies at {word.start} to {word.end} s")
        return msgspec.structs.replace(
            found,
            text=self.without_key(found.text),
            words=[msgspec.structs.replace(w, word=self.without_key(w.word)) for w in found.words]
            if found.words is not None
            else None,
        )

    def _heard(self, found: _Transcript, language: str | None, times: bool) -> Heard:
        said = found.language.strip().lower()
        told = _CODES.get(said, said) or language or ""
        if times and found.text.strip() and not found.words:
            raise EndpointError(
                "gives no word times",
                where=self.where,
                kind="refused",
                mend="choose a model that answers verbose_json with words, or ask without times",
            )
        to_simple = self._simplify if told == "zh" else str
        words = tuple(
            HeardWord(to_simple(w.word.strip()), w.start, w.end, _probability(w, found.segments or ()))
            for w in sorted(found.words or (), key=lambda w: (w.start, w.end))
            if times and w.word.strip()
        )
        return Heard(
            text=to_simple(found.text.strip()),
            words=words,
            language=told,
            language_probability=1.0 if language else math.nan,
        )

    @cached_property
    def _simplify(self) -> Any:
        try:
            from opencc import OpenCC
        except ImportError as error:
            raise MissingPartError(
                f"Chinese transcripts need the package {error.name!r}", mend="pip install 'duologue[remote]'"
            ) from error
        return OpenCC("tw2s").convert


def _probability(word: _Word, segments: Any) -> float:
    middle = (word.start + word.end) / 2
    for segment in segments:
        if segment.avg_logprob is not None and segment.start <= middle <= segment.end:
            return min(math.exp(segment.avg_logprob), 1.0)
    return math.nan
