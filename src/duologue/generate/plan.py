"""The plan: one item for every dialogue of a recipe, before anything is written or heard.

Item ``i`` of a cell depends on the seed, the cell's name, ``i`` and the pools, and on nothing else: a recipe with
raised counts plans the same items and more. Every factor (speaker, family, emotion, noise...) is drawn from
shuffled blocks that hold each of its values once, each factor and cell with shuffles of its own; so within any
cell the factors are evenly used and independent of each other, and none of them tells the cell.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.event import SCENARIOS
from duologue.corpus.scenario import by_name
from duologue.generate.item import CastMember, Item
from duologue.generate.pools import Pools, make_pools, writes_as
from duologue.generate.recipe import PLANNED_SPLITS, Cell, Recipe
from duologue.generate.script import Brief, Feeling, Writer
from duologue.generate.seeds import derive, keyed, stream
from duologue.generate.voices.voice import Voice

T = TypeVar("T")
PLAN_VERSION = "1"
SHARD_ITEMS = 64
# The split whose draws depend on a secret where there is one.
KEYED = "test"
# Levels of a stratified draw from [0, 1): shares are exact to a twentieth within each block of twenty items.
_STRATA = 20
_STAY, _ASK_STAY, _ASK_NEUTRAL = 0.3, 0.5, 0.25


class ShardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Items [start, stop) of each of ``cells``, all of one track, language and split."""

    name: str
    cells: tuple[Cell, ...]
    start: int
    stop: int

    def __len__(self) -> int:
        return sum(max(0, min(self.stop, c.count) - self.start) for c in self.cells)


class Plan:
    """The items of a recipe, made one after the other on demand; ``voices`` by name.

    With ``secret``, every draw of the test split comes from a seed that is an HMAC of it and the recipe, so that the
    recipe alone plans another test than this one. The pools, and with them train and dev, are those of the recipe.

    Iterating goes shard by shard; ``len()`` counts without making anything.
    """

    def __init__(
        self, recipe: Recipe, writer: Writer, voices: Mapping[str, Voice], secret: bytes | None = None
    ) -> None:
        self.recipe, self._writer = recipe, writer
        self._keyed = keyed(secret, "plan", recipe.identity()) if secret is not None else None
        self.pools: Pools = make_pools(recipe, writer, voices)
        self.shards: tuple[ShardPlan, ...] = _shards(recipe.cells())
        self._dealers: dict[str, _Dealer] = {}

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    def __iter__(self) -> Iterator[Item]:
        for shard in self.shards:
            yield from self.items(shard)

    def _seed(self, cell: Cell) -> int | str:
        return self._keyed if self._keyed is not None and cell.split == KEYED else self.recipe.seed

    def ids(self, shard: ShardPlan) -> Iterator[str]:
        """The ids of a shard's items, without planning them."""
        for cell in shard.cells:
            for i in range(shard.start, min(shard.stop, cell.count)):
                yield _id(self._seed(cell), cell.key, i)

    def items(self, shard: ShardPlan) -> Iterator[Item]:
        for cell in shard.cells:
            dealer = self._dealers.get(cell.key)
            if dealer is None:
                dealer = self._dealers[cell.key] = _Dealer(
                    self.recipe, cell, self.pools, self._writer, self._seed(cell)
                )
            for i in range(shard.start, min(shard.stop, cell.count)):
                yield dealer.item(i, shard.name)


def plan(recipe: Recipe, writer: Writer, voices: Mapping[str, Voice]) -> Plan:
    """Plan ``recipe``; UserError where writer or voices cannot serve it."""
    return Plan(recipe, writer, voices)


