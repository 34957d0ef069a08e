"""How often the 95% intervals of scores hold the truth, when script families and speakers shape the outcome.

python benchmarks/intervals.py [--rounds 1000]

Each item has one family and one speaker out of crossed pools, at random and unevenly; its outcome is the sum of an
effect of the family, one of the speaker and noise of its own. Every round draws new families, speakers and items.
Beside each interval stands the one that takes items for independent.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from duologue.score.comparison import paired
from duologue.score.survival import summarise_delays
from duologue.score.uncertainty import clustered_mean, macro_mean, rate

LIMIT = 8.0
SCENARIOS = 9


@dataclass(frozen=True, slots=True)
class Design:
    """Pools, items, and the shares of variance that family and speaker have; the rest is each item's own."""

    families: int
    speakers: int
    items: int
    family: float
    speaker: float

    def __str__(self) -> str:
        return f"{self.families} x {self.speakers}, n {self.items}, shares {self.family:.2f} {self.speaker:.2f}"


DESIGNS = (
    Design(20, 30, 600, 0.0, 0.0),
    Design(20, 30, 600, 0.2, 0.1),
    Design(20, 20, 600, 0.3, 0.3),
    Design(40, 100, 2000, 0.2, 0.2),
    Design(10, 30, 300, 0.2, 0.1),
)


def draw(design: Design, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], dict[str, list[str]]]:
    """Standard normal outcomes [n] and the items' labels."""
    labels, total = {}, np.zeros(design.items)
    for way, count, share in (
        ("script_family", design.families, design.family),
        ("speaker", design.speakers, design.speaker),
    ):
        # Uneven clusters: the largest has a few times the items of the smallest.
        weights = rng.uniform(0.5, 2.0, count)
        code = np.r_[np.arange(count), rng.choice(count, design.items - count, p=weights / weights.sum())]
        rng.shuffle(code)
        total += np.sqrt(share) * rng.standard_normal(count)[code]
        labels[way] = [str(c) for c in code]
    return total + np.sqrt(1 - design.family - design.speaker) * rng.standard_normal(design.items), labels


def intervals(
    z: npt.NDArray[np.float64], other: npt.NDArray[np.float64], strata: list[str], clusters: dict[str, list[str]]
) -> dict[str, tuple[float | None, float | None, float]]:
    """What is estimated -> (low, high, truth), for standard normal outcomes ``z`` and noise shared by two systems."""
    # In [0, 1] with a mean of 1/2; a fifth of them 0 and a fifth 1.
    utility = np.clip(0.5 + 0.6 * z, 0, 1)
    shifted = z + 0.1 * np.array([int(s) - (SCENARIOS - 1) / 2 for s in strata])
    rare = z < NormalDist().inv_cdf(0.02)
    km = summarise_delays([None if x > LIMIT else float(x) for x in 0.8 * np.exp(z)], LIMIT, clusters)
    found = {
        "mean": (clustered_mean(utility, clusters), 0.5),
        "macro mean": (macro_mean(shifted, strata, clusters, bounds=None), 0.0),
        "rate 0.5": (rate(z > 0, clusters), 0.5),
        "rate 0.02": (rate(rare, clusters), 0.02),
        "paired": (paired(z + other, other, clusters).difference, 0.0),
    }
    rows = {name: (e.low, e.high, truth) for name, (e, truth) in found.items()}
    return {**rows, "median delay": (km.median_low, km.median_high, 0.8)}


def covers(low: float | None, high: float | None, truth: float) -> bool:
    return (low is None or low <= truth) and (high is None or truth <= high)


def measure(design: Design, rounds: int, seed: int) -> dict[str, tuple[float, float]]:
    """What is estimated -> coverage, and coverage where items are taken for independent."""
    rng = np.random.default_rng(seed)
    hits: dict[str, list[tuple[bool, bool]]] = {}
    for _ in range(rounds):
        z, labels = draw(design, rng)
        other, strata = rng.standard_normal(design.items), [str(s) for s in rng.integers(0, SCENARIOS, design.items)]
        ours, naive = intervals(z, other, strata, labels), intervals(z, other, strata, {})
        for name in ours:
            hits.setdefault(name, []).append((covers(*ours[name]), covers(*naive[name])))
    return {name: (float(np.mean([h[0] for h in x])), float(np.mean([h[1] for h in x]))) for name, x in hits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    print(f"coverage of 95% intervals over {rounds} rounds: clustered (independent)")
    for i, design in enumerate(DESIGNS):
        print(
            f"{design}: " + ", ".join(f"{n} {a:.3f} ({b:.3f})" for n, (a, b) in measure(design, rounds, i).items()),
            flush=True,
        )


if __name__ == "__main__":
    main()
