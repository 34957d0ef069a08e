"""A score card, a comparison and an item in a terminal: the figures, and no stranger's control characters."""

from __future__ import annotations

import msgspec
import pytest
from cards import fabricate
from rich.console import Console

from duologue.corpus import read
from duologue.report import score_text
from duologue.report.exchange_text import explain, timeline
from duologue.report.exchange_timeline import draw
from duologue.report.score_gallery import GalleryItem, choose
from duologue.score.diff import diff
from duologue.score.exchange import RATE
from duologue.score.scorecard import Scorecard

# One worker builds the small corpus for all of these.
pytestmark = pytest.mark.xdist_group("small_scored_corpus")

HOSTILE = "[red]x[/nope]\x1b]0;owned\x07\u202e"
Made = tuple[Scorecard, dict[str, GalleryItem]]


def printed(what, width: int = 100) -> str:
    console = Console(width=width, force_terminal=True, color_system="truecolor", highlight=False)
    with console.capture() as out:
        console.print(what)
    return out.get()


def plain(what, width: int = 100) -> str:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as out:
        console.print(what)
    return out.get()


def replace(x, **changes):
    return msgspec.structs.replace(x, **changes)


def test_a_card_in_a_terminal(made_up: Made) -> None:
    c = made_up[0]
    text = plain(score_text.scorecard(c))
    assert f"{c.headline.value:.3f} [{c.headline.low:.3f}, {c.headline.high:.3f}]" in text
    assert f"{c.expected} expected = {c.scored} scored + {c.accounted['missing']} missing" in text
    for cell in c.cells:
        assert f"{cell.utility.value:.2f}" in text
    content = c.delays["content"]
    assert f"{content.median:.2f} s" in text
    assert (f"{content.p95:.2f} s" if content.p95 is not None else "> 8 s") in text
    assert text.index("it could look ahead") < text.index("headline")
    assert max(map(len, text.splitlines())) <= 100
    for i in c.items:
        if i.outcome != "scored":
            assert i.id in text


def test_strangers_cannot_write_to_the_terminal(made_up: Made) -> None:
    c = replace(
        made_up[0],
        system=HOSTILE,
        corpus=HOSTILE,
        warnings=(HOSTILE,),
        extra_files=(HOSTILE,),
        methods={HOSTILE: HOSTILE},
        items=tuple(replace(i, why=HOSTILE) for i in made_up[0].items),
    )
    shown = made_up[1][choose(c.items)[0].id]
    score = replace(shown.score, why=HOSTILE, notes=(HOSTILE,), official={HOSTILE: HOSTILE, "why": [HOSTILE]})
    for what in (
        score_text.scorecard(c),
        score_text.comparison(diff(c, replace(c, system=HOSTILE))),
        explain(shown.exchange, score),
    ):
        text = printed(what)
        assert "\x1b]" not in text and "\x07" not in text and "\u202e" not in text
        assert "[red]x[/nope]" in text


def test_a_comparison_in_a_terminal(small: read.Corpus, made_up: Made) -> None:
    a, b = made_up[0], fabricate(small, seed=3, system="other", late=7.0)[0]
    d = diff(a, b)
    text = plain(score_text.comparison(d))
    assert f"{d.headline.a:.3f} → {d.headline.b:.3f}" in text
    assert text.splitlines()[1].startswith("regression" if d.regression else "no regression")
    for reason in d.reasons:
        assert reason[:60] in text


def test_the_timeline_runs_in_order_and_holds_every_turn_event_and_reply(made_up: Made) -> None:
    for shown in made_up[1].values():
        rows = timeline(shown.exchange, shown.score)
        assert [r[0] for r in rows] == sorted(r[0] for r in rows)
        who = [r[1] for r in rows]
        assert who.count("event") == len(shown.score.events)
        assert who.count("reply") == len(shown.score.replies)
        for p in shown.exchange.turns:
            assert any(r[0] == p.start / RATE and p.turn.text in r[2] for r in rows)
        text = plain(explain(shown.exchange, shown.score), 120)
        for e in shown.score.events:
            for r in e.rules:
                assert r.name in text
        assert "left out" in text and "differs: a reply that comes before the turn's end is left out" in text


def test_a_picture_of_both_languages_is_drawn(made_up: Made, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    for language in ("en", "zh"):
        shown = next(g for g in made_up[1].values() if g.score.language == language and g.score.events)
        # Dollar signs are no formula, and names may hold anything.
        odd = replace(shown.score, id="$x_{" + HOSTILE, official={"tag": "$\\frac{"})
        path = tmp_path / f"{language}.png"
        draw(GalleryItem(shown.exchange, odd, shown.user, shown.system), path)
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size > 20_000
