"""Noise: generators by name, or recordings of a folder; banks that repeat without a seam."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue import registry
from duologue.errors import UserError
from duologue.generate.acoustics.kernel import RATE, Samples
from duologue.generate.acoustics.line import telephone
from duologue.generate.seeds import derive

BANK_SECONDS = 60
BANK = BANK_SECONDS * RATE  # samples of a generated bank
SEAM = RATE // 10  # samples over which the end of a recording fades into its beginning
MEAN_LEVEL = 2000.0  # RMS of a bank in int16 units: 24 dB of headroom
PCM = npt.NDArray[np.int16]
Wave = npt.NDArray[np.floating[Any]]
Random = np.random.Generator


def _random(*keys: object) -> Random:
    return np.random.Generator(np.random.PCG64(derive(0, "noise", *keys)))


def _shaped(rng: Random, gain: Callable[[Wave], Wave]) -> Wave:
    """Gaussian noise of the amplitude spectrum ``gain(Hz)``; periodic, so that its end meets its beginning."""
    f = np.fft.rfftfreq(BANK, 1 / RATE).astype(np.float32)
    spectrum = np.empty(len(f), np.complex64)
    spectrum.real = rng.standard_normal(len(f), np.float32)
    spectrum.imag = rng.standard_normal(len(f), np.float32)
    spectrum *= gain(f)
    spectrum[0] = 0
    wave = np.fft.irfft(spectrum, BANK)
    return np.asarray(wave / np.sqrt(np.mean(wave**2)), np.float32)


def _slow(rng: Random, top: float, spread: float) -> Wave:
    """A periodic log-normal envelope of mean square 1 that moves below ``top`` Hz; ``spread`` is its sd in nepers."""
    bins = max(2, int(top * BANK_SECONDS))
    coarse = 1 << (8 * bins - 1).bit_length()
    spectrum = np.zeros(coarse // 2 + 1, np.complex128)
    spectrum[1 : bins + 1] = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
    curve = np.fft.irfft(spectrum, coarse)
    curve = np.exp(spread * curve / np.std(curve))
    curve /= math.sqrt(float(np.mean(curve**2)))
    at = np.arange(BANK, dtype=np.float32) * (coarse / BANK)
    curve_at: Wave = np.interp(at, np.arange(coarse + 1), np.append(curve, curve[0])).astype(np.float32)
    return curve_at


def _pass(f: Wave, low: float, high: float) -> Wave:
    """Second-order slopes around a pass band."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(1 / np.sqrt(1 + (low / np.maximum(f, 1e-3)) ** 4) / np.sqrt(1 + (f / high) ** 4), np.float32)


def _power(f: Wave, slope: float) -> Wave:
    """Amplitude falling by ``slope`` dB per octave above 30 Hz, nothing below 15 Hz."""
    shape = (np.maximum(f, 30.0) / 30.0) ** (-slope / 6.0206)
    return np.asarray(np.where(f < 15.0, 0.0, shape), np.float32)


def _tones(rng: Random, base: float, levels: list[float], wander: float = 0.0) -> Wave:
    """Harmonics of ``base`` Hz with ``levels`` (amplitudes); ``wander`` Hz of slow drift. Periodic."""
    cycles = round(base * BANK_SECONDS)
    t = np.arange(BANK, dtype=np.float64) / BANK
    phase = 2 * np.pi * cycles * t
    if wander:
        phase += wander * BANK_SECONDS / 7 * np.sin(2 * np.pi * 7 * t + rng.uniform(0, 6.28))
    wave = np.zeros(BANK, np.float32)
    for k, level in enumerate(levels, 1):
        if level and k * base < RATE / 2:
            wave += np.float32(level) * np.sin((k * phase + rng.uniform(0, 6.28)) % (2 * np.pi)).astype(np.float32)
    return wave


def _strikes(rng: Random, per_second: float, low: float, high: float, decay: float, spread: float) -> Wave:
    """Short ringing strikes at random times: ``low``-``high`` Hz, ``decay`` seconds, log-normal ``spread``."""
    wave = np.zeros(BANK, np.float32)
    length = int(6 * decay * RATE)
    t = np.arange(length) / RATE
    shapes = [
        (np.exp(-t / decay) * np.sin(2 * np.pi * rng.uniform(low, high) * t)).astype(np.float32) for _ in range(24)
    ]
    count = int(rng.poisson(per_second * BANK_SECONDS))
    places, levels = rng.integers(0, BANK, count), np.exp(spread * rng.standard_normal(count))
    which = rng.integers(0, len(shapes), count)
    for s, shape in enumerate(shapes):
        train = np.zeros(BANK, np.float32)
        mine = np.flatnonzero(which == s)
        np.add.at(train, places[mine], levels[mine].astype(np.float32))
        hits = [int(h) for h in np.flatnonzero(train)]
        if len(hits) > 2000:  # dense rain: one convolution beats many copies
            wave += np.fft.irfft(np.fft.rfft(train) * np.fft.rfft(shape, BANK), BANK)
        else:
            for h in hits:
                end = min(BANK, h + length)
                wave[h:end] += train[h] * shape[: end - h]
                wave[: length - (end - h)] += train[h] * shape[end - h :]
    return wave


