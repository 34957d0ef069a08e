"""Prosodic features of one clip of speech: pitch, energy, timing and voice quality, with numpy alone.

Pitch: the autocorrelation of a Hann-windowed 40 ms frame divided by the window's own (Boersma 1993, "Accurate
short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled sound"), the best
path through its peaks found by dynamic programming. Voice quality: alpha ratio and Hammarberg index as in the
GeMAPS set (Eyben et al. 2016), harmonicity as Boersma's 10 log10(r / (1 - r)).
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt
import soxr

Floats = npt.NDArray[np.float64]

RATE = 16_000
HOP = 160
FRAME = 640
F0_MIN, F0_MAX = 65.0, 650.0
RANGE_DB = 25.0
_FFT = 2048
_CANDIDATES = 4


class ProsodicFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """What one clip sounds like; silence before and after it is left out.

    ``f0_mean`` semitones above 100 Hz; ``f0_sd`` and ``f0_range`` (5th to 95th percentile) semitones; ``f0_slope``
    and ``f0_final`` (the last 0.3 s of voicing) semitones per second; ``f0_movement`` mean semitones from one 10 ms
    frame to the next.
    ``energy_mean`` and ``energy_sd`` dB (full scale 0) over sounding frames, ``energy_slope`` dB per second.
    ``duration`` seconds; ``pause_share`` and ``voiced_share`` of frames, 0..1.
    ``tilt`` dB per octave, 125 to 4,000 Hz; ``alpha`` dB, energy of 1-5 kHz over 50-1,000 Hz; ``hammarberg`` dB,
    strongest peak of 0-2 kHz over that of 2-5 kHz; ``centroid`` Hz; ``hnr`` dB; ``jitter`` and ``shimmer`` are
    frame-to-frame deviations from the local trend (percent of F0, dB), kin to but not the cycle-wise measures.
    """

    f0_mean: float
    f0_sd: float
    f0_range: float
    f0_slope: float
    f0_final: float
    f0_movement: float
    energy_mean: float
    energy_sd: float
    energy_slope: float
    duration: float
    pause_share: float
    voiced_share: float
    tilt: float
    alpha: float
    hammarberg: float
    centroid: float
    hnr: float
    jitter: float
    shimmer: float


FEATURES = ProsodicFeatures.__struct_fields__


def measure(samples: npt.ArrayLike, rate: int) -> ProsodicFeatures | None:
    """Features of ``samples`` (mono, any rate); None where fewer than 10 voiced frames are heard."""
    x = np.asarray(samples, np.float64)
    if rate != RATE and len(x):
        x = np.asarray(soxr.resample(x, rate, RATE), np.float64)
    if len(x) < 4 * FRAME:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP]
    level = 10 * np.log10(np.mean(frames * frames, axis=1) + 1e-14)
    active = _long(level > max(float(np.quantile(level, 0.95)) - RANGE_DB, -100.0), 5)
    if not active.any():
        return None
    first, last = int(np.argmax(active)), len(active) - int(np.argmax(active[::-1]))
    frames, level, active = frames[first:last], level[first:last], active[first:last]
    f0, harmonicity, power = _track(frames, active)
    # Voicing shorter than 50 ms is more often noise or creak than a syllable.
    voiced = _long(f0 > 0, 5)
    if voiced.sum() < 10:
        return None
    st = 12 * np.log2(f0[voiced] / 100.0)
    seconds = np.flatnonzero(voiced) * HOP / RATE
    both = voiced[1:] & voiced[:-1]
    steps = np.diff(np.where(voiced, 12 * np.log2(np.maximum(f0, 1.0) / 100.0), 0.0))[both]
    # A step of more than 3 semitones in 10 ms is a mistake of the tracker, not a movement of the voice.
    steps = steps[np.abs(steps) < 3.0]
    tail = seconds > seconds[-1] - 0.3
    p5, p95 = np.quantile(st, (0.05, 0.95))
    sounding = level[active]
    tilt, alpha, hammarberg, centroid = _spectrum(power[voiced].mean(axis=0))
    return ProsodicFeatures(
        f0_mean=float(st.mean()),
        f0_sd=float(st.std()),
        f0_range=float(p95 - p5),
        f0_slope=_slope(seconds, st),
        f0_final=_robust_slope(seconds[tail], st[tail]),
        f0_movement=float(np.abs(steps).mean()) if len(steps) else 0.0,
        energy_mean=float(sounding.mean()),
        energy_sd=float(sounding.std()),
        energy_slope=_slope(np.flatnonzero(active) * HOP / RATE, sounding),
        duration=len(level) * HOP / RATE,
        pause_share=float(1 - active.mean()),
        voiced_share=float(voiced.mean()),
        tilt=tilt,
        alpha=alpha,
        hammarberg=hammarberg,
        centroid=centroid,
        hnr=float(harmonicity[voiced].mean()),
        jitter=_roughness(f0, voiced, relative=True),
        shimmer=_roughness(level, voiced, relative=False),
    )


def _long(mask: npt.NDArray[np.bool_], frames: int) -> npt.NDArray[np.bool_]:
    """``mask`` without its runs of fewer than ``frames``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    kept = mask.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < frames:
            kept[start:end] = False
    return kept


def _slope(x: Floats, y: Floats) -> float:
    if len(x) < 3:
        return 0.0
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / max(centred @ centred, 1e-12))


