"""How often do the intervals of agreement hold the truth, drawing dialogues and drawing items?

    python benchmarks/agreement_intervals.py [--rounds 300]

Three raters grade 4 turns of each dialogue 1-5. What they grade is a dialogue's own in part and a turn's own in part,
and each rater is off by noise. The truth is the coefficient of 20,000 such dialogues.
"""

from __future__ import annotations

import argparse

import numpy as np

from duologue.score.agreement import agree, icc2, krippendorff_alpha, weighted_kappa
from duologue.score.ratings import Ratings, Table

TURNS, RATERS = 4, ("a", "b", "c")


def grades(random: np.random.Generator, dialogues: int) -> np.ndarray:
    """[dialogues * turns, raters]; the spread of the raters' noise is a dialogue's own."""
    shape = (dialogues, TURNS, len(RATERS))
    felt = random.normal(0, 0.9, (dialogues, 1, 1)) + random.normal(0, 0.6, (dialogues, TURNS, 1))
    noise = random.normal(0, 1, shape) * random.gamma(4, 0.15, (dialogues, 1, 1))
    return np.clip(np.round(3 + felt + noise), 1, 5).reshape(-1, len(RATERS))


def coefficients(x: np.ndarray) -> dict[str, float | None]:
    pairs = [(0, 1), (0, 2), (1, 2)]
    return {
        "alpha, ordinal": krippendorff_alpha(x, "ordinal"),
        "ICC(2,k)": icc2(x)[1],
        "kappa, mean": float(np.mean([weighted_kappa(x[:, i].tolist(), x[:, j].tolist()) or 0.0 for i, j in pairs])),
    }


def intervals(x: np.ndarray, *, clustered: bool) -> dict[str, tuple[float, float]]:
    items = tuple(str(i) for i in range(len(x)))
    dialogues = tuple(str(i // TURNS) for i in range(len(x))) if clustered else items
    texts = tuple({r: str(v) for r, v in zip(RATERS, row, strict=True)} for row in x)
    table = Table(dimension="", items=items, dialogues=dialogues, raters=RATERS, texts=texts, numbers=x, numeric=True)
    (d,) = agree(Ratings(tables=(table,), judges=()), resamples=400).dimensions
    found = {"alpha, ordinal": d.alpha["ordinal"], "ICC(2,k)": d.icc["ICC(2,k)"], "kappa, mean": d.rater_kappa}
    return {k: (e.low or 0.0, e.high or 0.0) for k, e in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(1)
    truth = coefficients(grades(random, 20_000))
    print("dialogues  drawn      " + "  ".join(f"{k:>14}" for k in truth))
    for dialogues in (20, 40, 100):
        held = {True: dict.fromkeys(truth, 0), False: dict.fromkeys(truth, 0)}
        for _ in range(rounds):
            x = grades(random, dialogues)
            for clustered in held:
                for k, (low, high) in intervals(x, clustered=clustered).items():
                    held[clustered][k] += low <= (truth[k] or 0.0) <= high
        for clustered, name in ((True, "dialogues"), (False, "items")):
            print(f"{dialogues:9}  {name:9}  " + "  ".join(f"{held[clustered][k] / rounds:14.3f}" for k in truth))


if __name__ == "__main__":
    main()