def _shards(cells: Sequence[Cell]) -> tuple[ShardPlan, ...]:
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.track, cell.language, cell.split), []).append(cell)
    shards = []
    for group in sorted(groups, key=lambda g: (g[0], g[1], PLANNED_SPLITS.index(g[2]))):
        for n in range(-(-max(c.count for c in groups[group]) // SHARD_ITEMS)):
            start = n * SHARD_ITEMS
            shards.append(
                ShardPlan(
                    name=f"{'-'.join(group)}-{n:05d}",
                    cells=tuple(c for c in groups[group] if c.count > start),
                    start=start,
                    stop=start + SHARD_ITEMS,
                )
            )
    return tuple(shards)


class _Dealer:
    """Draws the items of one cell."""

    def __init__(self, recipe: Recipe, cell: Cell, pools: Pools, writer: Writer, seed: int | str) -> None:
        self.recipe, self.cell, self.writer, self.seed = recipe, cell, writer, seed
        families = writer.families(cell.language, cell.track, writes_as(cell.scenario, recipe))
        self.families = [f for f in families if f in pools.families[cell.split]]
        speakers = pools.speakers[cell.language]
        self.users = _by_sex(speakers[cell.split])
        self.systems = _by_sex(speakers["system"])
        self.noises, self.rooms = pools.noises[cell.split], pools.rooms[cell.split]
        weights = {label: w for label, w in recipe.weights().items() if w > 0}
        self.labels = tuple(weights)
        self.weights = tuple(weights.values())
        self.pairs = tuple(itertools.permutations(weights, 2))
        self.pair_weights = tuple(weights[a] * weights[b] for a, b in self.pairs)
        # None where the dialogues of the cell have no event.
        self.scenario = by_name(recipe.scenarios).get(cell.scenario) if cell.track == "duplex" else None
        self._blocks: dict[tuple[str, int], tuple[int, list[int], float]] = {}

    # Three ways to draw: a level of a shuffled block, a number in [0, 1), a weighted value.

    def level(self, factor: str, levels: int, i: int) -> int:
        """A level 0 <= n < ``levels``; items [k * levels, (k + 1) * levels) have each once."""
        return self._block(factor, levels, i)[1][i % levels]

    def share(self, factor: str, i: int) -> float:
        """A number in [0, 1), evenly spread within each block of items."""
        _, order, shift = self._block(factor, _STRATA, i)
        return (order[i % _STRATA] + (shift + i * 0.6180339887498949) % 1.0) / _STRATA

    def weighted(self, factor: str, values: Sequence[T], weights: Sequence[float], i: int) -> T:
        """A value as often as its weight says; with equal weights each once a block."""
        n = len(values)
        _, order, shift = self._block(factor, n, i)
        u = (order[i % n] + (shift + i * 0.6180339887498949) % 1.0) / n
        sums = list(itertools.accumulate(weights))
        return values[min(bisect.bisect_right(sums, u * sums[-1] * (1 - 1e-12)), n - 1)]

    def _block(self, factor: str, levels: int, i: int) -> tuple[int, list[int], float]:
        key, number = (factor, levels), i // levels
        block = self._blocks.get(key)
        if block is None or block[0] != number:
            rng = stream(self.seed, "plan", self.cell.key, factor, levels, number)
            order = list(range(levels))
            rng.shuffle(order)
            block = self._blocks[key] = (number, order, rng.random())
        return block

    def item(self, i: int, shard: str) -> Item:
        cell, recipe, a = self.cell, self.recipe, self.recipe.acoustics
        seed = derive(self.seed, "item", cell.key, i)
        brief = self._brief(i, derive(seed, "script"))
        noise = self.noises[self.level("noise", len(self.noises), i)] if self.noises else ""
        room = self.rooms[self.level("room", len(self.rooms), i)] if self.rooms else ""
        noisy = self.share("noise share", i) < a.noise_share
        return Item(
            id=_id(self.seed, cell.key, i),
            cell=cell.key,
            index=i,
            shard=shard,
            split=cell.split,
            track=cell.track,
            language=cell.language,
            seed=seed,
            keyed=isinstance(self.seed, str),
            brief=brief,
            cast=self._cast(i, seed),
            noise=noise if noisy else "",
            snr_db=round(_between(a.snr_db, self.share("snr", i)), 2) if noisy else None,
            room=room if self.share("room share", i) < a.room_share else "",
            band="telephone" if self.share("telephone", i) < a.telephone_share else "wide",
            packet_loss=a.packet_loss if self.share("packet loss", i) < a.packet_loss_share else 0.0,
            echo_db=(
                round(_between(a.echo_db, self.share("echo level", i)), 2)
                if self.share("echo", i) < a.echo_share
                else None
            ),
            twin=self.scenario is not None and self.share("twin", i) < recipe.twins,
            stems=self.share("stems", i) < recipe.stems,
        )

    def _brief(self, i: int, seed: int) -> Brief:
        cell, mix = self.cell, self.recipe.mix
        family = self.families[self.level("family", len(self.families), i)]
        axes = self.writer.axes(cell.language, cell.track, family)
        chosen = {
            axis: options[int(self.share(axis, i) * len(options))]
            for axis in ("relationship", "setting", "register")
            if (options := axes.get(axis, ()))
        }
        events, contrast = 0, False
        scenario, described = self.scenario, None
        if scenario is not None:
            if scenario.name not in SCENARIOS:
                described = scenario
            u = self.share("mix", i)
            contrast = u < mix.contrast and (described is None or cell.language in described.neighbours)
            events = 1
            if mix.contrast <= u < mix.contrast + mix.several:
                events = 2 + self.level("several", 2, i)
                # A turn can break off or pause in one place only; other events can come several times over one answer.
                events = min(events, cell.turns * scenario.per_turn)
        return Brief(
            language=cell.language,
            track=cell.track,
            task=cell.task,
            scenario=cell.scenario,
            family=family,
            user_turns=cell.turns,
            seed=seed,
            feelings=self._feelings(i) if cell.track == "emotion" else (),
            events=events,
            position=("before", "after")[self.level("position", 2, i)] if scenario and scenario.positioned else "",
            contrast=contrast,
            described=described,
            taxonomy=self.recipe.labels if self.recipe.labels != DUOLOGUE else None,
            **chosen,
        )

    def _cast(self, i: int, seed: int) -> tuple[CastMember, ...]:
        """User and system; in track 2 a third party and an addressee too, for whoever needs them.

        Bystanders come from the split's own pool, as often of the user's sex as not, and are other
        speakers than the user: of another parent voice where the pool has one of that sex.
        """
        user = self._speaker("user", self.users, i)
        cast = [user, self._speaker("system", self.systems, i)]
        taken = [user]
        if self.cell.track == "duplex":
            for role in ("third_party", "addressee"):
                same = self.level(f"{role} sex", 2, i) == 0
                everyone = [m for members in self.users.values() for m in members if m not in taken]
                # What matters least comes last: own voice, then other parent, then the sex that was drawn.
                ranked = [
                    [m for m in everyone if m.parent != user.parent and (m.sex == user.sex) == same],
                    [m for m in everyone if (m.sex == user.sex) == same],
                    [m for m in everyone if m.parent != user.parent],
                    everyone,
                    [m for members in self.users.values() for m in members if m != user],
                    [user],
                ]
                pool = next(p for p in ranked if p)
                member = pool[stream(seed, role).randrange(len(pool))]
                taken.append(member)
                cast.append(msgspec.structs.replace(member, role=role))
        return tuple(cast)

    def _speaker(self, role: str, by_sex: dict[str, tuple[CastMember, ...]], i: int) -> CastMember:
        """Sexes alternate in shuffled blocks; within a sex, every speaker once a block."""
        sexes = tuple(by_sex)
        members = by_sex[sexes[self.level(f"{role} sex", len(sexes), i)]]
        member = members[self.level(f"{role} speaker", len(members), i // len(sexes))]
        return msgspec.structs.replace(member, role=role)

    def _feelings(self, i: int) -> tuple[Feeling, ...]:
        cell = self.cell
        strength = 1 + self.level("intensity", 3, i)
        if cell.scenario == "clip":
            return (_feeling(self.weighted("label", self.labels, self.weights, i), strength),)
        if cell.scenario == "conflict_clip":
            words, voice = self.weighted("conflict", self.pairs, self.pair_weights, i)
            return (
                Feeling(label=voice, acoustic=voice, semantic=words, intensity=0 if voice == "neutral" else strength),
            )
        return self._trajectory(i, strength)

    def _trajectory(self, i: int, strength: int) -> tuple[Feeling, ...]:
        """One shift is drawn evenly from all ordered pairs and set at a drawn place; the rest follows around it.

        Where the last turn asks about the dialogue, it comes after the shift, so that there is something to tell.
        """
        cell = self.cell
        rng = stream(self.seed, "trajectory", cell.key, i)
        asks = cell.task in ("trajectory", "reasoning")
        told = cell.turns - 1 if asks else cell.turns
        before, after = self.weighted("shift", self.pairs, self.pair_weights, i)
        place = self.level("shift place", told - 1, i)
        labels = [""] * told
        labels[place : place + 2] = before, after
        for k in range(place - 1, -1, -1):
            labels[k] = self._beside(rng, labels[k + 1])
        for k in range(place + 2, told):
            labels[k] = self._beside(rng, labels[k - 1])
        # An empathic reply is asked for at the second turn with a feeling: there must be one.
        felt = [k for k, label in enumerate(labels) if label != "neutral"]
        if len(felt) < 2 and told > 2:
            free = [k for k in range(told) if k not in (place, place + 1)]
            labels[free[rng.randrange(len(free))]] = self._other(rng, "neutral")
        if asks:
            u = rng.random()
            stays = u < _ASK_STAY or "neutral" not in self.labels
            labels.append(
                labels[-1]
                if stays
                else "neutral"
                if u < _ASK_STAY + _ASK_NEUTRAL
                else rng.choices(self.labels, self.weights)[0]
            )
        feelings = []
        for k, label in enumerate(labels):
            feelings.append(_feeling(label, strength if k == place + 1 else rng.randint(1, 3)))
        return tuple(feelings)

    def _beside(self, rng: random.Random, label: str) -> str:
        return label if rng.random() < _STAY else self._other(rng, label)

    def _other(self, rng: random.Random, label: str) -> str:
        others = [(x, w) for x, w in zip(self.labels, self.weights, strict=True) if x != label]
        return rng.choices([x for x, _ in others], [w for _, w in others])[0]


def _feeling(label: str, intensity: int) -> Feeling:
    return Feeling(label=label, intensity=0 if label == "neutral" else intensity)


def _by_sex(members: Sequence[CastMember]) -> dict[str, tuple[CastMember, ...]]:
    sexes = sorted({m.sex for m in members})
    return {sex: tuple(m for m in members if m.sex == sex) for sex in sexes}


def _between(limits: tuple[float, float], u: float) -> float:
    return limits[0] + u * (limits[1] - limits[0])


def _id(seed: int | str, cell: str, i: int) -> str:
    """Twelve letters and digits that tell nothing: 60 bits of SHA-256."""
    digest = hashlib.sha256(f"{derive(seed, 'id')}\x1f{cell}\x1f{i}".encode()).digest()
    return base64.b32encode(digest)[:12].decode().lower()
