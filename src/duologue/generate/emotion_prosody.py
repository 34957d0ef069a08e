"""How an emotion sounds: prosody drawn for a label, an intensity and a sex.

``emotion_prosody.csv`` is the one table. Each row is a cell (emotion, intensity, sex) with the mean of each measure
over speakers, as a difference or ratio to the same speaker's neutral reading of the same sentence, and the standard
deviation between speakers. A ``within`` row holds for both sexes: the standard deviation of one speaker's repetitions,
which is smaller in neutral than in strong anger. Ten ``with`` rows hold for every cell: how the measures are correlated
within a cell (who speaks louder also speaks higher and brighter, who moves the pitch more has the wider range). A draw
varies by all of them, so that emotions overlap as they do among people and no draw asks for what no voice does.

Source: figures measured from RAVDESS (Livingstone & Russo 2018), 24 actors for the cells and 12 of them for the
other rows. RAVDESS acts two intensities. Assumed, not measured: intensity 1 lies at 0.6 of the way to 2 (normal)
and 3 is "strong"; the same table serves Mandarin; the lift of an emphasised word grows with intensity.
"""

from __future__ import annotations

import csv
import math
import operator
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from statistics import fmean, pstdev, stdev

import msgspec

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.speaker import Sex
from duologue.errors import UserError
from duologue.generate.prosody import Prosody

# Measures, with the Prosody field that each sets, and the sane range of that field.
LIMITS = {
    "f0_shift": (-8.0, 20.0),
    "f0_range": (0.35, 3.0),
    "f0_slope": (-8.0, 10.0),
    "f0_final": (-60.0, 90.0),
    "movement": (0.5, 3.5),
    "gain": (-12.0, 36.0),
    "energy_range": (-2.0, 3.0),
    "tempo": (0.65, 2.0),
    "tilt": (-3.0, 11.0),
    "hnr": (-5.5, 6.0),
}
MEASURES = tuple(LIMITS)
RATIOS = frozenset({"f0_range", "movement", "tempo"})
_WEAK = 0.6
# Share of ``within`` that is drawn. The rest is the measure's own error and what a voice and its texts add of
# themselves, which differs by measure: a voice scatters pitch and noise about what it is asked, but neither level nor
# tempo. Taken from the scatter of rendered clips about their command (sentences and speakers of the tuning).
_REPEATS = {
    "f0_shift": 0.4,
    "f0_range": 0.2,
    "f0_slope": 0.3,
    "f0_final": 0.0,
    "movement": 0.2,
    "gain": 0.9,
    "energy_range": 0.5,
    "tempo": 0.9,
    "tilt": 0.4,
    "hnr": 0.2,
}


Square = tuple[tuple[float, ...], ...]


class Cell(msgspec.Struct, frozen=True):
    """``mean`` and ``sd`` of every measure, ratios as ratios."""

    mean: dict[str, float]
    sd: dict[str, float]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """``cells``: (emotion, "normal" | "strong", "all" | "female" | "male"). ``within``: of (emotion,
    strength), in log units for ratios.

    ``correlation`` is of the measures within a cell, [10, 10] in the order of MEASURES, ratios in logs; ``loadings`` is
    its lower triangular (Cholesky) root.
    """

    cells: dict[tuple[str, str, str], Cell]
    within: dict[tuple[str, str], dict[str, float]]
    correlation: Square
    loadings: Square


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """One acted clip's measures relative to its speaker's neutral reading: differences, and ratios as ratios."""

    speaker: str
    emotion: str
    strength: str
    sex: Sex
    measures: dict[str, float]


