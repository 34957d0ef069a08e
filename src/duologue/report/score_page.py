"""A score card as one self-contained HTML page: figures with intervals, pictures, sound; it opens offline.

Nothing is fetched, and the page's policy lets no script run but the one that moves the playheads. Names of systems,
files and dialogues are hostile until escaped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from duologue.report.chart import happened, histogram, interval_bar, shares
from duologue.report.printable import html
from duologue.report.score_gallery import GalleryItem
from duologue.report.shell import names, page, section
from duologue.report.take import KEY, chips, take
from duologue.report.verdict import COLOUR, GRADES, delay, grade, kind, median, sentence, title
from duologue.score.scorecard import Cell, DelaySummary, Estimate, ItemScore, Scorecard
from duologue.score.uncertainty import LEAST_CLUSTERS, rankable

OUTCOMES = {"scored": "#0072b2", "missing": "#c22f2f", "failed": "#cc79a7", "infrastructure": "#e69f00"}
_OTHER = "#8a94a0"
_PARTS = ("behaviour", "speed", "relevance", "naturalness")


def render(card: Scorecard, gallery: Sequence[GalleryItem], *, more: str = "") -> str:
    """The page for ``card``; ``gallery`` holds the items to show, in order (see ``score_gallery.choose``).

    ``more`` is HTML of ours for the end of the page, such as the corpus's own figures.
    """
    return page(
        f"{card.system or 'run'} on {card.corpus}",
        (
            head(card),
            warnings(card.warnings),
            _headline(card),
            section("By scenario and language", _scenarios(card)),
            section("Speed", _speed(card)),
            section("Behaviour", _behaviour(card.items)),
            section("What makes up the score", _parts(card)),
            section("How it was scored", _methods(card)),
            section("Items to listen to", _gallery(gallery)),
            section("Not scored", _accounting(card)),
            more,
        ),
    )


def head(card: Scorecard) -> str:
    """Who was scored on what, by which profile."""
    facts = (
        f"profile <b>{html(card.profile)}</b>",
        f"mode <b>{html(card.mode)}</b>",
        f"ranked among <b>{html(card.comparable)}</b>",
        f"corpus <b><bdi>{html(card.corpus)}</bdi></b>",
    )
    sha = f"<p class='soft'><code>{html(card.corpus_sha256)}</code></p>" if card.corpus_sha256 else ""
    name = html(card.system or "run without a name")
    return f"<header><h1><bdi>{name}</bdi></h1><p>{' · '.join(facts)}</p>{sha}</header>"


def warnings(lines: Iterable[str]) -> str:
    """A box that cannot be overlooked; "" where there is nothing to warn of."""
    body = "".join(f"<li>{html(w)}</li>" for w in lines)
    return f'<div class="warn" role="note"><ul>{body}</ul></div>' if body else ""


def _headline(card: Scorecard) -> str:
    e = card.headline
    value = "–" if e.value is None else f"{e.value:.3f}"
    if e.low is not None and e.high is not None:
        interval = f"95% interval {e.low:.3f} to {e.high:.3f}"
    else:
        interval = "no interval: too few clusters tell"
    few = "" if rankable(e) else f"<p class='failed'>fewer than {LEAST_CLUSTERS} clusters: no ranking is claimed</p>"
    about = " · ".join(x for x in (f"{e.n:,} items", f"{e.clusters:,} clusters" if e.clusters else "", e.method) if x)
    return (
        '<div class="headline"><div>'
        f'<div class="big">{value}</div><div class="range">{interval}</div>{interval_bar(e)}'
        f'<p class="soft">{html(about)}</p>{few}</div><div>{_coverage(card)}</div></div>{_cards(card)}'
    )


def _coverage(card: Scorecard) -> str:
    parts = {"scored": card.scored, **card.accounted}
    bar = shares({k: (n, OUTCOMES.get(k, _OTHER)) for k, n in parts.items()}, css="coverage")
    key = "".join(
        f'<span><i style="background:{OUTCOMES.get(k, _OTHER)}"></i>{html(title(k))} {n:,}</span>'
        for k, n in parts.items()
    )
    total = " + ".join(f"{n:,} {html(title(k))}" for k, n in parts.items())
    wrong = "" if sum(parts.values()) == card.expected else '<p class="failed">these do not add up</p>'
    return (
        f"<p>Every item that the corpus expects counts; what is not scored counts as 0.</p>{bar}"
        f'<p class="key">{key}</p><p><b>{card.expected:,} expected</b> = {total}</p>{wrong}'
    )


def _cards(card: Scorecard) -> str:
    cell = next((c for c in card.cells if (c.scenario, c.language) == ("all", "all")), None)
    if cell is None:
        return ""
    blocks = ""
    for name in _PARTS:
        e: Estimate = getattr(cell, name)
        value = "–" if e.value is None else f"{e.value:.2f}"
        span = f"[{e.low:.2f}, {e.high:.2f}]" if e.low is not None and e.high is not None else "not measured"
        span = span if e.value is not None or name != "naturalness" else "not judged"
        blocks += f'<div class="card"><b>{value}</b><span>{name}<br>{span}</span></div>'
    return f'<div class="cards">{blocks}</div>'


def _order(cells: Iterable[Cell], axis: str) -> list[str]:
    """The values of an axis, "all" first."""
    found = list(dict.fromkeys(getattr(c, axis) for c in cells))
    return sorted(found, key=lambda v: v != "all")


def estimate(e: Estimate) -> str:
    """A bar and its figure, for a table's cell."""
    if e.value is None:
        return '<span class="soft">–</span>'
    span = f' <span class="soft">[{e.low:.2f}, {e.high:.2f}]</span>' if e.low is not None and e.high is not None else ""
    return f'<span class="figure">{interval_bar(e)}<span>{e.value:.2f}{span}</span></span>'


