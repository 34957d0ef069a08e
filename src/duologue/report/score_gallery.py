"""Which items of a run a page shows, and what it needs of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.read import OpenDialogue
from duologue.corpus.run import Run
from duologue.score.exchange import RATE, Exchange
from duologue.score.scorecard import EventScore, ItemScore, ReplyScore

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GalleryItem:
    """One item as it went and as it was scored. ``user`` and ``system`` are float32 [frames] at 16 kHz, one clock."""

    exchange: Exchange
    score: ItemScore
    user: Samples
    system: Samples

    @property
    def seconds(self) -> float:
        return max(len(self.user), len(self.system), self.exchange.length, 1) / RATE


def gather(item: OpenDialogue, run: Run, exchange: Exchange, score: ItemScore) -> GalleryItem:
    """What a page shows of ``item`` in ``run``: the user's audio as it was sent, and the system's as it was heard.

    A run that kept no user's audio heard the corpus's own.
    """
    import soxr

    seen = exchange.observation
    system, _ = run.system(seen, item.dialogue, item)
    if seen.user_channel is not None:
        user, _ = run.system(msgspec.structs.replace(seen, channel=seen.user_channel), item.dialogue)
    else:
        heard, rate = item.audio(0)
        user = np.asarray(heard if rate == RATE else soxr.resample(heard, rate, RATE), np.float32)
    return GalleryItem(exchange=exchange, score=score, user=user, system=system)


def choose(items: Sequence[ItemScore], *, worst: int = 9, best: int = 3) -> list[ItemScore]:
    """The worst items that were scored, then a few of the best: ``worst`` + ``best`` at most.

    In each part scenarios take turns, so that one that fails throughout does not hide the others. Among equals those
    in which the system was heard come first, then the smaller id.
    """

    def silent(i: ItemScore) -> bool:
        return all(r.sound is None for r in i.replies) and all(not e.exercised for e in i.events)

    scored = sorted((i for i in items if i.outcome == "scored"), key=lambda i: (i.utility, silent(i), i.id))
    bad = _in_turn(scored, worst)
    taken = {i.id for i in bad}
    good = _in_turn([i for i in reversed(scored) if i.id not in taken and i.utility > 0], best)
    return bad + good


def _in_turn(items: Sequence[ItemScore], count: int) -> list[ItemScore]:
    """``count`` of ``items`` in their order; an n-th item of a scenario comes after every other's (n-1)-th."""
    seen: dict[str, int] = {}
    ranked = []
    for place, item in enumerate(items):
        seen[item.scenario] = turn = seen.get(item.scenario, 0) + 1
        ranked.append((turn, place, item))
    chosen = sorted(ranked, key=lambda r: r[:2])[:count]
    return [item for _, _, item in sorted(chosen, key=lambda r: r[1])]


def moment(item: ItemScore, seconds: float, width: float = 12.0) -> tuple[float, float]:
    """[start, end) in seconds of the stretch, ``width`` long, in which the item lost most; from 3 s before it."""
    both: list[EventScore | ReplyScore] = [*item.events, *item.replies]
    worst = min(both, key=lambda x: x.score, default=None)
    at = 0.0
    if isinstance(worst, EventScore):
        at = worst.start
    elif isinstance(worst, ReplyScore):
        at = worst.end
    start = max(0.0, min(at - 3.0, seconds - width))
    return start, min(start + width, seconds)
