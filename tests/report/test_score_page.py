"""The page of a score card: every number is on it, nothing is fetched, and a browser shows it without complaint."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from browser import look, parse
from cards import card, fabricate

from duologue.corpus import read
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.run import Run
from duologue.report.chart import happened, histogram, interval_bar
from duologue.report.score_gallery import GalleryItem, choose, gather, moment
from duologue.report.score_page import render
from duologue.report.sound import data_address
from duologue.report.take import LONGEST
from duologue.report.verdict import sentence
from duologue.score.hear import exchange
from duologue.score.scorecard import DelaySummary, Estimate, EventScore, ItemScore, ReplyScore, Rule, Scorecard

# One worker builds the small corpus for all of these.
pytestmark = pytest.mark.xdist_group("small_scored_corpus")

HOSTILE = "<script>alert(1)</script>\"'&]]>\x1b[31m\udcff\u202e$x_{"
Made = tuple[Scorecard, dict[str, GalleryItem]]


def replace(x, **changes):
    return msgspec.structs.replace(x, **changes)


def shown(made: Made, **kwargs: int) -> list[GalleryItem]:
    return [made[1][i.id] for i in choose(made[0].items, **kwargs)]


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(parse(page).text))


def test_every_figure_of_the_card_is_on_the_page(made_up: Made) -> None:
    c = made_up[0]
    text = text_of(render(c, []))
    assert f"{c.headline.value:.3f}" in text
    assert f"95% interval {c.headline.low:.3f} to {c.headline.high:.3f}" in text
    assert f"{c.expected} expected = {c.scored} scored + {c.accounted['missing']} missing" in text
    for cell in c.cells:
        assert f"{cell.utility.value:.2f}" in text
        for part in (cell.behaviour, cell.speed, cell.relevance, cell.naturalness):
            assert part.value is None or f"{part.value:.2f}" in text
    for d in c.delays.values():
        assert f"{d.median:.2f} s" in text
        assert (f"{d.p95:.2f} s" if d.p95 is not None else f"> {d.limit:g} s") in text
        assert f"{d.missed} of {d.n} missed" in text
    for e in c.rates.values():
        assert f"{e.value:.2f}" in text
    for name, value in c.methods.items():
        assert name in text and value in text
    for file in c.extra_files:
        assert file in text
    for i in c.items:
        if i.outcome != "scored":
            assert i.id in text and i.why in text


def test_warnings_come_before_any_figure(made_up: Made) -> None:
    text = text_of(render(made_up[0], []))
    assert text.index("it could look ahead") < text.index(f"{made_up[0].headline.value:.3f}")


def test_figures_that_do_not_add_up_say_so(made_up: Made) -> None:
    c = made_up[0]
    assert "do not add up" not in render(c, [])
    assert "do not add up" in render(replace(c, expected=c.expected + 1), [])


def test_a_long_list_is_cut_and_counted(made_up: Made) -> None:
    c = replace(made_up[0], extra_files=tuple(f"x{i}.wav" for i in range(1000)))
    text = text_of(render(c, []))
    assert "1,000 files that belong to no item" in text
    assert "x39.wav" in text and "x40.wav" not in text and "and 960 more" in text


def test_rules_are_counted_by_kind_of_event() -> None:
    rules = [Rule(name="falls silent", score=s) for s in (1.0, 0.7, 0.2, None)]
    events = [EventScore(event="e", kind="negation", start=0, end=1, score=0.5, rules=(r,)) for r in rules]
    events.append(EventScore(event="e", kind="negation", start=0, end=1, score=0, exercised=False, why="it was silent"))
    item = ItemScore(
        id="a", language="en", scenario="negation", split="test", outcome="scored", utility=0.5, events=tuple(events)
    )
    # 5 events, 1 not exercised; the rule passed, partly passed, failed and was not applied once each; mean 1.9 / 3.
    row = "negation 5 1 falls silent 1 1 1 1 0.63"
    assert row in text_of(render(card([item]), []))


def test_hostile_text_stays_text(made_up: Made) -> None:
    c = made_up[0]
    first = shown(made_up)[0]
    x, s = first.exchange, first.score
    bad_turns = tuple(replace_turn(p) for p in x.turns)
    rule = Rule(name=HOSTILE, score=0.2, value=1.0, unit=HOSTILE, allowed=HOSTILE, why=HOSTILE, start=1.0, end=2.0)
    bad = replace(
        s,
        id=HOSTILE,
        scenario=HOSTILE,
        why=HOSTILE,
        notes=(HOSTILE,),
        events=(EventScore(event=HOSTILE, kind=HOSTILE, start=1.0, end=2.0, score=0.2, why=HOSTILE, rules=(rule,)),),
        replies=(ReplyScore(turn=0, end=2, limit=8, score=0.1, text=HOSTILE, query=HOSTILE, why=HOSTILE, sound=1.0),),
    )
    words = (SaidWord(HOSTILE, 16_000, 24_000),)
    item = GalleryItem(replace_exchange(x, bad_turns, words), bad, first.user, first.system)
    worst = replace(
        c,
        system=HOSTILE,
        corpus=HOSTILE,
        profile=HOSTILE,
        comparable=HOSTILE,
        warnings=(HOSTILE,),
        extra_files=(HOSTILE,),
        methods={HOSTILE: HOSTILE},
        items=(*c.items, bad, replace(bad, outcome="failed")),
    )
    page = render(worst, [item])
    page.encode("utf-8")
    reader = parse(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert "\x1b" not in page and "\u202e" not in page
    assert not [a for _, attrs in reader.tags for a in attrs if a.startswith("on")]
    assert "".join(reader.text).count("<script>alert(1)</script>\"'&]]>\ufffd[31m\ufffd\ufffd$x_{") >= 15


def replace_turn(played):
    return type(played)(replace(played.turn, text=HOSTILE, kind="turn"), played.segments)


def replace_exchange(x, turns, words):
    from dataclasses import replace as copy

    return copy(x, turns=turns, words=words)


def test_nothing_is_fetched(made_up: Made) -> None:
    page = render(made_up[0], shown(made_up, worst=2, best=1))
    for tag, attrs in parse(page).tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert attrs.get(name, "data:audio/").startswith("data:audio/"), (tag, attrs)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("width", [1280, 375])
def test_a_browser_shows_it_without_complaint_or_overflow(made_up: Made, width: int, tmp_path: Path) -> None:
    items = shown(made_up, worst=3, best=1)
    seen = look(render(replace(made_up[0], system=f"{HOSTILE} {'x' * 300}"), items), width, tmp_path)
    assert seen.complaints == []
    assert seen.scroll <= seen.inner <= width
    assert seen.flat == 0
    assert seen.heard == pytest.approx(min(items[0].seconds, LONGEST), abs=0.2)
    assert seen.sought == pytest.approx(min(items[0].seconds, LONGEST) / 2, abs=0.1)
    assert items[0].score.id in seen.text


def test_an_empty_card_is_still_a_page() -> None:
    nothing = Estimate(value=None)
    c = Scorecard(
        profile="corrected",
        system="",
        mode="files",
        comparable="files",
        corpus="",
        corpus_sha256="",
        expected=0,
        scored=0,
        accounted={},
        headline=nothing,
        cells=(),
        delays={"content": DelaySummary(n=0, missed=0, limit=8.0, median=None)},
    )
    text = text_of(render(c, []))
    assert "run without a name" in text and "no interval" in text


def test_the_gallery_takes_scenarios_in_turn() -> None:
    def item(id: str, scenario: str, utility: float) -> ItemScore:
        return ItemScore(id=id, language="en", scenario=scenario, split="test", outcome="scored", utility=utility)

    items = [item(f"a{i}", "pause", 0.0) for i in range(9)] + [item("b", "negation", 0.3), item("c", "negation", 0.9)]
    items.append(replace(item("d", "negation", 0.0), outcome="missing"))
    # By utility alone nine pauses would come first; in turn, the worst negation is second.
    assert [i.id for i in choose(items, worst=3, best=1)] == ["a0", "a1", "b", "c"]


def test_what_is_shown_is_what_was_sent_and_heard(small: read.Corpus, made_up: Made, tmp_path: Path) -> None:
    items = list(small)[:2]
    ramp = np.linspace(-0.5, 0.5, 16_000).astype(np.float32)
    # The first item has a ready file; the second was run live, with the user as sent in channel 1.
    soundfile.write(tmp_path / f"{items[0].id}.wav", ramp, 16_000)
    soundfile.write(tmp_path / "live.wav", np.stack([ramp, -ramp], axis=1), 16_000)
    live = Observation(
        id=items[1].id, status="ok", audio="live.wav", channel=0, user_channel=1, sample_rate=16_000, length=16_000
    )
    (tmp_path / "observations.jsonl").write_bytes(msgspec.json.encode(live) + b"\n")
    run = Run(tmp_path)
    score = made_up[0].items[0]
    for item, user in ((items[0], items[0].audio(0)[0]), (items[1], -ramp)):
        x = exchange(item.dialogue, run.observe(item.dialogue), np.zeros(16_000, np.float32))
        shown = gather(item, run, x, score)
        np.testing.assert_allclose(shown.user, user, atol=1e-4)
        np.testing.assert_allclose(shown.system[:16_000], ramp, atol=1e-4)
        assert len(shown.user) == len(shown.system)


def test_the_moment_is_about_the_worst_event_and_inside_the_item() -> None:
    worst = EventScore(event="e", kind="pause", start=20.0, end=21.0, score=0.1)
    item = ItemScore(
        id="a",
        language="en",
        scenario="pause",
        split="test",
        outcome="scored",
        utility=0.1,
        events=(worst,),
        replies=(ReplyScore(turn=0, end=5.0, limit=8.0, score=0.9),),
    )
    assert moment(item, 60.0) == (17.0, 29.0)
    assert moment(item, 22.0) == (10.0, 22.0)
    assert moment(item, 5.0) == (0.0, 5.0)


def test_the_sentence_names_what_cost_most() -> None:
    rule = Rule(name="falls silent", score=0.25, value=2.5, unit="s", allowed="1 for <= 1, 0 for >= 3")
    event = EventScore(event="e", kind="third_party", position="after", start=3.0, end=4.0, score=0.25, rules=(rule,))
    item = ItemScore(
        id="a",
        language="en",
        scenario="third_party",
        split="test",
        outcome="scored",
        utility=0.2,
        behaviour=0.25,
        events=(event,),
        replies=(ReplyScore(turn=0, end=2.0, limit=8.0, score=0.8),),
    )
    assert sentence(item) == (
        "0.20 = behaviour 0.25 × the reply's 0.80; most was lost on third party, after the query: falls silent, "
        "2.5 s (allowed: 1 for <= 1, 0 for >= 3)."
    )
    assert sentence(replace(item, outcome="missing", why="no output")) == "Missing, so it counts as 0: no output."


def test_charts_show_misses_and_the_limit() -> None:
    # Four delays, one missed: a quarter each; the curve ends at 75%, and the last quarter is marked.
    d = DelaySummary(n=4, missed=1, limit=8.0, median=1.0, curve=((0.5, 0.75), (1.0, 0.5), (2.0, 0.25)))
    curve = happened(d)
    assert "1 of 4 missed" in curve and "limit 8 s" in curve
    bars = histogram([-0.3, 0.5, 1.0, 9.0], 1, 8.0)
    # 9 s lies beyond the limit of 8 s, so it is a miss too.
    assert "missed: 2" in bars and "3 delays, 2 missed" in bars
    assert "-0.4 to -0.2 s: 1" in bars or "-0.5 to -0.25 s: 1" in bars
    for e in (Estimate(value=0.0, low=0.0, high=0.2), Estimate(value=1.0), Estimate(value=None)):
        parse(interval_bar(e))


def test_the_sound_keeps_its_clock_and_channels() -> None:
    rate, x = 16_000, np.zeros((48_000, 2), np.float32)
    t = np.arange(8_000) / rate
    x[8_000:16_000, 0] = 0.5 * np.sin(2 * np.pi * 300 * t)
    x[32_000:40_000, 1] = 0.5 * np.sin(2 * np.pi * 500 * t)
    kind, data = data_address(x, rate).split(";base64,")
    assert kind.startswith("data:audio/")
    y, found = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert found == rate and len(y) == pytest.approx(len(x), abs=1200)
    for channel, start in ((0, 8_000), (1, 32_000)):
        loud = np.flatnonzero(np.abs(y[:, channel]) > 0.2)
        assert loud[0] == pytest.approx(start, abs=160) and loud[-1] == pytest.approx(start + 8_000, abs=160)


def test_the_made_up_card_is_plausible(small: read.Corpus, made_up: Made) -> None:
    c = made_up[0]
    assert c.expected == len(small) == c.scored + sum(c.accounted.values())
    assert fabricate(small)[0] == c
    assert 0.1 < (c.headline.value or 0) < 0.95
