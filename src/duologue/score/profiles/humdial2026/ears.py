"""What the official scoring hears of a corpus's run: Silero's own segments in both channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duologue.corpus.interval import Intervals
from duologue.corpus.read import OpenDialogue
from duologue.score.exchange import RATE, Exchange
from duologue.score.hear import Samples
from duologue.score.profiles.humdial2026.from_exchange import official_item
from duologue.score.profiles.humdial2026.intervals import SYSTEM_GAP, USER_GAP
from duologue.score.profiles.humdial2026.item import OfficialItem
from duologue.score.profiles.humdial2026.read import Detector


class OfficialEars:
    """``detector`` finds speech as the official package does, without refined edges."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        # The user's channel is the same whatever the system does: found once for each item.
        self._users: dict[str, Intervals] = {}

    def item(
        self,
        item: OpenDialogue,
        x: Exchange,
        system: Samples,
        tags: Sequence[str] | None,
    ) -> OfficialItem:
        """The official view of exchange ``x``, whose system channel (16 kHz) is ``system``."""
        heard: Intervals = np.empty((0, 2), np.int64)
        if x.observation.status == "ok":
            heard = self._detector.segments(system, merge_gap=SYSTEM_GAP)
        if item.id not in self._users:
            self._users[item.id] = self._detector.segments(_user(item), merge_gap=USER_GAP)
        return official_item(item, x, self._users[item.id], heard, tags)


def _user(item: OpenDialogue) -> Samples:
    import soxr

    samples, rate = item.audio(role="user")
    return np.asarray(samples if rate == RATE else soxr.resample(samples, rate, RATE), np.float32)
