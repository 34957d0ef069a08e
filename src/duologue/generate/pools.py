"""Pools: which speakers, script families, noises and rooms each split may use.

They are dealt out from the seed and from what there is to deal, never from the counts, so that the splits are
apart by construction and stay so when a recipe grows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from duologue.corpus.dialogue import TRACKS
from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.generate.acoustics.pools import noise_pool, room_pool
from duologue.generate.item import CastMember
from duologue.generate.recipe import EMOTION_TURNS, PLANNED_SPLITS, PlannedSplit, Recipe
from duologue.generate.script import Writer
from duologue.generate.seeds import stream
from duologue.generate.voices.voice import Voice, VoiceSpeaker, directed

SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}
# System voices come from a pool of their own that all splits share.
SPEAKER_SHARES = {"train": 0.48, "dev": 0.2, "test": 0.2, "system": 0.12}


class Pools(msgspec.Struct, frozen=True, kw_only=True):
    """``speakers[language][pool]``, where pool is a split or "system"; the rest by split."""

    speakers: dict[str, dict[str, tuple[CastMember, ...]]]
    families: dict[PlannedSplit, frozenset[str]]
    noises: dict[str, tuple[str, ...]]
    rooms: dict[str, tuple[str, ...]]


def deal(
    ids: Sequence[str],
    features: Callable[[str], Iterable[Hashable]],
    shares: Mapping[str, float],
    seed: int,
    what: str,
    fixed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, tuple[str, ...]]:
    """Deal ``ids`` to the pools named by ``shares`` so that each feature is shared out as the whole is.

    A feature that as many ids have as there are pools is found in every pool. ``fixed`` says of some ids in which pool
    they lie; they are dealt first. Depends on nothing but the arguments; pools keep the order of ``ids``.
    """
    order = sorted(ids)
    stream(seed, "deal", what).shuffle(order)
    of = {i: tuple(features(i)) for i in order}
    size: dict[Hashable, int] = {}
    for fs in of.values():
        for f in fs:
            size[f] = size.get(f, 0) + 1
    wanted = {f: _targets(n, shares) for f, n in size.items()}
    given: dict[Hashable, dict[str, int]] = {f: dict.fromkeys(shares, 0) for f in size}
    pool_of: dict[str, str] = {}
    # What is rare is dealt first, while every pool is still open to it.
    for i in sorted(order, key=lambda i: (i not in fixed, min((size[f] for f in of[i]), default=0))):

        def want(pool: str, i: str = i) -> float:
            total = 0.0
            for f in of[i]:
                missing = wanted[f][pool] - given[f][pool]
                total += missing / size[f] + (10.0 if missing > 0 and not given[f][pool] else 0.0)
            return total

        pool = fixed[i] if i in fixed else max(shares, key=want)
        pool_of[i] = pool
        for f in of[i]:
            given[f][pool] += 1
    return {pool: tuple(i for i in ids if pool_of[i] == pool) for pool in shares}


def _targets(n: int, shares: Mapping[str, float]) -> dict[str, float]:
    """How many of ``n`` each pool should get: at least one each where there are enough."""
    if n < len(shares):
        return {pool: share * n for pool, share in shares.items()}
    rest = n - len(shares)
    # One each first; the rest goes to whoever is furthest below its share.
    over = {pool: max(0.0, share * n - 1) for pool, share in shares.items()}
    total = sum(over.values()) or 1.0
    return {pool: 1 + rest * o / total for pool, o in over.items()}


def speaker_pools(recipe: Recipe, voices: Mapping[str, Voice]) -> dict[str, dict[str, tuple[CastMember, ...]]]:
    """Speakers by language and pool. All that share a parent voice, in whatever language, share a pool.

    Who may speak for the system only, and with them all of their parent voice, are in the system's pool.
    UserError where a voice has too few speakers to keep the splits apart.
    """
    offered: dict[str, list[tuple[str, VoiceSpeaker]]] = {}
    pools: dict[str, dict[str, tuple[CastMember, ...]]] = {}
    parents: dict[str, set[Hashable]] = {}
    fixed: dict[str, str] = {}
    for language, name in sorted(recipe.voices.items()):
        rows = voices[name].speakers(language)
        if (voice := directed(voices[name])) is not None:
            pools[language] = _open_pools(name, rows, language, voice.others)
            continue
        if not recipe.derived_speakers:
            # The first of a parent's speakers is the one that the others derive from.
            rows = tuple({s.parent: s for s in reversed(rows)}.values())[::-1]
        offered[language] = [(name, s) for s in rows]
        for s in rows:
            kind = (language, s.sex, s.accent)
            parents.setdefault(f"{name}/{s.parent}", set()).update({kind[:1], kind[:2], kind})
            if s.system_only:
                fixed[f"{name}/{s.parent}"] = "system"
    for language, speakers in offered.items():
        distinct = {f"{name}/{s.parent}" for name, s in speakers}
        if len(distinct) < len(SPEAKER_SHARES):
            raise UserError(
                f"voice {recipe.voices[language]!r} has {len(distinct)} independent speakers for {language!r}",
                field=f"voices.{language}",
                allowed=f"at least {len(SPEAKER_SHARES)}: one for the system and one for each split",
            )
    dealt = deal(sorted(parents), lambda p: sorted(parents[p], key=str), SPEAKER_SHARES, recipe.seed, "speakers", fixed)
    pool_of = {parent: pool for pool, members in dealt.items() for parent in members}
    for language, speakers in offered.items():
        pools[language] = {
            pool: tuple(_planned(name, s) for name, s in speakers if pool_of[f"{name}/{s.parent}"] == pool)
            for pool in SPEAKER_SHARES
        }
        for pool, members in pools[language].items():
            if not members:
                raise UserError(
                    f"voice {recipe.voices[language]!r} has too few speakers for {language!r} to serve {pool!r}",
                    field=f"voices.{language}",
                )
    return pools


def _planned(voice: str, s: VoiceSpeaker) -> CastMember:
    return CastMember(role="user", voice=voice, speaker=s.id, parent=s.parent, sex=s.sex, age=s.age)


def _open_pools(
    name: str, rows: Sequence[VoiceSpeaker], language: str, others: Mapping[str, Voice]
) -> dict[str, tuple[CastMember, ...]]:
    """Everybody in every pool: who speaks is not drawn but known, and a build takes the plan's speakers back
    (:func:`~duologue.generate.directed.recast`), but for the system's where another voice speaks for it."""
    people = tuple(_planned(name, s) for s in rows)
    if not people:
        raise UserError(f"nobody reads lines in {language!r}", field=f"voices.{language}", value=name)
    system = tuple(_planned(other, s) for other, voice in others.items() for s in voice.speakers(language))
    return {pool: system or people if pool == "system" else people for pool in SPEAKER_SHARES}


