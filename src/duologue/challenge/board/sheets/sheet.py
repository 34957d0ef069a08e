"""The base of what a board keeps of a card: item values, the figures that follow from them, and a total."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import msgspec

from duologue.errors import UserError
from duologue.score.profiles.humdial2026.totals import LBASE, LMIN, SLOPE
from duologue.score.uncertainty import Floats

# How far a card's own headline may lie from what its items give: floats printed and read again.
AGREES = 1e-6
# Of an item's name, as the database has room for.
LONGEST_KEY = 250

Parts = dict[str, float | None]


class Anchors(msgspec.Struct, frozen=True, kw_only=True):
    """The delays, in seconds, that score 100 (``lmin``) and 100 - ``slope`` (``lbase``)."""

    lmin: float = LMIN
    lbase: float = LBASE
    slope: float = SLOPE

    @property
    def apart(self) -> bool:
        return 0 < self.lmin < self.lbase and math.isfinite(self.lbase)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One value an item, as :func:`duologue.score.comparison.rank` takes them: the macro mean over strata is the total.

    ``values`` is None where the total is undefined.
    """

    values: Floats | None
    strata: tuple[str, ...]
    clusters: dict[str, list[str]]
    bounds: tuple[float, float] | None


class SheetItem(Protocol):
    """An item's values. ``key`` is unique in a card, ``dialogue`` is what people name it by."""

    @property
    def key(self) -> str: ...

    @property
    def dialogue(self) -> str: ...


I = TypeVar("I", bound=SheetItem)  # noqa: E741


class Sheet(ABC, Generic[I]):
    """The items of one card, and what all cards of a phase have to share (``fixed``: corpus, options, ...)."""

    track: ClassVar[str]
    profile: ClassVar[str]
    # What the ranking is by, in words, and the names of the figures beside the total.
    measure: ClassVar[str]
    figures: ClassVar[tuple[str, ...]] = ()
    anchored: ClassVar[bool] = False
    item: ClassVar[Any]

    def __init__(self, items: Iterable[I], fixed: Mapping[str, str]) -> None:
        self.items: dict[str, I] = {}
        self.fixed = dict(fixed)
        for i in sorted(items, key=lambda i: i.key):
            if i.key in self.items:
                raise UserError("an item comes twice", value=i.key)
            if not i.key.isprintable() or len(i.key) > LONGEST_KEY:
                raise UserError("not an item's name", value=i.key, allowed=f"up to {LONGEST_KEY} characters")
            self.items[i.key] = i
        if not self.items:
            raise UserError(
                "a card without its items cannot be ranked", field="items", mend="use the card of duologue score --json"
            )

    @classmethod
    @abstractmethod
    def read(cls, data: bytes) -> Self:
        """The sheet of a card as ``duologue score --json`` prints it; UserError says what is wrong with it."""

    @classmethod
    def load(cls, rows: Iterable[bytes], fixed: Mapping[str, str]) -> Self:
        """The sheet that :meth:`rows` was written from."""
        return cls((msgspec.json.decode(row, type=cls.item) for row in rows), fixed)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """(key, values as JSON) of every item, in order of the keys."""
        for key, i in self.items.items():
            yield key, msgspec.json.encode(i, order="deterministic")

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The keys that ``name``, a key or a dialogue, stands for."""
        return tuple(key for key, i in self.items.items() if name in (key, i.dialogue))

    def kept(self, without: Collection[str]) -> list[I]:
        return [i for key, i in self.items.items() if key not in without]

    @abstractmethod
    def parts(self, without: Collection[str] = ()) -> Parts:
        """The figures of the items that are not in ``without``; :meth:`total` makes the total of them."""

    @classmethod
    @abstractmethod
    def total(cls, parts: Parts, anchors: Anchors) -> float | None:
        """The total, None where it is undefined."""

    @abstractmethod
    def sample(self, without: Collection[str], anchors: Anchors) -> Sample:
        """What a ranking's intervals are computed from."""


T = TypeVar("T")


def decode(data: bytes, kind: type[T]) -> T:
    """A card's JSON as ``kind``; UserError says where it is not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"no card of this challenge's kind: {error}", mend="use that of duologue score --json"
        ) from None


def agree(printed: float | None, computed: float | None) -> None:
    """UserError where a card's own headline is not that of its items."""
    if printed is None or computed is None or abs(printed - computed) > AGREES:
        raise UserError(
            "the card's headline is not that of its items",
            value=printed,
            allowed="none" if computed is None else f"{computed:.6f}",
            mend="submit the card as duologue score --json printed it, with every item",
        )


def within(value: float, low: float, high: float, where: str, field: str) -> None:
    """UserError unless ``value`` is in [low, high]."""
    if not low <= value <= high:
        raise UserError("not a score", where=where, field=field, value=value, allowed=f"{low:g}..{high:g}")


def clusters_of(items: Sequence[tuple[str, Mapping[str, str]]]) -> dict[str, list[str]]:
    """Each way of clustering -> the cluster of each (key, clusters); an item that names none is its own."""
    ways = sorted({way for _, clusters in items for way in clusters})
    return {way: [clusters.get(way, key) for key, clusters in items] for way in ways}
