"""Prosody put into the network: F0, energy and frames between its halves; level, tilt and breath after them.

Everything is relative to the network's own neutral rendering, measured from its F0 curve, as
:class:`duologue.generate.prosody.Prosody` asks. The edit costs about one percent of the synthesis.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from duologue.generate.emotion_prosody import RATIOS
from duologue.generate.prosody import Prosody
from duologue.generate.seeds import derive
from duologue.generate.voices.kokoro_network import FRAME, SAMPLE_RATE, Features, FloatArray
from duologue.generate.voices.kokoro_timing import HALF, Placed
from duologue.generate.voices.level import NEUTRAL_DB, mean_level

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STEP = HALF / SAMPLE_RATE  # seconds of one step of F0 and energy
_VOICED = 50.0  # Hz; below lie unvoiced steps and the network's short slides into voicing
_F0_MIN, _F0_MAX = 55.0, 750.0
_FINAL = 0.3  # seconds of voicing at the end that ``f0_final`` bends
_SLOW, _FAST = 9, 3  # steps (112 and 38 ms): slower is melody, faster is the network's jitter, between is movement
_STRETCH = 1.2  # duration of the emphasised word
_LIFT_DB = 2.5  # its level
_BEFORE_PAUSE = 1.3  # lengthening of the last 75 ms before an inserted pause
# Harmonics-to-noise ratio of neutral speech that ``breath`` is reckoned from, in dB.
_HNR_DB = 16.0
_COMB_DB = 4.2  # most that one pass of the comb takes off the noise
_SOUNDING = 25.0  # dB below the loud frames that still count as sound


# Share of what is asked that is done in Mandarin (of ratios, of their logs), where pitch tells words apart too: the
# rest costs words (docs/voices.md, read-back). Loudness is as asked.
_TONAL = {
    "f0_shift": 0.4,
    "f0_range": 0.3,
    "f0_slope": 0.1,
    "f0_final": 0.0,
    "movement": 0.3,
    "energy_range": 0.4,
    "tempo": 0.5,
    "tilt": 0.6,
    "breath": 0.5,
}


def tonal(prosody: Prosody) -> Prosody:
    """``prosody`` as it is done in Mandarin: a share of each measure but loudness; emphasis and pauses as asked."""
    asked = {m: getattr(prosody, m) for m in _TONAL}
    return replace(prosody, **{m: v ** _TONAL[m] if m in RATIOS else _TONAL[m] * v for m, v in asked.items()})


def edit(features: Features, words: list[Placed], prosody: Prosody, *, last: bool) -> tuple[Features, list[Placed]]:
    """Features as ``prosody`` asks, and the words where they now lie.

    ``last`` says that the features end the utterance, so that its final slope applies.
    """
    f0 = _melody(features.f0, words, prosody, last=last)
    features = features._replace(f0=f0)
    pauses = _pauses(words, prosody)
    if prosody.tempo == 1.0 and not pauses and not prosody.emphasis:
        return features, words
    return _retime(features, words, prosody, pauses)


def _melody(f0: FloatArray, words: list[Placed], p: Prosody, *, last: bool) -> FloatArray:
    """F0 with its level, range, slope, final slope and movement changed on voiced steps.

    In semitones the neutral contour is a line and what deviates from it. The line gets the new slope; the
    deviation is scaled so that the whole has the new standard deviation; its fast part is scaled so that the root
    mean square of step-to-step change is ``movement`` times the neutral one.
    """
    voiced = f0 >= _VOICED
    if voiced.sum() < 4:
        return f0
    plain = (p.f0_shift, p.f0_range, p.f0_slope, p.f0_final, p.movement) == (0.0, 1.0, 0.0, 0.0, 1.0)
    lifted = p.emphasis is not None and p.emphasis_st != 0.0
    if plain and not lifted:
        return f0
    time = np.arange(len(f0)) * _STEP * p.tempo
    contour = _filled(f0, voiced)
    st, t = contour[voiced], time[voiced]
    new = st.copy()
    if not plain:
        mean, centre = st.mean(), t.mean()
        slope = float(np.dot(t - centre, st - mean) / max(np.dot(t - centre, t - centre), 1e-9))
        line = mean + slope * (time - centre)
        deviation = contour - line
        steeper = slope + p.f0_slope
        wanted = (p.f0_range * st.std()) ** 2 - (steeper * t.std()) ** 2
        spread = max(float(deviation[voiced].std()), 1e-6)
        scale = float(np.clip(np.sqrt(max(wanted, 0.0)) / spread, 0.3 * p.f0_range, 1.5 * p.f0_range))
        slow = _smooth(deviation, _SLOW)
        jitter = deviation - _smooth(deviation, _FAST)
        fast = deviation - slow - jitter
        new = mean + p.f0_shift + steeper * (t - centre) + jitter[voiced]
        new += scale * slow[voiced] + _movement(slow, fast, voiced, scale, p.movement) * fast[voiced]
        if p.f0_final and last:
            start = time[np.flatnonzero(voiced)[max(0, voiced.sum() - round(_FINAL / (_STEP * p.tempo)))]]
            new += p.f0_final * np.maximum(0.0, t - start)
    if lifted:
        new += p.emphasis_st * _bump(len(f0), words, p)[voiced]
    changed = f0.copy()
    changed[voiced] = np.clip(np.exp2(new / 12), _F0_MIN, _F0_MAX)
    return changed


def _smooth(contour: Floats, steps: int) -> Floats:
    return np.convolve(np.pad(contour, steps // 2, mode="edge"), np.full(steps, 1 / steps), "valid")


def _movement(slow: Floats, fast: Floats, voiced: npt.NDArray[np.bool_], scale: float, ratio: float) -> float:
    """Factor k of the fast part so that RMS of the change of ``scale * slow + k * fast`` is ``ratio`` times the old."""
    pairs = voiced[1:] & voiced[:-1]
    a, b = np.diff(slow)[pairs], np.diff(fast)[pairs]
    if not len(b):
        return scale
    aa, ab, bb = float(a @ a), float(a @ b), float(b @ b)
    if bb < 1e-9:
        return scale
    target = ratio**2 * (aa + 2 * ab + bb)
    root = (scale * ab) ** 2 - bb * (scale**2 * aa - target)
    return float(np.clip((np.sqrt(max(root, 0.0)) - scale * ab) / bb, 0.0, 8.0))


def _filled(f0: FloatArray, voiced: npt.NDArray[np.bool_]) -> Floats:
    """F0 in semitones re 1 Hz, with straight lines across unvoiced steps."""
    at = np.flatnonzero(voiced)
    semitones: Floats = np.interp(np.arange(len(f0)), at, 12 * np.log2(f0[at].astype(np.float64)))
    return semitones


def _emphasised(words: list[Placed], p: Prosody) -> list[Placed]:
    if p.emphasis is None:
        return []
    return [w for w in words if w.span[0] < p.emphasis[1] and w.span[1] > p.emphasis[0]]


def _bump(length: int, words: list[Placed], p: Prosody) -> Floats:
    """1 over the emphasised words, falling to 0 within 62 ms on either side, per step."""
    bump = np.zeros(length)
    for w in _emphasised(words, p):
        bump[w.start : w.end] = 1.0
    ramp = np.hanning(11)
    return np.minimum(1.0, np.convolve(bump, ramp / ramp.sum(), "same") * 1.25)


def _pauses(words: list[Placed], p: Prosody) -> list[tuple[int, int]]:
    """(index of the word that follows, frames) of each inserted pause; none before the first word."""
    found = []
    for char, seconds in p.pauses:
        following = next((i for i, w in enumerate(words) if w.span[0] >= char), None)
        if following and seconds > 0:
            found.append((following, max(1, round(seconds * SAMPLE_RATE / FRAME))))
    return found


def _retime(
    features: Features, words: list[Placed], p: Prosody, pauses: list[tuple[int, int]]
) -> tuple[Features, list[Placed]]:
    """Repeat, drop and insert frames: tempo between the first and the last word, longer stress, pauses."""
    frames = features.text.shape[1]
    weights = np.ones(frames)
    if words:
        weights[words[0].start // 2 : -(-words[-1].end // 2)] = p.tempo
    for w in _emphasised(words, p):
        weights[w.start // 2 : -(-w.end // 2)] *= _STRETCH
    cuts = [(_border(words, k), n) for k, n in pauses]
    for cut, _ in cuts:
        weights[max(0, cut - 3) : cut] *= _BEFORE_PAUSE
    ends = np.concatenate([[0], np.rint(np.cumsum(weights))]).astype(np.int64)
    source, share, repeats = _sources(np.diff(ends))
    # F0 and energy glide through repeated frames; text features and voicing are held.
    steps = (2 * source[:, None] + 2 * (share[:, None] + np.array([0.25, 0.75])) / repeats[:, None] - 0.5).ravel()
    nearest = np.clip(np.rint(steps), 0, 2 * frames - 1).astype(np.int64)
    at = np.arange(2 * frames)
    f0, energy, text = features.f0[nearest], np.interp(steps, at, features.energy), source
    voiced = features.f0 >= _VOICED
    if voiced.any():
        glided = np.exp2(np.interp(steps, at, _filled(features.f0, voiced)) / 12)
        f0 = np.where(voiced[nearest], glided, f0)
    # Silence is a copy of the quietest frame, voicing off.
    quiet = int(np.argmin(features.energy[::2]))
    for cut, n in sorted(cuts, reverse=True):
        here = int(ends[cut])
        text = np.insert(text, here, np.full(n, quiet))
        f0 = np.insert(f0, 2 * here, np.full(2 * n, features.f0[2 * quiet]))
        energy = np.insert(energy, 2 * here, np.full(2 * n, features.energy[2 * quiet]))
    moved: list[Placed] = []
    for i, w in enumerate(words):
        later = 2 * sum(n for k, n in pauses if k <= i)
        start, end = np.rint(2 * np.interp([w.start / 2, w.end / 2], np.arange(frames + 1), ends)).astype(int) + later
        start = max(int(start), moved[-1].end if moved else 0)
        moved.append(Placed(w.span, start, max(int(end), start + 1)))
    return (
        Features(
            np.ascontiguousarray(features.text[:, text]),
            f0.astype(np.float32),
            energy.astype(np.float32),
            features.durations,
        ),
        moved,
    )


def _border(words: list[Placed], k: int) -> int:
    """Frame before which a pause before word ``k`` is put."""
    return round((words[k - 1].end + words[k].start) / 4)


def _sources(counts: Ints) -> tuple[Ints, Ints, Ints]:
    """For every new frame: its old frame, which repeat of it this is, and how many there are."""
    source = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return source, np.arange(len(source)) - first, counts[source]


def colour(samples: FloatArray, f0: FloatArray, words: list[Placed], p: Prosody, seed: int) -> FloatArray:
    """Level and voice quality: energy range, emphasis, spectral tilt, breath, gain. Length stays.

    ``f0`` [2T] in Hz is the curve that the samples were made with. Only ``gain`` tells the level
    (:mod:`duologue.generate.voices.level`).
    """
    if not np.any(samples):
        return samples
    lifted = p.emphasis is not None and p.emphasis_st > 0
    out = samples.astype(np.float64)
    if p.energy_range or lifted:
        out = out * _envelope(_levels(out, words, p), len(out))
    if p.tilt:
        out = np.fft.irfft(np.fft.rfft(out) * _tilt(len(out), p.tilt), len(out))
    if p.breath > 0:
        out = out + _breath(out, p.breath, seed)
    elif p.breath < 0:
        passes = min(math.ceil(-p.breath / _COMB_DB), 3)
        for _ in range(passes):
            out = _clear(out, f0, -p.breath / passes)
    out *= 10 ** ((NEUTRAL_DB - mean_level(out, FRAME) + p.gain) / 20)
    return out.astype(np.float32)


def _frame_db(samples: Floats) -> Floats:
    """Level of each 25 ms frame in dB."""
    frames: Floats = 10 * np.log10(np.mean(samples.reshape(-1, FRAME) ** 2, 1) + 1e-12)
    return frames


def _levels(samples: Floats, words: list[Placed], p: Prosody) -> Floats:
    """Gain in dB of each 25 ms frame."""
    level = _frame_db(samples)
    level -= np.quantile(level, 0.95)
    active = level > -_SOUNDING
    gain = np.zeros(len(level))
    if p.energy_range and active.sum() > 3:
        sd = max(float(level[active].std()), 1.0)
        factor = np.clip((sd + p.energy_range) / sd, 0.3, 3.0)
        # Weak sounds get weaker, and stay sounds.
        heard = np.maximum(level, -_SOUNDING)
        gain = np.clip(factor * heard, 1.0 - _SOUNDING, 6.0) - heard
        gain = np.convolve(np.pad(gain, 1, mode="edge"), np.array([0.15, 0.7, 0.15]), "valid")
    if p.emphasis is not None and p.emphasis_st > 0:
        gain = gain + _LIFT_DB * _bump(2 * len(level), words, p)[::2]
    return gain


def _envelope(gain_db: Floats, length: int) -> Floats:
    """Frame gains in dB as a smooth factor per sample."""
    centres = (np.arange(len(gain_db)) + 0.5) * FRAME
    envelope: Floats = np.interp(np.arange(length), centres, 10 ** (gain_db / 20))
    return envelope


def _tilt(length: int, db_per_octave: float) -> Floats:
    """Factor per FFT bin: a slope about 1 kHz from 100 Hz to 4 kHz, flat beyond, where there is mostly noise."""
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    factor: Floats = 10 ** (db_per_octave * np.log2(np.clip(hertz, 100, 4000) / 1000) / 20)
    return factor


def _breath(samples: Floats, fall_db: float, seed: int) -> Floats:
    """Noise that lowers the harmonics-to-noise ratio by ``fall_db``.

    Its spectrum is the utterance's own, smoothed over a third of an octave and 3 dB per octave brighter, as
    aspiration is; its level follows the speech's.
    """
    length = len(samples)
    noise = np.random.default_rng(derive(seed, "breath")).standard_normal(length)
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    bands = np.geomspace(60, SAMPLE_RATE / 2, 26)
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    totals = np.add.reduceat(spectrum, np.searchsorted(hertz, bands[:-1]))
    widths = np.diff(np.append(np.searchsorted(hertz, bands[:-1]), len(hertz)))
    middle = np.sqrt(bands[:-1] * bands[1:])
    shape = np.interp(hertz, middle, np.sqrt(totals / np.maximum(widths, 1) * middle / 1000))
    noise = np.fft.irfft(np.fft.rfft(noise) * shape, length) * _envelope(_frame_db(samples), length)
    own = 1 / (1 + 10 ** (_HNR_DB / 10))
    wanted = own * (10 ** (fall_db / 10) - 1) * np.mean(samples**2)
    scaled: Floats = noise * np.sqrt(wanted / max(float(np.mean(noise**2)), 1e-20))
    return scaled


def _clear(samples: Floats, f0: FloatArray, rise_db: float) -> Floats:
    """Voiced sound averaged with itself one period before and after (a comb), which raises its harmonicity.

    With weights w/4, 1 - w/2, w/4 the noise keeps 1 - w + 3/8 w^2 of its power: at most 4.3 dB are taken off.
    """
    kept = max(10 ** (-rise_db / 10), 0.375)
    weight = (1 - np.sqrt(max(1 - 1.5 * (1 - kept), 0.0))) / 0.75
    at = np.arange(len(samples), dtype=np.float64)
    centres = (np.arange(len(f0)) + 0.5) * HALF
    voiced = f0 >= _VOICED
    if not voiced.any():
        return samples
    period = SAMPLE_RATE / np.exp2(np.interp(at, centres, _filled(f0, voiced)) / 12)
    mixed = weight * np.interp(at, centres, voiced.astype(np.float64))
    around = np.interp(at - period, at, samples) + np.interp(at + period, at, samples)
    cleared: Floats = samples + mixed * (around / 4 - samples / 2)
    return cleared
