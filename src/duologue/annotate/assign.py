"""Who judges what: each dialogue to as many raters as are asked for, loads as even as whole dialogues allow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from duologue.errors import UserError


def assign(sizes: Mapping[str, int], raters: Sequence[str], each: int = 2) -> dict[str, tuple[str, ...]]:
    """Dialogue -> its raters, for dialogues with ``sizes`` items; each goes to ``each`` raters, all its items together.

    Largest first, always to those who have least, ties by a hash: the same input gives the same deal, and no two
    loads differ by more than the largest dialogue. UserError for fewer than two raters an item, or too few raters.
    """
    if len(set(raters)) != len(raters) or not all(_plain(r) for r in raters):
        raise UserError(
            "names of raters",
            field="raters",
            value=",".join(raters),
            allowed="different ones; letters, digits, - and _",
        )
    if each < 2 or len(raters) < each:
        raise UserError(
            "agreement needs two raters an item", field="raters", value=len(raters), allowed=f"at least {max(2, each)}"
        )
    load = dict.fromkeys(raters, 0)
    dealt: dict[str, tuple[str, ...]] = {}
    for name in sorted(sizes, key=lambda n: (-sizes[n], _hash(n))):
        chosen = sorted(raters, key=lambda r: (load[r], _hash(f"{name}\n{r}")))[:each]
        for r in chosen:
            load[r] += sizes[name]
        dealt[name] = tuple(r for r in raters if r in chosen)
    return dealt


def _plain(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "-_" for c in name)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
