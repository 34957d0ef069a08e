"""The feelings of a dialogue as two lines over time: gold's and those that a system told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duologue.corpus.emotion import DUOLOGUE
from duologue.report.emotion_gallery import EmotionTake
from duologue.report.palette import ROLE, ROLE_NAMES
from duologue.report.printable import html
from duologue.report.transcript import times
from duologue.report.verdict import COLOUR
from duologue.report.waveform import envelope

GOLD, TOLD = "#0072b2", "#d55e00"
WIDTH, LEFT, RIGHT = 1000, 92, 12
_ROW, _WAVE = 22, 40

KEY = (
    '<p class="key">'
    f'<span><i class="line" style="background:{GOLD}"></i>gold</span>'
    f'<span><i class="line" style="background:{TOLD}"></i>as the system told it</span>'
    f'<span style="color:{COLOUR["passed"]}">✓ told right</span>'
    f'<span style="color:{COLOUR["failed"]}">✗ told wrong</span>'
    f'<span style="color:{COLOUR["failed"]}">○ not told</span>'
    f'<span><i style="background:{ROLE["user"]}"></i>user speaks</span>'
    f'<span><i style="background:{ROLE["system"]}"></i>other side speaks</span>'
    '<span><mark class="gold">cause in gold</mark></span><span><mark class="told">told as a cause</mark></span>'
    '<span><mark class="both">both</mark></span></p>'
)


def sketch(take: EmotionTake, turns: Sequence[int], gold: Sequence[str], told: Sequence[str]) -> str:
    """The SVG; ``turns``, ``gold`` and ``told`` are parallel, "" where nothing was told. Text is escaped.

    Across goes time where the dialogue has audio (then a click plays from there), else turn after turn.
    """
    d = take.dialogue
    rates = {a.id: a.sample_rate for a in d.audio}
    spoken = {t.index: times(t, rates) for t in d.turns}
    timed = take.samples is not None and all(spoken.get(t, (None, None))[0] is not None for t in turns)
    seconds = max(take.seconds, 0.1)
    room = WIDTH - LEFT - RIGHT

    def at(t: float) -> float:
        return LEFT + min(max(t / seconds, 0.0), 1.0) * room

    xs = []
    for k, turn in enumerate(turns):
        start, end = spoken.get(turn, (None, None))
        middle = ((start or 0.0) + (end or 0.0)) / 2
        xs.append(at(middle) if timed else LEFT + (k + 0.5) / len(turns) * room)
    known = {c.label: -c.valence for c in DUOLOGUE.classes}
    shown = sorted({*gold, *told} - {""}, key=lambda label: (known.get(label, 9.0), label))
    rows = {label: 16.0 + _ROW * k for k, label in enumerate(shown)}
    bottom = 8 + _ROW * len(shown)
    body = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}"/>'
        f'<text class="soft" x="0" y="{y + 4:g}">{html(label)}</text>'
        for label, y in rows.items()
    ]
    # A little apart, so that equal lines do not hide each other.
    for labels, colour, shift in ((gold, GOLD, -2.0), (told, TOLD, 2.0)):
        for points in _runs(xs, [rows.get(x) for x in labels], shift):
            body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.4"/>')
    for x, turn, a, b in zip(xs, turns, gold, told, strict=True):
        name = f"turn {turn}: gold {a}, told {b or 'nothing'}"
        marks = f'<circle cx="{x:.1f}" cy="{rows[a] - 2:g}" r="5" fill="{GOLD}"/>' if a else ""
        if b:
            y = rows[b] + 2
            marks += f'<path d="M{x:.1f},{y - 5:g}l5,5l-5,5l-5,-5z" fill="{TOLD}"/>'
        sign, colour = ("✓", "passed") if a == b else ("✗", "failed") if b else ("○", "failed")
        marks += (
            f'<text x="{x:.1f}" y="{bottom + 14:g}" text-anchor="middle" class="strong" '
            f'style="fill:{COLOUR["passed" if colour == "passed" else "failed"]}">{sign}</text>'
        )
        body.append(f"<g>{marks}<title>{html(name)}</title></g>")
    y = bottom + (22.0 if turns else 0.0)
    if not timed:
        for x, turn in zip(xs, turns, strict=True):
            body.append(f'<text class="soft" x="{x:.1f}" y="{y + 10:g}" text-anchor="middle">turn {turn}</text>')
        return (
            f'<svg viewBox="0 0 {WIDTH} {y + 16:g}" role="img" aria-label="trajectory of {html(d.id)}">'
            f"{''.join(body)}</svg>"
        )
    body.append(_sound(take, y, at, spoken))
    y += _WAVE + 14
    step = next(s for s in (1, 2, 5, 10, 20, 60, 600, 1e9) if seconds / s <= 16)
    for i in range(int(seconds / step) + 1):
        body.append(
            f'<text class="soft" x="{at(i * step):.1f}" y="{y + 11:g}" text-anchor="middle">{i * step:g}</text>'
        )
    body.append(f'<text class="soft" x="0" y="{y + 11:g}">seconds</text>')
    return (
        f'<svg class="exchange trajectory" viewBox="0 0 {WIDTH} {y + 16:g}" role="img" data-start="0" '
        f'data-end="{seconds:g}" data-left="{LEFT}" data-right="{WIDTH - RIGHT}" '
        f'aria-label="trajectory of {html(d.id)}">{"".join(body)}'
        f'<line class="head" x1="0" x2="0" y1="0" y2="{y:g}"/></svg>'
    )


def _runs(xs: Sequence[float], ys: Sequence[float | None], shift: float) -> list[str]:
    """Points of the lines between neighbours that are both there."""
    found: list[list[str]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if y is None:
            found.append([])
        else:
            found[-1].append(f"{x:.1f},{y + shift:g}")
    return [" ".join(points) for points in found if len(points) > 1]


def _sound(take: EmotionTake, y: float, at: object, spoken: dict[int, tuple[float | None, float | None]]) -> str:
    """Who speaks when, above the wave of the user's microphone."""
    assert callable(at) and take.samples is not None
    body = ""
    for t in take.dialogue.turns:
        start, end = spoken[t.index]
        if start is not None and end is not None and start < take.seconds:
            width = max(1.2, at(end) - at(start))
            body += (
                f'<rect x="{at(start):.1f}" y="{y:g}" width="{width:.1f}" height="5" fill="{ROLE[t.role]}">'
                f"<title>{html(f'{t.index}, {ROLE_NAMES[t.role]}: {t.text}')}</title></rect>"
            )
    wave = envelope(take.samples, (WIDTH - LEFT - RIGHT) // 2)
    wave = wave / max(float(np.abs(wave).max(initial=0)), 1e-3) * (_WAVE / 2 - 2)
    middle = y + 8 + _WAVE / 2
    xs = LEFT + (np.arange(len(wave)) + 0.5) * (WIDTH - LEFT - RIGHT) / len(wave)
    upper = " ".join(f"{a:.0f},{middle - b:.1f}" for a, b in zip(xs, wave[:, 1], strict=True))
    lower = " ".join(f"{a:.0f},{middle - b:.1f}" for a, b in zip(xs[::-1], wave[::-1, 0], strict=True))
    return body + (
        f'<polygon class="wave" points="{upper} {lower}"/><text class="soft" x="0" y="{middle + 4:g}">user mic</text>'
    )
