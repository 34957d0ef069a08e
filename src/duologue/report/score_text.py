"""A score card, and a comparison of two, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.report.verdict import COLOUR, delay, figure, median, signed, title
from duologue.score.diff import Diff
from duologue.score.scorecard import Scorecard
from duologue.score.uncertainty import LEAST_CLUSTERS, rankable

_FEW = 5


def scorecard(card: Scorecard) -> RenderableType:
    """Warnings, the headline with its interval and coverage, scenarios by language, delays, rates, accounting."""
    parts: list[RenderableType] = [_head(card), *_warnings(card.warnings), _headline(card), Text(), _cells(card)]
    for table in (_parts(card), _delays(card), _rates(card)):
        if table is not None:
            parts += [Text(), table]
    parts += [Text(), *_accounting(card)]
    methods = " · ".join(f"{title(k)}: {v}" for k, v in card.methods.items())
    return Group(*parts, Text(printable(methods), style="dim"))


def comparison(diff: Diff) -> RenderableType:
    """The verdict, what changed by scenario and language, and the items that lost or are not scored any more."""
    h = diff.headline
    head = Text(printable(f"{diff.system_a or 'run a'} → {diff.system_b or 'run b'}"), style="bold")
    head.append(printable(f"  {diff.profile} · {diff.corpus}"), style="not bold")
    word = ("regression", COLOUR["failed"]) if diff.regression else ("no regression", COLOUR["passed"])
    verdict = Text(word[0], style=f"bold {word[1]}")
    verdict.append(
        f"  headline {h.a:.3f} → {h.b:.3f}, {signed(h.difference)} over {h.n:,} items"
        + ("" if h.p is None else f", p {h.p:.3g}"),
        style="not bold default",
    )
    parts: list[RenderableType] = [head, verdict, *(Text(f"  ✗ {printable(r)}") for r in diff.reasons)]
    parts += [*_warnings(diff.warnings), Text(), _changes(diff)]
    by_id = {c.id: c for c in diff.items}
    gone = [(i, f"{by_id[i].outcome_b}: {by_id[i].why}") for i in diff.unscored]
    lost = [(i, f"{by_id[i].a:.2f} → {by_id[i].b:.2f}  {by_id[i].why}") for i in diff.regressed]
    parts += [Text(), *_named("not scored any more", gone)]
    parts += _named(f"lost more than {diff.tolerance:g}", lost)
    parts.append(Text(f"{len(diff.improved):,} items gained more than {diff.tolerance:g}"))
    return Group(*parts)


def _head(card: Scorecard) -> Text:
    text = Text(printable(card.system or "run without a name"), style="bold")
    facts = f"  profile {card.profile} · {card.mode}, ranked among {card.comparable} · corpus {card.corpus}"
    text.append(printable(facts), style="not bold")
    return text


def _warnings(lines: Iterable[str]) -> list[RenderableType]:
    return [Text(f"! {printable(w)}", style=COLOUR["partly"]) for w in lines]


def _headline(card: Scorecard) -> Text:
    e = card.headline
    text = Text(figure(e, 3), style="bold")
    parts = " + ".join([f"{card.scored:,} scored", *(f"{n:,} {title(k)}" for k, n in card.accounted.items())])
    clusters = f", {e.clusters:,} clusters" if e.clusters else ""
    interval = "95% interval" if e.low is not None else "no interval"
    clusters += "" if rankable(e) else f"; below {LEAST_CLUSTERS} no ranking is claimed"
    text.append(f"  headline, {interval}{clusters}\n", style="not bold")
    text.append(printable(f"{card.expected:,} expected = {parts}"), style="not bold")
    return text


def _cells(card: Scorecard) -> Table:
    cells = {(c.scenario, c.language): c for c in card.cells}
    languages = sorted(dict.fromkeys(c.language for c in card.cells), key=lambda x: x != "all")
    scenarios = sorted(dict.fromkeys(c.scenario for c in card.cells), key=lambda x: x != "all")
    table = _table("scenario", "scored", *languages)
    for s in scenarios:
        whole = cells.get((s, "all")) or next(c for c in card.cells if c.scenario == s)
        row = [title(s), f"{whole.scored:,}/{whole.expected:,}"]
        row += [figure(cells[s, x].utility) if (s, x) in cells else "" for x in languages]
        table.add_row(*(Text(printable(c), style="bold" if s == "all" else "") for c in row))
    return table


def _parts(card: Scorecard) -> Table:
    cells = sorted((c for c in card.cells if c.scenario == "all"), key=lambda c: c.language != "all")
    table = _table("all scenarios", *(c.language for c in cells))
    for name in ("behaviour", "speed", "relevance", "naturalness"):
        table.add_row(Text(name), *(Text(figure(getattr(c, name))) for c in cells))
    return table


def _delays(card: Scorecard) -> Table | None:
    if not card.delays:
        return None
    table = _table("delay", "n", "missed", "median", "90%", "95%")
    for name, d in card.delays.items():
        ends = [delay(v, d.limit) if d.n else "–" for v in (d.p90, d.p95)]
        table.add_row(*(Text(printable(c)) for c in (title(name), f"{d.n:,}", f"{d.missed:,}", median(d), *ends)))
    return table


def _rates(card: Scorecard) -> Table | None:
    if not card.rates:
        return None
    table = _table("rate", "share", "n")
    for name, e in card.rates.items():
        table.add_row(*(Text(printable(c)) for c in (title(name), figure(e), f"{e.n:,}")))
    return table


def _accounting(card: Scorecard) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for what, count in card.accounted.items():
        rows = [(i.id, i.why) for i in card.items if i.outcome == what]
        if count:
            lines += _named(title(what), rows, count)
    if card.extra_files:
        lines += _named("files that belong to no item", [(f, "") for f in card.extra_files])
    return lines


def _named(what: str, rows: Sequence[tuple[str, str]], count: int | None = None) -> list[RenderableType]:
    """A line that counts, then the first few by name."""
    count = len(rows) if count is None else count
    if not count:
        return []
    lines: list[RenderableType] = [Text(f"{count:,} {what}", style="bold")]
    lines += [Text(printable(f"  {name}  {why}".rstrip())) for name, why in rows[:_FEW]]
    if count > min(len(rows), _FEW):
        lines.append(Text(f"  and {count - min(len(rows), _FEW):,} more", style="dim"))
    return lines


def _changes(diff: Diff) -> RenderableType:
    cells = {(c.scenario, c.language): c for c in (diff.headline, *diff.cells)}
    languages = ["all", *dict.fromkeys(c.language for c in diff.cells if c.language != "all")]
    scenarios = ["all", *dict.fromkeys(c.scenario for c in diff.cells if c.scenario != "all")]
    table = _table("scenario", "means", *languages)
    for s in scenarios:
        whole = cells.get((s, "all"))
        row = [Text(title(s)), Text(f"{whole.a:.2f} → {whole.b:.2f}" if whole else "")]
        for x in languages:
            c = cells.get((s, x))
            if c is None:
                row.append(Text())
                continue
            # Intervals of the margins only: of a cell, its p where it says something, so that a line fits a terminal.
            e = c.difference
            p = "" if c.p_holm is None or c.p_holm > 0.2 else f" p {c.p_holm:.2g}"
            text = signed(e, 2) if x == "all" else "–" if e.value is None else f"{e.value:+.2f}{p}"
            sure = e.high is not None and e.high < 0
            row.append(Text(text, style=COLOUR["failed"] if sure else ""))
        table.add_row(*row)
    margins = [
        Text(f"{printable(c.language)}: {signed(c.difference, 2)}, {c.a:.2f} → {c.b:.2f}")
        for c in diff.cells
        if c.scenario == "all"
    ]
    return Group(table, *margins)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for i, name in enumerate(columns):
        table.add_column(Text(printable(name)), overflow="fold", justify="left" if i == 0 else "right")
    return table
