"""Build a corpus from a recipe: plan it, make every dialogue, publish shard by shard.

A build can be killed at any moment and run again: what is whole stays, the rest is made, and the corpus has the
same hash as if nothing had happened, for any number of workers.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from duologue import registry
from duologue.corpus.manifest import Manifest, Part, ShardEntry
from duologue.corpus.write import codec_part, write_shard
from duologue.errors import MissingPartError, UserError
from duologue.generate.acoustics.settings import NOISE_KINDS
from duologue.generate.crew import Crew
from duologue.generate.described import completed
from duologue.generate.directed import survey
from duologue.generate.item import Item
from duologue.generate.ledger import Record, audio_paths
from duologue.generate.plan import KEYED, PLAN_VERSION, Plan, ShardPlan
from duologue.generate.pools import Pools
from duologue.generate.progress import BuildProgress, Quiet
from duologue.generate.recipe import Recipe, check_recipe
from duologue.generate.scene import SCENE_VERSION
from duologue.generate.script import Writer
from duologue.generate.seeds import keyed
from duologue.generate.site import KEY_PART, Site
from duologue.generate.voices.voice import Voice, directed
from duologue.generate.writer import writer_of


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build did. ``made`` dialogues are new, the rest were there; seconds count main audio (no twins, no
    stems) of the whole corpus, ``made_seconds`` and ``made_audio_seconds`` of what is new. ``wall_s`` is the time
    the build took, ``cpu_s`` the processor time of the build and its workers, ``peak_bytes`` the peak memory of
    its largest worker.
    """

    path: str
    name: str
    sha256: str
    dialogues: int
    seconds: float
    made: int
    made_seconds: float
    made_audio_seconds: float
    workers: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    voices: dict[str, str]
    retried: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def build(
    recipe: Recipe,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: BuildProgress | None = None,
    fallback_voice: str = "",
    seal_key: bytes | None = None,
) -> BuildReport:
    """Build ``recipe`` into folder ``out`` with ``workers`` processes (all cores where None).

    ``fallback_voice`` takes the place of a voice that is not installed; the report and the corpus say so.
    ``seal_key`` is a secret from which the test split is drawn (:class:`Plan`); the corpus says so too, and is built
    again only with it. Goes
    on with what an earlier build of the same recipe left, or adds to a corpus whose counts were raised. Raises
    UserError for whatever a user can mend, with everything finished kept.
    """
    began, cpu = time.perf_counter(), time.process_time()
    progress = progress or Quiet()
    workers = workers or _cores()
    if workers < 1:
        raise UserError("at least one worker is needed", field="workers", value=workers)
    recipe = completed(recipe)
    check_recipe(recipe)
    recipe, voices, notices = choose_voices(recipe, fallback_voice)
    writer = writer_of(recipe)
    plan = Plan(recipe, writer, voices, seal_key)
    if any(directed(v) for v in voices.values()):
        survey(plan, writer, voices)
    with Site(out) as site:
        site.begin(recipe, manifest_of(recipe, plan.pools, writer, voices, notices, seal_key))
        finished = site.finished(workers)
        work = _Work(site, plan, finished)
        made, made_seconds, made_audio = 0, 0.0, 0.0
        crew = Crew(min(workers, max(1, work.missing)), recipe, site.root, site.log_path)
        progress.begin(len(plan), len(plan) - work.missing)
        started = time.perf_counter()
        try:
            if work.missing:
                for done in crew.run(work.items()):
                    work.done(done.record)
                    made, made_seconds = made + 1, made_seconds + done.seconds
                    made_audio += done.audio_seconds
                    progress.advance(done.seconds, time.perf_counter() - started)
            work.close()
        finally:
            progress.end()
        manifest = site.end([shard.name for shard in plan.shards])
    return BuildReport(
        path=str(out),
        name=recipe.name,
        sha256=manifest.corpus_sha256,
        dialogues=manifest.totals.dialogues,
        seconds=manifest.totals.seconds,
        made=made,
        made_seconds=made_seconds,
        made_audio_seconds=made_audio,
        workers=crew.size,
        wall_s=time.perf_counter() - began,
        cpu_s=time.process_time() - cpu + sum(u.cpu for u in crew.usages),
        peak_bytes=max((u.peak for u in crew.usages), default=0),
        voices=dict(recipe.voices),
        retried=tuple(crew.retried),
        notices=notices,
    )


def choose_voices(recipe: Recipe, fallback: str = "") -> tuple[Recipe, dict[str, Voice], tuple[str, ...]]:
    """The recipe with voices that are installed, those voices by name, and a notice for each one replaced.

    Raises MissingPartError, which names the command, where a voice is missing and ``fallback`` is "".
    """
    tried: dict[str, Voice] = {}  # let go with all that they loaded to speak: the workers have their own
    names = dict(recipe.voices)
    notices: list[str] = []
    for language, name in recipe.voices.items():
        try:
            _try(tried, name, language, recipe.options.get(name))
        except MissingPartError as error:
            if not fallback or fallback == name:
                raise
            _try(tried, fallback, language, recipe.options.get(fallback))
            names[language] = fallback
            notices.append(f"voice {name!r} is not installed, {fallback!r} speaks {language!r}: {error.message}")
    chosen: dict[str, Voice] = {n: registry.make("voices", n, recipe.options.get(n)) for n in tried}
    notices += [notice for voice in chosen.values() for notice in getattr(voice, "notices", ())]
    for voice in [v for v in map(directed, chosen.values()) if v is not None]:
        chosen |= voice.others
    return msgspec.structs.replace(recipe, voices=names), chosen, tuple(notices)


