"""A corpus again with other annotations: new lines, the same audio."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.annotation import Annotation, ShiftAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import Manifest
from duologue.corpus.read import Corpus, resolve_inside
from duologue.corpus.truth import shifts
from duologue.corpus.write import encode_dialogue, write_atomic, write_manifest, write_shard
from duologue.formats.aside import aside, reveal

DERIVED = "derived"


def rewrite(corpus: Corpus, out: Path, change: Callable[[Dialogue], Dialogue], notes: dict[str, Any]) -> Manifest:
    """The new corpus ``out``: each dialogue as ``change`` gives it (same id, audio and shard), audio by hard links.

    ``notes`` are added to the manifest's. A corpus that a recipe built is then no longer what the recipe gives, so the
    recipe's hash moves to the notes.
    """
    from duologue import __version__

    old = corpus.manifest
    with aside(out) as folder:
        entries = []
        for shard in corpus.shards:
            lines = []
            for item in corpus.shard(shard):
                d = change(item.dialogue)
                lines.append(encode_dialogue(d))
                for a in d.audio:
                    link(Path(resolve_inside(corpus.root, a.path)), folder / a.path)
            entries.append(write_shard(folder, shard.name, lines, sync=False))
        for path in old.files:
            write_atomic(folder / path, Path(resolve_inside(corpus.root, path)).read_bytes(), sync=False)
        told = old.notes | notes
        if old.recipe_sha256:
            told["built_from_recipe"] = old.recipe_sha256
        manifest = write_manifest(
            folder,
            msgspec.structs.replace(old, duologue=__version__, recipe_sha256="", shards=tuple(entries), notes=told),
        )
        reveal(folder, out)
    return manifest


def link(source: Path, target: Path) -> None:
    """``target`` as a hard link to ``source``, or a copy where the disk allows none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def with_annotations(d: Dialogue, added: Iterable[Annotation]) -> Dialogue:
    """``d`` with further annotations, and with shift annotations that say what the emotions now say.

    Shift annotations that no longer hold go, and what pointed to them forgets them; those that are missing are added
    as derived, where the dialogue is of track emotion or had any.
    """
    everything = (*d.annotations, *added)
    d = msgspec.structs.replace(d, annotations=everything)
    stated = [a for a in everything if isinstance(a, ShiftAnnotation)]
    derived = {(s.speaker, s.from_turn, s.to_turn, s.from_label, s.to_label): s for s in shifts(d)}

    def key(a: ShiftAnnotation) -> tuple[str, int, int, str, str]:
        v = a.value
        return v.speaker, v.from_turn, v.to_turn, v.from_label, v.to_label

    gone = {a.id for a in stated if key(a) not in derived}
    kept = [
        msgspec.structs.replace(a, gold_of=tuple(g for g in a.gold_of if g not in gone))
        if gone.intersection(a.gold_of)
        else a
        for a in everything
        if a.id not in gone
    ]
    if stated or d.track == "emotion":
        said = {key(a) for a in stated}
        taken = {a.id for a in kept}
        for k, s in derived.items():
            if k not in said:
                id = fresh(f"{DERIVED}-shift-{s.to_turn}", taken)
                kept.append(
                    ShiftAnnotation(
                        id=id,
                        target=f"turn:{s.to_turn}",
                        rater="duologue",
                        rater_type="model",
                        instrument=f"{DERIVED} from the turns' emotions",
                        value=s,
                    )
                )
    # Every shift may have gone, and with it a speaker whom only it named.
    return msgspec.structs.replace(d, annotations=tuple(kept))


def fresh(id: str, taken: set[str]) -> str:
    """``id``, or the first of id-2, id-3, ... that is not in ``taken``; it is then."""
    name, n = id, 1
    while name in taken:
        n += 1
        name = f"{id}-{n}"
    taken.add(name)
    return name
