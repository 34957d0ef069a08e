"""The explorer in a real browser: search, filters, keys, playback, captions, twins, hostile text, narrow screens."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from tab import Tab, tab

from duologue.cli.explorer import command
from duologue.corpus import read
from duologue.corpus.audio import Channel, Twin
from duologue.corpus.dialogue import Dialogue
from duologue.formats.landing import Landing
from duologue.report.explorer.sample import sample, stratum

RATE = 16_000
HOSTILE = '</script><img src=x onerror="window.hit=1"><script>window.hit=1</script>\u2028\'&'


def _dialogue(number: int, **changed: Any) -> Dialogue:
    """Six seconds: the user asks in [1, 2), the system answers in [2.5, 5), the user says "mm" in [3, 3.5)."""
    base: dict[str, Any] = {
        "schema_version": 1,
        "id": f"d{number:03d}",
        "track": "duplex",
        "tasks": ["rejection"],
        "languages": ["en"],
        "split": ("train", "dev", "test")[number % 3],
        "scenario": "backchannel",
        "source": "synthetic",
        "rights": {"licence": "CC0-1.0", "consent_id": "not-applicable"},
        "speakers": [
            {"id": "ann", "role": "user", "languages": ["en"], "synthetic": True},
            {"id": "sys", "role": "system", "languages": ["en"], "synthetic": True},
        ],
        "turns": [
            _turn(0, "user", "ann", "where now", 1.0, 2.0, [["where", 0, 5, 1.0, 1.5], ["now", 6, 9, 1.5, 2.0]]),
            _turn(1, "system", "sys", "over there", 2.5, 5.0, [["over", 0, 4, 2.5, 3.5], ["there", 5, 10, 3.5, 5.0]]),
            _turn(2, "user", "ann", "mm", 3.0, 3.5, [["mm", 0, 2, 3.0, 3.5]], kind="backchannel"),
        ],
        "events": [
            {
                "id": "e0",
                "kind": "backchannel",
                "speaker": "ann",
                "trigger": {"reference_turn": 1, "anchor": "word_end", "offset": 0.0, "word": 0},
                "target_turn": 2,
                "expected": ["continue"],
            }
        ],
        "realised": [{"event": "e0", "audio": "a", "channel": 0, "start": 3 * RATE, "end": round(3.5 * RATE)}],
    }
    return msgspec.convert(base | changed, Dialogue)


def _turn(
    index: int, role: str, speaker: str, text: str, start: float, end: float, words: list[list[Any]], kind: str = "turn"
) -> dict[str, Any]:
    at = [[w[0], w[1], w[2], round(w[3] * RATE), round(w[4] * RATE), *w[5:]] for w in words]
    segment = {"audio": "a", "channel": int(role == "system"), "start": round(start * RATE), "end": round(end * RATE)}
    turn = {"index": index, "role": role, "speaker": speaker, "addressee": "", "language": "en", "text": text}
    return turn | {"segments": [segment], "words": at, "kind": kind}


def _emotional(number: int) -> Dialogue:
    """In Chinese, from glad to angry; the cause is 航班取消, code points 1 to 5 of turn 1, after a code point that
    JavaScript counts as two; words estimated.
    """
    words = [["✈", 0, 1, 3.0, 3.2], ["航班", 1, 3, 3.2, 4.0, "estimated"], ["取消", 3, 5, 4.0, 5.0, "estimated"]]
    turns = [
        _turn(0, "user", "小安", "太好了", 1.0, 2.0, [["太好了", 0, 3, 1.0, 2.0]]),
        _turn(1, "user", "小安", "🛫航班取消了", 3.0, 5.0, words[1:]),
    ]
    felt = [
        {"kind": "emotion", "id": f"f{i}", "target": f"turn:{i}", "rater": "r", "rater_type": "intent", "value": value}
        for i, value in enumerate(({"label": "happy", "intensity": 2}, {"label": "angry", "intensity": 3}))
    ]
    cause = {"emotion_turn": 1, "evidence_turn": 1, "span": [1, 5], "cause_kind": "event", "explicit": True}
    why = {"kind": "cause", "id": "c0", "target": "turn:1", "rater": "r", "rater_type": "intent", "value": cause}
    moved = {"speaker": "小安", "from_turn": 0, "to_turn": 1, "from_label": "happy", "to_label": "angry"}
    shift = {"kind": "shift", "id": "s0", "target": "turn:1", "rater": "r", "rater_type": "intent"}
    return _dialogue(
        number,
        track="emotion",
        tasks=["reasoning"],
        scenario="dialogue",
        languages=["zh"],
        speakers=[{"id": "小安", "role": "user", "languages": ["zh"], "synthetic": True}],
        turns=[t | {"language": "zh"} for t in turns],
        events=[],
        realised=[],
        annotations=[*felt, why, shift | {"value": moved | {"causes": ["c0"]}}],
        probes=[{"id": "p0", "task": "reasoning", "turn": 1, "question": "为什么", "answer": "航班取消"}],
        acoustics={"noise": "rain", "noise_source": "generated", "snr_db": 9.5},
        provenance={"steps": [{"step": "voice", "part": "espeak", "version": "9.9", "seed": "42"}]},
    )


def _hostile(number: int) -> Dialogue:
    return _dialogue(
        number,
        id=f"z{HOSTILE}".replace("/", "\\"),
        situation={"domain": HOSTILE},
        speakers=[{"id": HOSTILE, "role": "user", "languages": ["en"], "synthetic": True}],
        turns=[_turn(0, "user", HOSTILE, HOSTILE, 1.0, 2.0, [])],
        events=[],
        realised=[],
    )


def _land(landing: Landing, d: Dialogue) -> None:
    x = np.random.default_rng(7).normal(0, 4_000, (6 * RATE, 2)).astype(np.int16)
    channels = (Channel(kind="user-mic"), Channel(kind="system"))
    named = msgspec.structs.replace(d, id=f"file-{d.id[:4]}".replace("<", "").replace("\\", ""))
    audio = [landing.store(named, "a", x, RATE, channels)]
    if d.events:
        quiet = x.copy()
        quiet[3 * RATE : round(3.5 * RATE), 0] = 0
        differs = Twin(of="a", differs=(3 * RATE, round(3.5 * RATE)))
        audio.append(landing.store(named, "t", quiet, RATE, channels, differs))
    landing.add(msgspec.structs.replace(d, audio=tuple(audio)))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> read.Corpus:
    root = tmp_path_factory.mktemp("explored") / "c"
    root.mkdir()
    landing = Landing(root)
    for d in (*map(_dialogue, range(6)), *map(_emotional, range(6, 9)), _hostile(9)):
        _land(landing, d)
    landing.finish(f"name {HOSTILE}", {})
    return read.open(root)


@pytest.fixture(scope="module")
def page(corpus: read.Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "explorer.html"
    run = CliRunner().invoke(command, [corpus.root, "-o", str(out)])
    assert run.exit_code == 0, run.output
    assert "10 of 10 dialogues, 10 with sound" in run.output
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with tab(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def _count(t: Tab) -> str:
    return str(t.js("document.querySelector('#count').textContent"))


def _select(t: Tab, facet: str, value: str) -> None:
    t.js(
        f"(() => {{ const s = document.querySelector('#facet-{facet}'); s.value = {json.dumps(value)};"
        "s.dispatchEvent(new Event('change')); })()"
    )


def test_search_and_filters_find_what_they_name(page: Path, browser: Tab) -> None:
    browser.open(page)
    assert _count(browser) == "10 of 10"
    browser.press("/")
    browser.type("航班")
    assert _count(browser) == "3 of 10"
    assert browser.js("document.querySelector('mark.hit').textContent") == "航班"
    browser.click("#filters summary")
    browser.click("#clear")
    for facet, value, expected in (
        ("language", "en", 7),
        ("track", "emotion", 3),
        ("task", "reasoning", 3),
        ("split", "dev", 3),  # 1, 4, 7
        ("emotion", "angry", 3),
        ("shift", "happy → angry", 3),
        ("shift", "no shift", 7),
        ("source", "synthetic", 10),
        ("estimated", "estimated", 3),
    ):
        _select(browser, facet, value)
        assert _count(browser) == f"{expected} of 10", (facet, value)
        _select(browser, facet, "")
    browser.js("document.querySelector('#search').focus()")
    browser.type("ANN there")
    assert _count(browser) == "6 of 10"
    browser.type(" nowhere")
    assert "Nothing found" in browser.js("document.querySelector('#list').textContent")


def test_the_keys_walk_the_list(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d000")
    first = "document.querySelector('h2').textContent"
    assert browser.js(first) == "d000"
    browser.js("document.querySelector('#list').focus()")
    browser.press("ArrowDown")
    shown = browser.js("list.found.map((r) => r.id)")
    assert browser.js(first) == shown[shown.index("d000") + 1]
    assert (
        browser.js(
            "document.getElementById(document.querySelector('#list').getAttribute('aria-activedescendant')).ariaSelected"
        )
        == "true"
    )
    browser.press("k")
    assert browser.js(first) == "d000"
    browser.press("End")
    assert browser.js(first) == shown[-1]


def test_it_plays_and_the_captions_follow(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d000")
    browser.click("#play")
    browser.until("player.playing && player.now > 0.2")
    # 4.2 s: "there" of the system's turn; the user's "mm" is over.
    browser.js("player.seek(4.2)")
    browser.until("player.now > 4.3")
    said = "document.querySelector('#caption').innerText"
    assert re.sub(r"\s+", " ", browser.js(said)).strip() == "system over there"
    assert browser.js("document.querySelector('#caption .word.now').textContent") == "there"
    assert browser.js("document.querySelector('.turns li.now').id") == "turn-1"
    browser.press(" ")
    at = browser.js("player.now")
    assert not browser.js("player.playing") and 4.2 < at < 6
    # Two speak at 3.2 s.
    browser.js("player.seek(3.2)")
    assert "over there" in browser.js(said) and "mm" in browser.js(said)
    browser.press("1")
    assert browser.js("document.querySelector('#mute-0').ariaPressed") == "true"
    assert browser.js("player.mute") == [True, False]
    browser.click("#both")
    assert browser.js("player.mute") == [False, False]
    assert browser.complaints == []


def test_a_click_seeks_a_drag_loops_and_the_view_zooms(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d001")
    browser.click("#stage")
    # The picture's left column holds names: half of its width is not half of its time.
    assert browser.js("Math.abs(player.now - view.waves.t(view.waves.width / 2)) < 0.05")
    browser.drag("#stage", 0.3, 0.4)
    a, b = browser.js("player.loop")
    assert 0 < a < b < 3
    browser.click("#play")
    browser.until("player.playing")
    browser.js(f"new Promise((done) => setTimeout(done, {round(1000 * (b - a)) + 400}))")
    assert browser.js("player.playing") and a - 0.05 <= browser.js("player.now") <= b + 0.05
    browser.press("Escape")
    assert browser.js("player.loop") is None
    browser.press(" ")
    browser.press("+")
    assert abs(browser.js("view.waves.to - view.waves.from") - 3) < 0.01
    browser.press("0")
    assert abs(browser.js("view.waves.to - view.waves.from") - 6) < 0.01


def test_the_twin_is_the_main_file_but_for_its_own_stretch(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d002")
    browser.js("player.ready()")
    # Loudness of channel 0 in three stretches of 0.3 s: before, inside and after [3, 3.5).
    loud = browser.js(
        "['main', 'twin'].map((w) => [1.1, 3.1, 4.1].map((t) => { const b = player.buffers[w], r = b.sampleRate;"
        "return Math.sqrt(b.getChannelData(0).slice(t * r, (t + 0.3) * r).reduce((s, x) => s + x * x, 0) / 0.3 / r)}))"
    )
    main, twin = loud
    assert main[0] == twin[0] and main[2] == twin[2]
    assert main[1] > 0.05 and twin[1] < 0.1 * main[1]
    browser.press("t")
    assert browser.js("player.which") == "twin"
    assert "3.0 to 3.5 s" in browser.js("view.twinSaid")


def test_causes_probes_estimates_and_origin_are_told(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d007")
    assert browser.js("document.querySelector('#turn-1 .body > div:nth-child(2)').textContent") == "🛫航班取消了"
    marked = "[...document.querySelectorAll('#turn-1 mark.cause')].map((m) => m.textContent).join('')"
    assert browser.js(marked) == "航班取消"
    assert browser.js("document.querySelector('#turn-1 .why').innerText").startswith("because “航班取消” turn 1, event")
    browser.click("#turn-1 .why button")
    assert browser.js("document.querySelector('li.lit').id") == "turn-1"
    assert browser.js("player.now") == 3
    text = browser.js("document.querySelectorAll('details').forEach((d) => d.open = true), document.body.innerText")
    for told in (
        "为什么",
        "航班取消",
        "9.5 dB",
        "rain (generated)",
        "espeak",
        "9.9",
        "42",
        "CC0-1.0",
        "words: estimated",
    ):
        assert told in text
    assert "shift from happy" in text and "angry 3/3" in text
    assert browser.js("document.querySelector('.chip.made').textContent") == "synthetic"


def test_hostile_text_stays_text_and_nothing_is_fetched(page: Path, browser: Tab) -> None:
    browser.requests.clear()
    browser.open(page)
    browser.js("document.querySelector('#search').value = 'onerror'; list.find(); list.step(1)")
    assert browser.js("document.querySelector('#dialogue').innerText").count("onerror=") >= 2
    assert "<img" in browser.js("document.querySelector('#corpus-name').textContent")
    assert browser.js("window.hit === undefined && document.querySelectorAll('img').length === 0")
    browser.js("player.play()")
    browser.until("player.now > 0.1")
    assert browser.complaints == []
    assert set(browser.requests) <= {"about:blank", page.as_uri()}
    # And were there a way out, the policy closes it.
    assert browser.js("fetch('data:text/plain,x').then(() => 'through', () => 'refused')") == "refused"
    browser.complaints.clear()
    source = page.read_text("utf-8")
    assert "\u2028" not in source.split("</title>")[1] and "<img" not in source
    assert not re.search(r"""(?:src|href)=["'](?!#)""", source)


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_screen_shows_list_then_dialogue(page: Path, browser: Tab, dark: bool) -> None:
    browser.open(page, width=375, height=700, dark=dark)
    assert browser.js("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    visible = "[...document.querySelectorAll('.side, main')].map((x) => x.offsetHeight > 0)"
    assert browser.js(visible) == [True, False]
    browser.click("#list li")
    assert browser.js(visible) == [False, True]
    assert browser.js("document.documentElement.scrollWidth") <= 375
    assert browser.js("document.querySelector('#stage canvas').height") > 100
    browser.click(".back")
    assert browser.js(visible) == [True, False]


def test_every_control_has_a_name(page: Path, browser: Tab) -> None:
    browser.open(page, at="#d000")
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "combobox", "searchbox", "slider", "listbox", "option"}
    seen = [n for n in tree if n.get("role", {}).get("value") in controls and not n.get("ignored")]
    assert len(seen) > 15
    assert [n for n in seen if not n.get("name", {}).get("value")] == []


