"""One spoken line at the scene's rate: trimmed, with its words, and cut into pieces where it pauses or breaks off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from duologue.corpus.turn import WordSource
from duologue.generate.acoustics.kernel import RATE, Samples
from duologue.generate.prosody import Prosody
from duologue.generate.voices.voice import SpokenWord, Voice

MARGIN = 0.02  # s of the voice's own silence kept on both sides
EDGE = 80  # samples: 5 ms fades at the ends
SEARCH = 640  # samples: a pause is cut at the quietest point within 40 ms of the word boundary
SOUND = 10.0 ** (-36 / 20)  # of the loudest 5 ms: quieter counts as silence beside a pause
CLAUSE_MARKS = frozenset(",.;:!?…—，。；：！？、")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Speech at 16 kHz. All times are samples from the onset; sample ``lead`` of ``samples`` is the onset.

    ``length`` is speech from onset to offset; 0 for a line that says nothing. ``clause`` tells for each word
    whether a punctuation mark follows. ``pauses`` are the samples at which the line halts, in order, and ``rests``
    the (end of sound before, begin of sound after) each of them.
    """

    samples: Samples
    lead: int
    length: int
    words: tuple[SpokenWord, ...]
    clause: tuple[bool, ...]
    pauses: tuple[int, ...]
    rests: tuple[tuple[int, int], ...]
    prosody: Prosody
    source: WordSource

    def pieces(self, cuts: Sequence[tuple[int, int]]) -> list[tuple[int, Samples]]:
        """(offset in ``samples``, piece) around ``cuts``, (sample from the onset, samples of cross-fade).

        A piece fades out over the samples after its cut and the next fades in over the same: put side by side
        again they add up to the whole.
        """
        if not cuts:
            return [(0, self.samples)]
        pieces: list[tuple[int, Samples]] = []
        begin, fade_in = 0, 0
        for at, fade in [*cuts, (len(self.samples), 0)]:
            cut = min(at + self.lead, len(self.samples)) if fade else len(self.samples)
            piece = self.samples[begin : cut + fade].copy()
            if fade_in:
                n = min(fade_in, len(piece))
                piece[:n] *= _ramp(fade_in)[:n]
            if fade:
                n = len(piece) - (cut - begin)
                if n > 0:
                    piece[len(piece) - n :] *= 1.0 - _ramp(fade)[:n]
            pieces.append((begin, piece))
            begin, fade_in = cut, fade
        return pieces


def _ramp(n: int) -> Samples:
    return (np.arange(n, dtype=np.float32) + np.float32(0.5)) / np.float32(n)


def speak(
    voice: Voice,
    text: str,
    pause_at: Sequence[int],
    *,
    language: str,
    speaker: str,
    prosody: Prosody,
    seed: int,
    key: str = "",
    feeling: str = "",
) -> Spoken:
    """Have ``voice`` speak ``text`` whole and find where it can pause: at code points ``pause_at`` of it.

    ``key`` names the line to a directed voice, "" for others. ``feeling`` is told to a voice that asks for it by a
    class attribute ``told_feeling``.
    """
    nothing = Spoken(np.zeros(0, np.float32), 0, 0, (), (), (), (), prosody, "exact")
    if not text.strip():
        return nothing
    told: dict[str, Any] = {"key": key} if key else {}
    if getattr(voice, "told_feeling", False):
        told["feeling"] = feeling
    speech = voice.synthesise(text, language=language, speaker=speaker, prosody=prosody, seed=seed, **told)
    if speech.offset <= speech.onset:
        return nothing
    rate = speech.sample_rate
    begin = max(0, speech.onset - round(MARGIN * rate))
    end = min(len(speech.samples), speech.offset + round(MARGIN * rate))
    samples = np.ascontiguousarray(speech.samples[begin:end], np.float32)
    samples = soxr.resample(samples, rate, RATE, quality="HQ") if rate != RATE else samples.copy()
    n = min(EDGE, len(samples) // 2)
    samples[:n] *= _ramp(n)
    samples[len(samples) - n :] *= _ramp(n)[::-1]
    lead = round((speech.onset - begin) * RATE / rate)
    length = max(1, min(round((speech.offset - speech.onset) * RATE / rate), len(samples) - lead))

    def place(sample: int) -> int:
        return max(0, min(length, round((sample - speech.onset) * RATE / rate)))

    words = _ordered([(w, place(w.start), place(w.end)) for w in speech.words], length)
    ends = [w.char_end for w in words]
    starts = [w.char_start for w in words[1:]] + [len(text)]
    clause = tuple(any(c in CLAUSE_MARKS for c in text[a:b]) for a, b in zip(ends, starts, strict=True))
    pauses, rests = _halts(samples[lead : lead + length], words, pause_at)
    return Spoken(samples, lead, length, words, clause, pauses, rests, prosody, speech.source)


def _ordered(placed: Sequence[tuple[SpokenWord, int, int]], length: int) -> tuple[SpokenWord, ...]:
    """Words one after the other, none empty: what rounding and trimming to the speech may have squeezed is widened."""
    words: list[SpokenWord] = []
    clock, left = 0, len(placed)
    for w, start, end in placed:
        left -= 1
        start = min(max(start, clock), max(clock, length - left - 1))
        clock = max(start + 1, min(end, length - left))
        words.append(SpokenWord(w.char_start, w.char_end, start, clock))
    return tuple(words)


def _halts(
    speech: Samples, words: Sequence[SpokenWord], pause_at: Sequence[int]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Where the line halts for pauses at code points ``pause_at``, and where its sound ends and begins there.

    A cut lies in the quietest 5 ms about the boundary of the words, no further than half a word away.
    """
    found: dict[int, tuple[int, int]] = {}
    if not pause_at:
        return (), ()
    total = np.cumsum(np.concatenate([np.zeros(1), speech.astype(np.float64) ** 2]))
    energy = total[EDGE:] - total[:-EDGE]  # of the 5 ms from each sample on
    for at in pause_at:
        left = max((w for w in words if w.char_end <= at), default=None, key=lambda w: w.end)
        right = min((w for w in words if w.char_start >= at), default=None, key=lambda w: w.start)
        if left is None or right is None or not len(energy):
            continue
        low = max(left.start + (left.end - left.start) // 2, left.end - SEARCH)
        high = min(right.end - (right.end - right.start) // 2, right.start + SEARCH) - EDGE
        cut = low + int(np.argmin(energy[low:high])) + EDGE // 2 if high > low else (left.end + right.start) // 2
        loud = np.flatnonzero(energy[max(0, cut - RATE // 4) : cut + RATE // 4] > energy.max() * SOUND**2)
        loud += max(0, cut - RATE // 4)
        before, after = loud[loud + EDGE <= cut], loud[loud >= cut]
        end = int(before[-1]) + EDGE if len(before) else cut
        begin = int(after[0]) + EDGE // 2 if len(after) else cut
        found[cut] = (min(max(end, left.start + 1), cut), min(max(begin, cut), right.end - 1))
    cuts = tuple(sorted(found))
    return cuts, tuple(found[c] for c in cuts)
