"""Phonemes for the neural voice: English through espeak-ng, Mandarin through misaki, word by word.

Every word keeps the tokens that say it, so that durations per token become times per word.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, NamedTuple

from duologue.corpus.spoken import Spoken, normalise
from duologue.errors import MissingPartError

Bounds = tuple[int, int]


class Piece(NamedTuple):
    """Tokens of one word, or of the space and punctuation before, between and after words.

    ``span`` is the code points of the source that a word says, None for what is no word. ``rank`` of a gap is
    3 at the end of a sentence, 2 at a comma or the like, 1 between words; 0 for a word.
    """

    tokens: tuple[int, ...]
    span: Bounds | None
    rank: int


_ZH_MARKS = str.maketrans({"，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";"})
_ZH_MARKS |= str.maketrans({"（": "(", "）": ")", "《": "“", "》": "”", "「": "“", "」": "”", "【": "“", "】": "”"})
_RANKS = {3: ".!?…", 2: ",;:—"}
_HANZI = re.compile(r"[㐀-䶿一-鿿豈-﫿〇]")
# Weak forms that depend on the next word.
_BY_CLAUSE = frozenset(("the", "a", "an", "to", "used", "The", "A", "An", "To"))
# Read otherwise than the dictionary has it: a stressless "I" at the start is lost, "yeah" would end in a vowel more.
_OVERRIDES = {"I": "ˌI", "yeah": "jˈæ"}
# Interjections whose pinyin has no vowel; misaki knows no sound for them.
_HUMS = {"嗯": "en4", "唔": "wu2", "哼": "heng1", "呣": "mu2", "噷": "hen1", "欸": "ei1", "诶": "ei1", "呒": "mu2"}


class Phonemiser:
    """Turns text into pieces of tokens. Built once per voice: the parts behind it load dictionaries."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import jieba
                from misaki.espeak import EspeakFallback
                from misaki.zh import ZHG2P
                from phonemizer.backend import EspeakBackend
        except ImportError as error:
            raise MissingPartError(
                f"voice 'kokoro' needs the package {error.name!r}", mend="pip install 'duologue[neural]'"
            ) from error
        jieba.setLogLevel(logging.ERROR)
        self._cut = jieba.Tokenizer()
        self._syllables = ZHG2P.word2ipa
        self._pinyin: Any = ZHG2P.py2ipa
        self._english: dict[bool, Any] = {}
        self._lexicon: dict[bool, dict[str, str]] = {}
        for british in (False, True):
            # misaki's own dictionary is what the network learnt from; words with several readings are left to
            # espeak, which sees the clause.
            gold = json.loads(
                files("misaki.data").joinpath(f"{'gb' if british else 'us'}_gold.json").read_text("utf-8")
            )
            self._lexicon[british] = {w: p for w, p in gold.items() if isinstance(p, str) and w not in _BY_CLAUSE}
            self._lexicon[british] |= _OVERRIDES
            english = EspeakFallback(british)
            # Foreign words must not leave "(fr)" flags in the phonemes.
            english.backend = EspeakBackend(
                "en-gb" if british else "en-us", with_stress=True, tie="^", language_switch="remove-flags"
            )
            self._english[british] = english
        self._alone = lru_cache(maxsize=20_000)(self._say)

    def pieces(self, text: str, language: str, *, british: bool = False) -> list[Piece]:
        """Gaps and words of ``text`` in order; [] where nothing in it can be spoken."""
        spoken = normalise(text, language)
        pieces: list[Piece] = []
        position = 0
        for start, end, word_span, tokens in self._words(spoken, british):
            gap = self._gap(spoken.text[position:start], first=not pieces)
            position = end
            if not tokens:
                continue
            if pieces and pieces[-1].span == word_span:
                pieces[-1] = pieces[-1]._replace(tokens=pieces[-1].tokens + gap.tokens + tokens)
                continue
            if gap.tokens:
                pieces.append(gap)
            pieces.append(Piece(tokens, word_span, 0))
        if pieces:
            closing = self._gap(spoken.text[position:], first=True)
            # Without a closing mark the network clips the last sound.
            pieces.append(closing if closing.rank > 1 else Piece((self._vocabulary["."],), None, 3))
        return pieces

    def _gap(self, between: str, *, first: bool) -> Piece:
        """Punctuation and spaces as tokens: each mark once, a space after it."""
        marks = between.translate(_ZH_MARKS)
        kept: list[str] = []
        for mark in marks:
            if mark in self._vocabulary and not mark.isspace() and mark not in kept:
                kept.append(mark)
        rank = next((r for r, signs in _RANKS.items() if any(m in signs for m in kept)), 1)
        opening = "".join(m for m in kept if m in "(“")
        body = "".join(m for m in kept if m not in "(“")
        text = opening if first and not body else body if first else f"{body} {opening}"
        return Piece(self._tokens(text), None, rank)

    def _tokens(self, phonemes: str) -> tuple[int, ...]:
        return tuple(self._vocabulary[p] for p in phonemes if p in self._vocabulary)

    def _words(self, spoken: Spoken, british: bool) -> Iterator[tuple[int, int, Bounds, tuple[int, ...]]]:
        """(start, end in the spoken text, code points of the source, tokens) of each word."""
        run: list[tuple[int, int, int, int]] = []
        for span in spoken.spans:
            hanzi = bool(_HANZI.match(spoken.text[span[0]]))
            if run:
                same = hanzi == bool(_HANZI.match(spoken.text[run[0][0]]))
                # A clause goes to its reader in one piece, because sounds depend on their neighbours. What was
                # written out in Chinese is cut into words by itself, so that no word mixes it with others.
                apart = hanzi and (run[-1][1] != span[0] or max(span[1] - span[0], run[-1][1] - run[-1][0]) > 1)
                if not same or apart or spoken.text[run[-1][1] : span[0]].strip(" -"):
                    yield from self._run(spoken, run, british)
                    run = []
            run.append(span)
        if run:
            yield from self._run(spoken, run, british)

    def _run(
        self, spoken: Spoken, run: list[tuple[int, int, int, int]], british: bool
    ) -> Iterator[tuple[int, int, Bounds, tuple[int, ...]]]:
        if not _HANZI.match(spoken.text[run[0][0]]):
            texts = [spoken.text[a:b] for a, b, _, _ in run]
            for (a, b, c, d), phonemes in zip(run, self._clause(texts, british), strict=True):
                yield a, b, (c, d), self._tokens(phonemes)
            return
        offset = run[0][0]
        at = 0
        for word in self._cut.cut(spoken.text[offset : run[-1][1]]):
            start, end = offset + at, offset + at + len(word)
            at += len(word)
            inside = [s for s in run if s[0] < end and s[1] > start]
            yield start, end, (inside[0][2], inside[-1][3]), self._tokens(self._mandarin(word))

    def _mandarin(self, word: str) -> str:
        if word in _HUMS:
            return str(self._pinyin(_HUMS[word])).replace("\u032f", "")
        try:
            phonemes: str = self._syllables(word)
        except ValueError:
            if len(word) > 1:
                return "".join(map(self._mandarin, word))
            phonemes = ""
        return phonemes.replace("\u032f", "")

    def _say(self, text: str, british: bool) -> str:
        """Phonemes of English ``text`` in Kokoro's alphabet, groups apart by single spaces."""
        phonemes, _ = self._english[british](SimpleNamespace(text=text))
        return " ".join((phonemes or "").split())

    def _clause(self, words: list[str], british: bool) -> list[str]:
        """Phonemes of each word as the whole clause has them ("the" before a vowel, weak forms, linking)."""
        if len(words) == 1:
            return [self._lookup(words[0], british) or self._alone(words[0], british)]
        known = [self._lookup(w, british) for w in words]
        if all(known):
            return known
        groups = self._say(" ".join(words), british).split(" ")
        alone = [self._alone(w, british) for w in words]
        if len(groups) == sum(len(a.split(" ")) for a in alone) and all(alone):
            at = 0
            found = []
            for a in alone:
                n = len(a.split(" "))
                found.append(" ".join(groups[at : at + n]))
                at += n
        else:
            found = _align(groups, alone)
        return [k or f for k, f in zip(known, found, strict=True)]

    def _lookup(self, word: str, british: bool) -> str:
        lexicon = self._lexicon[british]
        return lexicon.get(word) or lexicon.get(word.lower(), "")


