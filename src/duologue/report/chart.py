"""Small inline SVG charts: an estimate with its interval, a difference, shares, delays that may be missed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from duologue.report.printable import html
from duologue.report.verdict import delay, figure, signed
from duologue.score.scorecard import DelaySummary, Estimate

BLUE, EARLY, MISSED, GOOD, BAD = "#0072b2", "#cc79a7", "#c22f2f", "#1a7f4b", "#c22f2f"


def interval_bar(e: Estimate) -> str:
    """An estimate in [0, 1] as a bar with its interval as a whisker; "" without a value."""
    if e.value is None:
        return ""
    whisker = ""
    if e.low is not None and e.high is not None:
        a, b = 100 * e.low, 100 * e.high
        whisker = f'<path class="whisker" d="M{a:.1f},4v8M{b:.1f},4v8M{a:.1f},8H{b:.1f}"/>'
    return (
        f'<svg class="mini" viewBox="-1 0 102 16" preserveAspectRatio="xMinYMid" role="img" aria-label="{figure(e)}">'
        f'<rect class="track" x="0" y="3" width="100" height="10"/>'
        f'<rect x="0" y="3" width="{100 * min(max(e.value, 0), 1):.1f}" height="10" fill="{BLUE}"/>{whisker}</svg>'
    )


def difference_bar(e: Estimate, reach: float) -> str:
    """A difference about a middle line at 0, the picture's ends at -``reach`` and ``reach``; "" without a value."""
    if e.value is None:
        return ""

    def x(v: float) -> float:
        return 50 + 50 * max(-1.0, min(1.0, v / (reach or 1)))

    whisker = ""
    if e.low is not None and e.high is not None:
        a, b = x(e.low), x(e.high)
        whisker = f'<path class="whisker" d="M{a:.1f},4v8M{b:.1f},4v8M{a:.1f},8H{b:.1f}"/>'
    left, right = sorted((50.0, x(e.value)))
    return (
        f'<svg class="mini" viewBox="-1 0 102 16" preserveAspectRatio="xMinYMid" role="img" aria-label="{signed(e)}">'
        f'<rect class="track" x="0" y="3" width="100" height="10"/>'
        f'<rect x="{left:.1f}" y="3" width="{right - left:.1f}" height="10" fill="{GOOD if e.value >= 0 else BAD}"/>'
        f'<line class="axis" x1="50" x2="50" y1="0" y2="16"/>{whisker}</svg>'
    )


def shares(parts: Mapping[str, tuple[int, str]], *, css: str = "mini") -> str:
    """Counts as one bar: name -> (count, colour). "" where all are 0."""
    whole = sum(n for n, _ in parts.values())
    if not whole:
        return ""
    at, body = 0.0, ""
    for name, (n, colour) in parts.items():
        if n:
            width = 100 * n / whole
            body += (
                f'<rect x="{at:.2f}" y="2" width="{width:.2f}" height="12" fill="{colour}">'
                f"<title>{html(name)}: {n:,} of {whole:,}</title></rect>"
            )
            at += width
    label = ", ".join(f"{html(name)} {n:,}" for name, (n, _) in parts.items() if n)
    shape = 'viewBox="0 0 100 16" preserveAspectRatio="none" role="img"'
    return f'<svg class="{css}" {shape} aria-label="{label}">{body}</svg>'


_WIDE, _HIGH, _LEFT, _TOP = 460, 150, 38, 18


def happened(d: DelaySummary) -> str:
    """The Kaplan-Meier curve of a delay as the share that has happened by each second, with limit and misses."""
    curve = sorted(d.curve)
    low = min(0.0, curve[0][0] if curve else 0.0)
    frame = _Frame(math.floor(low * 2) / 2, d.limit, "share")
    points, y = [f"M{frame.x(low):.1f},{frame.y(0):.1f}"], 0.0
    for t, left in curve:
        if t <= d.limit:
            y = 1 - left
            points.append(f"H{frame.x(t):.1f}V{frame.y(y):.1f}")
    points.append(f"H{frame.x(d.limit):.1f}")
    body = f'<path d="{"".join(points)}" fill="none" stroke="{BLUE}" stroke-width="2"/>'
    if d.missed and d.n:
        body += (
            f'<line x1="{frame.x(d.limit):.1f}" x2="{frame.x(d.limit):.1f}" y1="{frame.y(y):.1f}" '
            f'y2="{frame.y(1):.1f}" stroke="{MISSED}" stroke-width="4"/>'
            f'<text x="{frame.x(d.limit) - 7:.1f}" y="{frame.y(y) + 14:.1f}" text-anchor="end" '
            f'style="fill:{MISSED}">{d.missed:,} of {d.n:,} missed</text>'
        )
    for name, share, value in (("median", 0.5, d.median), ("90%", 0.9, d.p90), ("95%", 0.95, d.p95)):
        if value is not None:
            body += (
                f'<circle cx="{frame.x(value):.1f}" cy="{frame.y(share):.1f}" r="3.5" fill="{BLUE}">'
                f"<title>{name} {value:.2f} s</title></circle>"
            )
    return frame.draw(body, f"share by second; median {delay(d.median, d.limit) if d.n else 'none'}")


