"""Which dialogues hang together: those that share a speaker, a script, a recording, words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.near_text import sayings
from duologue.corpus.write import is_main

Ints = npt.NDArray[np.int64]

# What a user may name, and the kinds of ``Dialogue.groups`` that it stands for.
APART: dict[str, tuple[str, ...]] = {
    "speakers": ("speaker", "parent_voice"),
    "scripts": ("script_family",),
    "source": ("source_recording",),
    "noises": ("noise",),
    "rooms": ("room",),
    "words": (),
    "sound": (),
}
_NAMED = {kind: name for name, kinds in APART.items() for kind in kinds}


def links(d: Dialogue) -> Iterator[tuple[str, str]]:
    """(kind, value) of everything by which ``d`` can hang together with others; kinds are those of :data:`APART`.

    System voices are shared on purpose. A twin is in the dialogue itself; what was made from another dialogue
    (``provenance.parents``) counts as of one source with it. A kind of group that nothing knows counts as a script.
    """
    for kind, values in d.groups.items():
        for value in values:
            if value:
                yield _NAMED.get(kind, "scripts"), f"{kind} {value}"
    for s in d.speakers:
        if s.role != "system":
            yield "speakers", f"speaker {s.id}"
            if s.parent_voice:
                yield "speakers", f"parent_voice {s.parent_voice}"
    yield "source", f"dialogue {d.id}"
    for parent in d.provenance.parents:
        yield "source", f"dialogue {parent}"
    for turn, text in sayings(d):
        yield "words", f"{'turn' if turn is not None else 'all'} {_short(text)}"
    for a in d.audio:
        if is_main(a):
            yield "sound", f"samples {a.pcm_sha256[:24]}"


def _short(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()


def components(count: int, pairs: Sequence[tuple[int, int]]) -> Ints:
    """The component [count] of each of ``count`` things, as its smallest member; ``pairs`` are joined.

    Union-find with path halving (Tarjan and van Leeuwen, 1984).
    """
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        x, y = root(a), root(b)
        if x != y:
            parent[max(x, y)] = min(x, y)
    return np.array([root(i) for i in range(count)], np.int64)


def hubs(values: Sequence[Sequence[str]], most: int = 5) -> list[tuple[str, int]]:
    """The links that most of these dialogues share, and how many do."""
    counts = Counter(v for own in values for v in set(own))
    return [(v, n) for v, n in sorted(counts.items(), key=lambda x: (-x[1], x[0]))[:most] if n > 1]
