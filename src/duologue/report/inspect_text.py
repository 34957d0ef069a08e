"""Figures of an inspection as text."""

from __future__ import annotations

from duologue.inspect.figures import Figure


def number(value: float, unit: str) -> str:
    """``value`` with as many digits as its unit bears; shares as percent."""
    if unit == "share":
        return f"{value:.1%}" if value >= 0.001 or not value else f"{value:.1e}"
    if unit.startswith("different"):
        return f"{value:,.0f}"
    if unit in ("0..1", "cosine", "of 5", "s", "per minute"):
        return f"{value:.2f}"
    return f"{value:.1f}"


def plain(f: Figure) -> tuple[str, str]:
    """("4.2% ", "3.1% to 5.0%"): the value with its unit and the interval, "" where there is none."""
    if f.value is None:
        return "", ""
    unit = "" if f.unit in ("share", "0..1", "cosine") else f" {f.unit}"
    interval = "" if f.low is None or f.high is None else f"{number(f.low, f.unit)} to {number(f.high, f.unit)}"
    return number(f.value, f.unit) + unit, interval
