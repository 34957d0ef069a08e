"""A dialogue as a small inline SVG: both channels, turns by speaker, events, feelings. Needs nothing but numpy."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.read import OpenDialogue
from duologue.corpus.truth import emotions
from duologue.report.palette import EVENT, REACTION, ROLE
from duologue.report.transcript import feeling, times
from duologue.report.waveform import envelope

WIDTH, LEFT = 1000, 92
_WAVE, _LABEL = 62, 18


def sketch(item: OpenDialogue) -> str:
    """The SVG of ``item``'s main audio. Text from the corpus is escaped."""
    d = item.dialogue
    main = item.file("main")
    samples, rate = item.audio(which=main.id)
    seconds = main.length / rate
    scale = (WIDTH - LEFT - 8) / max(seconds, 1e-6)

    def x(t: float) -> float:
        return round(LEFT + t * scale, 1)

    body: list[str] = []
    top = _feelings(d, {a.id: a.sample_rate for a in d.audio}, x, body)
    channels = min(2, samples.shape[1])
    bottom = top + channels * (_WAVE + _LABEL)
    for r in d.realised:
        if r.audio == main.id:
            kind = next((e.kind for e in d.events if e.id == r.event), r.event)
            width = max(1.0, round((r.end - r.start) / rate * scale, 1))
            body.append(
                f'<rect x="{x(r.start / rate)}" y="{top}" width="{width}" height="{bottom - top}" fill="{EVENT}" '
                f'opacity="0.4"><title>{escape(kind)}</title></rect>'
            )
            if r.reaction:
                width = max(1.0, round((r.reaction[1] - r.reaction[0]) / rate * scale, 1))
                body.append(
                    f'<rect x="{x(r.reaction[0] / rate)}" y="{top + _WAVE + _LABEL}" width="{width}" '
                    f'height="{_WAVE}" fill="{REACTION}" opacity="0.4"><title>reaction</title></rect>'
                )
    peak = max(float(np.abs(samples).max(initial=0)), 1e-3)
    for c in range(channels):
        y = top + c * (_WAVE + _LABEL) + _LABEL
        middle = y + _WAVE / 2 - 4
        wave = envelope(np.asarray(samples[:, c], np.float32), WIDTH - LEFT) / peak * (_WAVE / 2 - 6)
        xs = LEFT + (np.arange(len(wave)) + 0.5) * (seconds * scale) / len(wave)
        upper = " ".join(f"{a:.1f},{middle - b:.1f}" for a, b in zip(xs, wave[:, 1], strict=True))
        lower = " ".join(f"{a:.1f},{middle - b:.1f}" for a, b in zip(xs[::-1], wave[::-1, 0], strict=True))
        body.append(f'<polygon class="wave" points="{upper} {lower}"/>')
        body.append(f'<text class="soft" x="0" y="{middle + 4}">{escape(main.channels[c].kind)}</text>')
        for t in d.turns:
            for s in t.segments:
                if s.audio == main.id and s.channel == c:
                    width = max(1.0, round((s.end - s.start) / rate * scale, 1))
                    place = y - 11 if t.kind in ("turn", "interruption") else y - 5
                    body.append(
                        f'<rect x="{x(s.start / rate)}" y="{place}" width="{width}" height="5" '
                        f'fill="{ROLE[t.role]}"><title>{t.index}: {escape(t.text)}</title></rect>'
                    )
    step = next(s for s in (1, 2, 5, 10, 20, 60, 600, 1e9) if seconds / s <= 14)
    body.append(f'<line class="axis" x1="{LEFT}" x2="{x(seconds)}" y1="{bottom}" y2="{bottom}"/>')
    for i in range(int(seconds / step) + 1):
        body.append(f'<text class="soft" x="{x(i * step)}" y="{bottom + 14}" text-anchor="middle">{i * step:g}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 20}" role="img" aria-label="timeline of {escape(d.id)}">'
        + "".join(body)
        + "</svg>"
    )


def _feelings(d: Dialogue, rates: dict[str, int], x: Callable[[float], float], body: list[str]) -> int:
    """Draw the emotion line at the top; gives back its height, 0 where nobody judged a feeling."""
    felt = emotions(d)
    valence = {c.label: c.valence for c in DUOLOGUE.classes} | {v.label: v.valence or 0.0 for v in felt.values()}
    shown = sorted({v.label for v in felt.values()}, key=lambda label: (-valence[label], label))
    if not shown:
        return 0
    points = []
    for t in d.turns:
        start, end = times(t, rates)
        if t.index in felt and start is not None and end is not None:
            y = 14 + 18 * shown.index(felt[t.index].label)
            points.append(f"{x((start + end) / 2)},{y}")
            body.append(
                f'<circle cx="{x((start + end) / 2)}" cy="{y}" r="{3 + felt[t.index].intensity}" '
                f'fill="{ROLE[t.role]}"><title>{t.index}: {escape(feeling(felt[t.index]))}</title></circle>'
            )
    body.insert(0, f'<polyline class="axis" fill="none" points="{" ".join(points)}"/>')
    body += [f'<text class="soft" x="0" y="{18 + 18 * i}">{escape(label)}</text>' for i, label in enumerate(shown)]
    return 12 + 18 * len(shown)
