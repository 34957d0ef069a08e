"""One scored exchange as text for a terminal: what happened line by line, every rule, official beside corrected."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.corpus.interval import merge_gaps
from duologue.report.palette import ROLE, ROLE_NAMES
from duologue.report.printable import printable
from duologue.report.verdict import COLOUR, MARK, delay, grade, kind, measured, sentence, title
from duologue.score.exchange import RATE, Exchange
from duologue.score.scorecard import ItemScore

# A pause of the system's that is shorter lies inside one line of the timeline.
_SAME_LINE = 0.6


def explain(exchange: Exchange, score: ItemScore) -> RenderableType:
    """All that is known of the item, as something that rich can print."""
    parts: list[RenderableType] = [_head(score), Text(), _timeline(exchange, score)]
    for name, table in (
        ("rules", _rules(score)),
        ("replies", _replies(score)),
        ("official and corrected", _beside(score)),
    ):
        if table is not None:
            parts += [Text(), Text(name, style="bold"), table]
    parts += [Text(f"note: {printable(n)}") for n in score.notes]
    return Group(*parts)


def official_rows(score: ItemScore) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(quantity, official, corrected) for each that the official profile sees, and why the two differ.

    ``ItemScore.official`` maps a quantity to a number or a text; under "why" it holds one reason or several.
    """
    stops = [delay(e.stop, e.stop_limit) for e in score.events if e.stop_limit is not None]
    sounds = ["never" if r.sound is None else f"{r.sound:+.2f} s" for r in score.replies]
    contents = ["never" if r.content is None else f"{r.content:+.2f} s" for r in score.replies[:1]]
    corrected = {
        "stop_latency": ", ".join(stops),
        "response_latency": ", ".join(sounds),
        "first_response_delay": ", ".join(contents),
        "tag": f"behaviour {score.behaviour:.2f}",
    }
    rows = []
    for name, value in score.official.items():
        if name != "why":
            unit = " s" if name.endswith(("_latency", "_delay")) else ""
            rows.append((title(name), _shown(value, unit), corrected.get(name, "")))
    why = score.official.get("why", ())
    return rows, [str(w) for w in ([why] if isinstance(why, str) else why or ())]


def _shown(value: object, unit: str) -> str:
    if value is None:
        return "left out"
    if isinstance(value, float):
        return f"{value:.3f}{unit}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(v, unit) for v in value) or "none"
    return str(value)


def _head(score: ItemScore) -> Text:
    text = Text(printable(score.id), style="bold")
    facts = " · ".join(x for x in (score.language, title(score.scenario), score.split, score.outcome) if x)
    text.append(f"  {printable(facts)}", style="not bold")
    if score.words_from:
        text.append(f" · words from the {printable(score.words_from)}", style="not bold")
    text.append(f"\n{printable(sentence(score))}", style="not bold")
    return text


def timeline(x: Exchange, score: ItemScore) -> list[tuple[float, str, str, str]]:
    """(second, who, what, colour), in order of time: turns, the system's speech, events, replies, silence."""
    rows: list[tuple[float, str, str, str]] = []
    for p in x.turns:
        spans = "".join(f" …{a / RATE:.2f}–{b / RATE:.2f}" for a, b in p.segments[1:])
        end = f" (to {p.segments[0, 1] / RATE:.2f} s{spans})"
        words = f"{p.turn.index}: {p.turn.text}{end}"
        rows.append((p.start / RATE, ROLE_NAMES[p.turn.role], words, ROLE[p.turn.role]))
    rows += [
        (a, "system", f"{said or '(sound without words)'} (to {b:.2f} s)", ROLE["system"]) for a, b, said in _said(x)
    ]
    for e in score.events:
        how = f"{e.score:.2f}" if e.exercised else f"not exercised: {e.why}"
        rows.append((e.start, "event", f"{kind(e)} until {e.end:.2f} s: {how}", COLOUR[grade(e.score)]))
        if e.stop is not None:
            rows.append((e.start + e.stop, "silence", f"{e.stop:.2f} s after the event's onset", ""))
        elif e.stop_limit is not None and e.exercised:
            rows.append((e.start + e.stop_limit, "silence", f"not within {e.stop_limit:g} s", COLOUR["failed"]))
    for r in score.replies:
        colour = COLOUR[grade(r.score)]
        if r.sound is None:
            rows.append((r.end + r.limit, "reply", f"to turn {r.turn}: none within {r.limit:.2f} s", COLOUR["failed"]))
        else:
            what = f"to turn {r.turn}: first sound {r.sound:+.2f} s"
            what += f", first content {r.content:+.2f} s" if r.content is not None else ", no content"
            rows.append((r.end + r.sound, "reply", what, colour))
    return sorted(rows, key=lambda r: r[0])


def _said(x: Exchange) -> Iterable[tuple[float, float, str]]:
    """(start, end, words) of the system's sound, pieces with short pauses between them as one; seconds."""
    for a, b in merge_gaps(x.sound, round(_SAME_LINE * RATE)):
        yield int(a) / RATE, int(b) / RATE, x.text(int(a), int(b))


def _timeline(x: Exchange, score: ItemScore) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for at, who, what, colour in timeline(x, score):
        table.add_row(f"{at:.2f}", Text(who, style=colour), Text(printable(what)))
    return table


def _rules(score: ItemScore) -> Table | None:
    if not score.events:
        return None
    table = _table("event", "looked at, s", "rule", "measured", "why", "score")
    for e in score.events:
        if not e.exercised:
            row = (kind(e), f"{e.start:.2f}–{e.end:.2f}", "not exercised", "", e.why, "0.00")
            table.add_row(*(Text(printable(c), style=COLOUR["failed"] if i == 2 else "") for i, c in enumerate(row)))
        for r in e.rules:
            g = grade(r.score)
            window = "" if r.start is None else f"{r.start:.2f}" + ("" if r.end is None else f"–{r.end:.2f}")
            points = "–" if r.score is None else f"{r.score:.2f}"
            row = (kind(e), window, f"{MARK[g]} {r.name}", measured(r), r.why, points)
            table.add_row(*(Text(printable(c), style=COLOUR[g] if i == 2 else "") for i, c in enumerate(row)))
    return table


def _replies(score: ItemScore) -> Table | None:
    if not score.replies:
        return None
    table = _table("turn", "sound", "content", "speed", "rank", "relevance", "score", "said")
    for r in score.replies:
        rank = "" if r.rank is None or r.candidates is None else f"{r.rank} of {r.candidates}"
        said = f"“{r.text}”" if r.text else ""
        row = (
            str(r.turn),
            f"> {r.limit:.2f} s" if r.sound is None else f"{r.sound:+.2f} s",
            f"> {r.limit:.2f} s" if r.content is None else f"{r.content:+.2f} s",
            f"{r.speed:.2f}",
            rank,
            "" if r.relevance is None else f"{r.relevance:.2f}",
            f"{r.score:.2f}",
            " ".join(x for x in (said, r.why) if x),
        )
        table.add_row(*(Text(printable(c), style=COLOUR[grade(r.score)] if i == 6 else "") for i, c in enumerate(row)))
    return table


def _beside(score: ItemScore) -> RenderableType | None:
    rows, why = official_rows(score)
    if not rows and not why:
        return None
    table = _table("", "official", "corrected")
    for row in rows:
        table.add_row(*(Text(printable(c)) for c in row))
    return Group(table, *(Text(f"differs: {printable(w)}") for w in why))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("looked at, s", "sound", "content", "rank", "score"))
    return table
