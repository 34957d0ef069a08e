"""What the embedded dialogue manager knows: general advice on everyday matters, found by the words that ask for it.

The advice is in ``knowledge_en.txt`` and ``knowledge_zh.txt``, of its own wording. It holds no corpus. Where sentence
vectors are at hand they decide between entries as well: a question seldom has the very words that an entry lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.language.encoder import TextEncoder
from duologue.systems.baseline.sounds_like import find, units, word_likeness

# Evidence from which a matter counts as understood; and below which nothing was.
CLEAR, FAINT = 1.0, 0.5
# The first words of an entry name its matter, the others lean on it.
_FIRST, _LATER = 3, 0.6
# Likeness of sound that still counts, the evidence growing from none there.
_SOUND = 0.62
_SAME_TOPIC = 1.25
# What a centred cosine c counts as evidence: _MEANING x (c - _UNRELATED). Questions are nearest to what answers them by
# 0.27 in the median, chatter to anything by 0.21, so meaning alone makes nothing clear.
_MEANING, _UNRELATED = 4.0, 0.12
_REMEMBERED = 64


class Entry(msgspec.Struct, frozen=True):
    topic: str
    keys: tuple[str, ...]
    answer: str

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(s.strip() for s in re.split(r"(?<=[.!?。！？])", self.answer) if s.strip())


@lru_cache
def entries(language: str) -> tuple[Entry, ...]:
    """All that is known in "en" or "zh", in the order of the file."""
    text = (resources.files(__package__) / f"knowledge_{language}.txt").read_text("utf-8")
    out = []
    for block in text.split("\n\n"):
        topic, *lines = [line for line in block.splitlines() if line and not line.startswith("#")] or [""]
        for line in lines:
            keys, answer = line.split("|")
            out.append(Entry(topic, tuple(dict.fromkeys(keys.split())), answer.strip()))
    return tuple(out)


class Meaning:
    """Sentence vectors of all entries, by any :class:`TextEncoder`; a language is read when it is first asked for."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}
        self._near: dict[tuple[str, str], npt.NDArray[np.float32]] = {}

    def load(self, language: str) -> None:
        if language in self._known:
            return
        told = [f"{', '.join(e.keys[:5])}. {e.answer}" for e in entries(language)]
        vectors = self._encoder.encode(told, "passage")
        away = vectors - vectors.mean(axis=0)
        asked = self._encoder.encode([t.split(". ")[0] for t in told[::4]], "query").mean(axis=0)
        self._known[language] = away / np.linalg.norm(away, axis=1, keepdims=True), asked

    def near(self, text: str, language: str) -> npt.NDArray[np.float32]:
        """The centred cosine of ``text`` with each entry, in the order of :func:`entries`."""
        if (text, language) not in self._near:
            self.load(language)
            vectors, asked = self._known[language]
            own = self._encoder.encode([text], "query")[0] - asked
            if len(self._near) >= _REMEMBERED:
                self._near.clear()
            self._near[text, language] = vectors @ (own / np.linalg.norm(own))
        return self._near[text, language]


@lru_cache
def _shared(language: str) -> Counter[str]:
    return Counter(k for e in entries(language) for k in e.keys)


def search(
    text: str, language: str, topic: str = "", meaning: Meaning | None = None
) -> tuple[tuple[float, Entry], ...]:
    """Entries by how much of ``text`` asks for them, most first; those of ``topic``, which is being spoken about,
    count a quarter more. Entries without evidence are left out."""
    by_words = _by_words(text, language)
    by_meaning = meaning.near(text, language) if meaning is not None else None
    found = []
    for k, entry in enumerate(entries(language)):
        score = by_words[k]
        if by_meaning is not None:
            # Words and meaning support each other; either alone says less.
            score = 0.7 * score + _MEANING * max(0.0, float(by_meaning[k]) - _UNRELATED)
        if score > 0:
            found.append((score * (_SAME_TOPIC if entry.topic == topic else 1.0), entry))
    return tuple(sorted(found, key=lambda f: -f[0]))


@lru_cache(maxsize=256)
def _by_words(text: str, language: str) -> tuple[float, ...]:
    said = units(text, language)
    shared = _shared(language)
    return tuple(
        sum(
            (1.0 if place < _FIRST else _LATER) / shared[key] ** 0.5 * _evidence(key, said, language)
            for place, key in enumerate(entry.keys)
        )
        for entry in entries(language)
    )


def _evidence(key: str, said: Sequence[str], language: str) -> float:
    if language != "zh":
        return max((word_likeness(s, key) for s in said), default=0.0)
    alike, _ = find(key, said, "zh")
    size = len(units(key, "zh"))
    least = 0.95 if size == 1 else _SOUND
    return max(alike - least, 0.0) / (1 - least) * (0.6 * size if size > 1 else 0.4)