def draw(label: str, intensity: int, sex: str, rng: random.Random, *, table: Table | None = None) -> Prosody:
    """The prosody of one utterance in emotion ``label`` at ``intensity`` 0..3 (0 is neutral).

    Neutral speech varies too, as one speaker's neutral repetitions do. ``sex`` other than "female" and "male" uses
    the row of both. Equal states of ``rng`` give equal prosody. Raises UserError for an unknown label or intensity.
    """
    table = table or shipped()
    label = DUOLOGUE.resolve(label)
    if intensity not in (0, 1, 2, 3):
        raise UserError("unknown intensity", field="intensity", value=intensity, allowed="0, 1, 2, 3")
    if intensity == 0:
        label = "neutral"
    strength = "strong" if intensity == 3 and label != "neutral" else "normal"
    cell = table.cells.get((label, strength, sex)) or table.cells[label, strength, "all"]
    share = _WEAK if intensity == 1 else 1.0
    within = table.within[label, strength]
    normal = [rng.gauss(0.0, 1.0) for _ in MEASURES]
    drawn: dict[str, float] = {}
    for name, loadings in zip(MEASURES, table.loadings, strict=True):
        mean, sd = _moments(name, cell, within[name])
        z = sum(map(operator.mul, loadings, normal))
        value = share * mean + math.hypot(sd, _REPEATS[name] * within[name]) * min(max(z, -2.5), 2.5)
        low, high = LIMITS[name]
        drawn[name] = min(max(math.exp(value) if name in RATIOS else value, low), high)
    hnr = drawn.pop("hnr")
    lift = 0.0 if label == "neutral" else 0.7 * intensity * rng.uniform(0.7, 1.3)
    fields = {k: round(v, 4) for k, v in {**drawn, "breath": -hnr, "emphasis_st": lift}.items()}
    return msgspec.convert(fields, Prosody)


def changed(prosody: Prosody, by: Mapping[str, float]) -> Prosody:
    """``prosody`` moved by ``by`` (measure to difference, or to factor for ratios), kept within LIMITS."""
    fields: dict[str, float] = {}
    for name, change in by.items():
        field = "breath" if name == "hnr" else name
        now = -prosody.breath if name == "hnr" else float(getattr(prosody, field))
        low, high = LIMITS[name]
        value = min(max(now * change if name in RATIOS else now + change, low), high)
        fields[field] = round(-value if name == "hnr" else value, 4)
    return msgspec.structs.replace(prosody, **fields)


def _moments(name: str, cell: Cell, within: float) -> tuple[float, float]:
    """Mean and sd on the scale of the draw: ratios are log-normal with the cell's own mean and sd.

    The mean of ratios that vary by ``within`` about a speaker's own lies above the middle of their logs.
    """
    mean, sd = cell.mean[name], cell.sd[name]
    if name not in RATIOS:
        return mean, sd
    spread = math.log(1 + (sd / mean) ** 2)
    return math.log(mean) - (spread + within * within) / 2, math.sqrt(spread)


