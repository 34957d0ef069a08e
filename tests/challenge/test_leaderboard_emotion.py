"""The ranking of track 1: published rows reproduce, the page's own contradictions are known, bad tables are named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from duologue.challenge.emotion_leaderboard import compute_emotion, read_emotion
from duologue.cli import cli
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.emotion.totals import WEIGHTS

TABLE = Path(__file__).parents[1] / "golden" / "humdial2026_emotion.csv"
DIMENSIONS = [f"t{t}_d{d}" for t in (1, 2, 3) for d in (1, 2, 3)]
AVERAGES = ["t1", "t2", "t3_d1", "t3_d2", "t3_d3"]
# Totals of the page that are not the mean of its own two rows: Baseline's is its English score.
CONTRADICTED = {"IUSpeech": (3.14, 3.07), "Lingcon insight": (2.96, 2.91), "Baseline": (2.45, 2.82)}


def published(version: str = "page") -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as f:
        return [r for r in csv.DictReader(x for x in f if not x.startswith("#")) if r["version"] == version]


def table(path: Path, rows: list[dict[str, str]], columns: list[str]) -> Path:
    names = ["team", "lang", *columns]
    path.write_text("\n".join([",".join(names), *(",".join(r[c] for c in names) for r in rows)]), encoding="utf-8")
    return path


def run(*args: object) -> list[dict[str, object]]:
    result = CliRunner().invoke(cli, ["leaderboard", "compute", "emotion", *map(str, args), "--json"])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


@pytest.mark.parametrize("columns", [DIMENSIONS, AVERAGES, ["t1", "t2", *DIMENSIONS]])
def test_every_published_row_reproduces(tmp_path: Path, columns: list[str]) -> None:
    found = {r["team"]: r for r in run(table(tmp_path / "t.csv", published(), columns))}
    assert len(found) == 8
    for want in published():
        got = found[want["team"]]
        assert set(got) == {"team", "zh", "en", "total", "rank"}
        assert abs(got[want["lang"]] - float(want["final"])) <= 0.01  # type: ignore[operator]
        if want["team"] in CONTRADICTED:
            printed, true = CONTRADICTED[want["team"]]
            assert printed == float(want["total"]) and abs(got["total"] - true) <= 0.005  # type: ignore[operator]
        else:
            assert abs(got["total"] - float(want["total"])) <= 0.01  # type: ignore[operator]


def test_an_earlier_row_of_the_page_reproduces_with_its_total(tmp_path: Path) -> None:
    (earlier,) = published("earlier")
    rows = [r for r in published() if (r["team"], r["lang"]) != ("Baseline", "en")] + [earlier]
    found = {r["team"]: r for r in run(table(tmp_path / "t.csv", rows, DIMENSIONS))}
    assert abs(found["Baseline"]["en"] - 2.92) <= 0.01  # type: ignore[operator]
    assert abs(found["Baseline"]["total"] - 3.06) <= 0.01  # type: ignore[operator]
    assert list(found) == ["TeleAI", "Tencent Ai Lab-NJU", "BJTU_Unisound_team", "SenseDialog", "HDTLAB",
                                  "IUSpeech", "Baseline", "Lingcon insight"]  # fmt: skip


def test_ranks_are_the_published_ones(tmp_path: Path) -> None:
    ranks = {r["team"]: r["rank"] for r in run(table(tmp_path / "t.csv", published(), DIMENSIONS))}
    assert ranks == {r["team"]: int(r["rank"]) for r in published()}


def test_nothing_is_rounded_and_ties_share_a_rank(tmp_path: Path) -> None:
    # A: zh = 0.2*3 + 0.2*3 + 0.1*4 + 0.25*2 + 0.25*3 = 2.85, en = 0.2*5 + 0.2*1 + 0.1 + 0.25 + 0.25 = 1.8: 2.325.
    # B has them swapped; C lacks a language.
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbfLANG,team,t1,t2,t3_d1,t3_d2,t3_d3,note\r\nzh,A,3,3,4,2,3,x\r\n\r\nen,A,5,1,1,1,1\r\n"
        b"en,B,3,3,4,2,3\r\nEN,C,5,5,5,5,5\r\nzh,B,5,1,1,1,1\r\nzh,D,1,1,1,1,1\r\nen,D,1,1,1,1,1\r\n"
    )
    assert run(path) == [
        {"team": "A", "zh": 2.85, "en": 1.8, "total": 2.325, "rank": 1},
        {"team": "B", "zh": 1.8, "en": 2.85, "total": 2.325, "rank": 1},
        {"team": "D", "zh": 1.0, "en": 1.0, "total": 1.0, "rank": 3},
        {"team": "C", "zh": None, "en": 5.0, "total": None, "rank": None},
    ]
    text = CliRunner().invoke(cli, ["leaderboard", "compute", "emotion", str(path)]).output
    assert "2.325" in text and "C" in text
    assert sum(WEIGHTS.values()) == 1


GOOD = "team,lang,t1,t2,t3_d1,t3_d2,t3_d3\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no team"),
        (GOOD, "no team"),
        ("team,lang,t1,t3_d1,t3_d2,t3_d3\nA,zh,1,1,1,1\n", "t.csv:1: no column t2"),
        ("team,lang,t1_d1,t1_d2,t2,t3_d1,t3_d2,t3_d3\n", "t.csv:1: no column t1_d3"),
        (GOOD + "A,fr,1,1,1,1,1\n", "t.csv:2: lang: unknown language"),
        (GOOD + "A,zh,1,1,1,1,1\nA,zh,2,2,2,2,2\n", "t.csv:3: the team of line 2 again, in zh"),
        (GOOD + "A,zh,1,1,1,1,0\n", "t.csv:2: t3_d3: not a number in range"),
        (GOOD + "A,zh,1,1,1,1,6\n", "t.csv:2: t3_d3: not a number in range"),
        (GOOD + "A,zh,x,1,1,1,1\n", "t.csv:2: t1: not a number in range"),
        (GOOD + "A,zh,nan,1,1,1,1\n", "t.csv:2: t1: not a number in range"),
        (GOOD + "A,zh,,1,1,1,1\n", "t.csv:2: t1: empty"),
        (GOOD + "A,zh,1,1,1,1\n", "t.csv:2: t3_d3: empty"),
        ("team,lang,t1,t1_d1,t1_d2,t1_d3,t2,t3_d1,t3_d2,t3_d3\nA,zh,4,3,3,3,1,1,1,1\n", "not the mean of its dim"),
        ("team,lang,t1,t1_d1,t1_d2,t1_d3,t2,t3_d1,t3_d2,t3_d3\nA,zh,,3,,3,1,1,1,1\n", "t.csv:2: t1_d2: empty"),
    ],
)
def test_bad_tables_of_track_1_are_named_by_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        compute_emotion(read_emotion(path))
    assert says in error.value.message
