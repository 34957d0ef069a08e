"""Check a corpus: every file, every dialogue, and what must hold across dialogues. Finds all, raises nothing.

Shards are checked one by one (or several at once, in processes); what is kept of a dialogue after it is read are its
id and a few hashes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.finding import Finding
from duologue.corpus.invariants import breaches
from duologue.corpus.manifest import AUDIO, MANIFEST, WORKING, Manifest, ShardEntry, read_manifest, sealed
from duologue.corpus.migrate import decode_dialogue
from duologue.corpus.near_sound import SIZE as SOUND_BITS
from duologue.corpus.near_sound import Listener, pairs
from duologue.corpus.near_text import NEAR, SKETCH, candidates, sayings, similarity, sketch
from duologue.corpus.read import Corpus, resolve_inside
from duologue.corpus.schema import mismatches
from duologue.corpus.write import is_main
from duologue.errors import UserError

# Frames decoded at a time: memory stays flat for recordings of any length.
BLOCK = 1 << 18
LONGEST_LINE = 1 << 26
# Near-identical pairs that are listed one by one; what is like many others is like them all.
LISTED_ALIKE = 1000


class Report(msgspec.Struct, kw_only=True):
    """What was checked and what was found; ``seconds`` is the length of all audio files."""

    dialogues: int = 0
    files: int = 0
    seconds: float = 0.0
    findings: list[Finding] = []


class _Facts(msgspec.Struct, kw_only=True):
    """What one shard leaves behind for the checks across dialogues. Values name the first dialogue.

    ``said`` names (dialogue, split, turn) of each of ``sketches``; ``sounds`` are (dialogue, split, s, bits, hash).
    """

    report: Report
    ids: list[str] = []
    groups: dict[tuple[str, str, str], str] = {}
    texts: dict[tuple[bytes, str], str] = {}
    said: list[tuple[str, str, int | None]] = []
    sketches: list[bytes] = []
    sounds: list[tuple[str, str, float, bytes, str]] = []
    pcm: dict[tuple[bytes, str], str] = {}
    cells: set[tuple[str, str, str]] = set()
    canaries: dict[str, str] = {}


def check(
    root: str | Path,
    *,
    decode: bool = True,
    workers: int = 1,
    progress: Callable[[int], object] = lambda _: None,
) -> Report:
    """Every broken invariant of the corpus at ``root``.

    ``decode=False`` trusts the hash of a file for its samples: it still hashes every file and reads its header, and
    leaves out PCM hashes, twins and recordings that are only nearly the same. ``progress`` is called with the number of
    dialogues just done. Raises UserError only where ``root`` is no folder or a worker process dies.
    """
    if not Path(root).is_dir():
        raise UserError("no such folder", where=str(root))
    base = os.path.realpath(root)
    try:
        manifest = read_manifest(base)
    except UserError as error:
        return Report(findings=[Finding(file=MANIFEST, field=error.field, value=error.value, message=error.what)])
    found = list(_manifest_findings(base, manifest))
    report = Report(findings=found)
    across = _Across()
    for facts in _all_shards(base, manifest, decode, workers, progress):
        report.dialogues += facts.report.dialogues
        report.files += facts.report.files
        report.seconds += facts.report.seconds
        found += facts.report.findings
        found += across.add(facts)
    found += across.findings(manifest)
    found += across.alike(base)
    return report


def _all_shards(
    root: str, manifest: Manifest, decode: bool, workers: int, progress: Callable[[int], object]
) -> Iterator[_Facts]:
    if workers <= 1 or len(manifest.shards) <= 1:
        for shard in manifest.shards:
            yield check_shard(root, shard, manifest, decode, progress)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # What a worker needs of the manifest; its list of shards may be long.
    head = msgspec.structs.replace(manifest, shards=(), files={}, notes={})
    one = partial(check_shard, root, manifest=head, decode=decode)
    with ProcessPoolExecutor(min(workers, len(manifest.shards)), mp_context=get_context("spawn")) as pool:
        try:
            for facts in pool.map(one, manifest.shards):
                progress(facts.report.dialogues)
                yield facts
        except BrokenProcessPool:
            raise UserError(
                "a worker process died, perhaps for want of memory", where=root, mend="try again with --workers 1"
            ) from None


def _manifest_findings(root: str, manifest: Manifest) -> Iterator[Finding]:
    def bad(field: str, value: Any, allowed: str, message: str) -> Finding:
        return Finding(file=MANIFEST, field=field, value=value, allowed=allowed, message=message)

    if not manifest.complete:
        yield bad("complete", False, "true", "the corpus is not finished: run its build again")
    if manifest.schema_version != SCHEMA_VERSION:
        yield bad("schema_version", manifest.schema_version, str(SCHEMA_VERSION), "an older schema: migrate the corpus")
    again = sealed(manifest)
    if again.totals != manifest.totals:
        yield bad("totals", msgspec.to_builtins(manifest.totals), str(msgspec.to_builtins(again.totals)), "not the sum")
    if again.corpus_sha256 != manifest.corpus_sha256:
        yield bad("corpus_sha256", manifest.corpus_sha256, again.corpus_sha256, "the manifest was changed")
    if not manifest.shards:
        yield bad("shards", [], "one or more", "a corpus without dialogues")
    names: set[str] = set()
    for i, shard in enumerate(manifest.shards):
        if shard.name in names or not shard.name or "/" in shard.name or shard.name.startswith("."):
            yield bad(f"shards[{i}].name", shard.name, "unique, a plain file name", "bad name of a shard")
        names.add(shard.name)
    for path, sha256 in manifest.files.items():
        try:
            found = _file_sha256(resolve_inside(root, path))
        except UserError as error:
            yield Finding(file=path, message=error.what, value=error.value, allowed=error.allowed)
        else:
            if found != sha256:
                yield Finding(file=path, field="sha256", value=found, allowed=sha256, message="the file was changed")
    if manifest.complete:
        known = {MANIFEST, *manifest.files, *(s.path for s in manifest.shards)}
        yield from _extra(root, "", known, skip={f"{AUDIO}/{s.name}" for s in manifest.shards} | {WORKING})


def _extra(root: str, under: str, known: set[str], skip: set[str]) -> Iterator[Finding]:
    """Files below ``under`` that the corpus does not speak of."""
    for folder, folders, files in os.walk(f"{root}/{under}"):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else inside + "/"
        folders[:] = sorted(f for f in folders if prefix + f not in skip)
        for name in sorted(files):
            if prefix + name not in known:
                left = name.startswith(".") and name.endswith(".tmp")
                message = "left over from a write that was cut off" if left else "a file that no entry names"
                # A file name may hold bytes that are no UTF-8.
                shown = (prefix + name).encode("utf-8", "backslashreplace").decode()
                yield Finding(file=shown, message=message, allowed="only files named in the corpus")


def check_shard(
    root: str,
    shard: ShardEntry,
    manifest: Manifest,
    decode: bool,
    progress: Callable[[int], object] = lambda _: None,
) -> _Facts:
    """Check one shard and its audio; runs in a process of its own where there are several workers."""
    facts = _Facts(report=Report())
    found = facts.report.findings
    try:
        path = resolve_inside(root, shard.path)
    except UserError as error:
        found.append(Finding(file=shard.path, message=error.what, value=error.value, allowed=error.allowed))
        return facts
    known: set[str] = set()
    main = every = 0.0
    previous = ""
    sha = hashlib.sha256()
    with Path(path).open("rb") as f:
        for number, line in enumerate(iter(lambda: f.readline(LONGEST_LINE), b""), 1):
            sha.update(line)
            at = f"{shard.path}:{number}"
            if not line.endswith(b"\n"):
                found.append(Finding(file=at, message="the line is cut off", allowed="a whole line with its newline"))
            d = _decode(line, at, found)
            if d is None:
                continue
            facts.report.dialogues += 1
            facts.ids.append(d.id)
            if d.id <= previous:
                found.append(_bad(at, d, "id", d.id, f"> {previous}", "ids are not in order"))
            previous = d.id
            here = (d.track, d.languages[0], d.split)
            if here != (shard.track, shard.language, shard.split):
                allowed = ", ".join((shard.track, shard.language, shard.split))
                found.append(_bad(at, d, "track, languages, split", list(here), allowed, "in the wrong shard"))
            found += (_bad(at, d, *breach) for breach in breaches(d, manifest.taxonomy, manifest.scenarios or ()))
            found += _audio_findings(root, shard, d, known, decode, facts.sounds)
            facts.report.files += len(d.audio)
            main += sum(a.length / a.sample_rate for a in d.audio if is_main(a))
            every += sum(a.length / a.sample_rate for a in d.audio)
            _remember(facts, d)
            progress(1)
        size = f.tell()
    facts.report.seconds = every
    said = {
        "sha256": sha.hexdigest(),
        "bytes": size,
        "dialogues": facts.report.dialogues,
        "seconds": round(main, 6),
        "audio_files": facts.report.files,
        "audio_seconds": round(every, 6),
    }
    for field, value in said.items():
        wanted = getattr(shard, field)
        if value != wanted and not (isinstance(value, float) and abs(value - wanted) < 1e-3):
            message = "the shard differs from its entry in corpus.json"
            found.append(Finding(file=shard.path, field=field, value=value, allowed=str(wanted), message=message))
    if manifest.complete and shard.name and "/" not in shard.name:
        found += _extra(root, f"{AUDIO}/{shard.name}", known, set())
    return facts


def _bad(at: str, d: Dialogue, field: str, value: Any, allowed: str, message: str) -> Finding:
    return Finding(file=at, dialogue=d.id, field=field, value=value, allowed=allowed, message=message)


def _decode(line: bytes, at: str, found: list[Finding]) -> Dialogue | None:
    """The dialogue on a line, or None and every reason why it is none."""
    try:
        return decode_dialogue(line, at, None)
    except UserError as error:
        try:
            plain = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            plain = None
        if not isinstance(plain, dict) or plain.get("schema_version") != SCHEMA_VERSION:
            shown = line[:80].decode("utf-8", "replace")
            found.append(
                Finding(
                    file=at, field=error.field, value=error.value or shown, allowed=error.allowed, message=error.what
                )
            )
            return None
        name = plain.get("id")
        for field, value, message in mismatches(plain):
            found.append(
                Finding(
                    file=at,
                    dialogue=name if isinstance(name, str) else "",
                    field=field,
                    value=value if isinstance(value, str | int | float | bool | None) else repr(value)[:200],
                    allowed="see docs/schema/dialogue.schema.json",
                    message=message,
                )
            )
        return None


def _audio_findings(
    root: str,
    shard: ShardEntry,
    d: Dialogue,
    known: set[str],
    decode: bool,
    sounds: list[tuple[str, str, float, bytes, str]],
) -> Iterator[Finding]:
    """Files of a dialogue: place, hash, header and, if asked for, samples and twins."""
    sound: dict[str, tuple[Audio, str]] = {}
    for i, a in enumerate(d.audio):
        field = f"audio[{i}].path"
        if not a.path.startswith(f"{AUDIO}/{shard.name}/"):
            yield _bad(shard.path, d, field, a.path, f"{AUDIO}/{shard.name}/...", "not in its shard's folder")
        if a.path in known:
            yield _bad(shard.path, d, field, a.path, "a file of its own", "a file that is named twice")
        known.add(a.path)
        try:
            real = resolve_inside(root, a.path)
            sha256 = _file_sha256(real)
        except UserError as error:
            yield Finding(file=a.path, dialogue=d.id, field=field, message=error.what, allowed=error.allowed)
            continue
        except OSError as error:
            yield Finding(file=a.path, dialogue=d.id, field=field, message=f"cannot be read: {error.strerror}")
            continue
        if sha256 != a.sha256:
            yield Finding(
                file=a.path,
                dialogue=d.id,
                field=f"audio[{i}].sha256",
                value=sha256,
                allowed=a.sha256,
                message="the file was changed",
            )
        sound[a.id] = (a, real)
    yield from _sound_findings(d, sound, decode, sounds)


def _sound_findings(
    d: Dialogue, files: dict[str, tuple[Audio, str]], decode: bool, sounds: list[tuple[str, str, float, bytes, str]]
) -> Iterator[Finding]:
    """Open a dialogue's files together and go through them block by block, so that twins need no second decoding."""
    import soundfile

    def bad(a: Audio, field: str, value: Any, allowed: object, message: str) -> Finding:
        i = d.audio.index(a)
        field = f"audio[{i}].{field}" if field else f"audio[{i}]"
        return Finding(file=a.path, dialogue=d.id, field=field, value=value, allowed=str(allowed), message=message)

    with ExitStack() as stack:
        opened: dict[str, Any] = {}
        for id, (a, real) in files.items():
            try:
                f = stack.enter_context(soundfile.SoundFile(real))
            except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
                yield bad(a, "path", a.path, "16-bit FLAC", f"no audio: {error}".replace(f" {real!r}", ""))
                continue
            if (f.format, f.subtype) != ("FLAC", "PCM_16"):
                yield bad(a, "path", f"{f.format} {f.subtype}", "FLAC PCM_16", "another format")
            if f.samplerate != a.sample_rate:
                yield bad(a, "sample_rate", f.samplerate, a.sample_rate, "another sample rate in the file")
            if f.frames != a.length:
                yield bad(a, "length", f.frames, a.length, "another length in the file")
            if f.channels != len(a.channels):
                yield bad(a, "channels", f.channels, len(a.channels), "another number of channels in the file")
            opened[id] = f
        if not decode:
            return
        hashes = {id: hashlib.sha256() for id in opened}
        lengths = dict.fromkeys(opened, 0)
        silent = set(opened)
        listeners = {id: Listener(f.samplerate) for id, f in opened.items() if is_main(files[id][0])}
        differing: set[str] = set()
        while opened:
            blocks: dict[str, Any] = {}
            at = max(lengths.values())
            for id, f in list(opened.items()):
                try:
                    block = f.read(BLOCK, dtype="int16", always_2d=True)
                except (soundfile.LibsndfileError, MemoryError) as error:
                    yield bad(files[id][0], "path", lengths[id], files[id][0].length, f"decoding stops: {error}")
                    block = np.empty((0, f.channels), np.int16)
                if not len(block):
                    del opened[id]
                    continue
                blocks[id] = block
                hashes[id].update(np.ascontiguousarray(block, dtype="<i2").data)
                lengths[id] += len(block)
                if block.any():
                    silent.discard(id)
                if id in listeners:
                    # Channel 0 is what the user's microphone hears.
                    listeners[id].hear(block[:, 0])
            for id, block in blocks.items():
                twin = files[id][0].twin
                if twin is not None and id not in differing and twin.of in blocks:
                    where = _first_difference(block, blocks[twin.of], at, *twin.differs)
                    if where is not None:
                        differing.add(id)
                        yield bad(
                            files[id][0], "twin.differs", where, list(twin.differs), "a twin that differs elsewhere"
                        )
        for id, listener in listeners.items():
            if (bits := listener.bits()) is not None:
                seconds, pcm = listener.length / listener.rate, files[id][0].pcm_sha256
                sounds.append((d.id, d.split, seconds, bits.tobytes(), pcm))
        for id, digest in hashes.items():
            a = files[id][0]
            if digest.hexdigest() != a.pcm_sha256:
                yield bad(a, "pcm_sha256", digest.hexdigest(), a.pcm_sha256, "other samples in the file")
            if lengths[id] < a.length:
                yield bad(a, "length", lengths[id], a.length, "the file is cut short")
            if id in silent and is_main(a):
                yield bad(a, "", "all samples are 0", "sound", "a silent file")


