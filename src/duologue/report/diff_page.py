"""A comparison of two runs as one self-contained HTML page, with the sound of regressed items in both."""

from __future__ import annotations

from collections.abc import Sequence

from duologue.report.chart import difference_bar
from duologue.report.printable import html
from duologue.report.score_gallery import GalleryItem, moment
from duologue.report.score_page import estimate, warnings
from duologue.report.shell import names, page, section
from duologue.report.take import KEY, chips, take
from duologue.report.verdict import delay, grade, median, sentence, signed, title
from duologue.score.diff import CellChange, Change, Diff
from duologue.score.scorecard import Estimate

_MOST = 100
# A p after Holm above this is left out of the table: it says nothing.
_WORTH_TELLING = 0.2


def render(diff: Diff, gallery: Sequence[tuple[GalleryItem, GalleryItem]]) -> str:
    """The page for ``diff``; ``gallery`` holds the items to show, in order, as run a and run b have them."""
    return page(
        f"{diff.system_a or 'run a'} and {diff.system_b or 'run b'} on {diff.corpus}",
        (
            _head(diff),
            _verdict(diff),
            warnings(diff.warnings),
            _headline(diff),
            section("By scenario and language", _cells(diff)),
            section("Speed and rates", _delays(diff) + _rates(diff)),
            section("Not scored any more", _unscored(diff)),
            section("Regressed items to listen to", _gallery(gallery)),
            section("Items that changed", _items(diff)),
        ),
    )


def _head(diff: Diff) -> str:
    a, b = html(diff.system_a or "run a"), html(diff.system_b or "run b")
    return (
        f"<header><h1><bdi>{a}</bdi> → <bdi>{b}</bdi></h1><p>profile <b>{html(diff.profile)}</b> · among "
        f"<b>{html(diff.comparable)}</b> · corpus <b><bdi>{html(diff.corpus)}</bdi></b></p>"
        f"<p class='soft'><code>{html(diff.corpus_sha256)}</code></p></header>"
    )


def _verdict(diff: Diff) -> str:
    if not diff.regression:
        return '<div class="warn good"><p><b>No regression.</b></p></div>'
    body = "".join(f"<li>{html(r)}</li>" for r in diff.reasons)
    return f'<div class="warn bad"><p><b>Regression</b></p><ul>{body}</ul></div>'


def _headline(diff: Diff) -> str:
    h = diff.headline
    value = "–" if h.difference.value is None else f"{h.difference.value:+.3f}"
    way = "" if h.difference.value is None else "down" if h.difference.value < 0 else "up"
    e = h.difference
    span = "no interval" if e.low is None or e.high is None else f"95% interval {e.low:+.3f} to {e.high:+.3f}"
    p = "" if h.p is None else f" · p {h.p:.3g}"
    return (
        f'<div class="headline"><div><div class="big {way}">{value}</div><div class="range">{span}{p}</div>'
        f"{difference_bar(e, _reach(diff))}</div><div>"
        f"<p>The headline went from <b>{h.a:.3f}</b> to <b>{h.b:.3f}</b> over the same {h.n:,} items.</p>"
        f"<p>{len(diff.regressed):,} items lost more than {diff.tolerance:g}, {len(diff.improved):,} gained more, "
        f"{len(diff.unscored):,} are not scored any more.</p></div></div>"
    )