def _voices(rng: Random, spread: float) -> Wave:
    """Speech-shaped noise whose bands move at the rate of syllables: many talkers, no words."""
    # Corners of the bands; the long-term spectrum falls about 9 dB per octave above 500 Hz (Byrne et al. 1994).
    corners = (90.0, 300.0, 800.0, 1800.0, 3500.0, 7000.0)
    wave = np.zeros(BANK, np.float32)
    common = _slow(rng, 1.0, spread / 3)
    for low, high in pairwise(corners):
        level = np.float32((min(1.0, 500.0 / math.sqrt(low * high))) ** 1.2)
        wave += level * _shaped(rng, partial(_pass, low=low, high=high)) * _slow(rng, 5.0, spread)
    return wave * common


def _unit(wave: Wave) -> Wave:
    return wave / np.float32(math.sqrt(float(np.mean(wave**2)) + 1e-20))


def _pink(rng: Random) -> Wave:
    slope = rng.uniform(2.0, 4.0)
    return _shaped(rng, lambda f: _power(f, slope))


def _brown(rng: Random) -> Wave:
    slope = rng.uniform(5.0, 7.0)
    return _shaped(rng, lambda f: _power(f, slope))


def _fan(rng: Random) -> Wave:
    corner, slope, base = rng.uniform(300, 1200), rng.uniform(3, 5), rng.uniform(40, 140)
    air = _shaped(rng, lambda f: _power(f, slope) * _pass(f, 40, 4 * corner))
    blades = _tones(rng, base, list(rng.uniform(0.0, 0.3, 6)), wander=rng.uniform(0.1, 0.6))
    return air * _slow(rng, 2.0, 0.05) + blades


def _hum(rng: Random) -> Wave:
    base = 50.0 if rng.random() < 0.5 else 60.0
    levels = [float(x) / k for k, x in enumerate(rng.uniform(0.1, 1.0, 12), 1)]
    return _tones(rng, base, levels) + np.float32(rng.uniform(0.3, 0.9)) * _shaped(rng, lambda f: _power(f, 3.0))


def _babble(rng: Random) -> Wave:
    return _voices(rng, rng.uniform(0.35, 0.7))


def _cafe(rng: Random) -> Wave:
    clinks = _strikes(rng, rng.uniform(0.5, 2.0), 1800, 6500, rng.uniform(0.01, 0.04), 0.7)
    talk = _unit(_voices(rng, rng.uniform(0.3, 0.5)))
    mixed: Wave = (
        talk + np.float32(rng.uniform(0.3, 1.0)) * clinks + np.float32(0.4) * _shaped(rng, lambda f: _power(f, 4.0))
    )
    return mixed


def _traffic(rng: Random) -> Wave:
    corner = rng.uniform(150, 400)
    rumble = _shaped(rng, lambda f: _power(f, 5.0))
    cars = _shaped(rng, lambda f: _pass(f, corner, 4 * corner)) * _slow(rng, rng.uniform(0.15, 0.4), 0.8)
    tyres = _shaped(rng, lambda f: _pass(f, 800, 2500)) * _slow(rng, 0.3, 1.0)
    return rumble + np.float32(rng.uniform(0.5, 1.2)) * cars + np.float32(rng.uniform(0.1, 0.4)) * tyres


def _rain(rng: Random) -> Wave:
    low = rng.uniform(400, 1500)
    drops = _unit(_strikes(rng, rng.uniform(60, 300), 1500, 7000, 0.002, 0.9))
    hiss = _shaped(rng, lambda f: _pass(f, low, 7500.0))
    return hiss * _slow(rng, 0.3, 0.2) + np.float32(rng.uniform(0.2, 0.9)) * drops


def _wind(rng: Random) -> Wave:
    low = _shaped(rng, lambda f: _power(f, 6.0)) * _slow(rng, rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.9))
    howl = rng.uniform(250, 700)
    high = _shaped(rng, lambda f: _pass(f, howl, 1.4 * howl)) * _slow(rng, 0.6, 0.8)
    return low + np.float32(rng.uniform(0.05, 0.3)) * high


def _office(rng: Random) -> Wave:
    air = _shaped(rng, lambda f: _power(f, 4.0) * _pass(f, 30, 3000))
    keys = _strikes(rng, rng.uniform(1.5, 5.0), 1200, 4500, 0.004, 0.5) * _slow(rng, 0.3, 0.7)
    return air + np.float32(rng.uniform(0.5, 1.5)) * keys + np.float32(0.3) * _unit(_voices(rng, 0.5))


