"""Deal a corpus into train, dev and test that share nothing, with every stratum in each as far as that allows.

Dialogues that share a link (:mod:`duologue.protect.component`) form a component, and a component lies in one split
whole. Components are dealt from the largest to the smallest, each to the split where it lowers most the sum over the
strata of (held - wanted)^2 / wanted, the chi-square distance from even shares; that is the greedy of iterative
stratification (Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011) on whole groups. Where groups and balance cannot both
hold, groups win, and the report says where.

What has a split keeps it. So a corpus that grows never moves a dialogue: a new one goes where its component already
lies, and one that hangs together with several splits becomes "unassigned" and is counted.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.dialogue import SPLITS, Dialogue, Split, Track
from duologue.corpus.manifest import AUDIO, Manifest
from duologue.corpus.near_text import NEAR, SKETCH, candidates, sayings, similarity, sketch
from duologue.corpus.read import Corpus, resolve_inside
from duologue.corpus.truth import emotions
from duologue.corpus.write import encode_dialogue, write_atomic, write_manifest, write_shard
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.protect.component import APART, Ints, components, hubs, links

Dealt = Literal["train", "dev", "test"]
DEALT: tuple[Dealt, ...] = ("train", "dev", "test")
SHARD_ITEMS = 512
# A stratum is out of balance where it misses its share by more than this part of the corpus's and more than 1 dialogue.
_OFF = 0.05
_SHOWN = 20


class Stratum(msgspec.Struct, frozen=True, kw_only=True):
    """How ``size`` dialogues of one kind were shared out, in numbers a split. ``even`` says whether as wanted."""

    name: str
    size: int
    held: dict[str, int]
    wanted: dict[str, float]
    even: bool


class Largest(msgspec.Struct, frozen=True, kw_only=True):
    """The largest component: its size, what most of it shares, and how large the largest would be without a kind."""

    size: int
    shares: tuple[tuple[str, int], ...]
    without: dict[str, int]


class SplitReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was dealt.

    ``kept`` dialogues had a split already, ``unassigned`` hang together with several. ``touching`` counts links that
    what was kept shares between splits, with an example of each kind: no deal can mend them. ``components`` are the
    sizes, largest first (20 of them), ``count`` their number. ``strata`` are those that are not even.
    """

    path: str
    dialogues: int
    held: dict[str, int]
    kept: int
    unassigned: tuple[str, ...]
    touching: dict[str, int]
    examples: dict[str, str]
    apart: tuple[str, ...]
    count: int
    components: tuple[int, ...]
    largest: Largest
    strata: tuple[Stratum, ...]
    even: int


class Row(msgspec.Struct, gc=False):
    """One dialogue: its split, and numbers for what it shares with others and for the strata that it counts in."""

    id: str
    split: Split
    links: list[int]
    strata: list[int]


