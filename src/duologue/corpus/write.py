"""Write a corpus: FLAC, JSON Lines and the manifest, each complete or absent."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue, Split, Track
from duologue.corpus.manifest import DIALOGUES, MANIFEST, Manifest, Part, ShardEntry, encode_manifest, sealed
from duologue.errors import UserError

_ENCODER = msgspec.json.Encoder(order="deterministic")


class EncodedAudio(msgspec.Struct, frozen=True, kw_only=True):
    """A FLAC file in memory and what an ``Audio`` entry says of it; ``length`` in frames."""

    data: bytes
    sha256: str
    pcm_sha256: str
    sample_rate: int
    length: int
    channels: int


def encode_flac(samples: npt.NDArray[np.int16], sample_rate: int) -> EncodedAudio:
    """Encode int16 samples, [frames] or [frames, channels], as 16-bit FLAC, level 0 (fastest, bit-exact).

    ``pcm_sha256`` is over the interleaved little-endian samples. Raises TypeError for another dtype or shape and
    ValueError for what FLAC cannot hold (no frames, over 8 channels, a rate outside 1..655350 Hz).
    """
    import soundfile

    if samples.dtype != np.int16 or samples.ndim not in (1, 2):
        raise TypeError(f"int16 [frames] or [frames, channels] wanted, got {samples.dtype} {samples.shape}")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    if not len(samples) or not 1 <= channels <= 8 or not 1 <= sample_rate <= 655_350:
        raise ValueError(f"FLAC cannot hold {len(samples)} frames, {channels} channels, {sample_rate} Hz")
    pcm = np.ascontiguousarray(samples, dtype="<i2")
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, sample_rate, format="FLAC", subtype="PCM_16", compression_level=0.0)
    data = buffer.getvalue()
    return EncodedAudio(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        pcm_sha256=hashlib.sha256(pcm.data).hexdigest(),
        sample_rate=sample_rate,
        length=len(pcm),
        channels=channels,
    )


def codec_part() -> Part:
    """The FLAC encoder in use: its version is written into each file, so it belongs to a corpus's parts."""
    import soundfile

    return Part(name="libsndfile", version=str(soundfile.__libsndfile_version__))


def write_atomic(path: str | Path, data: bytes, *, sync: bool = True) -> None:
    """Write ``data`` aside, sync, and rename onto ``path``: readers see the whole of it or nothing.

    Folders are made where needed. ``sync=False`` leaves flushing to the system (a power cut may then lose the file,
    a killed process cannot). A full disk or a folder that cannot be written raises UserError and leaves no trace.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        try:
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)
        aside.replace(path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise write_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Some file systems refuse to sync a folder; the rename itself stands."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_error(path: Path, error: OSError) -> UserError:
    """What to tell a user when ``path`` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError(
            "the disk is full", where=str(path), mend="free some space and run the same command again: it goes on"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            "this folder cannot be written", where=str(path.parent), mend="choose another folder or change its rights"
        )
    return UserError(f"cannot be written: {error.strerror}", where=str(path))


def encode_dialogue(dialogue: Dialogue) -> bytes:
    """One line of JSON with its newline; equal dialogues give equal bytes."""
    return _ENCODER.encode(dialogue) + b"\n"


def is_main(audio: Audio) -> bool:
    """Whether hours count this file: neither a twin nor clean stems only."""
    return audio.twin is None and any(c.kind != "clean-stem" for c in audio.channels)


class _Head(msgspec.Struct):
    id: str
    track: Track
    languages: tuple[str, ...]
    split: Split
    audio: tuple[Audio, ...] = ()


def write_shard(root: str | Path, name: str, lines: Iterable[bytes], *, sync: bool = True) -> ShardEntry:
    """Write ``dialogues/<name>.jsonl`` from lines of :func:`encode_dialogue`, sorted by id, and describe it.

    Any order of the lines gives the same bytes. Raises UserError for an empty shard, an id that comes twice,
    or dialogues of different tracks, main languages or splits.
    """
    decode = msgspec.json.Decoder(_Head).decode
    rows = sorted(((decode(line), line) for line in lines), key=lambda row: row[0].id)
    where = f"shard {name}"
    if not rows:
        raise UserError("a shard needs at least one dialogue", where=where)
    for (a, _), (b, _) in pairwise(rows):
        if a.id == b.id:
            raise UserError("an id comes twice", where=where, field="id", value=a.id)
    kinds = {(head.track, head.languages[0] if head.languages else "", head.split) for head, _ in rows}
    if len(kinds) > 1:
        raise UserError("a shard holds one track, language and split", where=where, value=sorted(kinds))
    ((track, language, split),) = kinds
    data = b"".join(line for _, line in rows)
    path = f"{DIALOGUES}/{name}.jsonl"
    write_atomic(Path(root) / path, data, sync=sync)
    files = [a for head, _ in rows for a in head.audio]
    return ShardEntry(
        name=name,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        dialogues=len(rows),
        seconds=round(sum((a.length / a.sample_rate for a in files if is_main(a)), 0.0), 6),
        audio_files=len(files),
        audio_seconds=round(sum((a.length / a.sample_rate for a in files), 0.0), 6),
        track=track,
        language=language,
        split=split,
    )


def write_manifest(root: str | Path, manifest: Manifest) -> Manifest:
    """Write ``corpus.json``, in order, with its totals and its hash; gives back what was written."""
    manifest = sealed(manifest)
    write_atomic(Path(root) / MANIFEST, encode_manifest(manifest))
    return manifest
