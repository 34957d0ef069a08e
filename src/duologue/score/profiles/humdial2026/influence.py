"""Each item's share of the error of the official total, so that totals get intervals and systems compare in pairs.

The total is a smooth function of ratios of sums over items (tags per tag, seconds per interval), so to first order an
item moves it by dTotal/dratio * (its numerator - ratio * its denominator) / sum of denominators: the linearised
(Taylor) variance of a ratio, Särndal, Swensson & Wretman 1992, chapter 5. No intermediate is rounded here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from duologue.corpus.event import INTERRUPTION, SCENARIOS
from duologue.score.profiles.humdial2026.evaluate import CELLS, Contribution, contribution
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions
from duologue.score.uncertainty import Floats


class _Mean:
    """sum(top) / sum(bottom) of some items of a cell; 0 where there is nothing to divide by, as the averages are."""

    def __init__(self, at: Sequence[int], rows: Sequence[tuple[float, int]]) -> None:
        self.at = np.asarray(at)
        pairs = np.asarray(rows, np.float64).reshape(-1, 2)
        self._top, self._bottom = pairs[:, 0], pairs[:, 1]
        self.n = float(self._bottom.sum())
        self.value = float(self._top.sum()) / self.n if self.n else 0.0

    def share(self, into: Floats, weight: float) -> None:
        """Add ``weight`` x each item's share of the ratio's error."""
        items = len(self.at)
        if self.n and items > 1:
            error = (self._top - self.value * self._bottom) / self.n
            into[self.at] += weight * math.sqrt(items / (items - 1)) * error


def influence(items: Sequence[OfficialItem], options: OfficialOptions) -> tuple[float | None, Floats]:
    """The total without any rounding, and each item's share of its error [n], which sum to 0.

    (None, zeros) where a language has no interruption, no rejection or no delay, or the delay is 0. Options other than
    ``slope``, ``lmin`` and ``lbase`` have to be the default ones (ValueError).
    """
    if options != OfficialOptions(slope=options.slope, lmin=options.lmin, lbase=options.lbase):
        raise ValueError("only the default options are linearised")
    shares = np.zeros(len(items))
    cells: dict[str, dict[str, list[tuple[int, Contribution]]]] = defaultdict(lambda: {name: [] for name in CELLS})
    for i, item in enumerate(items):
        found = contribution(item)
        cells[item.language][found.cell].append((i, found))
    if not cells:
        return None, shares
    score = delay = 0.0
    late: list[tuple[float, _Mean]] = []
    for cell in cells.values():
        judged = _behaviour(cell)
        slow = _delays(cell)
        if judged is None or slow is None:
            return None, shares
        for weight, ratio in judged:
            score += weight * ratio.value / len(cells)
            ratio.share(shares, weight / len(cells))
        delay += sum(weight * ratio.value for weight, ratio in slow) / len(cells)
        late += [(weight / len(cells), ratio) for weight, ratio in slow]
    if delay <= 0:
        return None, shares
    spread = math.log(options.lbase / options.lmin)
    for weight, ratio in late:
        ratio.share(shares, weight * 0.2 * -options.slope / (delay * spread))
    return score + 0.2 * (100 - options.slope * math.log(delay / options.lmin) / spread), shares


_Cell = dict[str, list[tuple[int, Contribution]]]


def _behaviour(cell: _Cell) -> list[tuple[float, _Mean]] | None:
    """0.4 Int + 0.4 Rej of one language as weighted ratios."""
    ratios = {name: _Mean([i for i, _ in rows], [c.behaviour for _, c in rows]) for name, rows in cell.items() if rows}
    interruption = [ratios[n] for n in INTERRUPTION if n in ratios]
    third = [ratios[n] for n in ("third_party_after", "third_party_before") if n in ratios]
    alone = [[ratios[n]] for n in ("backchannel", "pause", "others_directed") if n in ratios]
    rejection = [*alone, third] if third else alone
    if not interruption or not rejection:
        return None
    found = [(40.0 / len(interruption), r) for r in interruption]
    return found + [(40.0 / len(rejection) / len(part), r) for part in rejection for r in part]


def _delays(cell: _Cell) -> list[tuple[float, _Mean]] | None:
    """The total delay of one language as weighted ratios, seconds."""

    def mean(name: str, part: str) -> _Mean:
        return _Mean([i for i, _ in cell[name]], [getattr(c, part) for _, c in cell[name]])

    interruption = [n for n in INTERRUPTION if cell[n]]
    first: list[list[str]] = []
    for scenario in SCENARIOS:
        names = ("third_party_before", "third_party_after") if scenario == "third_party" else (scenario,)
        if there := [n for n in names if cell[n]]:
            first.append(there)
    if not interruption or not first:
        return None
    found = [(1 / 3 / len(interruption), mean(n, part)) for part in ("stop", "response") for n in interruption]
    return found + [(1 / 3 / len(first) / len(names), mean(n, "first")) for names in first for n in names]
