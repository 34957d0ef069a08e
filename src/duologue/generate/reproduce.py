"""Build a corpus again from what it says of itself, and compare, dialogue by dialogue and file by file.

Nothing is written into the corpus. Parts that answer over a network are asked for nothing: what they once gave comes
from their cache, or the dialogue is counted as not made.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec
import numpy as np

from duologue import registry
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import Manifest
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError
from duologue.generate.build import choose_voices, manifest_of
from duologue.generate.crew import Crew
from duologue.generate.described import completed
from duologue.generate.item import Item
from duologue.generate.plan import Plan
from duologue.generate.recipe import Recipe
from duologue.generate.site import KEY_PART, RECIPE
from duologue.generate.writer import writer_of

# Quantised networks differ in the last bits between processors; the same speech is far closer than this.
CLOSE_DB = 30.0
Outcome = Literal["equal", "close", "differs", "not planned", "not made"]


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dialogue that did not come out equal. ``fields`` of its line that differ; ``files``: id of an audio file to how
    (other bytes of the same samples, samples that differ by so many dB below the speech, another length)."""

    id: str
    outcome: Outcome
    fields: tuple[str, ...] = ()
    files: dict[str, str] = {}
    why: str = ""


class PartDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A part whose version or weights are others here; "" where there is none."""

    name: str
    corpus: str
    here: str


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """``dialogues`` of the corpus, ``compared`` of them (a sample, where asked), ``equal`` to the byte with all
    ``files`` audio files; ``close`` hold the same speech to within :data:`CLOSE_DB`. ``remote`` parts were taken from
    their caches. ``reproduced`` where every compared dialogue is equal.
    """

    corpus: str
    corpus_sha256: str
    dialogues: int
    compared: int
    equal: int
    close: int
    files: int
    equal_files: int
    reproduced: bool
    parts: tuple[PartDifference, ...]
    remote: tuple[str, ...]
    differences: tuple[Difference, ...]


def reproduce(
    root: str | Path,
    scratch: str | Path,
    *,
    sample: int | None = None,
    workers: int = 1,
    noise_folder: str = "",
    scripts: str = "",
    local: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    seal_key: bytes | None = None,
    advance: Callable[[int], object] = lambda n: None,
) -> Reproduction:
    """Make ``sample`` dialogues (all where None) of the corpus at ``root`` again, below folder ``scratch``.

    ``noise_folder``, ``scripts``, ``local`` (options by part: where its cache lies, its manifest) and ``seal_key`` are
    what the build had and the corpus does not hold. The sample follows from the ids alone. UserError where the corpus
    does not say how it was built.
    """
    corpus = Corpus(root)
    recipe = _offline(_with_local(_recipe(corpus, noise_folder, scripts), local))
    recipe, voices, _ = choose_voices(recipe)
    writer = writer_of(recipe)
    if (seal_key is not None) != any(p.name == KEY_PART for p in corpus.manifest.parts):
        raise UserError(
            "the corpus was built without a seal key" if seal_key else "the test split was drawn from a secret",
            where=str(root),
            field="seal key",
            mend="leave the key out" if seal_key else "give --seal-key, or take only what the recipe gives",
        )
    plan = Plan(recipe, writer, voices, seal_key)
    here = manifest_of(recipe, plan.pools, writer, voices, (), seal_key)
    there = {item.id: item for item in _chosen(corpus, sample)}
    made = _made(plan, there, recipe, Path(scratch), workers, advance)
    differences: list[Difference] = []
    equal = close = files = equal_files = 0
    for id, item in there.items():
        files += len(item.dialogue.audio)
        found = made.get(id)
        if isinstance(found, Dialogue):
            difference = _compare(item.dialogue, found, Path(corpus.root), Path(scratch))
        else:
            outcome: Outcome = "not made" if id in made else "not planned"
            difference = Difference(id=id, outcome=outcome, why=str(found or "the recipe does not plan it"))
        equal += difference.outcome == "equal"
        close += difference.outcome == "close"
        if isinstance(found, Dialogue):
            equal_files += len(item.dialogue.audio) - len(difference.files)
        if difference.outcome != "equal":
            differences.append(difference)
    return Reproduction(
        corpus=str(root),
        corpus_sha256=corpus.manifest.corpus_sha256,
        dialogues=corpus.manifest.totals.dialogues,
        compared=len(there),
        equal=equal,
        close=close,
        files=files,
        equal_files=equal_files,
        reproduced=equal == len(there),
        parts=_parts(corpus.manifest, here),
        remote=_remote(recipe),
        differences=tuple(differences),
    )


def remote_parts(root: str | Path) -> tuple[str, ...]:
    """Parts of the corpus at ``root`` that answered over a network or from a cache, by its own recipe."""
    path = Path(root) / RECIPE
    try:
        return _remote(msgspec.yaml.decode(path.read_bytes(), type=Recipe))
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"the recipe cannot be read: {error}", where=str(path)) from None


def _recipe(corpus: Corpus, noise_folder: str, scripts: str) -> Recipe:
    path = Path(corpus.root) / RECIPE
    if not corpus.manifest.recipe_sha256:
        raise UserError("no recipe built this corpus: it cannot be reproduced", where=corpus.root)
    try:
        text = path.read_bytes()
        recipe = completed(msgspec.yaml.decode(text, type=Recipe))
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"the recipe cannot be read: {error}", where=str(path)) from None
    if hashlib.sha256(text).hexdigest() != corpus.manifest.files.get(RECIPE):
        raise UserError("the recipe is not the one that the manifest names", where=str(path), mend="duologue check")
    for field, given, need in (
        ("noise_folder", noise_folder, recipe.acoustics.noise_folder),
        ("scripts", scripts, recipe.scripts),
    ):
        if need and not given:
            raise UserError(
                f"it was built with {field.replace('_', ' ')} {need!r}, which the corpus does not hold",
                where=corpus.root,
                mend=f"give --{field.replace('_', '-')}",
            )
    if recipe.acoustics.noise_folder:
        acoustics = msgspec.structs.replace(recipe.acoustics, noise_folder=noise_folder)
        recipe = msgspec.structs.replace(recipe, acoustics=acoustics)
    return msgspec.structs.replace(recipe, scripts=scripts if recipe.scripts else "")


def _remote(recipe: Recipe) -> tuple[str, ...]:
    groups = (("scripts", recipe.writer), *(("voices", v) for v in recipe.voices.values()))
    return tuple(dict.fromkeys(n for group, n in groups if getattr(registry.load(group, n), "remote", False)))


def _with_local(recipe: Recipe, local: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """The recipe with options that a corpus does not keep. Any other is the corpus's own, and no one's to change."""
    options = dict(recipe.options)
    used = {recipe.writer: "scripts"} | dict.fromkeys(recipe.voices.values(), "voices")
    for name, given in local.items():
        if name not in used:
            raise UserError("the corpus was built without it", field=name, allowed=", ".join(used))
        known = getattr(registry.load(used[name], name), "local_options", ())
        for option in given:
            if option not in known:
                raise UserError(
                    "is no option of this machine: the corpus has its own",
                    field=f"{name}.{option}",
                    allowed=", ".join(sorted(known)) or "none",
                )
        options[name] = {**options.get(name, {}), **given}
    return msgspec.structs.replace(recipe, options=options)


def _offline(recipe: Recipe) -> Recipe:
    """The recipe with its remote parts told to answer from their caches alone."""
    options = dict(recipe.options)
    for name in _remote(recipe):
        options[name] = {**options.get(name, {}), "offline": True}
    return msgspec.structs.replace(recipe, options=options)


def _chosen(corpus: Corpus, sample: int | None) -> Iterator[OpenDialogue]:
    if sample is None or sample >= corpus.manifest.totals.dialogues:
        yield from corpus
        return
    # A fair sample that is the same for everybody.
    ids = sorted((item.id for item in corpus), key=lambda i: hashlib.sha256(i.encode()).digest())[:sample]
    for id in sorted(ids):
        yield corpus.get(id)


def _made(
    plan: Plan,
    wanted: dict[str, OpenDialogue],
    recipe: Recipe,
    scratch: Path,
    workers: int,
    advance: Callable[[int], object],
) -> dict[str, Dialogue | str]:
    """The dialogues made again by id, or why one was not."""
    scratch.mkdir(parents=True, exist_ok=True)
    made: dict[str, Dialogue | str] = {}

    def items() -> Iterator[Item]:
        for shard in plan.shards:
            here = wanted.keys() & set(plan.ids(shard))
            if here:
                yield from (item for item in plan.items(shard) if item.id in here)

    planned = list(items())
    if planned:
        crew = Crew(min(workers, len(planned)), recipe, scratch, lambda n: scratch / f"reproduce-{n:06d}.log")
        for done in crew.run(iter(planned)):
            made[done.record.id] = msgspec.json.decode(done.record.line(), type=Dialogue)
            advance(1)
    return made


def _compare(old: Dialogue, made: Dialogue, root: Path, scratch: Path) -> Difference:
    ours = {a.id: a for a in made.audio}
    files: dict[str, str] = {}
    worst = math.inf
    for entry in old.audio:
        again = ours.get(entry.id)
        if again is None:
            files[entry.id], worst = "is not made any more", -math.inf
        elif again.pcm_sha256 != entry.pcm_sha256:
            level = _likeness(root / entry.path, scratch / again.path)
            files[entry.id] = "has another length" if level is None else f"differs, {level:.1f} dB below the sound"
            worst = min(worst, -math.inf if level is None else level)
        elif again.sha256 != entry.sha256:
            files[entry.id] = "has the same samples in other bytes"
    fields = tuple(
        f for f in old.__struct_fields__ if f not in ("audio", "provenance") and getattr(old, f) != getattr(made, f)
    )
    if files or fields or old.audio != made.audio:
        outcome: Outcome = "close" if worst >= CLOSE_DB and not fields else "differs"
        return Difference(id=old.id, outcome=outcome, fields=fields, files=files)
    if old.provenance != made.provenance:
        return Difference(id=old.id, outcome="close", fields=("provenance",))
    return Difference(id=old.id, outcome="equal")


def _likeness(a: Path, b: Path) -> float | None:
    """Level of ``a`` over that of its difference to ``b`` in dB; None where their shapes differ."""
    import soundfile

    x, y = (soundfile.read(os.fspath(p), dtype="float32", always_2d=True)[0] for p in (a, b))
    if x.shape != y.shape:
        return None
    noise = float(np.sum((x - y) ** 2, dtype=np.float64))
    return 10 * math.log10(max(float(np.sum(x**2, dtype=np.float64)), 1e-12) / max(noise, 1e-12))


def _parts(there: Manifest, here: Manifest) -> tuple[PartDifference, ...]:
    def named(m: Manifest) -> dict[str, str]:
        return {p.name: f"{p.version} {p.sha256[:12]}".strip() for p in m.parts} | {"duologue": m.duologue}

    old, new = named(there), named(here)
    return tuple(
        PartDifference(name=n, corpus=old.get(n, ""), here=new.get(n, ""))
        for n in sorted(old.keys() | new.keys())
        if old.get(n) != new.get(n)
    )
