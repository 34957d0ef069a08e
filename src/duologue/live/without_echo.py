"""The user's microphone without the echo of the reference system: a system under test never said those words.

The echo is the reference channel through one path that does not change during a dialogue. The path is fitted by least
squares where the reference speaks and the user's room is silent, and what it gives is subtracted everywhere. With n
samples to fit on, noise puts an error of ``_TAPS`` / n of its own power into the path's output (800 taps and 10 s:
-23 dB), so a faint echo under noise is never replaced by something louder.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duologue.corpus.read import OpenDialogue
from duologue.systems.arrival import Int16

Doubles = npt.NDArray[np.float64]
# The latest that the beginning of an echo comes, and how long user and echo are given to die away (s).
_LATEST, _FADES = 0.2, 0.3
# The path: so many samples at 16 kHz, some of them before its strongest.
_TAPS, _BEFORE = 800, 200
# The reference must be heard alone for so long (s), in samples above -60 dB full scale, that a path can be told.
_LEAST, _AUDIBLE = 0.5, 33


def user_channel(item: OpenDialogue, which: str = "main") -> tuple[Int16, int]:
    """The user's channel of ``item``, int16 [n], and its rate; without the reference system's echo where the dialogue
    says that there is one (``acoustics.echo_db``) and keeps the reference in a channel of its own."""
    mic, rate = item.audio(role="user", which=which, dtype="int16")
    d, entry = item.dialogue, item.file(which)
    if d.acoustics.echo_db is None or all(c.kind != "system" for c in entry.channels):
        return mic, rate
    reference, _ = item.audio(role="system", which=which, dtype="int16")
    # A twin shares the main audio's clock, and nobody says more in it.
    main = item.file("main").id
    user = [(s.start, s.end) for t in d.turns if t.role != "system" for s in t.segments if s.audio in (main, entry.id)]
    return without_echo(mic, reference, rate, user), rate


def without_echo(mic: Int16, reference: Int16, rate: int, user: list[tuple[int, int]]) -> Int16:
    """``mic`` less what it holds of ``reference``, both int16 [n] at ``rate``; ``user``: where others are heard in it.

    As it is where the reference is heard alone for less than half a second in all.
    """
    x, y = reference.astype(np.float64), mic.astype(np.float64)
    free = np.ones(len(y), bool)
    for a, b in user:
        free[max(0, a) : b + round(_FADES * rate)] = False
    late = round(_LATEST * rate)
    # An echo comes after its cause: what is said just before the user begins is heard too late to be fitted.
    cause = free.copy()
    cause[: len(free) - late] &= free[late:]
    if np.count_nonzero(cause & (np.abs(x) > _AUDIBLE)) < _LEAST * rate:
        return mic
    alone, heard = np.where(cause, x, 0.0), np.where(free, y, 0.0)
    scale = rate / 16_000
    size = late + round(_TAPS * scale)
    auto, cross = _correlations(alone, alone, size), _correlations(alone, heard, size)
    strongest = int(np.argmax(np.abs(_solve(auto, cross))))
    first = max(0, strongest - round(_BEFORE * scale))
    taps = round(_TAPS * scale)
    path = np.zeros(first + taps)
    part = cross[first : first + taps]
    path[first : first + len(part)] = _solve(auto[: len(part)], part)
    spread = 1 << (len(x) + len(path) - 1).bit_length()
    echo = np.fft.irfft(np.fft.rfft(x, spread) * np.fft.rfft(path, spread), spread)[: len(y)]
    clean: Int16 = np.clip(np.rint(y - echo), -32_768, 32_767).astype(np.int16)
    return clean


def _correlations(x: Doubles, y: Doubles, size: int) -> Doubles:
    """Sum over t of x[t] y[t + k], for k in [0, size)."""
    spread = 1 << (len(x) + size).bit_length()
    return np.fft.irfft(np.conj(np.fft.rfft(x, spread)) * np.fft.rfft(y, spread), spread)[:size]


def _solve(auto: Doubles, cross: Doubles, steps: int = 80) -> Doubles:
    """h with T h = ``cross``, T the symmetric Toeplitz matrix of ``auto``: conjugate gradients, T by its spectrum."""
    n = len(cross)
    spread = 1 << (2 * n).bit_length()
    ring = np.zeros(spread)
    ring[:n], ring[spread - n + 1 :] = auto[:n], auto[1:n][::-1]
    # A thousandth of the power keeps bands in which the reference says nothing from being made up.
    ring[0] += 1e-3 * auto[0]
    spectrum = np.fft.rfft(ring)
    h, rest = np.zeros(n), cross.astype(np.float64)
    step, power = rest.copy(), float(rest @ rest)
    for _ in range(steps):
        if power <= 1e-12 * float(cross @ cross):
            break
        along = np.fft.irfft(spectrum * np.fft.rfft(step, spread), spread)[:n]
        share = power / float(step @ along)
        h += share * step
        rest -= share * along
        before, power = power, float(rest @ rest)
        step = rest + power / before * step
    return h