def _robust_slope(x: Floats, y: Floats) -> float:
    """The median of all pairwise slopes (Theil and Sen): a creaky last frame does not decide it."""
    i, j = np.triu_indices(len(x), 3)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i]))) if len(i) else 0.0


def _roughness(values: Floats, voiced: npt.NDArray[np.bool_], *, relative: bool) -> float:
    """Mean distance of a frame from the mean of its two neighbours, over runs of three voiced frames."""
    inner = voiced[1:-1] & voiced[:-2] & voiced[2:]
    middle = (values[:-2] + values[2:])[inner] / 2
    if not len(middle):
        return 0.0
    away = np.abs(values[1:-1][inner] - middle)
    return float(np.mean(100 * away / middle) if relative else np.mean(away))


@lru_cache
def _window() -> tuple[Floats, Floats]:
    window = np.hanning(FRAME + 2)[1:-1]
    acf = np.fft.irfft(np.abs(np.fft.rfft(window, _FFT)) ** 2)
    return window, acf / acf[0]


def _track(frames: Floats, active: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """F0 in Hz (0 where unvoiced), harmonicity in dB and the power spectrum of each frame."""
    window, shape = _window()
    centred = (frames - frames.mean(axis=1, keepdims=True)) * window
    power = np.abs(np.fft.rfft(centred, _FFT)) ** 2
    low, high = int(RATE / F0_MAX), int(RATE / F0_MIN)
    acf = np.fft.irfft(power)[:, : high + 2]
    r = acf / np.maximum(acf[:, :1], 1e-12) / shape[: high + 2]
    body = r[:, low : high + 1]
    peaks = (body > r[:, low - 1 : high]) & (body >= r[:, low + 1 : high + 2])
    lags = np.arange(low, high + 1)
    # Boersma's octave cost: of two equal peaks the shorter lag is the pitch.
    score = np.where(peaks, body - 0.03 * np.log2(lags / low), -1.0)
    order = np.argsort(-score, axis=1, kind="stable")[:, :_CANDIDATES]
    rows = np.arange(len(r))[:, None]
    strength = np.clip(score[rows, order], -1.0, 1.0)
    lag = lags[order]
    left, mid, right = r[rows, lag - 1], r[rows, lag], r[rows, lag + 1]
    bend = left - 2 * mid + right
    # Where there are fewer peaks than candidates the bend may be flat or upward: no refinement there.
    shift = np.where(bend < -1e-9, np.clip(0.5 * (left - right) / np.where(bend < -1e-9, bend, -1.0), -0.5, 0.5), 0.0)
    hz = RATE / (lag + shift)
    height = np.clip(mid - 0.25 * (left - right) * shift, 1e-3, 0.99999)
    chosen = _path(np.where(active[:, None], strength, -1.0), np.log2(hz))
    voiced = chosen < _CANDIDATES
    pick = np.minimum(chosen, _CANDIDATES - 1)
    flat = np.arange(len(r))
    f0 = np.where(voiced, hz[flat, pick], 0.0)
    r_best = height[flat, pick]
    return f0, np.where(voiced, 10 * np.log10(r_best / (1 - r_best)), 0.0), power


_VOICING, _SWITCH, _JUMP = 0.45, 0.14, 0.7


def _path(strength: Floats, octave: Floats) -> npt.NDArray[np.int64]:
    """Best candidate of each frame (the number of candidates: unvoiced), by dynamic programming over frames."""
    n, k = strength.shape
    gain = np.concatenate([strength, np.full((n, 1), _VOICING)], axis=1)
    total = gain[0].copy()
    back = np.zeros((n, k + 1), np.int64)
    cost = np.zeros((k + 1, k + 1))
    cost[k, :k] = cost[:k, k] = _SWITCH
    jumps = _JUMP * np.abs(octave[1:, None, :] - octave[:-1, :, None])
    for i in range(1, n):
        cost[:k, :k] = jumps[i - 1]
        step = total[:, None] - cost
        back[i] = step.argmax(axis=0)
        total = step.max(axis=0) + gain[i]
    chosen = np.empty(n, np.int64)
    chosen[-1] = int(total.argmax())
    for i in range(n - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    return chosen


@lru_cache
def _bands() -> tuple[Floats, tuple[npt.NDArray[np.bool_], ...], Floats]:
    hz: Floats = np.asarray(np.fft.rfftfreq(_FFT, 1 / RATE), np.float64)
    centres: Floats = 125.0 * 2 ** np.arange(0, 5.01, 1 / 3)
    bands = tuple((hz >= c * 2 ** (-1 / 6)) & (hz < c * 2 ** (1 / 6)) for c in centres)
    octave: Floats = np.log2(centres)
    return hz, bands, octave


def _spectrum(power: Floats) -> tuple[float, float, float, float]:
    """Tilt, alpha ratio, Hammarberg index, centroid of a mean power spectrum of voiced frames."""
    hz, bands, octave = _bands()
    power = power + 1e-12
    third = np.array([10 * math.log10(power[b].mean()) for b in bands])
    low = (hz >= 50) & (hz < 1000)
    high = (hz >= 1000) & (hz < 5000)
    alpha = 10 * math.log10(power[high].sum() / power[low].sum())
    hammarberg = 10 * math.log10(power[hz < 2000].max() / power[(hz >= 2000) & (hz < 5000)].max())
    inside = hz < 5000
    centroid = float(power[inside] @ hz[inside] / power[inside].sum())
    return _slope(octave, third), alpha, hammarberg, centroid