def _scenarios(card: Scorecard) -> str:
    cells = {(c.scenario, c.language): c for c in card.cells}
    scenarios, languages = _order(card.cells, "scenario"), _order(card.cells, "language")
    header = "".join(f"<th>{html('all languages' if x == 'all' else x)}</th>" for x in languages)
    rows = ""
    for s in scenarios:
        whole = cells.get((s, "all"))
        seen = f"{whole.scored:,} of {whole.expected:,}" if whole else ""
        body = "".join(f"<td>{estimate(cells[s, x].utility) if (s, x) in cells else ''}</td>" for x in languages)
        name = "all scenarios" if s == "all" else title(s)
        rows += f'<tr{" class=sum" if s == "all" else ""}><th>{html(name)}</th><td class="n">{seen}</td>{body}</tr>'
    return (
        f'<p>Utility in [0, 1], with 95% intervals.</p><div class="scroll"><table class="grid"><tr><th>scenario</th>'
        f'<th class="n">scored</th>{header}</tr>{rows}</table></div>'
    )


def _parts(card: Scorecard) -> str:
    blocks = ""
    for language in _order(card.cells, "language"):
        rows = ""
        for c in (
            c for s in _order(card.cells, "scenario") for c in card.cells if (c.scenario, c.language) == (s, language)
        ):
            body = "".join(f"<td>{estimate(getattr(c, name))}</td>" for name in _PARTS)
            name = "all scenarios" if c.scenario == "all" else title(c.scenario)
            rows += f"<tr{' class=sum' if c.scenario == 'all' else ''}><th>{html(name)}</th>{body}</tr>"
        header = "".join(f"<th>{name}</th>" for name in _PARTS)
        table = f'<div class="scroll"><table class="grid"><tr><th>scenario</th>{header}</tr>{rows}</table></div>'
        summary = "all languages" if language == "all" else html(language)
        blocks += f"<details{' open' if language == 'all' else ''}><summary>{summary}</summary>{table}</details>"
    return blocks


def _speed(card: Scorecard) -> str:
    content = [r for i in card.items for r in i.replies]
    stops = [e for i in card.items for e in i.events if e.stop_limit is not None]
    blocks = "".join(
        f"<div><h3>{html(title(name))}</h3><p>median {median(d)} · 90% {delay(d.p90, d.limit)} · "
        f"95% {delay(d.p95, d.limit)}</p>{happened(d)}</div>"
        for name, d in card.delays.items()
        if d.n
    )
    for name, values, limits in (
        ("content offsets, counted", [r.content for r in content], [r.limit for r in content]),
        ("stop latencies, counted", [e.stop for e in stops], [e.stop_limit or 0.0 for e in stops]),
    ):
        if values:
            seen = [v for v, limit in zip(values, limits, strict=True) if v is not None and v <= limit]
            blocks += (
                f"<div><h3>{name}</h3><p>{len(values):,} expected, {len(values) - len(seen):,} missed</p>"
                f"{histogram(seen, len(values) - len(seen), max(limits))}</div>"
            )
    lead = (
        "<p>Offsets count from the end of the user's turn; before 0 the system began early. A curve shows the share "
        "that has happened by each second (Kaplan-Meier; a miss is known only to lie beyond its limit); dots are the "
        "median and the 90th and 95th percentile.</p>"
    )
    return (lead + f'<div class="charts">{blocks}</div>' if blocks else "") + _delays(card.delays) + _rates(card)


def _delays(delays: dict[str, DelaySummary]) -> str:
    rows = "".join(
        f'<tr><th>{html(title(name))}</th><td class="n">{d.n:,}</td><td class="n">{d.missed:,}</td>'
        f"<td class='n'>{median(d)}</td><td class='n'>{delay(d.p90, d.limit) if d.n else '–'}</td>"
        f"<td class='n'>{delay(d.p95, d.limit) if d.n else '–'}</td><td class='n'>{d.limit:g} s</td></tr>"
        for name, d in delays.items()
    )
    header = (
        "<tr><th>delay</th><th class='n'>n</th><th class='n'>missed</th><th class='n'>median [95% interval]</th>"
        "<th class='n'>90%</th><th class='n'>95%</th><th class='n'>limit</th></tr>"
    )
    return f'<div class="scroll"><table class="grid">{header}{rows}</table></div>' if rows else ""


