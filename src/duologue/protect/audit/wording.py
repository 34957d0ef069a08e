"""Texts as they are compared: canonical form, hashes of it, and sketches of their n-grams.

None of it holds a text, but a text that can be guessed can be confirmed: see docs/audit.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.language.tokens import split

SHORTEST = 6  # tokens (words, hanzi); what is shorter is said everywhere and is not compared
SURE = 10  # tokens from which an equal text is no coincidence
LONGEST = 1_000_000  # characters of one text
BANDS, ROWS = 21, 3
NEAR = 0.6  # Jaccard similarity of n-grams
_SENTENCE = re.compile(r"(?<=[.!?。！？；\n])\s*")
_MARK = re.compile(r"\[[^\[\]]{0,40}\]|<[^<>]{0,40}>")
_PRIME = (1 << 61) - 1


class Piece(NamedTuple):
    """A sentence or a whole text: where it begins (characters) and its tokens in canonical form."""

    start: int
    text: str
    tokens: tuple[str, ...]


@cache
def simplifier() -> Callable[[str], str] | None:
    """Traditional to simplified characters (OpenCC), None where it is not installed."""
    try:
        from opencc import OpenCC
    except ImportError:
        return None
    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


def canonical(text: str) -> tuple[str, ...]:
    """Tokens in one width, one case, simplified characters, without punctuation, space and marks such as [laughter]."""
    plain = unicodedata.normalize("NFKC", _MARK.sub(" ", text))
    convert = simplifier()
    return tuple(split(convert(plain) if convert else plain))


def pieces(text: str) -> Iterator[Piece]:
    """The whole of ``text`` and, where it has several, each of its sentences; those of SHORTEST tokens or more."""
    text = text[:LONGEST]
    whole = Piece(0, text, canonical(text))
    if len(whole.tokens) < SHORTEST:
        return
    if len(whole.tokens) <= 400:
        yield whole
    at = 0
    sentences = [s for s in _SENTENCE.split(text) if s]
    if len(sentences) == 1 and len(whole.tokens) <= 400:
        return
    for sentence in sentences:
        start = text.find(sentence, at)
        at = start + len(sentence)
        if len(tokens := canonical(sentence)) >= SHORTEST:
            yield Piece(start, sentence, tokens)


def plain_hash(text: str, salt: bytes) -> int:
    """64 bits of the BLAKE2b keyed with the salt of the text as written, without space around it."""
    return _hash(text.strip(), salt)


def token_hash(tokens: Sequence[str], salt: bytes) -> int:
    """64 bits of the BLAKE2b keyed with the salt of canonical tokens."""
    return _hash("\0".join(tokens), salt)


def sketch(tokens: Sequence[str], salt: bytes) -> bytes:
    """63 bytes: the low byte of each of 63 MinHash values of the token n-grams (n = 1, 2, 3 together).

    b-bit minwise hashing, Li and König 2010: the share of equal bytes, s, estimates the Jaccard similarity of the
    two sets as (s - 1/256) / (1 - 1/256).
    """
    grams = {"\0".join(tokens[i : i + n]) for n in (1, 2, 3) for i in range(len(tokens) - n + 1)}
    seed = zlib.crc32(salt)
    base = np.array([zlib.crc32(g.encode("utf-8", "surrogatepass"), seed) for g in sorted(grams)], np.uint64)
    multiply, add = _permutations(seed)
    # A Mersenne prime would need 128 bits; the high half of a 64 bit product mixes as well (multiply-shift).
    mixed = (base[:, None] * multiply[None, :] + add[None, :]) >> np.uint64(32)
    low: bytes = (mixed.min(axis=0) & np.uint64(0xFF)).astype(np.uint8).tobytes()
    return low


def similarity(a: bytes, b: bytes) -> float:
    """Estimated Jaccard similarity of two sketches, in [0, 1], with a standard error of at most 0.063."""
    equal = float(np.mean(np.frombuffer(a, np.uint8) == np.frombuffer(b, np.uint8)))
    return max(0.0, (equal - 1 / 256) / (1 - 1 / 256))


def bands(sketched: bytes) -> Iterator[bytes]:
    """Keys of which two texts that are alike share at least one: 94% of those at 0.5, 99.9% of those at 0.7."""
    for i in range(BANDS):
        yield bytes([i]) + sketched[i * ROWS : (i + 1) * ROWS]


class Running:
    """Polynomial hashes of every stretch of a token sequence, so that a test text is found inside running text."""

    def __init__(self, tokens: Sequence[str], salt: bytes) -> None:
        seed = zlib.crc32(salt)
        self._prefix, self._power = [0], [1]
        base = (seed << 16 | 0x9E37) % _PRIME
        for token in tokens:
            value = zlib.crc32(token.encode("utf-8", "surrogatepass"), seed) + 1
            self._prefix.append((self._prefix[-1] * base + value) % _PRIME)
            self._power.append(self._power[-1] * base % _PRIME)

    def stretch(self, start: int, length: int) -> int:
        """Hash of tokens [start, start + length)."""
        return (self._prefix[start + length] - self._prefix[start] * self._power[length]) % _PRIME


@cache
def _permutations(seed: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    rng = np.random.Generator(np.random.PCG64(seed))
    n = BANDS * ROWS
    return rng.integers(0, 1 << 63, n, np.uint64) * np.uint64(2) + np.uint64(1), rng.integers(0, 1 << 63, n, np.uint64)


def _hash(text: str, salt: bytes) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest()
    return int.from_bytes(digest, "little")