def family_pools(recipe: Recipe, writer: Writer) -> dict[PlannedSplit, frozenset[str]]:
    """Script families by split. One family serves one split, in whatever language, track and scenario it occurs.

    All that the writer offers is dealt, not only what the recipe asks for, so that a new row in a recipe moves
    nothing. UserError where a cell of the recipe is left without a family in a split that it needs.
    """
    features: dict[str, set[Hashable]] = {}
    asked = {(c.language, c.track, writes_as(c.scenario, recipe)) for c in recipe.cells()}
    for language in sorted(recipe.voices):
        for track in TRACKS:
            for scenario in tuple(EMOTION_TURNS) if track == "emotion" else (*SCENARIOS, "none"):
                for family in writer.families(language, track, scenario):
                    features.setdefault(family, set()).update(
                        {(language, track, scenario), (language, track, "domain", family.split("/")[0])}
                    )
    dealt = deal(sorted(features), lambda f: sorted(features[f], key=str), SHARES, recipe.seed, "families")
    for language, track, scenario in sorted(asked):
        offered = set(writer.families(language, track, scenario))
        for split in PLANNED_SPLITS:
            if not offered & set(dealt[split]):
                raise UserError(
                    f"writer {recipe.writer!r} has too few script families for {language} {scenario}",
                    field="writer",
                    value=len(offered),
                    allowed="at least one family a split",
                )
    return {split: frozenset(dealt[split]) for split in PLANNED_SPLITS}


def writes_as(scenario: str, recipe: Recipe) -> str:
    """The scenario whose families serve ``scenario``: a described one is written into plain dialogues of any family."""
    return "none" if scenario in {s.name for s in recipe.scenarios} else scenario


def make_pools(recipe: Recipe, writer: Writer, voices: Mapping[str, Voice]) -> Pools:
    """All pools of a recipe; ``voices`` by name."""
    return Pools(
        speakers=speaker_pools(recipe, voices),
        families=family_pools(recipe, writer),
        noises=_by_split(recipe, "noises", noise_pool(recipe.acoustics)),
        rooms=_by_split(recipe, "rooms", room_pool(recipe.acoustics)),
    )


def _by_split(recipe: Recipe, what: str, ids: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Noises and rooms; the kind of noise ("babble" of "gen:babble-03") is shared out evenly."""
    share = recipe.acoustics.noise_share if what == "noises" else recipe.acoustics.room_share
    if share and len(ids) < len(SHARES):
        raise UserError(
            f"only {len(ids)} {what}: too few to keep train, dev and test apart",
            field=f"acoustics.{'noise_folder' if what == 'noises' else 'rooms'}",
            allowed=f"at least {len(SHARES)}",
        )
    return deal(ids, lambda i: ("all", i.rpartition("-")[0] or i.rpartition("/")[0]), SHARES, recipe.seed, what)