def _first_difference(a: Any, b: Any, at: int, start: int, end: int) -> int | None:
    """First sample, on the file's clock, at which two blocks that begin at ``at`` differ outside [start, end)."""
    n = min(len(a), len(b))
    if a.shape[1] != b.shape[1]:
        return at
    for low, high in ((0, min(max(start - at, 0), n)), (min(max(end - at, 0), n), n)):
        if not np.array_equal(a[low:high], b[low:high]):
            return at + low + int(np.argmax((a[low:high] != b[low:high]).any(axis=1)))
    return None if len(a) == len(b) else at + n


def _file_sha256(path: str) -> str:
    with Path(path).open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _remember(facts: _Facts, d: Dialogue) -> None:
    facts.canaries.setdefault(d.canary, d.id)
    facts.cells.update((task, d.languages[0], d.split) for task in d.tasks)
    for kind, values in d.groups.items():
        for value in values:
            if value:
                facts.groups.setdefault((kind, value, d.split), d.id)
    for s in d.speakers:
        if s.role != "system":
            facts.groups.setdefault(("speaker", s.id, d.split), d.id)
            if s.parent_voice:
                facts.groups.setdefault(("parent_voice", s.parent_voice, d.split), d.id)
    for a in d.audio:
        if is_main(a):
            facts.pcm.setdefault((_key("pcm", a.pcm_sha256), d.split), d.id)
    for turn, text in sayings(d):
        key = _key("all" if turn is None else "turn", text), d.split
        if key not in facts.texts:
            facts.texts[key] = d.id
            facts.said.append((d.id, d.split, turn))
            facts.sketches.append(sketch(text).tobytes())


