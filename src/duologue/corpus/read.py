"""Read a corpus lazily: dialogues a line at a time, audio when it is asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import SPLITS, TASKS, TRACKS, Dialogue
from duologue.corpus.manifest import Manifest, ShardEntry, read_manifest
from duologue.corpus.migrate import decode_dialogue
from duologue.corpus.scenario import by_name
from duologue.corpus.speaker import Role
from duologue.corpus.turn import Turn
from duologue.corpus.write import is_main
from duologue.errors import UserError

# float32 or int16, as asked for.
Samples = npt.NDArray[Any]
CLIP_SCENARIOS = ("clip", "conflict_clip", "dialogue")


def resolve_inside(root: str, path: str) -> str:
    """The real path of the regular file ``path`` of the corpus whose real path is ``root``.

    Raises UserError for anything that is absolute, climbs, leads out of the corpus through a link, is missing or is no
    regular file: what a corpus says of its own files is not trusted.
    """
    bad = UserError(
        "not a path inside the corpus", where=root, field="path", value=path, allowed="relative, forward slashes"
    )
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or ":" in parts[0] or any(p in ("", ".", "..") for p in parts):
        raise bad
    real = os.path.realpath(f"{root}/{path}")
    if not real.startswith(root + os.sep):
        raise bad
    try:
        mode = Path(real).stat().st_mode
    except OSError as error:
        raise UserError(
            "missing file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}",
            where=f"{root}/{path}",
        ) from None
    if not stat.S_ISREG(mode):
        raise UserError("not a regular file", where=f"{root}/{path}")
    return real


class OpenDialogue:
    """A dialogue of an open corpus: its annotations as ``dialogue``, its audio on demand.

    >>> item.dialogue.turns[0].text, item.dialogue.scenario  # doctest: +SKIP
    >>> samples, rate = item.audio()              # [frames, channels] of the main file  # doctest: +SKIP
    >>> user, rate = item.audio(role="user")      # [frames]  # doctest: +SKIP
    >>> twin, rate = item.audio(which="twin")     # doctest: +SKIP
    """

    __slots__ = ("_root", "dialogue")

    def __init__(self, dialogue: Dialogue, root: str) -> None:
        self.dialogue = dialogue
        self._root = root

    def __repr__(self) -> str:
        d = self.dialogue
        return f"<OpenDialogue {d.id} {d.track} {'/'.join(d.languages)} {d.scenario} {d.split}>"

    @property
    def id(self) -> str:
        return self.dialogue.id

    def file(self, which: str = "main", *, role: Role | None = None) -> Audio:
        """The audio entry that ``which`` names: "main", "twin", "stems" (of ``role``, if given) or an audio id."""
        files = self.dialogue.audio
        if which == "main":
            found = [a for a in files if is_main(a)]
        elif which == "twin":
            found = [a for a in files if a.twin is not None]
        elif which == "stems":
            stems = [a for a in files if all(c.kind == "clean-stem" for c in a.channels)]
            found = [a for a in stems if role is None or self._channel_of(a, role) is not None]
        else:
            found = [a for a in files if a.id == which]
        if not found:
            raise UserError(
                "no such audio",
                where=f"dialogue {self.id}",
                field="audio",
                value=which,
                allowed=", ".join(["main", "twin", "stems", *(a.id for a in files)]),
            )
        return found[0]

    def path(self, which: str = "main") -> str:
        """The real path of an audio file, proven to lie inside the corpus."""
        return resolve_inside(self._root, self.file(which).path)

    def audio(
        self,
        channel: int | None = None,
        *,
        role: Role | None = None,
        which: str = "main",
        start: int = 0,
        end: int | None = None,
        dtype: Literal["float32", "int16"] = "float32",
    ) -> tuple[Samples, int]:
        """Samples and their rate.

        [frames, channels] by default; [frames] of one ``channel`` or of the channel of a ``role`` ("user" is the
        user's microphone, with all that it hears). float32 is in [-1, 1). ``start`` and ``end`` are in samples.
        """
        entry = self.file(which, role=role)
        if role is not None:
            if channel is not None:
                raise UserError("give channel or role, not both", where=f"dialogue {self.id}")
            channel = self._channel_of(entry, role)
            if channel is None:
                roles = {s.id: s.role for s in self.dialogue.speakers}
                heard = sorted({roles[s] for c in entry.channels for s in c.speakers if s in roles})
                raise UserError(
                    "no channel carries this role",
                    where=f"dialogue {self.id}",
                    field="role",
                    value=role,
                    allowed=", ".join(heard),
                )
        return self._read(entry, channel, start, entry.length if end is None else end, dtype)

    def segments(
        self, turn: int | Turn, *, dtype: Literal["float32", "int16"] = "float32"
    ) -> Iterator[tuple[Samples, int]]:
        """The stretches of speech of a turn, each [frames] of its own channel; only they are decoded."""
        if isinstance(turn, int):
            turn = next((t for t in self.dialogue.turns if t.index == turn), None) or self._no_turn(turn)
        for s in turn.segments:
            yield self._read(self.file(s.audio), s.channel, s.start, s.end, dtype)

    def _no_turn(self, index: int) -> Turn:
        allowed = ", ".join(str(t.index) for t in self.dialogue.turns)
        raise UserError("no such turn", where=f"dialogue {self.id}", field="turn", value=index, allowed=allowed)

    def _channel_of(self, entry: Audio, role: Role) -> int | None:
        kinds = [c.kind for c in entry.channels]
        own = {"user": "user-mic", "system": "system"}.get(role)
        if own in kinds:
            return kinds.index(cast(Any, own))
        speakers = {s.id for s in self.dialogue.speakers if s.role == role}
        carrying = [i for i, c in enumerate(entry.channels) if speakers.intersection(c.speakers)]
        # A channel of this role alone before one that others share.
        return min(carrying, key=lambda i: (not speakers.issuperset(entry.channels[i].speakers), i), default=None)

    def _read(self, entry: Audio, channel: int | None, start: int, end: int, dtype: str) -> tuple[Samples, int]:
        import soundfile

        if not 0 <= start <= end <= entry.length:
            raise UserError(
                "not inside the audio",
                where=f"dialogue {self.id}, audio {entry.id}",
                value=(start, end),
                allowed=f"0..{entry.length}",
            )
        if channel is not None and not 0 <= channel < len(entry.channels):
            raise UserError(
                "no such channel",
                where=f"dialogue {self.id}, audio {entry.id}",
                value=channel,
                allowed=f"0..{len(entry.channels) - 1}",
            )
        path = resolve_inside(self._root, entry.path)
        try:
            with soundfile.SoundFile(path) as f:
                said = (entry.length, len(entry.channels), entry.sample_rate)
                if (found := (f.frames, f.channels, f.samplerate)) != said:
                    raise UserError(
                        "the file differs from its entry (frames, channels, rate)",
                        where=path,
                        value=found,
                        allowed=str(said),
                        mend="run 'duologue check'",
                    )
                if start:
                    f.seek(start)
                samples: Samples = f.read(end - start, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UserError(f"no audio: {error.error_string}", where=path, mend="run 'duologue check'") from None
        if len(samples) != end - start:
            raise UserError("the file is cut short", where=path, value=len(samples), allowed=str(end - start))
        return samples if channel is None else np.ascontiguousarray(samples[:, channel]), entry.sample_rate


class Corpus:
    """An open corpus: iterate it, count it, get a dialogue by id. Holds the manifest and nothing else."""

    def __init__(
        self,
        path: str | Path,
        *,
        language: str | None = None,
        track: str | None = None,
        scenario: str | None = None,
        split: str | None = None,
        task: str | None = None,
    ) -> None:
        self.manifest: Manifest = read_manifest(path)
        self.root: str = os.path.realpath(path)
        languages = tuple(sorted({s.language for s in self.manifest.shards}))
        tasks = tuple(t for family in TASKS.values() for t in family)
        for field, value, known in (
            ("language", language, languages),
            ("track", track, TRACKS),
            ("split", split, SPLITS),
            ("task", task, tasks),
            ("scenario", scenario, (*by_name(self.manifest.scenarios or ()), "none", *CLIP_SCENARIOS)),
        ):
            if value is not None and value not in known:
                raise UserError("unknown filter value", field=field, value=value, allowed=", ".join(known))
        self._scenario, self._task = scenario, task
        self.shards: tuple[ShardEntry, ...] = tuple(
            s
            for s in self.manifest.shards
            if language in (None, s.language) and track in (None, s.track) and split in (None, s.split)
        )

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Corpus {m.name}: {m.totals.dialogues} dialogues, {m.totals.seconds / 3600:.2f} h>"

    def __iter__(self) -> Iterator[OpenDialogue]:
        for shard in self.shards:
            yield from self.shard(shard)

    def shard(self, shard: ShardEntry) -> Iterator[OpenDialogue]:
        """The dialogues of one shard, for readers that share the work out by shards."""
        scenario, task, root = self._scenario, self._task, self.root
        with self._open(shard) as f:
            for number, line in enumerate(f, 1):
                d = decode_dialogue(line, shard.path, number)
                if scenario in (None, d.scenario) and (task is None or task in d.tasks):
                    yield OpenDialogue(d, root)

    def __len__(self) -> int:
        """Dialogues that pass the filters; from the manifest alone where no scenario or task is asked for."""
        if self._scenario is None and self._task is None:
            return sum(s.dialogues for s in self.shards)
        return sum(1 for _ in self)

    def get(self, id: str) -> OpenDialogue:
        """The dialogue ``id``: a binary search in each shard, as shards are sorted by id; UserError if there is none.

        Where the search finds nothing, a scan makes sure, since a foreign shard may be out of order.
        """
        for find in (_bisect, _scan):
            for shard in self.shards:
                with self._open(shard) as f:
                    if line := find(f, id):
                        return OpenDialogue(decode_dialogue(line, shard.path, None), self.root)
        raise UserError("no such dialogue", where=self.root, field="id", value=id)

    def _open(self, shard: ShardEntry) -> BinaryIO:
        return Path(resolve_inside(self.root, shard.path)).open("rb")


class _Id(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id).decode


def _bisect(f: BinaryIO, id: str) -> bytes:
    """The line of ``id`` in a file sorted by id, or b""; lines that begin in [low, high) are still in question."""
    low, high = 0, f.seek(0, os.SEEK_END)
    try:
        while low < high:
            begin = middle = (low + high) // 2
            if middle > low:
                # The first line that begins at or after the middle.
                f.seek(middle - 1)
                f.readline()
                begin = f.tell()
            if begin >= high:
                high = middle
                continue
            f.seek(begin)
            line = f.readline()
            found = _id_of(line).id
            if found == id:
                return line
            low, high = (f.tell(), high) if found < id else (low, middle)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # A broken line: the scan steps over it.
    return b""


def _scan(f: BinaryIO, id: str) -> bytes:
    f.seek(0)
    for line in f:
        try:
            if _id_of(line).id == id:
                return line
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return b""


def open(
    path: str | Path,
    *,
    language: str | None = None,
    track: str | None = None,
    scenario: str | None = None,
    split: str | None = None,
    task: str | None = None,
) -> Corpus:
    """Open the corpus at ``path``, narrowed by any of the filters; ``language`` is a dialogue's main one.

    Raises UserError where there is no corpus, it is of a newer schema, or a filter's value cannot occur.
    """
    return Corpus(path, language=language, track=track, scenario=scenario, split=split, task=task)
