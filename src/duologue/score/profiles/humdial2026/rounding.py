"""Rounding as the official totals do it: decimal and half up.

The published zh/en averages need it: 38.85 is printed as 38.9 and 33.85 as 33.9 (half to even gives 38.8 and 33.8),
and 38.55 as 38.6, though the binary number nearest to 38.55 lies below it. So a float stands for the shortest decimal
text that names it, which is what a person reads in a table, and sums and means are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

Number = int | float | Decimal | Fraction


def exact(x: Number) -> Fraction:
    """``x`` as an exact fraction; a float as its shortest decimal text. ValueError for NaN and infinity."""
    return Fraction(repr(x)) if isinstance(x, float) else Fraction(x)


def round_half_up(x: Number, places: int) -> float:
    """r_n: ``x`` to ``places`` decimals, halves away from zero; the float whose text is that decimal."""
    scaled = abs(exact(x)) * 10**places
    units = (scaled + Fraction(1, 2)) // 1
    return float(Fraction(units if x >= 0 else -units, 10**places))


def mean(values: Iterable[Number]) -> Fraction:
    """The exact mean of one or more numbers; ZeroDivisionError for none."""
    numbers = [exact(v) for v in values]
    return Fraction(sum(numbers), len(numbers))