def _reach(diff: Diff) -> float:
    """The end of every difference bar: the farthest end of an interval, to the next tenth, at least 0.1."""
    ends = [
        abs(v)
        for c in (diff.headline, *diff.cells)
        for v in (c.difference.value, c.difference.low, c.difference.high)
        if v is not None
    ]
    return min(1.0, max(0.1, -(-max(ends, default=0.1) * 10 // 1) / 10))


def _figure(c: CellChange, reach: float) -> str:
    holm = "" if c.p_holm is None or c.p_holm > _WORTH_TELLING else f' <span class="soft">p {c.p_holm:.2g}</span>'
    return (
        f'<span class="figure">{difference_bar(c.difference, reach)}<span>{signed(c.difference, 2)}{holm}</span></span>'
    )


def _cells(diff: Diff) -> str:
    cells = {(c.scenario, c.language): c for c in (diff.headline, *diff.cells)}
    languages = ["all", *dict.fromkeys(c.language for c in diff.cells if c.language != "all")]
    scenarios = ["all", *dict.fromkeys(c.scenario for c in diff.cells if c.scenario != "all")]
    header = "".join(f"<th>{html('all languages' if x == 'all' else x)}</th>" for x in languages)
    reach, rows = _reach(diff), ""
    for s in scenarios:
        whole = cells.get((s, "all"))
        means = f"{whole.a:.2f} → {whole.b:.2f}" if whole else ""
        body = "".join(f"<td>{_figure(cells[s, x], reach) if (s, x) in cells else ''}</td>" for x in languages)
        name = "all scenarios" if s == "all" else title(s)
        rows += f'<tr{" class=sum" if s == "all" else ""}><th>{html(name)}</th><td class="n">{means}</td>{body}</tr>'
    return (
        f"<p>Paired differences of utility with 95% intervals; bars end at ±{reach:g}. p is after Holm over the cells "
        'of one scenario and one language.</p><div class="scroll"><table class="grid"><tr><th>scenario</th>'
        f'<th class="n">means</th>{header}</tr>{rows}</table></div>'
    )


def _delays(diff: Diff) -> str:
    rows = ""
    for name, (a, b) in diff.delays.items():
        for run, d in (("before", a), ("after", b)):
            first = f'<th rowspan="2">{html(title(name))}</th>' if run == "before" else ""
            rows += (
                f'<tr>{first}<td>{run}</td><td class="n">{d.n:,}</td><td class="n">{d.missed:,}</td>'
                f'<td class="n">{median(d)}</td><td class="n">{delay(d.p90, d.limit) if d.n else "–"}</td>'
                f'<td class="n">{delay(d.p95, d.limit) if d.n else "–"}</td></tr>'
            )
    header = (
        '<tr><th>delay</th><th></th><th class="n">n</th><th class="n">missed</th><th class="n">median</th>'
        '<th class="n">90%</th><th class="n">95%</th></tr>'
    )
    return f'<div class="scroll"><table class="grid">{header}{rows}</table></div>' if rows else ""


def _rates(diff: Diff) -> str:
    def cells(a: Estimate, b: Estimate) -> str:
        return f"<td>{estimate(a)}</td><td>{estimate(b)}</td>"

    rows = "".join(f"<tr><th>{html(title(n))}</th>{cells(a, b)}</tr>" for n, (a, b) in diff.rates.items())
    header = "<tr><th>rate</th><th>before</th><th>after</th></tr>"
    return f'<h3>Rates</h3><div class="scroll"><table class="grid">{header}{rows}</table></div>' if rows else ""


def _unscored(diff: Diff) -> str:
    by_id = {c.id: c for c in diff.items}
    return names(((i, f"{by_id[i].outcome_b}: {by_id[i].why}") for i in diff.unscored), most=_MOST)


def _gallery(gallery: Sequence[tuple[GalleryItem, GalleryItem]]) -> str:
    blocks = ""
    for n, (a, b) in enumerate(gallery):
        # Both runs at the same moment: where the new one lost most.
        near = moment(b.score, min(a.seconds, b.seconds))
        sides = "".join(
            f"<div><h4>{which}: {g.score.utility:.2f}</h4><p class='why'>{html(sentence(g.score))}</p>"
            f"{take(g, near=near)}</div>"
            for which, g in (("before", a), ("after", b))
        )
        lost = b.score.utility - a.score.utility
        blocks += (
            f'<article class="item" id="item-{n}"><h3><b class="{grade(0.0 if lost < 0 else 1.0)}">{lost:+.2f}</b>'
            f"<span><bdi>{html(b.score.id)}</bdi></span><span>{chips(b.score)}</span></h3>"
            f'<div class="sides">{sides}</div></article>'
        )
    lead = "<p>The user is in the left ear, the system in the right. A click on a picture plays from there.</p>"
    return lead + KEY + blocks if blocks else ""


def _items(diff: Diff) -> str:
    def table(ids: Sequence[str], summary: str) -> str:
        by_id: dict[str, Change] = {c.id: c for c in diff.items}
        rows = "".join(
            f"<tr><td><bdi>{html(c.id)}</bdi></td><td>{html(c.language)}</td><td>{html(title(c.scenario))}</td>"
            f'<td class="n">{c.a:.2f}</td><td class="n">{c.b:.2f}</td>'
            f'<td class="n {"down" if c.difference < 0 else "up"}">{c.difference:+.2f}</td><td>{html(c.why)}</td></tr>'
            for c in (by_id[i] for i in ids[:_MOST])
        )
        header = (
            '<tr><th>item</th><th></th><th>scenario</th><th class="n">before</th><th class="n">after</th>'
            '<th class="n">change</th><th>why</th></tr>'
        )
        more = f'<p class="soft">and {len(ids) - _MOST:,} more</p>' if len(ids) > _MOST else ""
        return (
            f"<details open><summary>{len(ids):,} {summary}</summary>"
            f'<div class="scroll"><table>{header}{rows}</table></div>{more}</details>'
            if ids
            else ""
        )

    return table(diff.regressed, f"items lost more than {diff.tolerance:g}") + table(
        diff.improved, f"items gained more than {diff.tolerance:g}"
    )
