"""Change the prosody of any voice or recording with the WORLD vocoder (Morise et al. 2016; optional extra ``world``).

About 70 ms of CPU a second of audio: for recordings and foreign voices, not for the fast one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.errors import MissingPartError
from duologue.generate.prosody import Prosody
from duologue.generate.voices.voice import Samples, SpokenWord

_FRAME_MS = 5.0


def apply(samples: npt.ArrayLike, rate: int, prosody: Prosody) -> Samples:
    """``samples`` (mono) spoken with ``prosody``, as float32 of round(len * tempo) samples.

    Realised: shift, range, slope, final slope, movement, tempo, gain, tilt and breath. Emphasis and pauses need words
    and are left to the caller. F0 stays within 50 to 800 Hz. Empty or shorter than 0.1 s: gain alone.
    """
    x = np.asarray(samples, np.float64)
    gain = np.float32(10 ** (prosody.gain / 20))
    if len(x) < rate // 10:
        return x.astype(np.float32) * gain
    world = _world()
    f0, times = world.dio(x, rate, f0_floor=60.0, f0_ceil=700.0, frame_period=_FRAME_MS)
    f0 = world.stonemask(x, f0, times, rate)
    envelope = world.cheaptrick(x, f0, times, rate)
    noise = world.d4c(x, f0, times, rate)
    f0 = _contour(f0, times, prosody)
    if prosody.tilt:
        hz = np.linspace(0.0, rate / 2, envelope.shape[1])
        turn = np.log2(np.clip(hz, 100.0, 8000.0) / 1000.0) * prosody.tilt
        before = envelope.sum()
        envelope = envelope * 10 ** (turn / 10)
        envelope *= before / envelope.sum()
    if prosody.breath:
        noise = np.clip(noise * 10 ** (prosody.breath / 10), 0.0, 1.0)
    if prosody.tempo != 1.0:
        index = np.linspace(0, len(f0) - 1, max(round(len(f0) * prosody.tempo), 2)).round().astype(int)
        f0, envelope, noise = f0[index], envelope[index], noise[index]
    made = world.synthesize(f0, np.ascontiguousarray(envelope), np.ascontiguousarray(noise), rate, _FRAME_MS)
    length = round(len(x) * prosody.tempo)
    out = np.zeros(length, np.float32)
    out[: min(length, len(made))] = made[:length]
    return out * gain


def scale_words(words: Sequence[SpokenWord], tempo: float, length: int) -> tuple[SpokenWord, ...]:
    """``words`` on the clock of audio that :func:`apply` stretched by ``tempo`` to ``length`` samples."""
    return tuple(
        SpokenWord(w.char_start, w.char_end, min(round(w.start * tempo), length), min(round(w.end * tempo), length))
        for w in words
    )


def _contour(f0: npt.NDArray[np.float64], times: npt.NDArray[np.float64], prosody: Prosody) -> npt.NDArray[np.float64]:
    """F0 with its mean, range, slope, end and movement changed, in semitones about the utterance's own mean."""
    voiced = f0 > 0
    if not voiced.any():
        return f0
    st, at = 12 * np.log2(f0[voiced]), times[voiced] * prosody.tempo
    mean = st.mean()
    smooth = np.convolve(np.pad(st, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    st = mean + (smooth - mean) * prosody.f0_range + (st - smooth) * prosody.movement
    st = st + prosody.f0_shift + prosody.f0_slope * (at - at.mean())
    st = st + prosody.f0_final * np.clip(at - (at[-1] - 0.3), 0.0, None)
    changed = np.zeros_like(f0)
    changed[voiced] = np.clip(2 ** (st / 12), 50.0, 800.0)
    return changed


def _world() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyworld
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "editing a recording's prosody needs the package 'pyworld'", mend="pip install 'duologue[world]'"
        ) from error
    return pyworld
