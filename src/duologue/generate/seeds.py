"""Randomness that is passed in: every draw comes from a key, never from a clock or a global state."""

from __future__ import annotations

import hashlib
import hmac
import random


def derive(seed: int | str, *keys: object) -> int:
    """A 63-bit seed from a parent seed and any keys: equal everywhere, independent across keys (SHA-256)."""
    text = "\x1f".join([str(seed), *map(str, keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int | str, *keys: object) -> random.Random:
    """A Mersenne Twister seeded by :func:`derive`; the same sequence on every platform and Python >= 3.11."""
    return random.Random(derive(seed, *keys))


def keyed(secret: bytes, *keys: object) -> str:
    """A parent seed that only who has ``secret`` can compute: HMAC-SHA256 of the keys, hexadecimal."""
    return hmac.new(secret, "\x1f".join(map(str, keys)).encode(), hashlib.sha256).hexdigest()
