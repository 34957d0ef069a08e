"""How well the words of a text follow each other: a small model of word pairs, judged against chance.

    fluency(text) = mean over the pairs (v, w) of  ln p(w | v) - ln p(w)

This is SLOR, the syntactic log-odds ratio (Pauls & Klein 2012; Kann, Rothe & Filippova 2018, "Sentence-level fluency
evaluation: references help, but can be spared"), with a bigram model: p(w) taken off, rare words cost nothing as such.
p(w | v) is Kneser & Ney's (1995), discount 0.75. In fluent text of any matter the mean lies near 0 or above it, in the
same words in disorder near -1 (English) and -2 (Chinese).

The pairs (``bigrams_*.txt``) were counted in the sentences of the package's own script writer: the thousand most
frequent words (hanzi), any other by the class of its ending, as grammar is in function words and endings. It is a
model of order, not of style or truth, and of everyday speech, not of code or verse.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise

from duologue.errors import UserError
from duologue.language.tokens import is_hanzi, split

VOCABULARY = 1000
_DISCOUNT = 0.75
_ENDINGS = ("ing", "ed", "ly", "tion", "ness", "est", "er", "es", "s", "al", "ful", "able", "y")


def word_class(word: str) -> str:
    """What an unknown word counts as: <num>, <h> (a hanzi), its ending, or <w>."""
    if word.isdigit():
        return "<num>"
    if is_hanzi(word):
        return "<h>"
    ending = next((e for e in _ENDINGS if word.endswith(e) and len(word) > len(e) + 2), "w")
    return f"<{ending}>"


class PairModel:
    """Counts of word pairs: ``pairs[v][w]``."""

    def __init__(self, pairs: dict[str, dict[str, int]]) -> None:
        self._pairs = pairs
        self._totals = {v: sum(row.values()) for v, row in pairs.items()}
        self._known = set(pairs) | {w for row in pairs.values() for w in row}
        after = Counter(dict.fromkeys(self._known, 0))
        single = Counter(dict.fromkeys(self._known, 0))
        for row in pairs.values():
            after.update(row.keys())
            single.update(row)
        size = len(self._known)
        self._after = {w: (n + 0.5) / (after.total() + 0.5 * size) for w, n in after.items()}
        self._single = {w: (n + 0.5) / (single.total() + 0.5 * size) for w, n in single.items()}
        self._rare_after = 0.5 / (after.total() + 0.5 * size)
        self._rare_single = 0.5 / (single.total() + 0.5 * size)

    @classmethod
    def count(cls, sentences: Iterable[str], vocabulary: int = VOCABULARY) -> PairModel:
        """The model of ``sentences``, each counted once however often it comes."""
        rows = [split(s) for s in dict.fromkeys(sentences)]
        seen = Counter(w for row in rows for w in row)
        known = {w for w, _ in sorted(seen.items(), key=lambda kv: (-kv[1], kv[0]))[:vocabulary]}
        pairs: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in rows:
            mapped = [w if w in known else word_class(w) for w in row]
            for v, w in pairwise(mapped):
                pairs[v][w] += 1
        return cls({v: dict(row) for v, row in pairs.items()})

    @classmethod
    def parse(cls, text: str) -> PairModel:
        """The model from its table: a line a first word, then second words and counts."""
        pairs = {}
        for line in text.splitlines():
            v, *rest = line.split(" ")
            pairs[v] = dict(zip(rest[::2], map(int, rest[1::2]), strict=True))
        return cls(pairs)

    def table(self) -> str:
        """The inverse of :meth:`parse`."""
        return "".join(
            " ".join([v, *(f"{w} {n}" for w, n in sorted(row.items()))]) + "\n"
            for v, row in sorted(self._pairs.items())
        )

    def fluency(self, text: str) -> float | None:
        """SLOR of ``text`` in nats a pair, over its punctuation; None under two words."""
        words = [w if w in self._known else word_class(w) for w in split(text)]
        if len(words) < 2:
            return None
        return sum(self._gain(v, w) for v, w in pairwise(words)) / (len(words) - 1)

    def known(self, text: str) -> float | None:
        """Share of the words of ``text`` that are in the vocabulary; None without a word."""
        words = split(text)
        return sum(w in self._known for w in words) / len(words) if words else None

    def _gain(self, v: str, w: str) -> float:
        after = self._after.get(w, self._rare_after)
        if row := self._pairs.get(v):
            total = self._totals[v]
            after = max(0.0, row.get(w, 0) - _DISCOUNT) / total + _DISCOUNT * len(row) / total * after
        return math.log(after / self._single.get(w, self._rare_single))


@cache
def _model(language: str) -> PairModel:
    if language not in ("en", "zh"):
        raise UserError("unknown language", field="language", value=language, allowed="en, zh")
    return PairModel.parse((resources.files("duologue.language") / f"bigrams_{language}.txt").read_text("utf-8"))


def fluency(text: str, language: str) -> float | None:
    """SLOR of ``text`` by the shipped model of ``language`` ("en" or "zh"), None under two words."""
    return _model(language).fluency(text)


def known_share(text: str, language: str) -> float | None:
    """Share of the words (hanzi) of ``text`` among the thousand most frequent ones; None without a word.

    Real English replies have at least 0.3 of them, Chinese ones 0.5; invented syllables have none.
    """
    return _model(language).known(text)


SENTENCE_END = re.compile(r"[.!?。！？；;…\n]+")


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` that hold a word."""
    return [s.strip() for s in SENTENCE_END.split(text) if split(s)]
