"""``duologue score --judge``: a real server on loopback grades every reply; keys and doubts stay where they belong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from duologue.corpus.read import Corpus

sys.path.insert(0, str(Path(__file__).parents[1] / "remote"))

pytest.importorskip("httpx", reason="endpoints are not installed")
pytest.importorskip("onnxruntime", reason="the speech detector is not installed")

from chat_server import KEY, MODEL, serving

pytestmark = pytest.mark.xdist_group("scored corpus")


def score(*arguments, code: int = 0):
    done = subprocess.run(
        [sys.executable, "-c", "from duologue.cli import main; main()", "score", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OPENAI_API_KEY": KEY},
    )
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def run(duplex_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from duologue.systems.degenerate.write import write_run

    out = tmp_path_factory.mktemp("judged") / "run"
    write_run(Corpus(duplex_corpus, split="test"), "honest", out)
    return out


def test_every_wanted_reply_is_judged_once_and_kept(duplex_corpus, run, tmp_path):
    where = ("--split", "test", "--cache", tmp_path / "cache", "--json")
    with serving() as server:
        judge = ("--judge", server.url, "--judge-model", MODEL)
        card = json.loads(score(duplex_corpus, run, *where, *judge).stdout)
        asked = len(server.bodies)
        again = json.loads(score(duplex_corpus, run, *where, *judge).stdout)
        assert len(server.bodies) == asked  # the cache knows them all
    replies = sum(len(i["replies"]) for i in card["items"])
    assert card["verdicts"] == {**card["verdicts"], "ok": replies} and asked == replies
    # The server answers 3 wherever 1 to 5 is asked for.
    assert card["judged"]["fluency, drop"]["value"] == card["judged"]["fluency, floor"]["value"] == 3.0
    assert MODEL in card["methods"]["judge"] and again["judged"] == card["judged"]
    for path in (tmp_path / "cache").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_relevance_by_a_judge_enters_the_utility(duplex_corpus, run, tmp_path):
    where = ("--split", "test", "--cache", tmp_path / "cache", "--json", "--relevance", "judge")
    with serving() as server:
        card = json.loads(score(duplex_corpus, run, *where, "--judge", server.url, "--judge-model", MODEL).stdout)
    # A 3 of 1..5 is a relevance of a half.
    assert {r["relevance"] for i in card["items"] for r in i["replies"]} == {0.5}
    assert card["methods"]["relevance"].startswith("judge ")


@pytest.mark.long
def test_a_judge_that_cannot_be_reached_is_named_and_costs_no_score(duplex_corpus, run, tmp_path):
    where = ("--split", "test", "--cache", tmp_path / "cache", "--judge", "http://127.0.0.1:9/v1", "--judge-model", "m")
    done = score(duplex_corpus, run, *where, "--json")
    card = json.loads(done.stdout)
    assert card["headline"]["value"] > 0.5 and card["verdicts"]["infrastructure"] == sum(card["verdicts"].values())
    assert any("could not be judged" in w and "127.0.0.1:9" in w for w in card["warnings"])
    assert not any(name.endswith("drop") for name in card["judged"])
    assert KEY not in done.stdout + done.stderr
