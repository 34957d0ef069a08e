"""What to command a voice so that what is measured comes out as asked.

A voice answers a command too weakly, or moves other measures with it: a raised pitch is brighter, a slower reading
moves less. ``response.csv`` holds a matrix for each voice, the regularised inverse of the answers measured over
sentences and speakers that no proof uses; ``python benchmarks/emotion.py --fit-response VOICE`` makes it anew.
"""

from __future__ import annotations

import csv
import math
import operator
from functools import lru_cache
from importlib.resources import files

from msgspec.structs import replace

from duologue.generate.emotion_prosody import MEASURES, RATIOS, Square
from duologue.generate.prosody import Prosody

# Commands stay within these, so that no answer is sought where a voice has none.
BOUNDS = {
    "f0_shift": (-10.0, 24.0),
    "f0_range": (0.2, 4.0),
    "f0_slope": (-12.0, 14.0),
    "f0_final": (-90.0, 120.0),
    "movement": (0.3, 5.0),
    "gain": (-60.0, 60.0),
    "energy_range": (-6.0, 8.0),
    "tempo": (0.4, 3.0),
    "tilt": (-6.0, 12.0),
    "hnr": (-9.0, 9.0),
}
IDENTITY: Square = tuple(tuple(float(i == j) for j in range(len(MEASURES))) for i in range(len(MEASURES)))


def command(matrix: Square, prosody: Prosody) -> Prosody:
    """``prosody`` with its ten measures multiplied by ``matrix`` [10, 10] (ratios in logs). Neutral stays neutral."""
    asked = [-prosody.breath if m == "hnr" else getattr(prosody, m) for m in MEASURES]
    scaled = [math.log(max(v, 0.05)) if m in RATIOS else v for m, v in zip(MEASURES, asked, strict=True)]
    if not any(scaled):
        return prosody
    found: dict[str, float] = {}
    for name, row in zip(MEASURES, matrix, strict=True):
        value = sum(map(operator.mul, row, scaled))
        low, high = BOUNDS[name]
        found[name] = min(max(math.exp(value) if name in RATIOS else value, low), high)
    found["breath"] = -found.pop("hnr")
    return replace(prosody, **found)


@lru_cache
def shipped(voice: str) -> Square:
    """The matrix of ``voice`` in the file beside this one; the identity for a voice that has none."""
    text = files("duologue.generate.voices").joinpath("response.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    found = {r["command"]: tuple(float(r[m]) for m in MEASURES) for r in rows if r["voice"] == voice}
    return tuple(found[m] for m in MEASURES) if found else IDENTITY
