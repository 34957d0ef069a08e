"""Track 2 by the corrected profile: the macro mean over scenarios and languages of the items' utility."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

import msgspec
import numpy as np

from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sample, Sheet, agree, clusters_of, decode, within
from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.score.scorecard import Scorecard
from duologue.score.uncertainty import macro_mean


class DuplexItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item's utility in [0, 1], and where it belongs."""

    id: str
    language: str
    scenario: str
    outcome: str
    utility: float
    clusters: dict[str, str] = {}

    @property
    def key(self) -> str:
        return self.id

    @property
    def dialogue(self) -> str:
        return self.id


class DuplexSheet(Sheet[DuplexItem]):
    """Utilities of the corrected profile. Runs of files and live runs do not rank together (``comparable``)."""

    track: ClassVar[str] = "duplex"
    profile: ClassVar[str] = "corrected"
    measure: ClassVar[str] = "utility, macro mean over scenario and language"
    item = DuplexItem

    @classmethod
    def read(cls, data: bytes) -> DuplexSheet:
        card = decode(data, Scorecard)
        if card.profile != cls.profile:
            raise UserError("scored by another profile", field="profile", value=card.profile, allowed=cls.profile)
        for i in card.items:
            within(i.utility, 0, 1, i.id, "utility")
        sheet = cls(
            (
                DuplexItem(
                    id=i.id,
                    language=i.language,
                    scenario=i.scenario,
                    outcome=i.outcome,
                    utility=i.utility,
                    clusters=i.clusters,
                )
                for i in card.items
            ),
            {"corpus_sha256": card.corpus_sha256, "comparable": card.comparable},
        )
        agree(card.headline.value, sheet.parts()["utility"])
        return sheet

    figures: ClassVar[tuple[str, ...]] = ("utility",)

    def parts(self, without: Collection[str] = ()) -> Parts:
        counted = _counted(self.kept(without))
        return {"utility": macro_mean([i.utility for i in counted], _strata(counted), {}).value}

    @classmethod
    def total(cls, parts: Parts, anchors: Anchors) -> float | None:
        return parts["utility"]

    def sample(self, without: Collection[str], anchors: Anchors) -> Sample:
        counted = _counted(self.kept(without))
        return Sample(
            values=np.array([i.utility for i in counted]) if counted else None,
            strata=tuple(_strata(counted)),
            clusters=clusters_of([(i.id, i.clusters) for i in counted]),
            bounds=(0.0, 1.0),
        )


def _counted(items: Sequence[DuplexItem]) -> Sequence[DuplexItem]:
    # As in the card's headline: dialogues without an event have no part in it, unless there are no others.
    return [i for i in items if i.scenario in SCENARIOS] or items


def _strata(items: Sequence[DuplexItem]) -> list[str]:
    return [f"{i.scenario}/{i.language}" for i in items]
