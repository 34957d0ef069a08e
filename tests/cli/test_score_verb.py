"""``duologue score`` as a user calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from duologue.corpus.read import Corpus

pytestmark = pytest.mark.xdist_group("scored corpus")


def duologue(*arguments, code: int | None = 0):
    done = subprocess.run(
        [sys.executable, "-c", "from duologue.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr
    assert code is None or done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="session")
def runs(duplex_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good run, and one that is silent in a third of the items."""
    pytest.importorskip("onnxruntime", reason="the speech detector is not installed")
    from duologue.systems.degenerate.write import write_run

    folder = tmp_path_factory.mktemp("runs")
    write_run(Corpus(duplex_corpus), "honest", folder / "good")
    shutil.copytree(folder / "good", folder / "worse")
    for path in sorted((folder / "worse").glob("*.wav"))[::3]:
        soundfile.write(path, np.zeros(soundfile.info(path).frames, np.int16), 16_000)
    return {"good": folder / "good", "worse": folder / "worse"}


def test_a_run_is_scored_as_text_json_and_page(duplex_corpus, runs, tmp_path):
    page = tmp_path / "score.html"
    told = duologue("score", duplex_corpus, runs["good"], "--language", "en", "--html", page)
    assert "headline" in told.stdout and "follow up" in told.stdout
    html = page.read_text("utf-8")
    assert "<audio" in html and "default-src 'none'" in html
    card = json.loads(duologue("score", duplex_corpus, runs["good"], "--language", "en", "--json").stdout)
    assert card["expected"] == card["scored"] == len(card["items"])
    assert 0.7 < card["headline"]["value"] <= 1
    assert card["methods"]["judge"] == "not judged" and card["methods"]["words"] == "run"


def test_an_item_is_explained(duplex_corpus, runs, tmp_path):
    item = next(i.id for i in Corpus(duplex_corpus, scenario="backchannel") if i.dialogue.events)
    told = duologue("score", "explain", duplex_corpus, runs["good"], item, "--png", tmp_path / "item.png").stdout
    assert "goes on with its" in told and "official and corrected" in told
    # An unbroken continuation opens no new stretch of speech: officially UNKNOWN, rightly a full score.
    assert "UNKNOWN" in told
    assert (tmp_path / "item.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_regression_exits_1_and_names_the_items(duplex_corpus, runs, tmp_path):
    same = duologue("score", "diff", duplex_corpus, runs["good"], runs["good"], "--language", "en", "--json")
    assert json.loads(same.stdout)["regression"] is False
    junit = tmp_path / "diff.xml"
    limit = ("--language", "en", "--max-drop", "0.1", "--junit", junit)
    worse = duologue("score", "diff", duplex_corpus, runs["good"], runs["worse"], *limit, "--json", code=1)
    found = json.loads(worse.stdout)
    assert found["regression"] and len(found["regressed"]) >= 5 and not found["improved"]
    suites = ElementTree.parse(junit).getroot()
    failed = {case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None}
    assert set(found["regressed"]) <= failed


def test_selfcheck_prints_both_profiles(duplex_corpus):
    found = json.loads(
        duologue("score", "selfcheck", duplex_corpus, "--per-cell", 1, "--system", "mute", "--json").stdout
    )
    honest, mute = found["systems"]
    assert (honest["system"], mute["system"], found["passed"]) == ("honest", "mute", True)
    assert mute["corrected"]["value"] == 0 and mute["total"] == 20.0


def test_the_official_layout_is_scored(duplex_corpus, tmp_path):
    duologue("export", "humdial", duplex_corpus, tmp_path / "official", "--answers")
    for scenario in (tmp_path / "official").rglob("Follow-up_Questions"):
        rows = [
            {"key": p.name.removesuffix("_sentence.json"), "behaviour": ["C_RESPOND"]}
            for p in sorted(scenario.glob("*_sentence.json"))
        ]
        (scenario / "Follow-up_Questions_content_tags.json").write_text("".join(json.dumps(r) + "\n" for r in rows))
    told = duologue("score", tmp_path / "official", "--layout", "humdial", "--profile", "humdial2026", "--json").stdout
    score = json.loads(told)
    assert set(score["languages"]) == {"en", "zh"}
    assert score["languages"]["en"]["scenarios"]["follow_up"]["respond"] == 1.0
    assert score["expected"] == 9 * 2 + 2 * 2 * 2  # nine scenarios in train, two in dev and test, two languages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CORPUS"], "no run to score"),
        (["CORPUS", "nowhere"], "nowhere: no run here"),
        (["nowhere", "RUN"], "nowhere: no corpus here"),
        (["CORPUS", "RUN", "--split", "tset"], "unknown filter value (got 'tset')"),
        (["CORPUS", "RUN", "--profile", "humdial2026", "--tags", "none.jsonl"], "tags cannot be read"),
        (["CORPUS", "RUN", "--judge", "http://127.0.0.1:9"], "a judge needs a model"),
        (["CORPUS", "--layout", "humdial", "--profile", "corrected"], "scored by the official profile"),
        (["explain", "CORPUS", "RUN", "nobody"], "nobody"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(duplex_corpus, runs, arguments, message):
    names = {"CORPUS": duplex_corpus, "RUN": runs["good"]}
    done = duologue("score", *(names.get(a, a) for a in arguments), code=2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
