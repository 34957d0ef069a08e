"""A dialogue as a picture, by matplotlib: both channels, words, turns by speaker, events, feelings, causes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from duologue.corpus.annotation import CauseAnnotation
from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.read import OpenDialogue
from duologue.corpus.truth import emotions
from duologue.errors import MissingPartError
from duologue.report.fonts import families
from duologue.report.palette import EVENT, REACTION, ROLE, ROLE_NAMES
from duologue.report.transcript import feeling, span_text, times
from duologue.report.waveform import envelope

# Seconds in one row of the picture: words of English stay apart at this scale.
ROW = 10.0


def draw(item: OpenDialogue, path: Path) -> tuple[str, ...]:
    """Write the picture of ``item`` to ``path`` (PNG, SVG or PDF by its suffix); gives back what a viewer should know.

    Raises MissingPartError without matplotlib. Chinese needs a font with its characters; where none is installed
    the picture is still made and the plain message says so.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise MissingPartError("pictures need matplotlib", mend="pip install 'duologue[plots]'") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    d = item.dialogue
    main = item.file("main")
    fonts, warnings = families("".join(t.text + t.intended_text for t in d.turns))
    samples, rate = item.audio(which=main.id)
    seconds = main.length / rate
    rows = max(1, math.ceil(seconds / ROW))
    felt = {v.label for v in emotions(d).values()} - {"neutral"}
    causes = _cause_lines(d)
    heights = [0.75, *([1.5] if felt else []), *([2.2] * rows), *([0.2 + 0.19 * len(causes)] if causes else [])]
    with matplotlib.rc_context({"font.family": fonts, "font.size": 8, "axes.unicode_minus": False}):
        figure, axes = plt.subplots(
            len(heights),
            1,
            figsize=(15, sum(heights) + 0.35 * rows),
            gridspec_kw={"height_ratios": heights, "hspace": 0.28},
            squeeze=False,
        )
        panels = iter(axes[:, 0])
        _header(next(panels), d, main)
        if felt:
            _feelings(next(panels), d, seconds)
        for row in range(rows):
            _row(next(panels), d, main, np.asarray(samples, np.float32), rate, row * ROW, row == rows - 1)
        if causes:
            panel = next(panels)
            panel.axis("off")
            panel.text(0, 1, "\n".join(causes), va="top", fontsize=8, linespacing=1.5)
        figure.savefig(path, dpi=110, bbox_inches="tight")
        plt.close(figure)
    return warnings


def _header(panel: Any, d: Dialogue, main: Audio) -> None:
    panel.axis("off")
    a = d.acoustics
    parts = [d.track, ", ".join(d.tasks), d.scenario, "/".join(d.languages), d.split, d.source]
    sound = [
        f"noise {a.noise}" if a.noise else "",
        f"SNR {a.snr_db:.0f} dB" if a.snr_db is not None else "",
        f"room {a.room}" if a.room else "",
        f"{main.length / main.sample_rate:.1f} s",
    ]
    panel.text(0, 0.95, d.id, fontsize=12, fontweight="bold", va="top")
    panel.text(0, 0.5, " · ".join(p for p in (*parts, *sound) if p), va="top")
    x = 0.0
    for s in d.speakers:
        label = f"■ {ROLE_NAMES[s.role]} {s.id} ({s.sex})"
        panel.text(x, 0.1, label, color=ROLE[s.role], va="top")
        x += 0.008 * len(label) + 0.02


def _feelings(panel: Any, d: Dialogue, seconds: float) -> None:
    """The emotion line: label by time, labels in order of valence, intensity as size."""
    rates = {a.id: a.sample_rate for a in d.audio}
    felt = emotions(d)
    valence = {c.label: c.valence for c in DUOLOGUE.classes} | {v.label: v.valence or 0.0 for v in felt.values()}
    shown = sorted({v.label for v in felt.values()}, key=lambda label: (valence[label], label))
    xs, ys = [], []
    for t in d.turns:
        start, end = times(t, rates)
        if t.index not in felt or start is None or end is None:
            continue
        value = felt[t.index]
        y = shown.index(value.label)
        xs.append((start + end) / 2)
        ys.append(y)
        panel.plot([start, end], [y, y], color=ROLE[t.role], linewidth=3, solid_capstyle="butt", alpha=0.4)
        panel.scatter(xs[-1], y, s=25 + 35 * value.intensity, color=ROLE[t.role], zorder=3)
        panel.annotate(f"{t.index}: {feeling(value)}", (xs[-1], y), (0, 7), textcoords="offset points", ha="center")
    panel.plot(xs, ys, color="#666666", linewidth=1, zorder=1)
    panel.set_yticks(range(len(shown)), shown)
    panel.set_ylim(-0.6, len(shown) - 0.2)
    panel.set_xlim(0, seconds)
    panel.set_ylabel("feels")
    _plain(panel)