def _numbered(names: list[str]) -> npt.NDArray[np.int64]:
    """A number for each name, the same for the same name."""
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1].astype(np.int64)


def _key(*parts: str) -> bytes:
    return blake2b("\x1f".join(parts).encode(), digest_size=12).digest()


class _Across:
    """What must hold across dialogues, gathered shard by shard."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.groups: dict[tuple[str, str], dict[str, str]] = {}
        self.texts: dict[bytes, dict[str, str]] = {}
        self.pcm: dict[bytes, dict[str, str]] = {}
        self.said: list[tuple[str, str, int | None]] = []
        self.sketches: list[bytes] = []
        self.sounds: list[tuple[str, str, float, bytes, str]] = []
        self.cells: set[tuple[str, str, str]] = set()
        self.canaries: dict[str, str] = {}

    def add(self, facts: _Facts) -> Iterator[Finding]:
        for id in facts.ids:
            if id in self.ids:
                yield Finding(
                    file=MANIFEST, dialogue=id, field="id", value=id, allowed="unique", message="an id comes twice"
                )
            self.ids.add(id)
        for (kind, value, split), id in facts.groups.items():
            self.groups.setdefault((kind, value), {}).setdefault(split, id)
        for seen, new in ((self.texts, facts.texts), (self.pcm, facts.pcm)):
            for (key, split), id in new.items():
                seen.setdefault(key, {}).setdefault(split, id)
        self.said += facts.said
        self.sketches += facts.sketches
        self.sounds += facts.sounds
        self.cells |= facts.cells
        self.canaries = facts.canaries | self.canaries

    def alike(self, root: str) -> Iterator[Finding]:
        """Texts and recordings of different splits that are nearly, not exactly, the same."""

        def bad(
            field: str, value: float, allowed: str, message: str, a: tuple[str, str], b: tuple[str, str]
        ) -> Finding:
            where = ", ".join(f"{split}: {id}" for id, split in sorted((a, b), key=lambda x: x[1]))
            return Finding(
                file=MANIFEST,
                dialogue=a[0],
                field=field,
                value=round(value, 3),
                allowed=allowed,
                message=f"{message} ({where})",
            )

        corpus: Corpus | None = None
        rows = [i for i, (_, split, _) in enumerate(self.said) if split != "unassigned"]
        sketches = np.frombuffer(b"".join(self.sketches[i] for i in rows), np.uint32).reshape(-1, SKETCH)
        told: set[tuple[str, str]] = set()
        for i, j in candidates(sketches, _numbered([self.said[i][1] for i in rows])):
            (a, a_split, a_turn), (b, b_split, b_turn) = self.said[rows[i]], self.said[rows[j]]
            if (a, b) in told or len(told) >= LISTED_ALIKE:
                continue
            corpus = corpus or Corpus(root)
            texts = [
                next(t for k, t in sayings(corpus.get(id).dialogue) if k == turn)
                for id, turn in ((a, a_turn), (b, b_turn))
            ]
            share = similarity(*texts)
            if share >= NEAR and texts[0] != texts[1]:
                told.add((a, b))
                message = "nearly the same words in several splits"
                yield bad("turns.text", share, f"similarity below {NEAR}", message, (a, a_split), (b, b_split))
        heard = [s for s in self.sounds if s[1] != "unassigned"]
        bits = np.frombuffer(b"".join(s[3] for s in heard), np.uint8).reshape(-1, SOUND_BITS)
        splits, seconds = _numbered([s[1] for s in heard]), np.array([s[2] for s in heard])
        for n, (i, j, share) in enumerate(pairs(bits, seconds, splits)):
            if n >= LISTED_ALIKE:
                break
            if heard[i][4] == heard[j][4]:
                continue
            message = "nearly the same recording in several splits"
            yield bad("audio", 1 - share, "another recording", message, heard[i][:2], heard[j][:2])

    def findings(self, manifest: Manifest) -> Iterator[Finding]:
        def shared(splits: dict[str, str], field: str, value: Any, message: str) -> Iterator[Finding]:
            apart = {s: id for s, id in sorted(splits.items()) if s != "unassigned"}
            if len(apart) > 1:
                where = ", ".join(f"{s}: {id}" for s, id in apart.items())
                yield Finding(
                    file=MANIFEST,
                    dialogue=next(iter(apart.values())),
                    field=field,
                    value=value,
                    allowed="one split",
                    message=f"{message} ({where})",
                )

        for (kind, value), splits in sorted(self.groups.items()):
            yield from shared(splits, f"groups.{kind}", value, "shared by splits")
        for splits in self.texts.values():
            yield from shared(splits, "turns.text", None, "the same words in several splits")
        for splits in self.pcm.values():
            yield from shared(splits, "audio.pcm_sha256", None, "the same samples in several splits")
        if len(self.canaries) > 1:
            for canary, id in sorted(self.canaries.items())[1:]:
                allowed = min(self.canaries)
                yield Finding(
                    file=MANIFEST, dialogue=id, field="canary", value=canary, allowed=allowed, message="another canary"
                )
        # What was taken out of a corpus, a sealed test above all, has no other splits.
        if manifest.recipe_sha256 and "part_of" not in manifest.notes:
            cells = sorted({(task, language) for task, language, _ in self.cells})
            for task, language in cells:
                for split in ("train", "dev", "test"):
                    if (task, language, split) not in self.cells:
                        yield Finding(
                            file=MANIFEST,
                            field="split",
                            value=f"{task} {language} {split}",
                            allowed="one dialogue or more",
                            message="an empty split of a task and language",
                        )
