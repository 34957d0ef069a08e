"""Word times for speech whose voice tells none: a recogniser's, joined to the text that is known, or a share of time.

Both are estimates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from duologue.corpus.spoken import normalise
from duologue.generate.voices.voice import SpokenWord
from duologue.listen.words import HeardWord

_TOKEN = re.compile(r"[a-z0-9']+|[^\W_]")


def align(
    text: str, language: str, heard: Sequence[HeardWord], *, onset: int, offset: int, rate: int
) -> tuple[SpokenWord, ...]:
    """The words of ``text`` where ``heard`` (seconds) has them, in samples of [onset, offset).

    Both sides are aligned with the fewest edits (Levenshtein), words in English and characters in Chinese; a word heard
    as another one lends its times too. What was not heard shares the time between its neighbours by length.
    """
    spans = list(normalise(text, language).spans)
    spoken = normalise(text, language).text
    wanted = [(t, k) for k, s in enumerate(spans) for t in _TOKEN.findall(spoken[s[0] : s[1]].lower())]
    said: list[tuple[str, float, float]] = []
    for w in heard:
        parts = _TOKEN.findall(normalise(w.text, language).text.lower())
        step = (w.end - w.start) / max(len(parts), 1)
        said += [(p, w.start + i * step, w.start + (i + 1) * step) for i, p in enumerate(parts)]
    times: dict[int, tuple[float, float]] = {}
    for i, j in _pairs([t for t, _ in wanted], [t for t, _, _ in said]):
        k, (_, start, end) = wanted[i][1], said[j]
        first, last = times.get(k, (start, end))
        times[k] = (min(first, start), max(last, end))
    placed = [(round(times[k][0] * rate), round(times[k][1] * rate)) if k in times else None for k in range(len(spans))]
    return _filled(spans, placed, onset, offset)


def spread(text: str, language: str, *, onset: int, offset: int) -> tuple[SpokenWord, ...]:
    """The words of ``text`` over [onset, offset) by their length as spoken."""
    spans = list(normalise(text, language).spans)
    return _filled(spans, [None] * len(spans), onset, offset)


def _pairs(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of an alignment with the fewest edits, equal or substituted."""
    cost = [[max(i, j) if not i or not j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            cost[i][j] = min(change, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    found: list[tuple[int, int]] = []
    i, j = len(a), len(b)
    while i and j:
        if cost[i][j] == cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            found.append((i, j))
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return found[::-1]


def _filled(
    spans: Sequence[tuple[int, int, int, int]], placed: Sequence[tuple[int, int] | None], onset: int, offset: int
) -> tuple[SpokenWord, ...]:
    """Words in order inside [onset, offset), none empty; those without a place share the gap by length."""
    n, words, clock, k = len(spans), list[SpokenWord](), onset, 0
    if offset - onset < n:
        return ()
    while k < n:
        place = placed[k]
        if place is not None:
            start = min(max(place[0], clock), offset - (n - k))
            clock = max(start + 1, min(place[1], offset - (n - k - 1)))
            words.append(SpokenWord(spans[k][2], spans[k][3], start, clock))
            k += 1
            continue
        stop = next((m for m in range(k, n) if placed[m] is not None), n)
        known = placed[stop] if stop < n else None
        end = min(max(known[0] if known else offset, clock + stop - k), offset - (n - stop))
        sizes = [s[1] - s[0] for s in spans[k:stop]]
        begin, total, done = clock, sum(sizes), 0
        for m, size in enumerate(sizes):
            done += size
            until = max(clock + 1, min(begin + (end - begin) * done // total, end - (stop - k - m - 1)))
            words.append(SpokenWord(spans[k + m][2], spans[k + m][3], clock, until))
            clock = until
        k = stop
    return tuple(words)
