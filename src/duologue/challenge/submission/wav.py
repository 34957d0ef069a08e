"""What a WAV file is, read from its bytes as they come; its header is believed only where the bytes bear it out.

RIFF as in Microsoft and IBM's Multimedia Programming Interface 1.0 (1991); WAVE_FORMAT_EXTENSIBLE as Microsoft
documents it. libsndfile is not asked: it reads a cut file without a word, and many other formats under the name of WAV.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import msgspec

# Bytes that may precede the samples, and that may follow them (titles, cue points).
MOST_AROUND = 1 << 16
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_FORMATS = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}
FORMATS = tuple(_FORMATS.values())
# How files begin that are sent in place of a WAV.
_OTHERS = (
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"\xff\xfb", "MP3"),
    (b"\xff\xf3", "MP3"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"RF64", "RF64"),
    (b"RIFX", "big-endian RIFF"),
    (b"caff", "CAF"),
    (b"PK", "a zip archive"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"<", "HTML or XML"),
    (b"{", "JSON"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)


class WavFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` in Hz, ``frames`` of ``channels`` samples each, ``format`` as libsndfile names it; ``silent`` where
    every sample is zero."""

    rate: int
    channels: int
    format: str
    frames: int
    silent: bool

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


class NotWav(Exception):  # noqa: N818 - a finding, never shown as an exception
    """Why the bytes are no WAV file."""


def kind(head: bytes) -> str:
    """What begins with ``head``, or ""."""
    return next((name for mark, name in _OTHERS if head.startswith(mark)), "")


def read_wav(pieces: Iterable[bytes], size: int) -> WavFacts:
    """The facts of a file of ``size`` bytes that comes in ``pieces``, all of which are read. NotWav says what is wrong.

    At most :data:`MOST_AROUND` bytes and a piece are held at a time.
    """
    waiting = iter(pieces)
    head = bytearray()
    found: tuple[int, int, int, int, str] | None = None
    for piece in waiting:
        head += piece
        if (found := _header(bytes(head), size)) is not None or len(head) > MOST_AROUND:
            break
    if found is None:
        raise NotWav(f"no samples in the first {min(size, MOST_AROUND):,} bytes" if size else "an empty file")
    start, length, rate, channels, form = found
    quiet = 128 if form == "PCM_U8" else 0
    samples = bytes(head[start : start + length])
    loud = len(samples) - samples.count(quiet)
    left, tail = length - len(samples), bytes(head[start + length :])
    for piece in waiting:
        inside = piece[:left]
        loud += len(inside) - inside.count(quiet)
        left -= len(inside)
        tail += piece[len(inside) :]
        if len(tail) > MOST_AROUND:
            raise NotWav(f"more than {MOST_AROUND:,} bytes follow the samples")
    if left:
        raise NotWav("cut short")
    _tail(tail[length & 1 :])
    return WavFacts(
        rate=rate, channels=channels, format=form, frames=length // (sample_bytes(form) * channels), silent=not loud
    )


def sample_bytes(form: str) -> int:
    """Bytes of a sample in one of :data:`FORMATS`."""
    return next(bits for (_, bits), name in _FORMATS.items() if name == form) // 8


def _header(head: bytes, size: int) -> tuple[int, int, int, int, str] | None:
    """(first byte of the samples, their bytes, rate, channels, format); None where more of the file is needed."""
    if len(head) < 12:
        if len(head) < size:
            return None
        raise NotWav("too short for a WAV file")
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        other = kind(head)
        raise NotWav(f"{other} in place of WAV" if other else "no WAV file")
    claimed = struct.unpack_from("<L", head, 4)[0]
    if claimed + 8 not in (size, size - 1):
        raise NotWav(f"the header claims {claimed + 8:,} bytes, the file has {size:,}")
    at, form = 12, None
    while at + 8 <= len(head):
        name, length = head[at : at + 4], struct.unpack_from("<L", head, at + 4)[0]
        at += 8
        if at + length > size:
            raise NotWav(f"a part of the header claims {length:,} bytes, {size - at:,} are left")
        if name == b"fmt ":
            if form is not None:
                raise NotWav("two formats")
            if at + length > len(head):
                return None
            form = _format(head[at : at + length])
        elif name == b"data":
            if form is None:
                raise NotWav("samples without a format")
            rate, channels, block, sample = form
            if length % block:
                raise NotWav("half a frame at the end")
            return at, length, rate, channels, sample
        at += length + (length & 1)
    if len(head) >= size:
        raise NotWav("no samples")
    return None


def _format(data: bytes) -> tuple[int, int, int, str]:
    """(rate, channels, bytes of a frame, format)."""
    if len(data) < 16:
        raise NotWav("a format that is cut short")
    tag, channels, rate, per_second, block, bits = struct.unpack_from("<2H2L2H", data)
    if tag == _EXTENSIBLE:
        if len(data) < 40 or data[26:40] != _GUID_TAIL:
            raise NotWav("an unknown format")
        tag = struct.unpack_from("<H", data, 24)[0]
    form = _FORMATS.get((tag, bits))
    if form is None:
        raise NotWav(f"an unknown format (tag {tag}, {bits} bits)")
    if not channels or not rate:
        raise NotWav("no channels" if rate else "no sample rate")
    if block != channels * bits // 8 or per_second != rate * block:
        raise NotWav("a format that contradicts itself")
    return rate, channels, block, form


def _tail(data: bytes) -> None:
    """What follows the samples has to be whole parts."""
    at = 0
    while at + 8 <= len(data):
        name, length = data[at : at + 4], struct.unpack_from("<L", data, at + 4)[0]
        if name in (b"data", b"fmt "):
            raise NotWav("two lots of samples" if name == b"data" else "two formats")
        at += 8 + length + (length & 1)
    if at not in (len(data), len(data) + 1):
        raise NotWav("something follows the samples that is no part of a WAV file")