def histogram(values: Sequence[float], missed: int, limit: float) -> str:
    """Delays in seconds counted in bins; what came early in another colour, misses as a bar of their own at the end."""
    low = min([0.0, *values])
    span = limit - low
    width = next((w for w in (0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5) if span / w <= 45), span / 45)
    first = math.floor(low / width + 1e-9)
    bins = max(1, math.ceil(limit / width - 1e-9) - first)
    counts = [0] * bins
    beyond = 0
    for v in values:
        i = math.floor(v / width + 1e-9) - first
        if i < bins:
            counts[i] += 1
        else:
            beyond += 1
    missed += beyond
    top = max([*counts, missed, 1])
    frame = _Frame(first * width, (first + bins) * width, "count", top=top, tail=58)
    body = ""
    for i, n in enumerate(counts):
        if n:
            a, b = frame.x((first + i) * width), frame.x((first + i + 1) * width)
            y = frame.y(n / top)
            body += (
                f'<rect x="{a:.1f}" y="{y:.1f}" width="{max(b - a - 0.6, 0.6):.1f}" height="{frame.y(0) - y:.1f}" '
                f'fill="{BLUE if first + i >= 0 else EARLY}"><title>{(first + i) * width:g} to '
                f"{(first + i + 1) * width:g} s: {n:,}</title></rect>"
            )
    if missed:
        y, x = frame.y(missed / top), _WIDE - 35
        body += (
            f'<rect x="{x}" y="{y:.1f}" width="22" height="{frame.y(0) - y:.1f}" fill="{MISSED}">'
            f"<title>missed: {missed:,}</title></rect>"
            f'<text x="{x + 11}" y="{y - 4:.1f}" text-anchor="middle" style="fill:{MISSED}">{missed:,}</text>'
        )
    body += f'<text class="soft" x="{_WIDE - 24}" y="{_HIGH + 15}" text-anchor="middle">missed</text>'
    return frame.draw(body, f"{sum(counts):,} delays, {missed:,} missed")


class _Frame:
    """Axes of a chart: seconds across from ``low`` to ``high``, a share up; ``tail`` pixels stay free at the end."""

    def __init__(self, low: float, high: float, unit: str, *, top: int = 1, tail: int = 8) -> None:
        self.low, self.high, self.unit, self.top, self.tail = low, max(high, low + 0.1), unit, top, tail

    def x(self, t: float) -> float:
        return _LEFT + (t - self.low) / (self.high - self.low) * (_WIDE - _LEFT - self.tail)

    def y(self, share: float) -> float:
        return _HIGH - share * (_HIGH - _TOP)

    def draw(self, body: str, label: str) -> str:
        span = self.high - self.low
        step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60) if span / s <= 10), span)
        grid = ""
        for share in (0.0, 0.5, 1.0):
            text = f"{100 * share:.0f}%" if self.unit == "share" else f"{share * self.top:,.0f}"
            if self.unit == "count" and share == 0.5 and self.top % 2:
                continue
            grid += (
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDE - self.tail}" y1="{self.y(share):.1f}" '
                f'y2="{self.y(share):.1f}"/><text class="soft" x="{_LEFT - 5}" y="{self.y(share) + 4:.1f}" '
                f'text-anchor="end">{text}</text>'
            )
        for i in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1):
            x = self.x(i * step)
            grid += (
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_HIGH}" y2="{_HIGH + 4}"/>'
                f'<text class="soft" x="{x:.1f}" y="{_HIGH + 15}" text-anchor="middle">{i * step:g}</text>'
            )
        limit = self.x(self.high)
        edge = (
            f'<line class="limit" x1="{limit:.1f}" x2="{limit:.1f}" y1="{_TOP - 6}" y2="{_HIGH}"/>'
            f'<text class="soft" x="{limit:.1f}" y="{_TOP - 8}" text-anchor="end">limit {self.high:g} s</text>'
        )
        zero = f'<line class="axis" x1="{self.x(0):.1f}" x2="{self.x(0):.1f}" y1="{_TOP}" y2="{_HIGH}"/>'
        return (
            f'<svg class="chart" viewBox="0 0 {_WIDE} {_HIGH + 20}" role="img" aria-label="{html(label)}">'
            f"{grid}{zero}{edge}{body}</svg>"
        )