_MAKERS: dict[str, Callable[[Random], Wave]] = {
    "pink": _pink,
    "brown": _brown,
    "fan": _fan,
    "hum": _hum,
    "babble": _babble,
    "cafe": _cafe,
    "traffic": _traffic,
    "rain": _rain,
    "wind": _wind,
    "office": _office,
}


@lru_cache(maxsize=96)
def bank(noise_id: str, folder: str = "") -> PCM:
    """The noise that an id of the pool names, int16 [samples] at 16 kHz, which may be repeated without a seam.

    "gen:<kind>-<nn>" is 60 s from a generator; "file:<name>" a recording below ``folder``. A function of its
    arguments (and of the recording); a process keeps the latest 96 (2 MB each).
    """
    source, _, name = noise_id.partition(":")
    if source == "gen":
        kind = name.rpartition("-")[0]
        if kind in _MAKERS:
            return _pcm(_MAKERS[kind](_random(name)))
        if kind in registry.names("noises"):
            return _pcm(_offered(kind, _random(name)))
    elif source == "file" and name:
        return _pcm(_recording(Path(folder) / name))
    raise UserError(
        "unknown noise", field="noise", value=noise_id, allowed="gen:<kind>-<nn> or file:<name>; " + ", ".join(_MAKERS)
    )


def _offered(kind: str, rng: Random) -> Wave:
    """A bank from another package's generator: ``make(rng, samples, rate)`` gives float samples, any level."""
    wave = np.asarray(registry.load("noises", kind)(rng, BANK, RATE), np.float32)
    if wave.shape != (BANK,) or not np.isfinite(wave).all() or not np.any(wave):
        raise UserError(
            f"noise {kind!r} did not give {BANK} samples that are numbers and not all zero",
            field="acoustics.noise_kinds",
            value=wave.shape,
        )
    return wave


TONES = 6


@lru_cache(maxsize=18)
def room_tone(tone: int, split: str) -> PCM:
    """The faint sound of quiet room ``tone`` (0 <= tone < TONES): soft air and a trace of mains hum.

    All splits have the same rooms' spectra, so that silence does not tell the split, but samples of their own.
    """
    look, rng = _random("tone", tone), _random("tone", tone, split)
    slope, corner, hiss = look.uniform(2.5, 5.0), look.uniform(3000, 7000), np.float32(look.uniform(0.05, 0.2))
    base, levels = (50.0, 60.0)[tone % 2], [float(x) for x in look.uniform(0.02, 0.15, 5)]
    air = _shaped(rng, lambda f: _power(f, slope) * _pass(f, 20, corner))
    return _pcm(air + _tones(rng, base, levels) + hiss * _shaped(rng, lambda f: _pass(f, 1000, 7500)))


@lru_cache(maxsize=24)
def over_line(noise_id: str, folder: str = "", tone: int = 0, split: str = "") -> PCM:
    """``bank(noise_id, folder)``, or ``room_tone(tone, split)`` where ``noise_id`` is "", after a telephone line."""
    source = bank(noise_id, folder) if noise_id else room_tone(tone, split)
    path = telephone()
    # The bank goes round, so its whole spectrum is multiplied: no seam appears. Delay does not matter to noise.
    taps = np.zeros(len(source), np.float32)
    taps[: len(path.taps)] = path.taps
    return _pcm(np.fft.irfft(np.fft.rfft(source.astype(np.float32)) * np.fft.rfft(taps), len(source)))


def _pcm(wave: Wave) -> PCM:
    scaled = _unit(wave) * np.float32(MEAN_LEVEL)
    pcm: PCM = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return pcm


def _recording(path: Path) -> Wave:
    import soundfile
    import soxr

    try:
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError("cannot be read as audio", where=str(path), field="acoustics.noise_folder") from error
    wave = data.mean(axis=1)
    if not np.isfinite(wave).all() or not np.any(wave):
        raise UserError(
            "holds no usable noise: it is silent or has samples that are not numbers",
            where=str(path),
            field="acoustics.noise_folder",
            mend="remove it from the folder",
        )
    wave = soxr.resample(wave, rate, RATE) if rate != RATE else wave
    if len(wave) < 4 * SEAM:
        wave = np.tile(wave, -(-4 * SEAM // len(wave)))
    fade = np.sqrt(np.linspace(0, 1, SEAM, dtype=np.float32))
    wave = wave.copy()
    wave[:SEAM] = wave[:SEAM] * fade + wave[-SEAM:] * fade[::-1]
    return np.asarray(wave[:-SEAM], np.float32)


def excerpt(source: PCM, offset: int, length: int) -> Samples:
    """``length`` samples from ``offset`` on, going round and round, as float32 of RMS 1."""
    out = np.empty(length, np.float32)
    done, at = 0, offset % len(source)
    while done < length:
        piece = source[at : at + length - done]
        out[done : done + len(piece)] = piece
        done, at = done + len(piece), 0
    rms = math.sqrt(float(np.dot(out, out)) / length) if length else 0.0
    if rms:
        out *= np.float32(1.0 / rms)
    return out
