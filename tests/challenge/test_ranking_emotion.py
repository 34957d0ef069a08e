"""Submissions to track 1 ranked by their score files: official totals, ranks that stay open where they must."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from duologue.challenge.emotion_ranking import rank_submissions, read_scores
from duologue.cli import cli
from duologue.errors import UserError
from duologue.judge.emotion import EmotionTurn
from duologue.judge.grades import DIMENSIONS
from duologue.score.profiles.humdial2026.emotion.evaluate import EmotionScore, evaluate
from duologue.score.profiles.humdial2026.emotion.judgements import Judgement, Judgements
from duologue.score.profiles.humdial2026.emotion.submission import OfficialReply, Submission

TURN = EmotionTurn(user="How?", emotion="sad", reply="So.")


def score(shift: float, dialogues: int = 30, seed: int = 0, *, failed: int = 0) -> EmotionScore:
    """Grades of ``dialogues`` a language that are hard or easy for everybody, ``shift`` better or worse."""
    replies = [
        OfficialReply(id=f"{task}/{language}/{language}_{n:04d}", task=task, language=language,
                      dialogue=f"{language}_{n:04d}", turn=3, turns=(TURN,), read="ok", heard="ok")
        for task in sorted(DIMENSIONS) for language in ("en", "zh") for n in range(dialogues)
    ]  # fmt: skip
    hard, own = np.random.default_rng(5), np.random.default_rng(seed)
    found: Judgements = {}
    for i, r in enumerate(replies):
        common = hard.normal()
        for d in DIMENSIONS[r.task]:
            grade = float(np.clip(3 + common + shift + 0.3 * own.normal(), 1, 5))
            judged = Judgement(status="unparsable") if i < failed else Judgement(status="ok", grade=grade)
            found.setdefault(d, {})[r.id] = judged
    return evaluate(Submission(replies=tuple(replies)), found)


def files(folder: Path, **scores: EmotionScore) -> list[Path]:
    paths = [folder / f"{name}.json" for name in scores]
    for path, s in zip(paths, scores.values(), strict=True):
        path.write_bytes(msgspec.json.encode(s))
    return paths


def test_close_submissions_share_their_ranks_and_distant_ones_do_not(tmp_path: Path) -> None:
    scores = {"a": score(0.0, seed=1), "b": score(0.0, seed=2, failed=1), "c": score(-0.8, seed=3)}
    paths = files(tmp_path, **scores)
    result = CliRunner().invoke(cli, ["leaderboard", "rank", *map(str, paths), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    ranks = {r["system"]: (r["low"], r["high"]) for r in found["ranks"]}
    assert ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    for r in found["ranks"]:
        assert r["score"]["value"] == pytest.approx(scores[r["system"]].floor.value)
    pair = next(p for p in found["pairs"] if {p["a"], p["b"]} == {"a", "c"})
    # The dialogues' difficulty is common to both, so the difference is known better than either score.
    wide = scores["a"].floor
    assert wide.high is not None and wide.low is not None
    assert pair["difference"]["high"] - pair["difference"]["low"] < wide.high - wide.low
    text = CliRunner().invoke(cli, ["leaderboard", "rank", *map(str, paths)]).output
    assert "1 to 2" in text and "p (Holm)" in text


def test_few_dialogues_claim_no_order(tmp_path: Path) -> None:
    found = rank_submissions({"a": score(0.5, 4), "c": score(-1.0, 4, seed=3)})
    assert found.why_not and all((r.low, r.high) == (1, 2) for r in found.ranks)


def test_submissions_that_cannot_be_compared(tmp_path: Path) -> None:
    whole = score(0.0, 3)
    with pytest.raises(UserError, match="not scored on the same replies"):
        rank_submissions({"a": whole, "b": score(0.0, 4)})
    with pytest.raises(UserError, match="not judged in full"):
        rank_submissions({"a": evaluate(Submission(replies=()), {})})
    (path,) = files(tmp_path, a=whole)
    with pytest.raises(UserError, match="two files of this name"):
        read_scores([path, path])
    path.write_text("{}")
    with pytest.raises(UserError, match="no score of track 1"):
        read_scores([path])
    with pytest.raises(UserError, match="cannot be read"):
        read_scores([tmp_path / "nowhere.json"])
