"""Read a recording of any kind, and refuse what is broken by name."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import UserError

SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"}
    | {".w64", ".rf64", ".sph", ".nist", ".voc"}
)
# A run of this many samples at full scale is clipping; speech that only touches full scale has shorter ones.
CLIP_RUN = 4
# Sub-types that int16 holds exactly (mu-law and A-law decode to 14 and 13 bits).
_EXACT = frozenset({"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "DPCM_16", "DPCM_8"})


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """``samples`` is int16 [frames, channels] at ``sample_rate``; ``sha256`` is of the source file.

    ``lossless`` says that the samples equal the source's own. ``notes`` tells what was changed besides.
    """

    samples: npt.NDArray[np.int16]
    sample_rate: int
    source_rate: int
    subtype: str
    sha256: str
    lossless: bool
    notes: tuple[str, ...] = ()


def read_recording(
    path: Path,
    *,
    rate: int | None = 16_000,
    channels: Literal["keep", "mix"] = "keep",
    keep_clipped: bool = False,
) -> Recording:
    """The whole of an audio file as int16 at ``rate`` Hz (None: its own), its level unchanged.

    Float and 24 or 32 bit samples are rounded to the nearest of 16 bit without dither; resampling is soxr's very
    high quality. Raises UserError for what is no audio, empty, cut short, holds NaN or infinite samples, is out of
    [-1, 1] or clipped (unless ``keep_clipped``), or has more than 8 channels and is not mixed.
    """
    import soundfile

    where = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=where) from None
    if not data:
        raise UserError("an empty file", where=where)
    _refuse_truncated_wav(data, where)
    try:
        with path.open("rb") as raw, soundfile.SoundFile(raw) as f:
            subtype, own_rate, frames = f.subtype, f.samplerate, f.frames
            exact = subtype in _EXACT
            x = f.read(dtype="int16" if exact else "float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(f"not audio that can be read: {error.error_string.strip()}", where=where) from None
    if len(x) < frames:
        raise UserError("cut short", where=where, value=len(x), allowed=f"{frames} frames, as its header says")
    if not len(x):
        raise UserError("no samples", where=where)
    if not exact and (bad := int(np.count_nonzero(~np.isfinite(x)))):
        first = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise UserError(f"{bad} samples are NaN or infinite, the first at frame {first}", where=where)
    notes: list[str] = []
    if said := _clipping(x):
        if not keep_clipped:
            raise UserError(said, where=where, mend="--keep-clipped takes it as it is")
        notes.append(said)
    mixed = channels == "mix" and x.shape[1] > 1
    if x.shape[1] > 8 and not mixed:
        raise UserError("too many channels", where=where, value=x.shape[1], allowed="1-8", mend="give --channels mix")
    new_rate = rate or own_rate
    lossless = exact and not mixed and new_rate == own_rate
    if not lossless:
        y = x / 32_768.0 if exact else x
        if mixed:
            y = y.mean(axis=1, keepdims=True)
        if new_rate != own_rate:
            import soxr

            y = soxr.resample(y, own_rate, new_rate, quality="VHQ")
            if not len(y):
                raise UserError("too short to resample", where=where, value=f"{len(x)} frames at {own_rate} Hz")
        scaled = np.rint(y * 32_768.0)
        over = int(np.count_nonzero((scaled > 32_767) | (scaled < -32_768)))
        if over and not said:
            notes.append(f"{over} samples limited to full scale")
        x = np.clip(scaled, -32_768, 32_767).astype(np.int16)
    return Recording(
        samples=np.ascontiguousarray(x),
        sample_rate=new_rate,
        source_rate=own_rate,
        subtype=subtype,
        sha256=hashlib.sha256(data).hexdigest(),
        lossless=lossless,
        notes=tuple(notes),
    )


def _clipping(x: npt.NDArray[np.int16] | npt.NDArray[np.float64]) -> str:
    """What is clipped in samples [frames, channels], or ""."""
    if x.dtype == np.int16:
        full = (x >= 32_767) | (x <= -32_768)
    else:
        if over := int(np.count_nonzero(np.abs(x) > 1.0)):
            return f"{over} samples lie beyond full scale (peak {np.abs(x).max():.2f})"
        full = np.abs(x) >= 32_767 / 32_768
    if np.count_nonzero(full) < CLIP_RUN:
        return ""
    runs = full[CLIP_RUN - 1 :].copy()
    for k in range(1, CLIP_RUN):
        runs &= full[CLIP_RUN - 1 - k : len(full) - k]
    count = int(np.count_nonzero(full))
    return f"clipped: {count} samples at full scale, in runs of {CLIP_RUN} or more" if runs.any() else ""


def _refuse_truncated_wav(data: bytes, where: str) -> None:
    """libsndfile reads a cut RIFF file without a word, so its chunk sizes are checked against the file here.

    Sizes of 0 and 0xFFFFFFFF are left by programs that write to a pipe; they say nothing.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"data":
            have = len(data) - at - 8
            if size not in (0, 0xFFFF_FFFF) and size > have:
                raise UserError("cut short", where=where, value=f"{have} bytes of samples", allowed=f"{size}")
            return
        at += 8 + size + (size & 1)
    raise UserError("cut short: no samples after the header", where=where)