def _rates(card: Scorecard) -> str:
    def table(rates: dict[str, Estimate]) -> str:
        rows = "".join(
            f"<tr><th>{html(title(name))}</th><td>{estimate(e)}</td><td class='n'>{e.n:,}</td></tr>"
            for name, e in rates.items()
        )
        header = "<tr><th>rate</th><th>share</th><th class='n'>n</th></tr>"
        return f'<div class="scroll"><table class="grid">{header}{rows}</table></div>' if rows else ""

    # How often each rule failed comes after what happened to replies, folded: the rules have a section of their own.
    folded = {name: e for name, e in card.rates.items() if name.startswith("fails: ")}
    body = table({name: e for name, e in card.rates.items() if name not in folded})
    if folded:
        body += f"<details><summary>how often each rule failed</summary>{table(folded)}</details>"
    return f"<h3>Rates</h3>{body}" if body else ""


def _behaviour(items: Sequence[ItemScore]) -> str:
    """Each rule of each kind of event: how often it was passed, partly passed, failed or had nothing to look at."""
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(GRADES, 0))
    points: dict[tuple[str, str], list[float]] = defaultdict(list)
    idle: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for e in (e for i in items for e in i.events):
        name = kind(e)
        idle[name][0] += 1
        idle[name][1] += not e.exercised
        for r in e.rules:
            counts[name, r.name][grade(r.score)] += 1
            if r.score is not None:
                points[name, r.name].append(r.score)
    rows = ""
    for name in sorted(idle):
        events, unexercised = idle[name]
        rules = [k for k in counts if k[0] == name] or [(name, "")]
        for n, key in enumerate(rules):
            first = (
                f'<th rowspan="{len(rules)}">{html(name)}</th><td class="n" rowspan="{len(rules)}">{events:,}</td>'
                f'<td class="n{" failed" if unexercised else ""}" rowspan="{len(rules)}">{unexercised:,}</td>'
                if n == 0
                else ""
            )
            c = counts.get(key, dict.fromkeys(GRADES, 0))
            bar = shares({g: (c[g], COLOUR[g]) for g in GRADES})
            mean = f"{sum(points[key]) / len(points[key]):.2f}" if points.get(key) else "–"
            cells = "".join(f'<td class="n">{c[g]:,}</td>' for g in GRADES)
            rule = html(key[1] or "no rule was applied")
            rows += f'<tr>{first}<td>{rule}</td><td>{bar}</td>{cells}<td class="n">{mean}</td></tr>'
    header = (
        '<tr><th>event</th><th class="n">n</th><th class="n">not exercised</th><th>rule</th><th></th>'
        + "".join(f'<th class="n">{g}</th>' for g in GRADES)
        + '<th class="n">mean</th></tr>'
    )
    lead = (
        "<p>An event's score is the product of its rules. Passed is a rule's full score, failed less than half. "
        "An event is not exercised where the system was late, silent or brief, and scores 0.</p>"
    )
    return f'{lead}<div class="scroll"><table class="grid">{header}{rows}</table></div>' if rows else ""


def _methods(card: Scorecard) -> str:
    rows = "".join(f"<dt>{html(title(k))}</dt><dd>{html(v) or '–'}</dd>" for k, v in card.methods.items())
    judged = any(k in card.methods for k in ("judge", "naturalness"))
    rows += "" if judged else "<dt>judge</dt><dd>not judged</dd>"
    return f'<dl class="methods">{rows}</dl>'


def _gallery(gallery: Sequence[GalleryItem]) -> str:
    blocks = "".join(
        f'<article class="item" id="item-{n}"><h3><b class="{grade(g.score.utility)}">{g.score.utility:.2f}</b>'
        f"<span><bdi>{html(g.score.id)}</bdi></span><span>{chips(g.score)}</span></h3>"
        f'<p class="why">{html(sentence(g.score))}</p>{take(g)}</article>'
        for n, g in enumerate(gallery)
    )
    lead = (
        "<p>The worst items, scenarios in turn, then a few of the best. The user is in the left ear, the system in the "
        "right. A click on a picture plays from there.</p>"
    )
    return lead + KEY + blocks if blocks else ""


def _accounting(card: Scorecard) -> str:
    blocks = ""
    for what in (k for k in OUTCOMES if k != "scored"):
        rows = [(i.id, i.why) for i in card.items if i.outcome == what]
        # A card without its items still tells how many there are.
        count = max(len(rows), card.accounted.get(what, 0))
        if count:
            blocks += f"<h3>{count:,} {what}</h3>{names(rows)}"
    if card.extra_files:
        blocks += (
            f"<h3>{len(card.extra_files):,} files that belong to no item</h3>{names((f, '') for f in card.extra_files)}"
        )
    noted = [(i.id, "; ".join(i.notes)) for i in card.items if i.notes]
    if noted:
        blocks += f"<details><summary>{len(noted):,} items with notes on their files</summary>{names(noted)}</details>"
    return blocks or "<p>Every item was scored and every file was used.</p>"
