"""Which words of the system's own transcript were heard, and when: estimated from where each piece of it came.

A server sends a piece of transcript before or with its sound, so the piece begins where the next sample to come will be
played, and lasts to the next piece or to the end of that stretch of sound; its characters are spread evenly over that.
Servers that send text and sound word by word are placed well, those that send all their text first only roughly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from duologue.corpus.observation import SaidWord
from duologue.language.tokens import is_hanzi

Mark = tuple[int, str]
_WORD = re.compile(r"\S+")


def said_words(marks: Sequence[Mark], stretches: Sequence[tuple[int, int]], scale: float) -> tuple[SaidWord, ...]:
    """Words in samples times ``scale``.

    ``marks`` are (sample from which it is heard, piece of transcript) in order; ``stretches`` the sound that was
    played, [start, end) in order. A piece that no sound follows before the next stretch was not heard and is left out.
    """
    words: list[SaidWord] = []
    k = 0
    for start, end in stretches:
        inside: list[Mark] = []
        while k < len(marks) and marks[k][0] < end:
            if inside and marks[k][0] <= inside[-1][0]:
                inside[-1] = (inside[-1][0], inside[-1][1] + marks[k][1])
            elif marks[k][0] >= start or not inside:
                inside.append((max(start, marks[k][0]), marks[k][1]))
            k += 1
        if not inside:
            continue
        text, at = "", []
        for (a, piece), b in zip(inside, [*(m[0] for m in inside[1:]), end], strict=True):
            at += [a + (b - a) * i / len(piece) for i in range(len(piece))]
            text += piece
        at.append(float(end))
        for first, last in _words(text):
            words.append(SaidWord(text[first:last], round(at[first] * scale), round(at[last] * scale)))
    return tuple(words)


def _words(text: str) -> list[tuple[int, int]]:
    """Places of words in ``text``; a hanzi is one, with the marks that follow it."""
    found: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        first = match.start()
        cuts = [i for i in range(first + 1, match.end()) if is_hanzi(text[i])]
        cuts += [i + 1 for i in range(first, match.end() - 1) if is_hanzi(text[i]) and text[i + 1].isalnum()]
        edges = [first, *sorted(set(cuts)), match.end()]
        found += pairwise(edges)
    return found
