"""One HTML file about how good a corpus is: the worst items with their sound, plots, every figure with its n."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from duologue.corpus.read import Corpus
from duologue.inspect.figures import Curve, Figure, Finding, Histogram, Inspection, WorstList
from duologue.report.inspect_text import number, plain
from duologue.report.matrix import ordered
from duologue.report.printable import html
from duologue.report.shell import page, section
from duologue.report.sound import data_address

# Of a whole channel so much is played, about its middle.
LONGEST = 20.0
_WIDE, _HIGH, _LEFT, _TOP, _FOOT = 460, 170, 40, 12, 22
_COLOURS = ("#0072b2", "#d55e00", "#cc79a7", "#e69f00")
_REAL = "#009e73"
_GROUPS = {
    "read-back": "Words, read back",
    "voices": "Voices",
    "quality": "Quality",
    "level": "Level and noise",
    "timing": "Timing",
    "emotion": "Feeling",
    "words": "Wording",
    "annotation": "Annotation",
}


def render(corpus: Corpus, found: Inspection) -> str:
    """The page; it opens offline. Sound is read from ``corpus``, of which ``found`` was found."""
    return page(
        f"{found.name}: inspection",
        (
            _head(found),
            section("Plots", _plots(found)),
            section("Listen: the worst first", "".join(_list(corpus, x) for x in found.worst)),
            section("Shifts of emotion", _shifts(found)),
            *(
                section(_GROUPS.get(group, group), _table(list(rows)))
                for group, rows in groupby(found.figures, key=lambda f: f.group)
            ),
        ),
    )


def _head(x: Inspection) -> str:
    narrowed = ", ".join(f"{k} {v}" for k, v in x.filters.items())
    absent = sorted({f.missing for f in x.figures if f.missing})
    cards: list[tuple[str, str]] = [(f"{x.dialogues:,}", "dialogues"), (f"{x.seconds / 3600:.2f} h", "of audio"),
                                    (f"{x.sample:,}", "dialogues heard")]  # fmt: skip
    for name in ("WER", "CER", "DNSMOS overall", "emotions told by prosody, accuracy"):
        cards += [
            (number(f.value, f.unit), f"{f.name} {f.of}".strip())
            for f in x.figures
            if f.name == name and f.value is not None
        ]
    return (
        f"<header><h1>{html(x.name)}</h1><p>corpus <code>{html(x.corpus_sha256)}</code></p>"
        f"<p>{x.sample:,} of {x.dialogues:,} dialogues were heard, drawn with seed {x.seed}"
        f"{f'; {html(narrowed)} alone' if narrowed else ''}. Intervals are 95%, by drawing dialogues (persons) again. "
        f"duologue {html(x.duologue)}.</p></header>"
        + '<div class="cards">'
        + "".join(f'<div class="card"><b>{html(n)}</b><span>{html(what)}</span></div>' for n, what in cards)
        + "</div>"
        + ('<div class="warn"><ul>' + "".join(f"<li>{html(a)}</li>" for a in absent) + "</ul></div>" if absent else "")
    )


def _table(rows: Sequence[Figure]) -> str:
    body = ""
    for f in rows:
        value, interval = plain(f)
        shown = (
            f'<td colspan="3" class="soft">{html(f.missing)}</td>'
            if f.missing
            else f'<td class="n">{html(value)}</td><td class="n soft">{html(interval)}</td>'
            f'<td class="n">{f.n:,} {html(f.counted)}</td>'
        )
        body += f'<tr><td>{html(f.name)}</td><td>{html(f.of)}</td>{shown}<td class="soft">{html(f.how)}</td></tr>'
    head = "<tr><th>figure</th><th>of</th>" + "".join(f"<th class='n'>{t}</th>" for t in ("value", "95%", "n"))
    head += "<th>how</th></tr>"
    return f'<div class="scroll"><table class="grid">{head}{body}</table></div>'


def _list(corpus: Corpus, worst: WorstList) -> str:
    items = "".join(_item(corpus, x) for x in worst.items)
    return f'<h3>{html(worst.name)} <span class="soft">{html(worst.how)}</span></h3>{items}'


def _item(corpus: Corpus, x: Finding) -> str:
    item = corpus.get(x.dialogue)
    rate = item.file(x.audio).sample_rate
    most = round(LONGEST * rate)
    start, end = x.start, x.end
    if end - start > most:
        start = (start + end - most) // 2
        end = start + most
    samples, rate = item.audio(x.channel, which=x.audio, start=start, end=end)
    if samples.ndim > 1 and samples.shape[1] > 2:
        samples = samples.mean(axis=1)
    where = f"{start / rate:.1f}–{end / rate:.1f} s"
    turn = "" if x.turn is None else f'<span class="chip">turn {x.turn}</span>'
    language = html(x.language)
    said = f'<p class="why" lang="{language}">{html(x.text)}</p>' if x.text else ""
    heard = f'<p lang="{language}">heard: {html(x.heard) or "nothing"}</p>' if x.unit in ("WER", "CER") else ""
    value = f"{x.value:.0%}" if x.unit in ("WER", "CER") else f"{x.value:g}"
    return (
        f'<div class="item"><h3><b>{html(value)} {html(x.unit)}</b> <code>{html(x.dialogue)}</code></h3>'
        f'<p><span class="chip">{html(x.note)}</span>{turn}<span class="chip">{where}</span></p>{said}{heard}'
        f'<audio controls preload="none" aria-label="{html(x.dialogue)}, {where}" '
        f'src="{data_address(samples, rate)}"></audio></div>'
    )


def _shifts(x: Inspection) -> str:
    blocks = ""
    for language, table in x.shifts.items():
        labels = ordered({*table} | {b for row in table.values() for b in row})
        top = max((n for row in table.values() for n in row.values()), default=0)
        if not top:
            continue
        head = "".join(f"<th>{html(b)}</th>" for b in labels)
        body = ""
        for a in labels:
            cells = ""
            for b in labels:
                n = table.get(a, {}).get(b, 0)
                shade = f' style="background:rgba(var(--heat),{0.08 + 0.62 * n / top:.2f})"' if n else ' class="zero"'
                cells += "<td>·</td>" if a == b else f"<td{shade}>{n:,}</td>"
            body += f"<tr><th>{html(a)}</th>{cells}</tr>"
        blocks += (
            f'<h3>{html(language)}</h3><div class="scroll"><table class="heat"><tr><th>from \\ to</th>{head}</tr>'
            f"{body}</table></div>"
        )
    return blocks


def _plots(x: Inspection) -> str:
    real = next((c for c in x.curves if c.name == "real meetings"), None)
    charts = [_bars(h, real if h.name == "floor-transfer offset" else None) for h in x.histograms]
    if len(x.curves) > 1:
        charts.append(_curves(x.curves))
    voices = [f for f in x.figures if f.name.endswith("by voice") and f.value is not None]
    if voices:
        charts.append(_voices(voices))
    return f'<div class="charts">{"".join(f"<div>{c}</div>" for c in charts)}</div>' if charts else ""


def _voices(figures: Sequence[Figure]) -> str:
    """Error by voice, the highest first; bars end at 100%."""
    worst = sorted(figures, key=lambda f: -(f.value or 0))[:16]
    rows = "".join(
        f'<tr><td>{html(f.of)}</td><td><div class="bar" style="width:{100 * min(f.value or 0, 1):.1f}%"></div></td>'
        f'<td class="n">{html(number(f.value or 0, f.unit))} <span class="soft">n {f.n}</span></td></tr>'
        for f in worst
    )
    more = f'<p class="soft">and {len(figures) - 16} more in the table</p>' if len(figures) > 16 else ""
    return f'<h3>errors of read-back by voice</h3><table class="bars">{rows}</table>{more}'


def _axes(low: float, high: float) -> tuple[str, Callable[[float], float]]:
    span = max(high - low, 1e-9)

    def x(value: float) -> float:
        return _LEFT + (min(max(value, low), high) - low) / span * (_WIDE - _LEFT - 10)

    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if span / s <= 9), span)
    first = int(-(-low // step))
    ticks = "".join(
        f'<line class="axis" x1="{x(i * step):.1f}" x2="{x(i * step):.1f}" y1="{_HIGH}" y2="{_HIGH + 4}"/>'
        f'<text class="soft" x="{x(i * step):.1f}" y="{_HIGH + 16}" text-anchor="middle">{i * step:g}</text>'
        for i in range(first, int(high // step) + 1)
    )
    base = f'<line class="axis" x1="{_LEFT}" x2="{_WIDE - 10}" y1="{_HIGH}" y2="{_HIGH}"/>'
    return base + ticks, x


def _y(share: float) -> float:
    return _HIGH - share * (_HIGH - _TOP)


def _svg(title: str, body: str, note: str = "") -> str:
    return (
        f"<h3>{html(title)}</h3>"
        f'<svg class="chart" viewBox="0 0 {_WIDE} {_HIGH + _FOOT}" role="img" aria-label="{html(title)}">{body}</svg>'
        + (f'<p class="key">{note}</p>' if note else "")
    )


def _bars(h: Histogram, real: Curve | None) -> str:
    """A histogram; over it the cumulative share of ``real`` and of the histogram, both from 0 to 1."""
    end = h.start + h.width * len(h.counts)
    body, x = _axes(h.start, end)
    top, whole = max(h.counts), sum(h.counts)
    for i, n in enumerate(h.counts):
        if n:
            a, b = x(h.start + i * h.width), x(h.start + (i + 1) * h.width)
            body += (
                f'<rect x="{a:.1f}" y="{_y(n / top):.1f}" width="{max(b - a - 0.6, 0.6):.1f}" '
                f'height="{_HIGH - _y(n / top):.1f}" fill="{_COLOURS[0]}" opacity="0.55">'
                f"<title>{h.start + i * h.width:g} to {h.start + (i + 1) * h.width:g}: {n:,}</title></rect>"
            )
    body += f'<text class="soft" x="{_LEFT - 5}" y="{_TOP + 4}" text-anchor="end">{top:,}</text>'
    note = f"<span>n {whole:,}</span>"
    if real is not None:
        body += _path(real, x, _REAL)
        note += f"<span><i class='line' style='background:{_REAL}'></i>real meetings, cumulative 0 to 100%</span>"
    return _svg(f"{h.name}, {h.of}, {h.unit}", body, note)


def _curves(curves: Sequence[Curve]) -> str:
    body, x = _axes(-3, 3)
    note = ""
    for share in (0.5, 1.0):
        body += (
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDE - 10}" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>'
            f'<text class="soft" x="{_LEFT - 5}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for i, c in enumerate(curves):
        colour = _REAL if c.name == "real meetings" else _COLOURS[i % len(_COLOURS)]
        body += _path(c, x, colour)
        note += (
            f"<span><i class='line' style='background:{colour}'></i>{html(c.name)}, n {c.n:,}: {html(c.source)}</span>"
        )
    return _svg("floor-transfer offsets, cumulative, s", body, note)


def _path(c: Curve, x: Callable[[float], float], colour: str) -> str:
    """Steps of a measured distribution, straight lines between the points of a published table, which are marked."""
    inside: Iterable[tuple[float, float]] = ((a, p) for a, p in c.points if -3 <= a <= 3)
    published = c.points[-1][1] < 1
    path = marks = ""
    for a, p in inside:
        path += (f"L{x(a):.1f},{_y(p):.1f}" if published else f"H{x(a):.1f}V{_y(p):.1f}") if path else (
            f"M{x(a):.1f},{_y(p):.1f}"
        )  # fmt: skip
        if published:
            marks += f'<circle cx="{x(a):.1f}" cy="{_y(p):.1f}" r="3" fill="{colour}"/>'
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{marks}' if path else ""
