"""Track 1 without a judge: the share of questions answered right, macro mean over task and language."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

import msgspec
import numpy as np

from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sample, Sheet, clusters_of, decode
from duologue.errors import UserError
from duologue.score.emotion.card import EmotionCard
from duologue.score.uncertainty import macro_mean


class AnswerItem(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a question of a dialogue was answered right."""

    id: str
    probe: str
    task: str
    language: str
    status: str
    right: bool
    clusters: dict[str, str] = {}

    @property
    def key(self) -> str:
        return f"{self.id}/{self.probe}"

    @property
    def dialogue(self) -> str:
        return self.id


class EmotionSheet(Sheet[AnswerItem]):
    """Answers right or wrong: the whole trajectory, the label, or the set of causes."""

    track: ClassVar[str] = "emotion"
    profile: ClassVar[str] = "corrected"
    measure: ClassVar[str] = "share answered right, macro mean over task and language"
    figures: ClassVar[tuple[str, ...]] = ("right",)
    item = AnswerItem

    @classmethod
    def read(cls, data: bytes) -> EmotionSheet:
        card = decode(data, EmotionCard)
        if card.profile != cls.profile:
            raise UserError("scored by another profile", field="profile", value=card.profile, allowed=cls.profile)
        return cls(
            (
                AnswerItem(
                    id=i.id,
                    probe=i.probe,
                    task=i.task,
                    language=i.language,
                    status=i.status,
                    right=i.right,
                    clusters=i.clusters,
                )
                for i in card.items
            ),
            {"corpus_sha256": card.corpus_sha256},
        )

    def parts(self, without: Collection[str] = ()) -> Parts:
        items = self.kept(without)
        return {"right": macro_mean([i.right for i in items], _strata(items), {}).value}

    @classmethod
    def total(cls, parts: Parts, anchors: Anchors) -> float | None:
        return parts["right"]

    def sample(self, without: Collection[str], anchors: Anchors) -> Sample:
        items = self.kept(without)
        return Sample(
            values=np.array([float(i.right) for i in items]) if items else None,
            strata=tuple(_strata(items)),
            clusters=clusters_of([(i.id, i.clusters or {"dialogue": i.id}) for i in items]),
            bounds=(0.0, 1.0),
        )


def _strata(items: Sequence[AnswerItem]) -> list[str]:
    return [f"{i.task}/{i.language}" for i in items]