def split(
    corpus: str | Path,
    out: str | Path,
    shares: Mapping[Dealt, float],
    *,
    apart: Sequence[str] = tuple(APART),
    keep: str | Path | None = None,
    anew: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> SplitReport:
    """Deal ``corpus`` into the new folder ``out`` by ``shares``, which sum to 1; audio is linked or copied.

    ``apart`` names what no two splits may share, of :data:`APART`. ``keep`` is an earlier deal of the same corpus,
    whose dialogues stay where they lie. ``anew`` forgets the splits that the corpus's own dialogues have, which a
    corpus that a recipe built does not allow. ``progress`` is told the number of dialogues just read or written.
    Equal input gives equal bytes, whatever the order of the shards.
    """
    _check(shares, apart)
    opened = Corpus(corpus)
    if anew and opened.manifest.recipe_sha256:
        raise UserError(
            "this corpus was split in its plan, and its voices and scripts with it",
            where=str(corpus),
            field="--anew",
            mend="leave out --anew: it keeps its splits",
        )
    earlier = {} if keep is None else {d.id: d.split for d in (o.dialogue for o in Corpus(keep))}
    names: list[tuple[str, str]] = []
    strata: list[str] = []
    rows = _read(opened, earlier, anew, names, strata, progress)
    _none_gone(earlier, rows)
    own = [i for i, (kind, _) in enumerate(names) if kind in apart]
    given = {row.id: row.split for row in rows if row.split in DEALT}
    touching, examples = _touching(rows, names, set(own))
    component = assign(rows, set(own), shares)
    _write(opened, out, {row.id: row.split for row in rows}, shares, apart, progress)
    held = Counter(row.split for row in rows)
    sizes = sorted(Counter(component.tolist()).values(), reverse=True)
    told = _strata(rows, strata, shares)
    return SplitReport(
        path=str(out),
        dialogues=len(rows),
        held={s: held[s] for s in SPLITS if held[s] or s != "unassigned"},
        kept=len(given),
        unassigned=tuple(sorted(row.id for row in rows if row.split == "unassigned")),
        touching=touching,
        examples=examples,
        apart=tuple(k for k in APART if k in apart),
        count=len(sizes),
        components=tuple(sizes[:_SHOWN]),
        largest=_largest(rows, names, component, [k for k in APART if k in apart]),
        strata=tuple(s for s in told if not s.even),
        even=sum(s.even for s in told),
    )


def _check(shares: Mapping[Dealt, float], apart: Sequence[str]) -> None:
    for field, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError("a share lies between 0 and 1", field=f"--{field}", value=share)
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UserError("the shares do not sum to 1", field="shares", value={str(s): n for s, n in shares.items()})
    for name in apart:
        if name not in APART:
            raise UserError("nothing that can be kept apart", field="--apart", value=name, allowed=", ".join(APART))


def _read(
    opened: Corpus,
    earlier: Mapping[str, Split],
    anew: bool,
    names: list[tuple[str, str]],
    strata: list[str],
    progress: Callable[[int], object],
) -> list[Row]:
    """One row a dialogue, sorted by id, so that the order of shards has no say; fills ``names`` and ``strata``."""
    number: dict[tuple[str, str], int] = {}
    places: dict[str, int] = {}
    rows: list[Row] = []
    said: list[int] = []
    sketches: list[bytes] = []
    for item in opened:
        d = item.dialogue
        found = [number.setdefault(link, len(number)) for link in dict.fromkeys(links(d))]
        where = [places.setdefault(s, len(places)) for s in _strata_of(d)]
        before = earlier.get(d.id, "unassigned")
        now = d.split if not anew and before == "unassigned" else before
        for _, text in sayings(d):
            said.append(len(rows))
            sketches.append(sketch(text).tobytes())
        rows.append(Row(d.id, now, found, where))
        progress(1)
    for a, b in _alike(opened, rows, said, sketches):
        link = ("words", f"nearly {min(rows[a].id, rows[b].id)}")
        for i in (a, b):
            rows[i].links.append(number.setdefault(link, len(number)))
    rows.sort(key=lambda row: row.id)
    names += list(number)
    strata += list(places)
    return rows


def _alike(opened: Corpus, rows: list[Row], said: list[int], sketches: list[bytes]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that say nearly the same words."""
    if not said:
        return
    table = np.frombuffer(b"".join(sketches), np.uint32).reshape(-1, SKETCH)
    texts: dict[int, list[str]] = {}
    done: set[tuple[int, int]] = set()
    for i, j in candidates(table, np.array(said, np.int64)):
        a, b = said[i], said[j]
        if (a, b) in done or set(rows[a].links) & set(rows[b].links):
            continue
        done.add((a, b))
        for row in (a, b):
            if row not in texts:
                texts[row] = [text for _, text in sayings(opened.get(rows[row].id).dialogue)]
        if any(similarity(x, y) >= NEAR for x in texts[a] for y in texts[b]):
            yield a, b


def _none_gone(earlier: Mapping[str, Split], rows: Sequence[Row]) -> None:
    """UserError where an earlier deal holds what the corpus no longer does: it would be no growth of it."""
    missing = sorted(set(earlier) - {row.id for row in rows})
    if missing:
        raise UserError(
            f"{len(missing)} dialogues of the earlier deal are not in this corpus",
            field="--keep",
            value=missing[0],
            mend="a corpus can only grow; give the deal of this corpus",
        )


def _strata_of(d: Dialogue) -> Iterator[str]:
    language = d.languages[0]
    yield f"{d.track}"
    yield f"{d.track} {language}"
    yield f"{d.track} {language} {d.scenario}"
    turns = sum(t.role == "user" for t in d.turns)
    yield f"{d.track} {min(turns, 9)}{'+' if turns > 9 else ''} user turns"
    for label in sorted({e.label for e in emotions(d).values()}):
        yield f"{d.track} {label}"


def assign(rows: list[Row], own: set[int], shares: Mapping[Dealt, float]) -> Ints:
    """Give every row a split, as the module says, by the links in ``own``; gives the component [n] of each row.

    ``rows`` are sorted by id; those that lie in a split already are not moved.
    """
    component = _components(rows, own)
    torn = _spread(rows, component, own)
    _deal(rows, component, torn, shares)
    return component


def _components(rows: Sequence[Row], own: set[int]) -> Ints:
    """The component of each row, by the links in ``own``."""
    first: dict[int, int] = {}
    pairs = [(first.setdefault(k, i), i) for i, row in enumerate(rows) for k in row.links if k in own]
    return components(len(rows), [p for p in pairs if p[0] != p[1]])


def _touching(
    rows: Sequence[Row], names: Sequence[tuple[str, str]], own: set[int]
) -> tuple[dict[str, int], dict[str, str]]:
    """Links that what is already dealt shares between splits, by kind, and one of each."""
    seen: dict[int, Split] = {}
    crossing: dict[int, str] = {}
    for row in rows:
        if row.split in DEALT:
            for k in row.links:
                if k in own and seen.setdefault(k, row.split) != row.split:
                    crossing.setdefault(k, f"{names[k][1]}: {seen[k]} and {row.split}")
    counts = Counter(names[k][0] for k in crossing)
    examples: dict[str, str] = {}
    for k in sorted(crossing, key=lambda k: names[k]):
        examples.setdefault(names[k][0], crossing[k])
    return {k: counts[k] for k in APART if counts[k]}, examples


def _spread(rows: list[Row], component: Ints, own: set[int]) -> set[int]:
    """Let new dialogues join the split that their component lies in; gives the components that lie in several.

    In a component of several splits a new dialogue joins the one split that it touches, in order of ids, over and over
    until nothing more changes; who touches several stays unassigned.
    """
    lies: dict[int, set[Split]] = defaultdict(set)
    for row, c in zip(rows, component.tolist(), strict=True):
        if row.split in DEALT:
            lies[c].add(row.split)
    torn: list[Row] = []
    splits_of: dict[int, set[Split]] = defaultdict(set)
    for row, c in zip(rows, component.tolist(), strict=True):
        if len(lies[c]) == 1 and row.split not in DEALT:
            row.split = next(iter(lies[c]))
        elif len(lies[c]) > 1:
            torn.append(row)
            if row.split in DEALT:
                for k in row.links:
                    splits_of[k].add(row.split)
    open_rows = [row for row in torn if row.split not in DEALT]
    changed = True
    while changed:
        changed = False
        for row in open_rows:
            touched = {s for k in row.links if k in own for s in splits_of[k]}
            if row.split not in DEALT and len(touched) == 1:
                row.split = touched.pop()
                changed = True
                for k in row.links:
                    splits_of[k].add(row.split)
    return {c for c, found in lies.items() if len(found) > 1}


def _deal(rows: list[Row], component: Ints, torn: set[int], shares: Mapping[Dealt, float]) -> None:
    """Deal the components that lie nowhere yet."""
    count = 1 + max((s for row in rows for s in row.strata), default=-1)
    size = np.zeros(count)
    held = {s: np.zeros(count) for s in DEALT}
    free: dict[int, list[Row]] = defaultdict(list)
    for row, c in zip(rows, component.tolist(), strict=True):
        if row.split in DEALT:
            for s in row.strata:
                size[s] += 1
                held[row.split][s] += 1
        elif c not in torn:
            free[c].append(row)
            for s in row.strata:
                size[s] += 1
    open_to = [s for s in DEALT if shares.get(s, 0) > 0]
    wanted = {s: np.maximum(size * shares[s], 1e-9) for s in open_to}

    def order(c: int) -> tuple[int, bytes]:
        return -len(free[c]), blake2b(free[c][0].id.encode(), digest_size=8).digest()

    for c in sorted(free, key=order):
        added = Counter(s for row in free[c] for s in row.strata)
        at = list(added)
        n = np.array([added[s] for s in at], float)

        def cost(s: Dealt, at: list[int] = at, n: npt.NDArray[np.float64] = n) -> float:
            # (held + n - wanted)^2 - (held - wanted)^2, over wanted.
            return float((n * (2 * (held[s][at] - wanted[s][at]) + n) / wanted[s][at]).sum())

        chosen = min(open_to, key=cost)
        held[chosen][at] += n
        for row in free[c]:
            row.split = chosen


def _strata(rows: Sequence[Row], names: Sequence[str], shares: Mapping[Dealt, float]) -> list[Stratum]:
    held: list[Counter[str]] = [Counter() for _ in names]
    for row in rows:
        if row.split in DEALT:
            for s in row.strata:
                held[s][row.split] += 1
    out = []
    for name, got in sorted(zip(names, held, strict=True), key=lambda x: x[0]):
        size = got.total()
        wanted = {s: round(size * shares.get(s, 0), 2) for s in DEALT if shares.get(s, 0) > 0}
        off = max((abs(got[s] - w) for s, w in wanted.items()), default=0.0)
        even = off <= max(1.0, _OFF * size)
        out.append(
            Stratum(
                name=name,
                size=size,
                held={s: got[s] for s in DEALT},
                wanted={str(s): n for s, n in wanted.items()},
                even=even,
            )
        )
    return out


def _largest(rows: Sequence[Row], names: Sequence[tuple[str, str]], component: Ints, apart: Sequence[str]) -> Largest:
    if not len(rows):
        return Largest(size=0, shares=(), without={})
    biggest, size = Counter(component.tolist()).most_common(1)[0]
    members = [row for row, c in zip(rows, component.tolist(), strict=True) if c == biggest]
    kinds = set(apart)
    shared = hubs([[names[k][1] for k in row.links if names[k][0] in kinds] for row in members])
    without = {}
    for kind in apart if size > 1 else ():
        rest = {k for k, (name, _) in enumerate(names) if name in kinds and name != kind}
        left = Counter(_components(members, rest).tolist()).most_common(1)[0][1]
        if left < size:
            without[kind] = left
    return Largest(size=size, shares=tuple(shared), without=without)


def _write(
    opened: Corpus,
    out: str | Path,
    splits: Mapping[str, Split],
    shares: Mapping[Dealt, float],
    apart: Sequence[str],
    progress: Callable[[int], object],
) -> Manifest:
    """The corpus again, each dialogue in its split; audio by hard links where the disk allows."""
    from duologue import __version__

    shards: dict[tuple[Track, str, Split], list[tuple[str, Dialogue]]] = defaultdict(list)
    numbers: Counter[tuple[Track, str, Split]] = Counter()
    entries = []
    with aside(Path(out)) as folder:

        def flush(cell: tuple[Track, str, Split]) -> None:
            name = f"{'-'.join(cell)}-{numbers[cell]:05d}"
            numbers[cell] += 1
            taken: set[str] = set()
            lines = [encode_dialogue(_moved(opened.root, folder, name, d, taken)) for _, d in sorted(shards[cell])]
            entries.append(write_shard(folder, name, lines, sync=False))
            shards[cell].clear()

        for item in opened:
            d = msgspec.structs.replace(item.dialogue, split=splits[item.id])
            cell = (d.track, d.languages[0], d.split)
            shards[cell].append((d.id, d))
            if len(shards[cell]) == SHARD_ITEMS:
                flush(cell)
            progress(1)
        for cell in sorted(c for c, rows in shards.items() if rows):
            flush(cell)
        for path in opened.manifest.files:
            write_atomic(folder / path, Path(resolve_inside(opened.root, path)).read_bytes(), sync=False)
        old = opened.manifest
        notes = old.notes | {"split": {"shares": dict(shares), "apart": [k for k in APART if k in apart]}}
        if old.recipe_sha256:
            notes["built_from_recipe"] = old.recipe_sha256
        manifest = write_manifest(
            folder,
            msgspec.structs.replace(
                old, duologue=__version__, recipe_sha256="", shards=tuple(entries), notes=notes, complete=True
            ),
        )
        reveal(folder, Path(out))
    return manifest


def _moved(root: str, folder: Path, shard: str, d: Dialogue, taken: set[str]) -> Dialogue:
    """``d`` with its audio linked into the folder of ``shard``."""
    audio = []
    for a in d.audio:
        name = a.path.rsplit("/", 1)[-1]
        if name in taken:
            name = f"{d.id}-{name}"
        taken.add(name)
        target = folder / AUDIO / shard / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = resolve_inside(root, a.path)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
        audio.append(msgspec.structs.replace(a, path=f"{AUDIO}/{shard}/{name}"))
    return msgspec.structs.replace(d, audio=tuple(audio))
