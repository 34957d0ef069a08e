"""Where speech is: Silero VAD on onnxruntime, without torch.

An optional part (``pip install 'duologue[vad]'``, ``duologue models fetch silero``). The network gives a probability
for each frame of 512 samples at 16 kHz; :func:`segment` turns them into stretches of speech exactly as
``get_speech_timestamps`` of the official package silero-vad 6.2.3 does, whose defaults these are. Its cutting of
overlong speech is left out: it is off by default, and no measure wants it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypedDict, TypeVar, Unpack

import numpy as np
import numpy.typing as npt

from duologue.corpus import interval
from duologue.errors import UserError
from duologue.listen.silero import FRAME, RATE, Silero

Floats = npt.NDArray[np.float32]
Key = TypeVar("Key")
_LOUDEST = 100.0  # 40 dB above full scale: floats that hold the integers of a file, not audio


class Options(TypedDict, total=False):
    """How probabilities become segments; see :func:`segment`."""

    threshold: float
    neg_threshold: float | None
    min_speech_duration_ms: float
    min_silence_duration_ms: float
    speech_pad_ms: float


class SpeechDetector:
    """Finds speech. ``threads`` signals are heard side by side; one signal is always heard by one thread.

    Each signal is run by itself, so what is found in it does not depend on what else is asked for.
    """

    def __init__(self, threads: int = 1) -> None:
        if threads < 1:
            raise UserError("the number of threads is not positive", field="threads", value=threads, allowed=">= 1")
        self._threads = threads
        self._network = Silero()

    def probabilities(self, signals: Sequence[Floats]) -> list[Floats]:
        """Probability of speech in each 512 samples of each mono 16 kHz signal; a last part frame counts as one.

        UserError where a signal is not a finite float array of one dimension.
        """
        usable = [checked(s) for s in signals]
        if self._threads == 1 or len(usable) < 2:
            return [self._network(s) for s in usable]
        self._network.load()
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(self._network, usable))

    def segments(
        self, samples: Floats, *, rate: int = RATE, merge_gap: float = 0.0, **options: Unpack[Options]
    ) -> interval.Intervals:
        """Stretches of speech ``[k, 2]``, half-open, in samples **at 16 kHz**, sorted and disjoint.

        ``samples`` is mono float in [-1, 1] at ``rate`` Hz; other rates than 16 kHz are resampled (soxr, linear
        phase). Segments at most ``merge_gap`` seconds apart are united; 0 leaves them as the official package gives
        them, also where two touch. No samples, no segments. UserError for a signal that is not finite or not mono.
        """
        samples = at_16k(samples, rate)
        found = segment(self._network(samples), len(samples), **options)
        return interval.merge_gaps(found, merge_gap * RATE) if merge_gap > 0 else found

    def many(
        self, items: Iterable[tuple[Key, Floats, int]], *, merge_gap: float = 0.0, **options: Unpack[Options]
    ) -> Iterator[tuple[Key, interval.Intervals | UserError]]:
        """:meth:`segments` of each (key, samples, rate) in order, of however many there are.

        Items are taken as they are needed: at most ``threads + 2`` are held at once. A signal that cannot be heard
        gives its UserError in place of its segments, and the others go on.
        """

        def hear(samples: Floats, rate: int) -> interval.Intervals | UserError:
            try:
                return self.segments(samples, rate=rate, merge_gap=merge_gap, **options)
            except UserError as error:
                return error

        self._network.load()
        segment(np.empty(0, np.float32), 0, **options)  # a wrong option is one error, not one for each signal
        if self._threads == 1:
            yield from ((key, hear(samples, rate)) for key, samples, rate in items)
            return
        waiting: deque[tuple[Key, Future[interval.Intervals | UserError]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for key, samples, rate in items:
                waiting.append((key, pool.submit(hear, samples, rate)))
                if len(waiting) > self._threads + 1:
                    first, heard = waiting.popleft()
                    yield first, heard.result()
            while waiting:
                first, heard = waiting.popleft()
                yield first, heard.result()


def at_16k(samples: Floats, rate: int) -> Floats:
    """Mono ``samples`` at ``rate`` Hz as float32 at 16 kHz, checked to be usable."""
    samples = checked(samples)
    if rate <= 0:
        raise UserError("the sampling rate is not positive", field="rate", value=rate, allowed="> 0 Hz")
    if rate == RATE or not len(samples):
        return samples
    import soxr

    resampled: Floats = soxr.resample(samples, rate, RATE)
    return resampled


def checked(samples: npt.NDArray[Any]) -> Floats:
    """Mono ``samples`` as float32; UserError unless they are one dimension of finite floats on a scale of 1."""
    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise UserError(
            "the signal is not mono audio in floats",
            field="samples",
            value=f"{samples.dtype} {list(samples.shape)}",
            allowed="one dimension of floats in [-1, 1]",
        )
    if not np.isfinite(samples).all():
        bad = np.flatnonzero(~np.isfinite(samples))
        raise UserError(
            f"{len(bad)} of {len(samples)} samples are not finite, the first at {bad[0]}",
            field="samples",
            value=float(samples[bad[0]]),
            allowed="finite samples in [-1, 1]",
        )
    if len(samples) and (peak := float(max(samples.max(), -samples.min()))) > _LOUDEST:
        raise UserError("the signal is not scaled to [-1, 1]", field="samples", value=peak, allowed="full scale is 1")
    return samples.astype(np.float32, copy=False)


def segment(
    probabilities: Floats,
    length: int,
    *,
    threshold: float = 0.5,
    neg_threshold: float | None = None,
    min_speech_duration_ms: float = 250,
    min_silence_duration_ms: float = 100,
    speech_pad_ms: float = 30,
) -> interval.Intervals:
    """Stretches of speech ``[k, 2]`` in samples, from one probability a frame of a signal of ``length`` samples.

    Speech begins with a frame of at least ``threshold``. It ends where a frame first falls below ``neg_threshold``
    (default ``threshold - 0.15``, at least 0.01), once a frame below it is seen ``min_silence_duration_ms`` later with
    none of at least ``threshold`` between; frames between the two thresholds decide nothing. Speech that is still on
    lasts to the end of the signal. What is not longer than ``min_speech_duration_ms`` is dropped. The rest is widened
    by ``speech_pad_ms`` on both sides, or up to the middle of a gap that has no room for two such pads.
    """
    low = max(threshold - 0.15, 0.01) if neg_threshold is None else neg_threshold
    if low > threshold:
        raise UserError(
            "the threshold of silence is above that of speech",
            field="neg_threshold",
            value=low,
            allowed=f"at most the threshold of speech, {threshold}",
        )
    durations = {
        "min_speech_duration_ms": min_speech_duration_ms,
        "min_silence_duration_ms": min_silence_duration_ms,
        "speech_pad_ms": speech_pad_ms,
    }
    for name, value in durations.items():
        if not value >= 0:
            raise UserError("a duration is negative", field=name, value=value, allowed=">= 0 ms")
    p = probabilities.astype(np.float64)
    decisive = np.flatnonzero((p >= threshold) | (p < low))
    speech = p[decisive] >= threshold
    if not speech.any():
        return np.empty((0, 2), np.int64)
    decisive, speech = decisive[speech.argmax() :], speech[speech.argmax() :]
    # Runs of speech and of silence now alternate, speech first; a long enough silence closes what stands before it.
    change = np.flatnonzero(np.diff(speech)) + 1
    first, last = decisive[np.r_[0, change]] * FRAME, decisive[np.r_[change, len(decisive)] - 1] * FRAME
    closes = np.zeros((len(first) + 1) // 2, np.bool_)
    closes[: len(first) // 2] = last[1::2] - first[1::2] >= RATE * min_silence_duration_ms / 1000
    start = first[::2][np.r_[True, closes[:-1]]]
    end = first[1::2][closes[: len(first) // 2]]
    if not closes[-1]:
        end = np.append(end, length)
    kept = end - start > RATE * min_speech_duration_ms / 1000
    return _widened(start[kept], end[kept], length, RATE * speech_pad_ms / 1000)


def _widened(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], length: int, pad: float) -> interval.Intervals:
    """Segments ``[k, 2]`` with ``pad`` samples on both sides, or half the gap where two pads do not fit into it."""
    gap = start[1:] - end[:-1]
    room = np.full(len(start) + 1, pad)
    room[1:-1] = np.where(gap < 2 * pad, gap // 2, pad)
    out: interval.Intervals = np.stack([start - room[:-1], end + room[1:]], axis=1).clip(0, length).astype(np.int64)
    return out