def tabulate(takes: Iterable[Take]) -> Table:
    """A table from acted clips: how the shipped one was made, and how a test makes one from other speakers.

    A cell's mean and sd are over speakers (each speaker's clips averaged first). A cell is split by sex where at
    least five speakers of each sex are there.
    """
    by_cell: dict[tuple[str, str], dict[tuple[str, Sex], list[dict[str, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for take in takes:
        by_cell[DUOLOGUE.resolve(take.emotion), take.strength][take.speaker, take.sex].append(take.measures)
    cells: dict[tuple[str, str, str], Cell] = {}
    within: dict[tuple[str, str], dict[str, float]] = {}
    residuals: list[dict[str, float]] = []
    for (emotion, strength), speakers in sorted(by_cell.items()):
        means = {k: {m: fmean(c[m] for c in clips) for m in MEASURES} for k, clips in speakers.items()}
        for sex in ("all", "female", "male"):
            chosen = [v for (_, s), v in means.items() if sex in ("all", s)]
            if sex == "all" or 5 <= len(chosen) < len(means):
                cells[emotion, strength, sex] = Cell(
                    {m: fmean(c[m] for c in chosen) for m in MEASURES},
                    {m: (stdev if len(chosen) > 1 else pstdev)([c[m] for c in chosen]) for m in MEASURES},
                )
        repeats = [
            {m: _scale(m, c[m]) - _scale(m, means[key][m]) for m in MEASURES}
            for key, clips in speakers.items()
            for c in clips
        ]
        # A neutral clip is measured against another neutral clip, so that the variance of two is seen.
        seen = math.sqrt(0.5) if emotion == "neutral" else 1.0
        # The last 0.3 s hold few frames: repetitions differ there mostly by the tracker's error, which is no prosody.
        within[emotion, strength] = {
            m: 0.0 if m == "f0_final" else seen * math.sqrt(fmean(r[m] ** 2 for r in repeats)) for m in MEASURES
        }
        every = [{m: _scale(m, c[m]) for m in MEASURES} for clips in speakers.values() for c in clips]
        centre = {m: fmean(c[m] for c in every) for m in MEASURES}
        residuals += [{m: c[m] - centre[m] for m in MEASURES} for c in every]
    correlation = _correlation(residuals)
    return Table(cells=cells, within=within, correlation=correlation, loadings=_root(correlation))


def _scale(name: str, value: float) -> float:
    return math.log(max(value, 1e-3)) if name in RATIOS else value


def _correlation(residuals: list[dict[str, float]]) -> Square:
    sd = {m: math.sqrt(fmean(r[m] ** 2 for r in residuals)) or 1.0 for m in MEASURES}
    z = [[r[m] / sd[m] for m in MEASURES] for r in residuals]
    n = range(len(MEASURES))
    # Rounded as in the CSV file, so that a table and its copy give equal draws.
    return tuple(tuple(1.0 if i == j else round(fmean(row[i] * row[j] for row in z), 3) for j in n) for i in n)


def _root(square: Square) -> Square:
    """Cholesky's lower triangle."""
    root = [[0.0] * len(square) for _ in square]
    for i, row in enumerate(square):
        for j in range(i + 1):
            rest = row[j] - sum(a * b for a, b in zip(root[i][:j], root[j][:j], strict=True))
            root[i][j] = math.sqrt(max(rest, 1e-9)) if i == j else rest / root[j][j]
    return tuple(map(tuple, root))


@lru_cache(maxsize=1)
def shipped() -> Table:
    """The table that lies beside this file."""
    return read(files("duologue.generate").joinpath("emotion_prosody.csv").read_text(encoding="utf-8"))


def read(text: str) -> Table:
    """A table from CSV text; lines that start with # are comments."""
    cells: dict[tuple[str, str, str], Cell] = {}
    within: dict[tuple[str, str], dict[str, float]] = {}
    common: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        means = {m: float(row[m]) for m in MEASURES}
        if row["emotion"] == "*":
            common[row["intensity"]] = means
        elif row["sex"] == "within":
            within[row["emotion"], row["intensity"]] = means
        else:
            cells[row["emotion"], row["intensity"], row["sex"]] = Cell(
                means, {m: float(row[f"{m}_sd"]) for m in MEASURES}
            )
    correlation = tuple(tuple(common[f"with {m}"][n] for n in MEASURES) for m in MEASURES)
    return Table(cells=cells, within=within, correlation=correlation, loadings=_root(correlation))


def write(table: Table, notes: str) -> str:
    """CSV text that :func:`read` takes, with ``notes`` as comment lines above."""
    lines = [f"# {line}" for line in notes.splitlines()]
    lines.append(",".join(["emotion", "intensity", "sex", *(f"{m},{m}_sd" for m in MEASURES)]))
    for (emotion, strength, sex), cell in sorted(table.cells.items()):
        lines.append(",".join([emotion, strength, sex, *(f"{cell.mean[m]:.4g},{cell.sd[m]:.4g}" for m in MEASURES)]))
    common = {(emotion, strength, "within"): row for (emotion, strength), row in sorted(table.within.items())}
    for measure, correlations in zip(MEASURES, table.correlation, strict=True):
        common["*", f"with {measure}", "*"] = dict(zip(MEASURES, correlations, strict=True))
    for key, row in common.items():
        lines.append(",".join([*key, *(f"{row[m]:.4g}," for m in MEASURES)]))
    return "\n".join(lines) + "\n"
