"""Ways in which a recording changes on its way into training data. Sounds are float32 mono at 16 kHz."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 16_000
Sound = npt.NDArray[np.float32]
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def tempo(x: Sound, factor: float) -> Sound:
    """``factor`` times as fast at the same pitch: WSOLA, 40 ms windows that may move by 10 ms."""
    size, reach = 640, 160
    hop, window = size // 2, np.hanning(size + 1)[:size].astype(np.float32)
    length = int(len(x) / factor)
    out, weight = np.zeros(length + 2 * size, np.float32), np.zeros(length + 2 * size, np.float32)
    padded = np.concatenate([np.zeros(reach, np.float32), x, np.zeros(2 * size + 2 * reach, np.float32)])
    before = 0
    for k in range(length // hop + 1):
        at = int(k * hop * factor)
        if at >= len(x):
            break
        if k:
            wanted = padded[reach + before + hop : reach + before + hop + size]
            near = padded[at : at + size + 2 * reach]
            if len(near) < size + 2 * reach or len(wanted) < size:
                break
            like = np.fft.irfft(np.fft.rfft(near, 2_048) * np.conj(np.fft.rfft(wanted, 2_048)), 2_048)
            at = max(0, at + int(np.argmax(like[: 2 * reach + 1])) - reach)
        out[k * hop : k * hop + size] += window * padded[reach + at : reach + at + size]
        weight[k * hop : k * hop + size] += window
        before = at
    return np.asarray(out[:length] / np.maximum(weight[:length], 1e-3), np.float32)


def speed(x: Sound, factor: float) -> Sound:
    """``factor`` times as fast, and as much higher: resampling."""
    return np.asarray(soxr.resample(x, RATE * factor, RATE), np.float32)


def pitch(x: Sound, semitones: float) -> Sound:
    """Higher by ``semitones``, formants too, as long as before."""
    factor = 2 ** (semitones / 12)
    return tempo(speed(x, factor), 1 / factor)


def coded(x: Sound, kind: str, subtype: str, level: float | None = None, rate: int = RATE) -> Sound:
    """Through a codec of libsndfile and back."""
    buffer = io.BytesIO()
    y = soxr.resample(x, RATE, rate) if rate != RATE else x
    extra = {} if level is None else {"compression_level": level}
    soundfile.write(buffer, np.clip(y, -1, 1), rate, format=kind, subtype=subtype, **extra)
    buffer.seek(0)
    z, own = soundfile.read(buffer, dtype="float32")
    return np.asarray(soxr.resample(z, own, RATE) if own != RATE else z, np.float32)


def level(x: Sound) -> float:
    """Root mean square over the frames of 20 ms that lie within 30 dB of the loudest."""
    energy = (x[: len(x) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1)
    loud = energy[energy > energy.max() * 1e-3]
    return float(np.sqrt(loud.mean())) if len(loud) else 1e-3


def noisy(x: Sound, rng: np.random.Generator, snr: float = 10.0, recorded: list[Sound] | None = None) -> Sound:
    """Under white, pink-like or recorded noise at ``snr`` dB below the speech."""
    kind = rng.integers(3 if recorded else 2)
    if kind == 0:
        noise = rng.standard_normal(len(x))
    elif kind == 1:
        bins = np.fft.rfft(rng.standard_normal(len(x) + 1))
        noise = np.fft.irfft(bins / np.sqrt(np.arange(len(bins)) + 10), len(x) + 1)[: len(x)]
    else:
        noise = np.resize(recorded[rng.integers(len(recorded))], len(x))
        if noise.std() < 1e-4:
            noise = rng.standard_normal(len(x))
    return np.asarray(x + noise * (level(x) / noise.std() * 10 ** (-snr / 20)), np.float32)


def reverberant(x: Sound, rng: np.random.Generator, response: Sound | None = None) -> Sound:
    """In a room: ``response``, or noise that decays 60 dB in 0.3-0.9 s, -6 to +3 dB against the direct sound."""
    if response is None:
        rt60 = rng.uniform(0.3, 0.9)
        time = np.arange(int(rt60 * RATE)) / RATE
        response = (rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60)).astype(np.float32)
        response *= 10 ** (-rng.uniform(-3, 6) / 20) / np.sqrt((response**2).sum())
        response[:40] = 0
        response[0] = 1
    size = 1 << (len(x) + len(response) - 1).bit_length()
    y = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(response, size), size)[: len(x)]
    return np.asarray(y * (x.std() / (y.std() + 1e-9)), np.float32)


def recorded_noises() -> list[Sound]:
    """Environmental sounds of ../shared/data, if they are there."""
    found = []
    for path in sorted((SHARED / "esc10_noise").glob("*/*.ogg")):
        x, rate = soundfile.read(path, dtype="float32", always_2d=True)
        found.append(np.asarray(soxr.resample(x.mean(axis=1), rate, RATE), np.float32))
    return found


def recorded_responses() -> list[Sound]:
    """Impulse responses of ../shared/data, if they are there."""
    found = []
    for folder in ("lhotse_rir", "audiomentations_ir"):
        for path in sorted((SHARED / folder).rglob("*.wav")):
            x, rate = soundfile.read(path, dtype="float32", always_2d=True)
            if len(x) < 5 * rate:
                found.append(np.asarray(soxr.resample(x[:, 0], rate, RATE), np.float32))
    return found
