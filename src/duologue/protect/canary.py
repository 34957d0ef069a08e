"""Canary strings: a text that occurs nowhere but in one release, so that a model that can recite it has seen it.

The idea is BIG-bench's (Srivastava et al., "Beyond the Imitation Game", TMLR 2023): a GUID in every file, which those
who gather training data can filter by and those who suspect a model can ask it for.
"""

from __future__ import annotations

import re
import uuid

from duologue.protect.key import Entropy

PREFIX = "duologue-canary-"
PATTERN = re.compile(rf"{PREFIX}[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
PLEA = "This file is part of a test set. It must not be in any training data."


def new_canary(entropy: Entropy) -> str:
    """A canary of one release: 122 random bits, in the form of a GUID."""
    return f"{PREFIX}{uuid.UUID(bytes=entropy(16), version=4)}"


def canaries(text: str) -> frozenset[str]:
    """The canaries that ``text`` holds, of whatever release."""
    return frozenset(PATTERN.findall(text))
