"""Words on the clock, from the network's durations and energy curve, before any sound is made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.generate.voices.kokoro_network import FRAME, Features, FloatArray
from duologue.generate.voices.kokoro_phonemes import Bounds, Piece

HALF = FRAME // 2  # samples of one step of F0 and energy: 12.5 ms
# Above this the sound is within 40 dB of its peak in 98% of steps (benchmarks/voices.py edges).
_SPEECH = 0.5
_EDGE = 4  # frames (100 ms) of the silence at either end that are made into sound
_PAUSE = 8  # steps (100 ms) of silence that make a pause; a stop's closure is shorter


class Placed(NamedTuple):
    """Code points ``span`` of the source lie in steps [start, end) of 12.5 ms."""

    span: Bounds
    start: int
    end: int


def place(pieces: list[Piece], features: Features) -> list[Placed]:
    """Steps of each word: token durations, corrected at pauses.

    The network gives much of a pause to the last phoneme before it. So where silence of 100 ms or more lies about
    a border, the words end and start where the energy curve falls and rises; elsewhere the border is the least
    energy of the space between them.
    """
    edges = np.concatenate([[0], np.cumsum(features.durations)]) * 2
    words: list[tuple[Bounds, int, int]] = []
    token = 1
    for piece in pieces:
        start, token = token, token + len(piece.tokens)
        if piece.span is not None:
            words.append((piece.span, int(edges[start]), int(edges[token])))
    if not words:
        return []
    length = len(features.energy)
    pauses = _pauses(features.energy)
    middles = [(s + e) / 2 for _, s, e in words]
    ends: list[tuple[int, int]] = []  # (end of the word before, start of the word after) at each border
    for border in range(len(words) + 1):
        before = middles[border - 1] if border else -1.0
        after = middles[border] if border < len(words) else length + 1.0
        near = [p for p in pauses if before < (p[0] + p[1]) / 2 < after]
        near += [p for p in pauses if (not border and p[0] == 0) or (border == len(words) and p[1] == length)]
        if near:
            ends.append(max(near, key=lambda p: p[1] - p[0]))
            continue
        left = words[border - 1][2] if border else words[0][1]
        right = words[border][1] if border < len(words) else left
        at = left + int(np.argmin(features.energy[left : right + 1])) if right > left else left
        ends.append((at, at))
    placed: list[Placed] = []
    for i, (span, _, _) in enumerate(words):
        start = max(ends[i][1], placed[-1].end if placed else 0)
        placed.append(Placed(span, start, max(ends[i + 1][0], start + 1)))
    return placed


def trimmed(features: Features, words: list[Placed], *, first: bool, last: bool) -> tuple[Features, list[Placed]]:
    """``features`` and words with at most 100 ms of silence before (``first``) and after (``last``) the speech.

    The network begins and ends with about half a second of silence, as dear as speech to make into sound.
    """
    sounding = np.flatnonzero(features.energy >= _SPEECH)
    frames = len(features.energy) // 2
    if not len(sounding):
        return features, words
    start = max(0, int(sounding[0]) // 2 - _EDGE) if first else 0
    end = min(frames, int(sounding[-1]) // 2 + 1 + _EDGE) if last else frames
    kept = features._replace(
        text=features.text[:, start:end],
        f0=features.f0[2 * start : 2 * end],
        energy=features.energy[2 * start : 2 * end],
    )
    moved = [w._replace(start=max(0, w.start - 2 * start), end=min(2 * end, w.end) - 2 * start) for w in words]
    return kept, moved


def _pauses(energy: FloatArray) -> list[tuple[int, int]]:
    """Runs [start, end) of at least 100 ms under the speech threshold; any length at the two ends."""
    quiet = np.concatenate([[False], energy < _SPEECH, [False]])
    turns = np.flatnonzero(quiet[1:] != quiet[:-1])
    runs = [(int(s), int(e)) for s, e in zip(turns[::2], turns[1::2], strict=True)]
    return [(s, e) for s, e in runs if e - s >= _PAUSE or s == 0 or e == len(energy)]


def audible(samples: FloatArray, *, floor_db: float = -40.0) -> npt.NDArray[np.bool_]:
    """Which 5 ms blocks (120 samples at 24 kHz) lie within ``floor_db`` of the loudest block's RMS."""
    blocks = len(samples) // 120
    if not blocks:
        return np.zeros(0, bool)
    power = np.square(samples[: blocks * 120].reshape(blocks, 120)).mean(1)
    peak = power.max()
    return power > peak * 10 ** (floor_db / 10) if peak > 0 else np.zeros(blocks, bool)


def onset_offset(samples: FloatArray) -> tuple[int, int]:
    """First and one past the last sample of sound, to 5 ms; (0, 0) where there is none."""
    heard = np.flatnonzero(audible(samples))
    return (int(heard[0]) * 120, int(heard[-1] + 1) * 120) if len(heard) else (0, 0)
