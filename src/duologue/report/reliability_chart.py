"""A reliability diagram: how often answers are right that claim to be so sure."""

from __future__ import annotations

from duologue.report.chart import BLUE, MISSED
from duologue.score.emotion.reliability import Reliability

_SIDE, _LEFT, _TOP, _TAIL = 220, 38, 10, 46


def diagram(r: Reliability) -> str:
    """Bars: the share right of each bin; red: how far that is from the confidence claimed; below: how many answers.

    "" where no answer gives a confidence.
    """
    if not r.given:
        return ""

    def x(v: float) -> float:
        return _LEFT + v * _SIDE

    def y(v: float) -> float:
        return _TOP + (1 - v) * _SIDE

    body = ""
    for v in (0.0, 0.5, 1.0):
        body += (
            f'<line class="grid" x1="{x(0):g}" x2="{x(1):g}" y1="{y(v):g}" y2="{y(v):g}"/>'
            f'<text class="soft" x="{_LEFT - 6}" y="{y(v) + 4:g}" text-anchor="end">{v:g}</text>'
            f'<text class="soft" x="{x(v):g}" y="{_TOP + _SIDE + _TAIL:g}" text-anchor="middle">{v:g}</text>'
        )
    most = max(b.n for b in r.bins)
    for b in r.bins:
        left, width = x(b.low) + 1, x(b.high) - x(b.low) - 2
        low, high = sorted((b.confidence, b.accuracy))
        about = f"{b.low:.1f} to {b.high:.1f}: {b.n:,} answers, confidence {b.confidence:.2f}, right {b.accuracy:.2f}"
        body += (
            f'<g><rect x="{left:.1f}" y="{y(b.accuracy):.1f}" width="{width:.1f}" '
            f'height="{y(0) - y(b.accuracy):.1f}" fill="{BLUE}"/>'
            f'<rect x="{left:.1f}" y="{y(high):.1f}" width="{width:.1f}" height="{y(low) - y(high):.1f}" '
            f'fill="{MISSED}" fill-opacity="0.4" stroke="{MISSED}"/>'
            f'<rect x="{left:.1f}" y="{y(0) + 6:.1f}" width="{width:.1f}" height="{max(1.0, 22 * b.n / most):.1f}" '
            f'fill="{BLUE}" opacity="0.5"/><title>{about}</title></g>'
        )
    body += (
        f'<line class="limit" x1="{x(0):g}" y1="{y(0):g}" x2="{x(1):g}" y2="{y(1):g}"/>'
        f'<line class="axis" x1="{x(0):g}" x2="{x(1):g}" y1="{y(0):g}" y2="{y(0):g}"/>'
    )
    label = f"reliability of {r.given:,} answers, calibration error {r.error or 0:.3f}"
    wide = _LEFT + _SIDE + 14
    return (
        f'<svg class="square" viewBox="0 0 {wide} {_TOP + _SIDE + _TAIL + 6}" role="img" aria-label="{label}">'
        f"{body}</svg>"
    )