def test_a_sample_is_the_same_every_time_and_equal_among_kinds(corpus: read.Corpus) -> None:
    # Strata: backchannel in three splits (2 each), reasoning in three (1 each), the hostile one joins train: 6 kinds.
    whole = sample(corpus, 100)
    assert sorted(whole) == sorted(i.id for i in corpus)
    assert sample(corpus, 6) == whole[:6]
    kinds = Counter(stratum(corpus.get(id).dialogue) for id in whole[:6])
    assert len(kinds) == 6


def test_what_finds_no_room_is_left_out_and_said(corpus: read.Corpus, page: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.html"
    whole = page.stat().st_size
    run = CliRunner().invoke(command, [corpus.root, "-o", str(out), "--max-mb", str(whole / 2e6), "--json"])
    assert run.exit_code == 0, run.output
    shown = json.loads(run.stdout)
    assert out.stat().st_size == shown["bytes"] <= whole / 2
    assert shown["shown"] == 10 and 0 < shown["heard"] < 10 and shown["silent"] == 10 - shown["heard"]
    about = json.loads(re.search(r'id="about">(.*?)</script>', out.read_text("utf-8"), re.S)[1])  # type: ignore[index]
    assert about["shown"]["silent"] == shown["silent"]
    small = CliRunner().invoke(command, [corpus.root, "-o", str(out), "--max-mb", "0.1", "--json"])
    shown = json.loads(small.stdout)
    assert 0 < shown["shown"] < shown["chosen"] == shown["total"] == 10 and shown["heard"] == 0


def test_a_missing_file_becomes_a_finding(corpus: read.Corpus, tmp_path: Path, browser: Tab) -> None:
    import shutil

    copy = tmp_path / "c"
    shutil.copytree(corpus.root, copy)
    (copy / corpus.get("d003").file().path).unlink()
    out = tmp_path / "e.html"
    run = CliRunner().invoke(command, [str(copy), "-o", str(out), "--track", "duplex", "--language", "en"])
    assert run.exit_code == 0, run.output
    browser.open(out, at="#d003")
    assert "audio a: missing file" in browser.js("document.querySelector('.findings').innerText")
    assert "over there" in browser.js("document.querySelector('.turns').innerText")
    _select(browser, "findings", "has findings")
    assert "d003" in browser.js("list.found.map((r) => r.id)")
