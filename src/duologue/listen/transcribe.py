"""Words in the spoken parts of a channel, with times, by any recogniser."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from duologue.corpus.interval import Intervals, merge_gaps
from duologue.corpus.observation import SaidWord
from duologue.listen.words import Heard

_RATE = 16_000
# A recogniser hears half a minute at once; silences make it invent words, so they are cut to these.
_LONGEST = 28 * _RATE
_JOIN = round(0.6 * _RATE)
_MARGIN = round(0.15 * _RATE)
_SILENCE = round(0.4 * _RATE)


class Listener(Protocol):
    """A recogniser: the embedded one, or an endpoint."""

    def hear(
        self,
        samples: npt.NDArray[np.float32],
        sample_rate: int,
        *,
        language: str | None = None,
        times: bool = True,
    ) -> Heard: ...


def transcribe(
    listener: Listener, samples: npt.NDArray[np.float32], spans: Intervals, *, language: str | None
) -> tuple[SaidWord, ...]:
    """Words in ``spans`` of ``samples`` (mono, 16 kHz), in samples of the channel.

    Spans are heard together, up to 28 s at once, with short silences between; a word is put back into the span that
    holds its middle and does not reach out of it. Times are a recogniser's: good to about 100 ms.
    """
    words: list[SaidWord] = []
    for group in _groups(merge_gaps(spans, _JOIN)):
        pieces: list[npt.NDArray[np.float32]] = []
        places: list[tuple[int, int, int, int]] = []  # where the piece lies in the joined audio, in the channel
        at = 0
        for start, end in group:
            a, b = max(0, start - _MARGIN), min(len(samples), end + _MARGIN)
            places.append((at, at + b - a, a, b))
            pieces += [samples[a:b], np.zeros(_SILENCE, np.float32)]
            at += b - a + _SILENCE
        if not pieces:
            continue
        for w in listener.hear(np.concatenate(pieces), _RATE, language=language).words:
            middle = (w.start + w.end) / 2 * _RATE
            j0, j1, a, b = min(places, key=lambda p: max(p[0] - middle, middle - p[1], 0))
            start = a + min(max(round(w.start * _RATE) - j0, 0), j1 - j0)
            end = a + min(max(round(w.end * _RATE) - j0, 0), j1 - j0)
            words.append(SaidWord(w.text, start, max(start, min(end, b))))
    return tuple(sorted(words, key=lambda w: (w.start, w.end)))


def _groups(spans: Intervals) -> list[list[tuple[int, int]]]:
    groups: list[list[tuple[int, int]]] = []
    used = 0
    for start, end in spans:
        for a in range(int(start), int(end), _LONGEST):
            b = min(a + _LONGEST, int(end))
            size = b - a + 2 * _MARGIN + _SILENCE
            if not groups or used + size > _LONGEST:
                groups.append([])
                used = 0
            groups[-1].append((a, b))
            used += size
    return groups
