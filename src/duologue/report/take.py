"""One scored item inside a page: its picture, its sound, the moment that cost most, what every rule saw."""

from __future__ import annotations

import numpy as np

from duologue.report.exchange_sketch import READABLE, sketch
from duologue.report.palette import EVENT, ROLE
from duologue.report.printable import html
from duologue.report.score_gallery import GalleryItem, moment
from duologue.report.sound import data_address
from duologue.report.verdict import COLOUR, MARK, grade, kind, measured, title
from duologue.score.exchange import RATE
from duologue.score.scorecard import ItemScore

# Longer items are played about the moment that cost most, so that a page of long meetings stays small.
LONGEST = 90.0

KEY = (
    '<p class="key">'
    f'<span><i style="background:{EVENT}"></i>event</span>'
    f'<span><i style="background:{ROLE["user"]}"></i>user speaks</span>'
    f'<span><i style="background:{ROLE["third_party"]}"></i>third party</span>'
    f'<span><i style="background:{ROLE["addressee"]}"></i>addressee</span>'
    f'<span><i style="background:{ROLE["system"]}"></i>system speaks</span>'
    f'<span><i class="thin" style="background:{ROLE["system"]}"></i>system is audible</span>'
    f'<span><i class="round" style="background:{COLOUR["passed"]}"></i>first content of a reply, after the turn</span>'
    + "".join(f'<span style="color:{COLOUR[g]}">{MARK[g]} {g}</span>' for g in ("passed", "partly", "failed"))
    + "</p>"
)


def take(item: GalleryItem, *, near: tuple[float, float] | None = None) -> str:
    """Picture, player (user left, system right), close-up and tables of ``item``.

    The close-up shows ``near`` (seconds), or where the item lost most.
    """
    seconds = item.seconds
    start, end = (0.0, seconds) if seconds <= LONGEST else moment(item.score, seconds, LONGEST)
    heading = "Where it lost most" if near is None else "Close up"
    near = near or moment(item.score, seconds)
    close = (
        ""
        if end - start <= READABLE or not (item.score.events or item.score.replies)
        else (
            f'<h4>{heading}, {near[0]:.1f} to {near[1]:.1f} s</h4><div class="wide">'
            f"{sketch(item, start=near[0], end=near[1])}</div>"
        )
    )
    cut = "" if end - start >= seconds else f'<p class="soft">{start:.1f} to {end:.1f} s of {seconds:.1f} s</p>'
    return (
        f'<div class="take"><div class="wide">{sketch(item, start=start, end=end)}</div>'
        f"{_player(item, start, end)}{cut}{close}{tables(item.score)}</div>"
    )


def tables(score: ItemScore) -> str:
    """What the rules measured and how the replies came, folded away."""
    body = _events(score) + _replies(score)
    notes = "".join(f"<li>{html(n)}</li>" for n in score.notes)
    body += f"<ul>{notes}</ul>" if notes else ""
    return f"<details><summary>rules and replies</summary>{body}</details>" if body else ""


def chips(score: ItemScore) -> str:
    """The heading's small facts."""
    return "".join(
        f'<span class="chip">{html(title(x))}</span>' for x in (score.language, score.scenario, score.split) if x
    )


def _player(item: GalleryItem, start: float, end: float) -> str:
    a, b = round(start * RATE), round(end * RATE)
    both = np.zeros((b - a, 2), np.float32)
    for i, samples in enumerate((item.user, item.system)):
        part = samples[a:b]
        both[: len(part), i] = part
    return (
        f'<audio controls preload="none" data-offset="{start:g}" aria-label="user left, system right" '
        f'src="{data_address(both, RATE)}"></audio>'
    )


def _events(score: ItemScore) -> str:
    rows = ""
    for e in score.events:
        if not e.exercised:
            rows += (
                f"<tr><td>{html(kind(e))}</td><td>{e.start:.2f}–{e.end:.2f}</td><td class='failed'>not exercised</td>"
                f"<td></td><td>{html(e.why)}</td><td class='n'>0.00</td></tr>"
            )
        for r in e.rules:
            g = grade(r.score)
            points = "" if r.score is None else f"{r.score:.2f}"
            window = f"{r.start:.2f}" + (f"–{r.end:.2f}" if r.end is not None else "") if r.start is not None else ""
            rows += (
                f"<tr><td>{html(kind(e))}</td><td>{window}</td><td class='{g if r.score is not None else 'soft'}'>"
                f"{MARK[g]} {html(r.name)}</td><td>{html(measured(r))}</td><td>{html(r.why)}</td>"
                f"<td class='n'>{points}</td></tr>"
            )
    head = (
        "<tr><th>event</th><th>looked at, s</th><th>rule</th><th>measured</th><th>why</th><th class='n'>score</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else ""


def _replies(score: ItemScore) -> str:
    rows = ""
    for r in score.replies:
        first = "never" if r.sound is None else f"{r.sound:+.2f}"
        content = "never" if r.content is None else f"{r.content:+.2f}"
        rank = "" if r.rank is None or r.candidates is None else f"{r.rank} of {r.candidates}"
        relevance = "" if r.relevance is None else f"{r.relevance:.2f}"
        said = f'<span lang="{html(score.language)}">“{html(r.text)}”</span>' if r.text else ""
        rows += (
            f'<tr><td class="n">{r.turn}</td><td lang="{html(score.language)}">{html(r.query)}</td>'
            f'<td>{said} {html(r.why)}</td><td class="n">{first}</td><td class="n">{content}</td>'
            f'<td class="n">{r.speed:.2f}</td><td class="n">{rank}</td><td class="n">{relevance}</td>'
            f'<td class="n {grade(r.score)}">{r.score:.2f}</td></tr>'
        )
    head = (
        "<tr><th class='n'>turn</th><th>the user said</th><th>the system replied</th><th class='n'>sound, s</th>"
        "<th class='n'>content, s</th><th class='n'>speed</th><th class='n'>rank</th><th class='n'>relevance</th>"
        "<th class='n'>score</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else ""