def _try(tried: dict[str, Voice], name: str, language: str, options: Mapping[str, Any] | None) -> None:
    """Hear voice ``name`` say a word, so that whatever it lacks is missed before anything is made."""
    voice: Voice = tried.get(name) or registry.make("voices", name, options)
    if getattr(voice, "remote", False):
        # Not asked for a word: nothing is paid for, and a cache may answer without a network.
        voice.speakers(language)
        getattr(voice, "ready", lambda: None)()
        tried[name] = voice
        return
    voice.weights_sha256()
    speakers = voice.speakers(language)
    if directed(voice) is None:
        voice.synthesise({"zh": "好"}.get(language, "yes"), language=language, speaker=speakers[0].id)
    tried[name] = voice


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Work:
    """Which items are missing, and the publishing of each shard as soon as it is whole."""

    def __init__(self, site: Site, plan: Plan, finished: dict[str, dict[str, Record]]) -> None:
        self._site, self._plan = site, plan
        self._open: dict[str, dict[str, Record]] = {}
        self._shards = {shard.name: shard for shard in plan.shards}
        self._publisher = ThreadPoolExecutor(1)
        self._publishing: list[Future[ShardEntry]] = []
        self.missing = 0
        for shard in plan.shards:
            ids = set(plan.ids(shard))
            have = {i: r for i, r in finished.get(shard.name, {}).items() if i in ids}
            self._open[shard.name] = have
            self.missing += len(ids) - len(have)
        for shard in plan.shards:
            self._publish_if_whole(shard)

    def items(self) -> Iterator[Item]:
        """The missing items, in the plan's order."""
        for shard in self._plan.shards:
            have = self._open.get(shard.name)
            if have is not None:
                here = frozenset(have)
                yield from (item for item in self._plan.items(shard) if item.id not in here)

    def done(self, record: Record) -> None:
        self._open[record.shard][record.id] = record
        self._publish_if_whole(self._shards[record.shard])

    def _publish_if_whole(self, shard: ShardPlan) -> None:
        records = self._open[shard.name]
        if len(records) < len(shard):
            return
        del self._open[shard.name]
        entry = self._site.published.get(shard.name)
        if entry is None or entry.dialogues != len(shard) or any(r.path.endswith(".log") for r in records.values()):
            self._publishing.append(self._publisher.submit(self._publish, shard.name, records))
        self._collect(wait=False)

    def _publish(self, name: str, records: dict[str, Record]) -> ShardEntry:
        lines = [record.line() for record in records.values()]
        for line in lines:
            for path in audio_paths(line):
                _sync(self._site.root / path)
        if lines:
            _sync((self._site.root / audio_paths(lines[0])[0]).parent)
        return write_shard(self._site.root, name, lines)

    def _collect(self, *, wait: bool) -> None:
        while self._publishing and (wait or self._publishing[0].done()):
            self._site.note(self._publishing.pop(0).result())

    def close(self) -> None:
        """Wait until every shard is published."""
        self._collect(wait=True)
        self._publisher.shutdown()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def manifest_of(
    recipe: Recipe,
    pools: Pools,
    writer: Writer,
    voices: dict[str, Voice],
    notices: tuple[str, ...],
    seal_key: bytes | None,
) -> Manifest:
    """Everything of ``corpus.json`` that is known beforehand."""
    import numpy
    import soxr

    from duologue import __version__

    parts = [
        Part(name="plan", version=PLAN_VERSION),
        Part(name="scene", version=SCENE_VERSION),
        Part(name=f"writer:{recipe.writer if not recipe.scripts else writer.name}", version=writer.version),
        *(Part(name=f"voice:{n}", version=v.version, sha256=v.weights_sha256()) for n, v in voices.items()),
        codec_part(),
        Part(name="numpy", version=numpy.__version__),
        Part(name="soxr", version=soxr.__version__),
    ]
    if seal_key is not None:
        # Names the key without telling it: an HMAC of 256 random bits.
        parts.append(Part(name=KEY_PART, version=f"split {KEYED}", sha256=keyed(seal_key, "name", recipe.identity())))
    if recipe.acoustics.room_share:
        parts.append(Part(name="pyroomacoustics", version=_version_of("pyroomacoustics", "rooms")))
    if recipe.acoustics.noise_folder:
        parts.append(_noise_part(recipe))
    parts += [
        Part(name=f"noise:{kind}", version=registry.version("noises", kind))
        for kind in recipe.acoustics.noise_kinds
        if kind not in NOISE_KINDS
    ]
    notes = {
        "synthetic": not any(directed(v) for v in voices.values()),
        "system_voices": "drawn from a pool of their own that all splits share",
        "pools": {
            "speakers": {
                language: {pool: sorted(m.speaker for m in members) for pool, members in by_pool.items()}
                for language, by_pool in pools.speakers.items()
                # Who read which line is not dealt from a pool.
                if directed(voices[recipe.voices[language]]) is None
            },
            "families": {split: sorted(names) for split, names in pools.families.items()},
            "noises": {split: list(ids) for split, ids in pools.noises.items()},
            "rooms": {split: list(ids) for split, ids in pools.rooms.items()},
        },
    }
    if notices:
        notes["notices"] = list(notices)
    return Manifest(
        name=recipe.name,
        duologue=__version__,
        recipe_sha256=recipe.identity(),
        taxonomy=recipe.labels,
        scenarios=recipe.scenarios or msgspec.UNSET,
        parts=tuple(parts),
        notes=notes,
    )


def _version_of(package: str, extra: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingPartError(
            f"simulated rooms need the package {package!r}",
            mend=f"pip install 'duologue[{extra}]', or set acoustics.room_share to 0",
        ) from None


def _noise_part(recipe: Recipe) -> Part:
    """The user's recordings by what they hold."""
    folder = Path(recipe.acoustics.noise_folder)
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return Part(name="noise", version=folder.name, sha256=total.hexdigest())
