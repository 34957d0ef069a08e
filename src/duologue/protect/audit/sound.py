"""Decode audio that others made, a block at a time, and hash its samples so that the container does not matter."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from duologue.errors import UserError

Block = npt.NDArray[np.float32]

SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"}
    | {".w64", ".rf64", ".sph", ".voc"}
)
BLOCK = 60  # seconds
_LONGEST = 24 * 3600  # seconds of one file
_MOST_CHANNELS = 64
_RATES = (1_000, 768_000)


def looks_like_audio(data: bytes) -> bool:
    """By the first bytes: RIFF, FLAC, Ogg, MP3, AIFF, AU, CAF."""
    return (
        data[:4] in (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff")
        or data[:3] == b"ID3"
        or (len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)
    )


class Sound:
    """An open audio file. Samples come as float32 [frames, channels]; nothing is held but one block.

    Raises UserError for what is no audio that libsndfile reads, and for absurd headers.
    """

    def __init__(self, source: Path | bytes) -> None:
        import soundfile

        raw: Any = io.BytesIO(source) if isinstance(source, bytes) else str(source)
        try:
            self._file = soundfile.SoundFile(raw)
        except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
            raise UserError(f"no audio that can be read: {getattr(error, 'error_string', error)}".strip()) from None
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        if not (_RATES[0] <= self.rate <= _RATES[1] and 1 <= self.channels <= _MOST_CHANNELS):
            self.close()
            raise UserError("absurd audio header", value=(self.rate, self.channels))
        self.seconds = 0.0

    def blocks(self, overlap: float = 0.0) -> Iterator[tuple[float, Block, int]]:
        """(start in seconds, samples, how many of its frames were in the block before) of BLOCK seconds each."""
        import soundfile

        kept = np.zeros((0, self.channels), np.float32)
        at, step = 0, BLOCK * self.rate
        while True:
            try:
                fresh = self._file.read(step - len(kept), dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise UserError(f"breaks off after {at / self.rate:.1f} s: {error}") from None
            if not len(fresh):
                break
            block = np.concatenate([kept, fresh]) if len(kept) else fresh
            yield (at - len(kept)) / self.rate, np.nan_to_num(block, copy=False, posinf=1.0, neginf=-1.0), len(kept)
            at += len(fresh)
            if at > _LONGEST * self.rate:
                raise UserError("longer than 24 hours; the rest was not compared")
            kept = block[-round(overlap * self.rate) :] if overlap else kept
        self.seconds = at / self.rate

    def close(self) -> None:
        self._file.close()


class SampleHash:
    """SHA-256 of 16 bit samples without the digital silence at both ends, a channel each.

    The same recording as WAV, FLAC or AIFF, of 16, 24 or 32 bit or float, with any tags, or with zeros before and
    after, has the same hash; lossy codecs and resampling change it. A channel without a sound has none.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self._hashes = [hashlib.sha256(f"duologue-samples {rate}".encode()) for _ in range(channels)]
        self._zeros = [0] * channels
        self._begun = [False] * channels

    def add(self, block: Block) -> None:
        """``block``: float32 [frames, channels]."""
        whole = np.clip(np.rint(block * 32_768.0), -32_768, 32_767).astype("<i2")
        for channel, digest in enumerate(self._hashes):
            x = whole[:, channel]
            heard = np.flatnonzero(x)
            if not len(heard):
                self._zeros[channel] += len(x)
                continue
            first = 0 if self._begun[channel] else int(heard[0])
            if self._begun[channel]:
                for at in range(0, self._zeros[channel], 1 << 20):
                    digest.update(bytes(2 * min(1 << 20, self._zeros[channel] - at)))
            last = int(heard[-1]) + 1
            digest.update(x[first:last].tobytes())
            self._begun[channel] = True
            self._zeros[channel] = len(x) - last

    def digests(self) -> list[str]:
        """Hex, one a channel that is not silent."""
        return [h.hexdigest() for h, begun in zip(self._hashes, self._begun, strict=True) if begun]


def mono_tracks(block: Block) -> list[tuple[str, Block]]:
    """(name, [frames]) of what is to be compared: each channel, or one where all are equal."""
    if block.shape[1] == 1 or all(np.array_equal(block[:, 0], block[:, c]) for c in range(1, block.shape[1])):
        return [("", np.ascontiguousarray(block[:, 0]))]
    return [(f"channel {c + 1}", np.ascontiguousarray(block[:, c])) for c in range(block.shape[1])]
