"""How far a match of fingerprints is to be believed: the number of matches as good that chance brings in a scan.

The scores of unrelated sounds have an exponential tail, as those of local alignments do (Karlin and Altschul 1990,
"Methods for assessing the statistical significance of molecular sequence features by using general scoring schemes",
PNAS 87: 2264). So with m windows of the test set, n windows of training data and v variants the number to expect of
matches of score s or more is

    E = K m n v exp(-lambda s)

and the score that a level needs grows with the logarithm of what is compared. K and lambda were fitted to 5,000
unrelated clips (benchmarks/audit.py --seed 1), and rounded to the safe side.
"""

from __future__ import annotations

import math

from duologue.protect.audit.finding import Level
from duologue.protect.audit.fingerprint import SOUGHT_EACH, VARIANTS
from duologue.protect.audit.spectrum import FRAME

LAMBDA = 0.18  # for each nat of the score
K = 1.2e-8
LEAST_SECONDS = 3_600.0  # of training data: a smaller scan is judged as one of an hour
# The number of chance findings in a whole scan up to which a match is of a level.
LEVELS: tuple[tuple[Level, float], ...] = (("certain", 1e-4), ("likely", 0.1), ("suspicion", 0.5))


def chance(score: float, codes: int, seconds: float) -> float:
    """E of a match of ``score`` where ``codes`` test windows meet ``seconds`` of sound, a channel each."""
    return _compared(codes, seconds) * K * math.exp(-LAMBDA * score)


def least_score(expected: float, codes: int, seconds: float) -> float:
    """The score at which E is ``expected``; never below 0."""
    return max(0.0, math.log(_compared(codes, seconds) * K / expected) / LAMBDA)


def level(expected: float) -> Level | None:
    """The level of a match with E ``expected``; None where chance alone would bring it."""
    return next((name for name, most in LEVELS if expected <= most), None)


def _compared(codes: int, seconds: float) -> float:
    windows = max(seconds, LEAST_SECONDS) / (SOUGHT_EACH * FRAME)
    return max(codes, 1) * windows * len(VARIANTS)
