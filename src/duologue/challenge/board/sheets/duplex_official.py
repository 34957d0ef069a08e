"""Track 2 by the official profile: Int, Rej and the total delay, and the total at the board's anchors."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

import msgspec
import numpy as np

from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sample, Sheet, agree, clusters_of, decode
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.evaluate import evaluate
from duologue.score.profiles.humdial2026.influence import influence
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions, OfficialScore
from duologue.score.profiles.humdial2026.totals import delay_score, total_score


class OfficialDuplexItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the official scoring reads of a recording."""

    item: OfficialItem

    @property
    def key(self) -> str:
        return self.item.id

    @property
    def dialogue(self) -> str:
        return self.item.id


class OfficialDuplexSheet(Sheet[OfficialDuplexItem]):
    """Recordings as the official profile reads them; the anchors are the board's, not the card's."""

    track: ClassVar[str] = "duplex"
    profile: ClassVar[str] = "humdial2026"
    measure: ClassVar[str] = "0.4 Int + 0.4 Rej + 0.2 delay score"
    figures: ClassVar[tuple[str, ...]] = ("interruption", "rejection", "delay")
    anchored: ClassVar[bool] = True
    item = OfficialDuplexItem

    @classmethod
    def read(cls, data: bytes) -> OfficialDuplexSheet:
        card = decode(data, OfficialScore)
        o = card.options
        if o != OfficialOptions(slope=o.slope, lmin=o.lmin, lbase=o.lbase):
            raise UserError("scored with options that the challenge does not use", field="options")
        sheet = cls((OfficialDuplexItem(item=i) for i in card.items), {})
        try:
            parts = sheet.parts()
        except (ValueError, OverflowError) as error:
            raise UserError(f"items that cannot be scored: {error}", field="items") from None
        for name in cls.figures:
            printed = getattr(card, name)
            if printed is not None or parts[name] is not None:
                agree(printed, parts[name])
        if None in parts.values():
            raise UserError(f"not scored in full: {card.why or 'a part has no value'}", field="total")
        return sheet

    def parts(self, without: Collection[str] = ()) -> Parts:
        found = evaluate(i.item for i in self.kept(without))
        return {name: getattr(found, name) for name in self.figures}

    @classmethod
    def total(cls, parts: Parts, anchors: Anchors) -> float | None:
        interruption, rejection, delay = (parts[name] for name in cls.figures)
        if interruption is None or rejection is None or delay is None or not anchors.apart:
            return None
        score = delay_score(delay, slope=anchors.slope, lmin=anchors.lmin, lbase=anchors.lbase)
        return None if score is None else total_score(interruption, rejection, score)

    def sample(self, without: Collection[str], anchors: Anchors) -> Sample:
        items = [i.item for i in self.kept(without)]
        clusters = clusters_of([(i.id, i.clusters) for i in items])
        options = OfficialOptions(slope=50 if anchors.slope == 50 else 40, lmin=anchors.lmin, lbase=anchors.lbase)
        total, shares = influence(items, options) if anchors.apart else (None, np.zeros(0))
        # Values whose plain mean is the total and whose deviations are the items' shares of its error.
        values = None if total is None else total + len(items) * shares
        return Sample(values=values, strata=("",) * len(items), clusters=clusters, bounds=None)
