"""A stretch of a user's speech as the baseline hears it: clauses of words, and prosody.

Words come from a recogniser, or from the corpus where the transcript is given. Where a stretch begins and ends is given
in both cases, as the challenge's own layout gives a file a turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import soxr

from duologue.corpus.observation import SaidWord
from duologue.corpus.turn import Turn
from duologue.listen.prosody import measure
from duologue.listen.transcribe import Listener, transcribe
from duologue.models.catalogue import WHISPER
from duologue.remote.cache import Cache

Words = Literal["recogniser", "transcript"]
Floats = npt.NDArray[np.float64]
RATE = 16_000
# Silence between words that ends a clause, as a comma does.
PAUSE = round(0.15 * RATE)
_MARKS = tuple(".,!?;:。，！？；：、…")

# A recording's level and a reply's length are its own: both are left out of what a voice is judged by.
VOICE = (
    "f0_mean", "f0_sd", "f0_range", "f0_slope", "f0_final", "f0_movement", "energy_sd", "energy_slope", "pause_share",
    "voiced_share", "tilt", "alpha", "hammarberg", "centroid", "hnr", "jitter", "shimmer",
)  # fmt: skip
# Skewed: taken as logarithms.
_LOGARITHM = ("f0_sd", "f0_range", "f0_movement", "centroid", "jitter", "shimmer")


class Clause(msgspec.Struct, frozen=True):
    """Words without a pause between them; ``start`` and ``end`` in samples of the channel at 16 kHz."""

    text: str
    start: int
    end: int


class Stretch(msgspec.Struct, frozen=True):
    """One stretch: ``voice`` is by :data:`VOICE` and then ``level`` (dB) and ``seconds``, None where nothing sounds."""

    clauses: tuple[Clause, ...]
    voice: tuple[float, ...] | None
    level: float = 0.0
    seconds: float = 0.0

    def text(self, language: str) -> str:
        return ("" if language == "zh" else " ").join(c.text for c in self.clauses)


class RememberedListener:
    """``listener`` with what it heard kept in ``cache``, by the samples and the recogniser's weights."""

    def __init__(self, listener: Listener, folder: Path) -> None:
        self._listener, self._cache = listener, Cache(folder)

    def words(
        self, samples: npt.NDArray[np.float32], spans: Sequence[tuple[int, int]], language: str
    ) -> tuple[SaidWord, ...]:
        """Words in ``spans`` of ``samples`` (mono, 16 kHz)."""
        rows = np.asarray(spans, np.int64).reshape(-1, 2)
        sound = hashlib.sha256()
        for start, end in rows:
            sound.update(np.ascontiguousarray(samples[start:end], np.float32).tobytes())
        asked = {
            "kind": "understanding words",
            "weights": [f.sha256 for f in WHISPER.files],
            "language": language,
            "spans": rows.tolist(),
            "samples": sound.hexdigest(),
        }
        kept = self._cache.get(asked)
        if kept is None:
            found = transcribe(self._listener, samples, rows, language=language)
            self._cache.put(asked, kept := [[w.text, w.start, w.end] for w in found])
        return tuple(SaidWord(str(t), int(a), int(b)) for t, a, b in kept)


def at_rate(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """``samples`` (mono) at 16 kHz."""
    return samples if rate == RATE else np.asarray(soxr.resample(samples, rate, RATE), np.float32)


def voice(samples: npt.NDArray[np.float32]) -> tuple[tuple[float, ...] | None, float]:
    """Prosody of mono ``samples`` at 16 kHz, by :data:`VOICE`, and their level in dB; None where nothing sounds."""
    found = measure(samples, RATE)
    if found is None:
        return None, 0.0
    values = [getattr(found, name) for name in VOICE]
    logs = [float(np.log(max(v, 1e-3))) if n in _LOGARITHM else v for n, v in zip(VOICE, values, strict=True)]
    return tuple(logs), found.energy_mean


def stretch(samples: npt.NDArray[np.float32], spans: Sequence[tuple[int, int]], words: Iterable[SaidWord]) -> Stretch:
    """The stretch of ``spans`` of a channel at 16 kHz, of whose ``words`` those count whose middle lies inside."""
    inside = [w for w in words if any(a <= (w.start + w.end) // 2 < b for a, b in spans)]
    heard, level = voice(np.concatenate([samples[a:b] for a, b in spans] or [samples[:0]]))
    return Stretch(_clauses(inside), heard, level, sum(b - a for a, b in spans) / RATE)


def told(turn: Turn, spans: Sequence[tuple[int, int]], scale: float) -> list[SaidWord]:
    """The transcript's words of ``turn`` in ``spans`` (16 kHz), with the marks that follow them as a recogniser's."""
    words = []
    for w, after in zip(turn.words, (*turn.words[1:], None), strict=True):
        place = turn.text[w.char_start : after.char_start if after else len(turn.text)]
        start, end = round(w.start * scale), round(w.end * scale)
        if any(a <= (start + end) // 2 < b for a, b in spans):
            words.append(SaidWord(place.strip(), start, end))
    return words


def _clauses(words: Sequence[SaidWord]) -> tuple[Clause, ...]:
    found: list[list[SaidWord]] = []
    for w in words:
        if not found or found[-1][-1].text.endswith(_MARKS) or w.start - found[-1][-1].end >= PAUSE:
            found.append([])
        found[-1].append(w)
    return tuple(Clause(_joined([w.text for w in c]), c[0].start, c[-1].end) for c in found)


def _joined(words: Sequence[str]) -> str:
    text = words[0]
    for word in words[1:]:
        # Only words of letters stand apart.
        text += f" {word}" if word[:1].isascii() or text[-1:].isascii() else word
    return text
