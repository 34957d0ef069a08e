"""One scored exchange as a picture, by matplotlib: both channels, words, what each rule saw, official figures."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from duologue.errors import MissingPartError
from duologue.report.exchange_sketch import placed, spoken
from duologue.report.exchange_text import official_rows
from duologue.report.fonts import families
from duologue.report.palette import EVENT, ROLE
from duologue.report.printable import printable
from duologue.report.score_gallery import GalleryItem
from duologue.report.verdict import COLOUR, MARK, grade, kind, measured, sentence, title
from duologue.report.waveform import envelope
from duologue.score.exchange import RATE
from duologue.score.scorecard import Rule

# Seconds in one row of the picture: words of English stay apart at this scale.
ROW = 10.0
_LANE = 0.55


def draw(item: GalleryItem, path: Path) -> tuple[str, ...]:
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

    x, score = item.exchange, item.score
    texts = [t.turn.text for t in x.turns] + [w.text for w in x.words] + [r.text + r.query for r in score.replies]
    fonts, warnings = families("".join(texts))
    rows = max(1, math.ceil(item.seconds / ROW))
    lines = _lines(item)
    lanes = [_lanes(item, row * ROW) for row in range(rows)]
    heights = [0.8, *(2.6 + 0.19 * len(found) for found in lanes), 0.3 + 0.19 * len(lines)]
    # Names of systems and files may hold "$", which is no formula here.
    settings = {"font.family": fonts, "font.size": 8, "axes.unicode_minus": False, "text.parse_math": False}
    with matplotlib.rc_context(settings):
        figure, axes = plt.subplots(
            len(heights),
            1,
            figsize=(15, sum(heights) + 0.35 * rows),
            gridspec_kw={"height_ratios": heights, "hspace": 0.22},
            squeeze=False,
        )
        panels = iter(axes[:, 0])
        _header(next(panels), item)
        for row, found in enumerate(lanes):
            _row(next(panels), item, row * ROW, found, row == rows - 1)
        panel = next(panels)
        panel.axis("off")
        for i, (text, colour) in enumerate(lines):
            panel.text(0, 1 - i / max(len(lines), 1), printable(text), va="top", color=colour)
        figure.savefig(path, dpi=110, bbox_inches="tight")
        plt.close(figure)
    return warnings


def _header(panel: Any, item: GalleryItem) -> None:
    panel.axis("off")
    s = item.score
    facts = (
        s.language,
        title(s.scenario),
        s.split,
        s.outcome,
        f"words from the {s.words_from}" if s.words_from else "",
    )
    panel.text(0, 0.98, printable(s.id), fontsize=12, fontweight="bold", va="top")
    panel.text(0, 0.52, printable(" · ".join(f for f in facts if f)), va="top")
    panel.text(0, 0.18, printable(textwrap.shorten(sentence(s), 220, placeholder="…")), va="top")
    panel.text(1, 0.98, f"{s.utility:.2f}", fontsize=16, fontweight="bold", va="top", ha="right")


# A lane under the waves: (start, end, label, colour, whether the line is dashed).
_Lane = tuple[float, float, str, str, bool]


def _lanes(item: GalleryItem, begin: float) -> list[_Lane]:
    """Replies and rules that show in the row from ``begin``, a lane each."""
    end = begin + ROW
    found: list[_Lane] = []
    for r in item.score.replies:
        colour = COLOUR[grade(r.score)]
        if r.sound is None:
            lane = (
                r.end,
                r.end + r.limit,
                f"{MARK['failed']} turn {r.turn}: no reply in {r.limit:.1f} s",
                colour,
                True,
            )
        else:
            first = r.content if r.content is not None else r.sound
            what = f"content {r.content:+.2f} s" if r.content is not None else "no content"
            label = f"{MARK[grade(r.score)]} turn {r.turn}: sound {r.sound:+.2f} s, {what}, speed {r.speed:.2f}"
            label += "" if r.relevance is None else f", relevance {r.relevance:.2f}"
            lane = (min(r.end, r.end + first), max(r.end, r.end + first), label, colour, False)
        found.append(lane)
    for e in item.score.events:
        found += [
            (r.start, r.end if r.end is not None else r.start, _rule(r), COLOUR[grade(r.score)], False)
            for r in e.rules
            if r.start is not None
        ]
    return [lane for lane in found if lane[1] >= begin and lane[0] < end]


def _rule(r: Rule) -> str:
    points = "" if r.score is None else f" → {r.score:.2f}"
    return f"{MARK[grade(r.score)]} {r.name}: {measured(r)}{points}"


def _row(panel: Any, item: GalleryItem, begin: float, lanes: list[_Lane], last: bool) -> None:
    """[begin, begin + ROW) seconds: words over the user's wave, words under the system's, then the lanes."""
    end, x = begin + ROW, item.exchange
    for samples, centre in ((item.user, 1.0), (item.system, -1.0)):
        peak = max(float(np.abs(samples).max(initial=0)), 1e-3)
        part = samples[round(begin * RATE) : round(end * RATE)]
        if len(part):
            wave = envelope(part, max(2, round(1500 * len(part) / (ROW * RATE)))) / peak * 0.85
            times = begin + (np.arange(len(wave)) + 0.5) * len(part) / RATE / len(wave)
            panel.fill_between(times, centre + wave[:, 0], centre + wave[:, 1] + 0.01, color="#888888", linewidth=0)
    for e in placed(item.score):
        panel.axvspan(e.start, e.end, color=EVENT, alpha=0.35, linewidth=0, zorder=0)
        if begin <= e.start < end:
            label = f"{kind(e)} {e.score:.2f}" + ("" if e.exercised else " (not exercised)")
            align = "left" if e.start < begin + 0.85 * ROW else "right"
            colour = COLOUR[grade(e.score)]
            panel.text(e.start, 4.2, printable(label), fontweight="bold", va="top", ha=align, color=colour)
        if e.stop is not None:
            panel.axvline(e.start + e.stop, color="#333333", linewidth=0.9, linestyle=":")
    for p in x.turns:
        colour = ROLE[p.turn.role]
        for a, b in p.segments:
            panel.plot([a / RATE, b / RATE], [1.95, 1.95], color=colour, linewidth=4, solid_capstyle="butt")
    for spans, level, width in ((x.speech, -1.95, 4.0), (x.sound, -2.1, 1.2)):
        for a, b in spans:
            panel.plot(
                [a / RATE, b / RATE], [level, level], color=ROLE["system"], linewidth=width, solid_capstyle="butt"
            )
    said = [(s, w, 1.0, ROLE[p.turn.role]) for p in x.turns for w, s, _ in spoken(x, p)]
    said += [(w.start / RATE, w.text, -1.0, ROLE["system"]) for w in x.words]
    lines = 2 if x.language == "zh" else 3
    shown = sorted(w for w in said if begin <= w[0] < end)
    for side in (1.0, -1.0):
        for i, (at, word, _, colour) in enumerate(w for w in shown if w[2] == side):
            place = side * (2.2 + 0.45 * (i % lines)) - (0.25 if side < 0 else 0)
            panel.text(at, place, printable(word), fontsize=7, color=colour, va="bottom" if side > 0 else "top")
    for i, (a, b, label, colour, dashed) in enumerate(lanes):
        lane = -4.4 - _LANE * i
        left, right = max(a, begin), min(b, end)
        style = "--" if dashed else "-"
        panel.plot([left, right], [lane, lane], color=colour, linewidth=3, linestyle=style, solid_capstyle="butt")
        # Beside the line where there is room, else on it.
        if right < begin + 0.62 * ROW:
            beside, align = right + 0.06, "left"
        else:
            inside = left < begin + 0.38 * ROW
            beside, align = (left + 0.06, "left") if inside else (left - 0.06, "right")
        text = panel.text(beside, lane, printable(label), fontsize=7, color=colour, va="center", ha=align)
        text.set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6})
    panel.set_xlim(begin, end)
    panel.set_ylim(-4.2 - _LANE * (len(lanes) + 0.3), 4.3)
    panel.set_yticks([1.0, -1.0], ["user mic", "system"])
    panel.set_xticks(np.arange(begin, end + 0.01, 1.0))
    if last:
        panel.set_xlabel("seconds")
    for edge in ("top", "right", "left"):
        panel.spines[edge].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _lines(item: GalleryItem) -> list[tuple[str, str]]:
    """What has no place in time: rules without a window, and official beside corrected."""
    found = []
    for e in item.score.events:
        if not e.exercised:
            found.append((f"{kind(e)}: not exercised: {e.why}", COLOUR["failed"]))
        found += [
            (f"{kind(e)}: {_rule(r)}" + (f" ({r.why})" if r.why else ""), COLOUR[grade(r.score)])
            for r in e.rules
            if r.start is None or r.why
        ]
    rows, why = official_rows(item.score)
    for name, official, corrected in rows:
        beside = f", corrected {corrected}" if corrected else ""
        found.append((f"{name}: official {official}{beside}", "#333333"))
    return found + [(f"differs: {w}", "#333333") for w in why]
