"""A range that a value is drawn from, and its check when a recipe is read."""

from __future__ import annotations

import math

Range = tuple[float, float]


def check_range(field: str, value: Range, low: float, high: float) -> None:
    """Raise ValueError (which msgspec reports with its place) unless low <= value[0] <= value[1] <= high."""
    a, b = value
    if not (math.isfinite(a) and math.isfinite(b) and low <= a <= b <= high):
        raise ValueError(f"{field}: {list(value)} is not a range [from, to] inside [{low:g}, {high:g}]")


def check_share(field: str, value: float) -> None:
    """Raise ValueError unless 0 <= value <= 1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{field}: {value!r} is not a share between 0 and 1")