def _row(panel: Any, d: Dialogue, main: Audio, samples: Any, rate: int, begin: float, last: bool) -> None:
    """[begin, begin + ROW) seconds: words over the first channel's wave, words under the second's."""
    end = begin + ROW
    two = samples.shape[1] > 1
    peak = max(float(np.abs(samples).max()), 1e-3)
    part = samples[round(begin * rate) : round(end * rate)]
    bins = max(2, round(1500 * len(part) / (ROW * rate)))
    centres = (1.0, -1.0) if two else (0.0,)
    for channel, centre in enumerate(centres):
        wave = envelope(part[:, channel], bins) / peak * 0.85
        x = begin + (np.arange(len(wave)) + 0.5) * len(part) / rate / len(wave)
        panel.fill_between(x, centre + wave[:, 0], centre + wave[:, 1] + 0.01, color="#888888", linewidth=0, zorder=2)
    for r in d.realised:
        if r.audio == main.id:
            panel.axvspan(r.start / rate, r.end / rate, color=EVENT, alpha=0.35, linewidth=0, zorder=0)
            if begin <= r.start / rate < end:
                kind = next((e.kind for e in d.events if e.id == r.event), r.event)
                panel.text(r.start / rate + 0.03, 4.05, kind, fontsize=8, va="baseline", fontweight="bold")
            if r.reaction:
                panel.axvspan(
                    r.reaction[0] / rate, r.reaction[1] / rate, 0, 0.5, color=REACTION, alpha=0.3, linewidth=0, zorder=0
                )
    # Each word takes the lowest line where it does not cover the one before it.
    taken: dict[float, list[float]] = {1.0: [begin] * 4, -1.0: [begin] * 4}
    for start, text, side, colour in sorted(_words(d, main, two, rate)):
        if begin <= start < end:
            lines = taken[side]
            line = next((i for i, free in enumerate(lines) if free <= start), lines.index(min(lines)))
            lines[line] = start + 0.02 + sum(0.1 if ord(c) > 0x2E80 else 0.055 for c in text)
            y = 2.2 + 0.43 * line if side > 0 else -2.5 - 0.43 * line
            panel.text(start, y, text, color=colour, fontsize=7.5, va="baseline", clip_on=True)
    for t in d.turns:
        side = -1.0 if t.role == "system" and two else 1.0
        centre = side if two else 0.0
        for s in t.segments:
            if s.audio == main.id and s.start / rate < end and s.end / rate > begin:
                panel.plot(
                    [max(s.start / rate, begin), min(s.end / rate, end)],
                    [centre + 0.97 * side] * 2,
                    color=ROLE[t.role],
                    linewidth=4,
                    solid_capstyle="butt",
                    zorder=3,
                )
                if begin <= s.start / rate < end:
                    panel.text(
                        s.start / rate,
                        centre + 0.9 * side,
                        f" {t.index}",
                        fontsize=6.5,
                        color=ROLE[t.role],
                        va="top" if side > 0 else "bottom",
                        zorder=4,
                    )
    panel.set_xlim(begin, end)
    panel.set_ylim(-4.0 if two else -1.1, 4.5)
    panel.set_yticks(centres, [c.kind for c in main.channels[: len(centres)]])
    panel.set_xticks(np.arange(begin, end + 0.01, 1.0))
    if last:
        panel.set_xlabel("seconds")
    _plain(panel)


def _words(d: Dialogue, main: Audio, two: bool, rate: int) -> Iterator[tuple[float, str, float, str]]:
    """(start in seconds, word, side, colour); side 1 over the wave, -1 under it. Without word times: the whole text."""
    for t in d.turns:
        side = -1.0 if t.role == "system" and two else 1.0
        for w in t.words:
            yield w.start / rate, w.text, side, ROLE[t.role]
        first = next((s for s in t.segments if s.audio == main.id), None)
        if not t.words and t.text and first is not None:
            yield first.start / rate, textwrap.shorten(t.text, 90, placeholder="…"), side, ROLE[t.role]


def _plain(panel: Any) -> None:
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _cause_lines(d: Dialogue) -> list[str]:
    lines = []
    for a in d.annotations:
        if isinstance(a, CauseAnnotation):
            v = a.value
            words = span_text(d, v.evidence_turn, v.span)
            how = "explicit" if v.explicit else "latent"
            lines.append(f"turn {v.emotion_turn} ← turn {v.evidence_turn} “{words}” ({v.cause_kind}, {how})")
    return lines
