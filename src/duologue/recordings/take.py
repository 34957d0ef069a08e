"""The recorded files of a folder, found by key and read within bounds: whoever made them may be a stranger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from duologue.errors import UserError
from duologue.recordings.manifest import ScriptedLine

Samples = npt.NDArray[np.float32]

# A line is read within two minutes; that at 192 kHz, 32 bits and two channels is less than this.
LONGEST, LARGEST = 120.0, 256 * 2**20
RATES, CHANNELS = (8_000, 384_000), 8
# Channels this far below the loudest are dead.
DEAD_DB = 40.0
# Channels alike to this correlation, and level to 1 dB, hold the same.
ALIKE, ALIKE_DB = 0.98, 1.0
_QUIETEST = 1e-10


@dataclass(frozen=True, slots=True)
class Take:
    """One recorded line. ``samples``: float32 mono in [-1, 1], one channel of the file, as it is.

    ``channels`` of the file; ``dead`` are those without sound beside one with it; ``differ`` says that the living
    ones do not hold the same. The loudest channel is taken. ``sha256`` is of ``samples``.
    """

    samples: Samples
    rate: int
    channels: int
    dead: tuple[int, ...]
    differ: bool
    sha256: str


class Folder:
    """The files beside a manifest, by name without ending. UserError where ``path`` is no folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._root = self.path.resolve(strict=True)
            names = sorted(p.name for p in self._root.iterdir() if not p.name.startswith("."))
        except OSError as error:
            raise UserError(f"no folder of recordings: {error.strerror}", where=str(path)) from None
        self.names = tuple(names)
        self._of: dict[str, list[str]] = {}
        for name in names:
            if Path(name).suffix.lower() not in (".csv", ".html", ".yaml", ".json", ".jsonl", ".txt", ".md", ".pdf"):
                self._of.setdefault(Path(name).stem, []).append(name)

    def find(self, line: ScriptedLine) -> Path | None:
        """The file of ``line``: the one that the manifest names, else any named by its key. None where there is none.

        UserError where the manifest points out of the folder, where the file is a link out of it or not regular, and
        where several files have the key's name.
        """
        name = line.file
        if name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise UserError("a file of another folder", where=line.where, field="file", value=name, allowed="a name")
        named = [name] if name in self.names else self._of.get(line.key, [])
        if not named:
            return None
        if len(named) > 1:
            raise UserError(
                f"several files for {line.key}", where=str(self.path), value=", ".join(named), mend="keep one of them"
            )
        path = self._root / named[0]
        if not path.resolve().is_relative_to(self._root):
            raise UserError("a link out of the folder", where=str(self.path), field="file", value=named[0])
        if not path.is_file():
            raise UserError("is no file", where=str(self.path), field="file", value=named[0])
        return path

    def strangers(self, lines: dict[str, ScriptedLine]) -> tuple[str, ...]:
        """Audio files that no line of the manifest asks for."""
        wanted = set(lines) | {line.file for line in lines.values()}
        return tuple(n for stem, names in sorted(self._of.items()) for n in names if not {stem, n} & wanted)


def read_take(path: Path) -> Take:
    """Read one channel of ``path``; UserError for what is too large, too long, empty, not finite or no audio."""
    where = str(path)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise UserError("too large a file for one line", where=where, value=size, allowed=f"up to {LARGEST} bytes")
        with soundfile.SoundFile(path) as f:
            rate, channels = f.samplerate, f.channels
            if not RATES[0] <= rate <= RATES[1]:
                raise UserError("sampling rate", where=where, value=rate, allowed=f"{RATES[0]} to {RATES[1]} Hz")
            if channels > CHANNELS:
                raise UserError("too many channels", where=where, value=channels, allowed=f"up to {CHANNELS}")
            # What a header says of the length may be a lie.
            most = round(LONGEST * rate)
            both = f.read(most + 1, dtype="float32", always_2d=True)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=where) from None
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError):
        raise UserError("not audio that can be read", where=where) from None
    if len(both) > most:
        raise UserError("too long for one line", where=where, allowed=f"up to {LONGEST:.0f} s")
    if not len(both):
        raise UserError("holds no sample", where=where)
    if not np.isfinite(both).all():
        raise UserError("holds samples that are no numbers", where=where)
    level = 10 * np.log10(np.mean(np.square(both, dtype=np.float64), axis=0) + _QUIETEST)
    loudest = int(np.argmax(level))
    dead = tuple(c for c in range(channels) if level[c] < level[loudest] - DEAD_DB)
    first = both[:, loudest]
    living = [c for c in range(channels) if c not in dead and c != loudest]
    differ = any(level[c] < level[loudest] - ALIKE_DB or _correlation(first, both[:, c]) < ALIKE for c in living)
    samples = np.ascontiguousarray(first)
    return Take(samples, rate, channels, dead, differ, hashlib.sha256(samples.tobytes()).hexdigest())


def _correlation(a: Samples, b: Samples) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    return float(np.dot(x, y) / np.sqrt(max(float(np.dot(x, x)) * float(np.dot(y, y)), 1e-30)))
