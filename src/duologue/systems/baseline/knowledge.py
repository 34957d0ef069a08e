"""What the embedded dialogue manager knows: general advice on everyday matters, found by the words that ask for it.

The advice is in ``knowledge_en.txt`` and ``knowledge_zh.txt``, of its own wording. It holds no corpus.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from duologue.systems.baseline.sounds_like import find, units, word_likeness

# Evidence from which a matter counts as understood; and below which nothing was.
CLEAR, FAINT = 1.0, 0.5
# The first words of an entry name its matter, the others lean on it.
_FIRST, _LATER = 3, 0.6
# Likeness of sound that still counts, the evidence growing from none there.
_SOUND = 0.62
_SAME_TOPIC = 1.25


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


@lru_cache
def _shared(language: str) -> Counter[str]:
    return Counter(k for e in entries(language) for k in e.keys)


@lru_cache(maxsize=256)
def search(text: str, language: str, topic: str = "") -> tuple[tuple[float, Entry], ...]:
    """Entries by how much of ``text`` asks for them, most first; those of ``topic``, which is being spoken about,
    count a quarter more. Entries without evidence are left out."""
    said = units(text, language)
    shared = _shared(language)
    found = []
    for entry in entries(language):
        score = 0.0
        for place, key in enumerate(entry.keys):
            weight = (1.0 if place < _FIRST else _LATER) / shared[key] ** 0.5
            score += weight * _evidence(key, said, language)
        if score > 0:
            found.append((score * (_SAME_TOPIC if entry.topic == topic else 1.0), entry))
    return tuple(sorted(found, key=lambda f: -f[0]))


def _evidence(key: str, said: Sequence[str], language: str) -> float:
    if language != "zh":
        return max((word_likeness(s, key) for s in said), default=0.0)
    alike, _ = find(key, said, "zh")
    size = len(units(key, "zh"))
    least = 0.95 if size == 1 else _SOUND
    return max(alike - least, 0.0) / (1 - least) * (0.6 * size if size > 1 else 0.4)