def _align(groups: list[str], alone: list[str]) -> list[str]:
    """Deal ``groups`` of running speech out to words, known by how each sounds ``alone``.

    espeak joins some words ("of the" is one group) and parts others ("well-known" is two). The cheapest monotone
    pairing by edit distance decides which; a joined group is cut where its two sides fit their words best.
    """
    n, m = len(alone), len(groups)
    limit = float("inf")
    cost = [[limit] * (m + 1) for _ in range(n + 1)]
    back: dict[tuple[int, int], tuple[int, int]] = {}
    cost[0][0] = 0
    most = max(len(a.split(" ")) for a in alone) + 1
    for i in range(n + 1):
        for j in range(m + 1):
            if cost[i][j] == limit:
                continue
            steps = [(1, k) for k in range(0, most + 1)] + [(2, 1), (3, 1), (4, 1)]
            for words, taken in steps:
                if i + words > n or j + taken > m:
                    continue
                expected = "".join(alone[i : i + words]).replace(" ", "")
                c = cost[i][j] + _distance("".join(groups[j : j + taken]), expected)
                if c < cost[i + words][j + taken]:
                    cost[i + words][j + taken] = c
                    back[i + words, j + taken] = (words, taken)
    if cost[n][m] == limit:
        return alone
    found: list[str] = []
    i, j = n, m
    while i:
        words, taken = back[i, j]
        got = " ".join(groups[j - taken : j])
        found[:0] = [got] if words == 1 else _split(got, alone[i - words : i])
        i, j = i - words, j - taken
    return found


def _split(group: str, alone: list[str]) -> list[str]:
    """Cut one group of joined words where the pieces fit the words best."""
    if len(alone) == 1:
        return [group]
    head, rest = alone[0], "".join(alone[1:])
    at = min(range(len(group) + 1), key=lambda k: _distance(group[:k], head) + _distance(group[k:], rest))
    return [group[:at], *_split(group[at:], alone[1:])]


def _distance(a: str, b: str) -> int:
    """Levenshtein distance; strings here are a few phonemes long."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
