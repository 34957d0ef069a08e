"""The ranking of track 2: the published tables reproduce, ties share a rank, bad tables are named by line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from duologue.challenge.leaderboard import DuplexTeam, compute_duplex, read_duplex
from duologue.cli import cli
from duologue.errors import UserError

TABLE = Path(__file__).parents[1] / "golden" / "humdial2026_duplex.csv"


def published(source: str) -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as f:
        rows = csv.DictReader(line for line in f if not line.startswith("#"))
        return [r for r in rows if r["source"] == source]


def table(path: Path, source: str, *columns: str) -> Path:
    lines = [",".join(columns), *(",".join(r[c] for c in columns) for r in published(source))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*args: object) -> list[dict[str, object]]:
    result = CliRunner().invoke(cli, ["leaderboard", "compute", "duplex", *map(str, args), "--json"])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


BY_LANGUAGE = ("team", "int_zh", "int_en", "rej_zh", "rej_en", "delay")
OVERALL = ("team", "int", "rej", "delay")


@pytest.mark.parametrize("anchors", ["published", "teams"])
@pytest.mark.parametrize(("source", "columns"), [("challenge", BY_LANGUAGE), ("benchmark", OVERALL)])
def test_published_tables_reproduce(tmp_path: Path, source: str, columns: tuple[str, ...], anchors: str) -> None:
    rows = {r["team"]: r for r in run(table(tmp_path / "t.csv", source, *columns), "--anchors", anchors)}
    for want in published(source):
        got = rows[want["team"]]
        assert set(got) == {"team", "interruption", "rejection", "delay", "delay_score", "total", "rank"}
        assert got["interruption"] == float(want["int"])
        assert got["rejection"] == float(want["rej"])
        assert got["total"] == float(want["total"])
        assert abs(got["delay_score"] - float(want["delay_score"])) <= 0.1  # type: ignore[operator]
    # The published ranks leave out late and open systems; the order of those that have one is the same.
    ranked = [r["team"] for r in published(source) if r["rank"]]
    assert [t for t in rows if t in ranked] == ranked


def test_ranks_of_the_published_table(tmp_path: Path) -> None:
    # Without the late submission the challenge's own ranks come out.
    path = table(tmp_path / "t.csv", "challenge", *BY_LANGUAGE)
    path.write_text("\n".join(x for x in path.read_text().splitlines() if not x.startswith("Unity")))
    ranks = {r["team"]: r["rank"] for r in run(path)}
    assert ranks == {r["team"]: int(r["rank"]) for r in published("challenge") if r["rank"]}


def test_moshi_is_not_rounded_twice(tmp_path: Path) -> None:
    # 0.4 * 35.4 + 0.4 * 22.8 + 0.2 * 56.3495 = 34.5499. Alone in its table, with the published anchors.
    path = tmp_path / "t.csv"
    path.write_text("team,int,rej,delay\nMoshi,35.4,22.8,2.876\n")
    (row,) = run(path)
    assert (row["total"], row["rank"]) == (34.5, 1)


def test_slope_and_anchors(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("team,int,rej,delay\nA,50,50,1.0\nB,50,50,2.0\nbaseline,50,50,4.0\n")

    def scores(*args: object) -> dict[object, object]:
        return {r["team"]: r["delay_score"] for r in run(path, *args)}

    # From the teams: 1 s scores 100, 4 s 60, and 2 s lies half way between them.
    assert scores("--anchors", "teams") == {"A": 100, "B": pytest.approx(80), "baseline": 60}
    assert scores("--anchors", "teams", "--slope", 50) == {"A": 100, "B": pytest.approx(75), "baseline": 50}
    assert scores("--lmin", 2, "--lbase", 4) == {"A": pytest.approx(140), "B": 100, "baseline": 60}
    assert scores("--anchors", "teams", "--lbase", 2)["B"] == 60


def test_ties_share_a_rank() -> None:
    def team(name: str, interruption: float, rejection: float) -> DuplexTeam:
        return DuplexTeam(team=name, interruption=interruption, rejection=rejection, delay=1.0)

    # C and A swap Int and Rej, so their totals are equal; D follows on 4.
    ranks = compute_duplex([team("C", 60.1, 40.2), team("B", 90, 90), team("A", 40.2, 60.1), team("D", 10, 10)])
    assert [(r.team, r.rank) for r in ranks] == [("B", 1), ("C", 2), ("A", 2), ("D", 4)]


def test_languages_average_half_up(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("team,int_zh,int_en,rej_zh,rej_en,delay\nA,45.1,32.6,37.1,30.6,1\n")
    (row,) = run(path)
    # 38.85 and 33.85
    assert (row["interruption"], row["rejection"]) == (38.9, 33.9)


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + b'Delay , place,REJ,team,int\r\n\r\n1.5,"Xi, an",40,"Team, One",60\r\n')
    assert read_duplex(path) == [DuplexTeam(team="Team, One", interruption=60, rejection=40, delay=1.5)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no team"),
        ("team,int,rej,delay\n", "no team"),
        ("team,int,rej\nA,1,2\n", "t.csv:1: no column delay"),
        ("team,int_zh,rej,delay\nA,1,2,3\n", "t.csv:1: no column int_en"),
        ("team,int,int_zh,int_en,rej,delay\nA,1,1,1,2,3\n", "t.csv:1: both int and int_zh"),
        ("team,int,int,rej,delay\nA,1,1,2,3\n", "t.csv:1: int: a column comes twice"),
        ("team,int,rej,delay\nA,1,2,3\nB,x,2,3\n", "t.csv:3: int: not a number"),
        ("team,int,rej,delay\nA,1,101,3\n", "t.csv:2: rej: not a number in range"),
        ("team,int,rej,delay\nA,1,2,0\n", "t.csv:2: delay: not a number in range"),
        ("team,int,rej,delay\nA,1,2,-1\n", "t.csv:2: delay: not a number in range"),
        ("team,int,rej,delay\nA,1,2,nan\n", "t.csv:2: delay: not a number in range"),
        ("team,int,rej,delay\nA,1,2,inf\n", "t.csv:2: delay: not a number in range"),
        ("team,int,rej,delay\nA,1,2,1_0\n", "t.csv:2: delay: not a number in range"),
        ("team,int,rej,delay\nA,1,2\n", "t.csv:2: delay: empty"),
        ("team,int,rej,delay\n,1,2,3\n", "t.csv:2: team: empty"),
        ("team,int,rej,delay\nA,1,2,3,4\n", "t.csv:2: more cells than columns"),
        ("team,int,rej,delay\nA,1,2,3\n\nA,1,2,3\n", "t.csv:4: team: the team of line 2 again"),
        ('team,int,rej,delay\n"A,1,2,3\n', "t.csv:2: broken CSV"),
    ],
)
def test_bad_tables_are_named_by_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_duplex(path)
    assert says in error.value.message


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_duplex(tmp_path / "nowhere.csv")
    path = tmp_path / "t.csv"
    path.write_bytes(b"team,int,rej,delay\nA\xff,1,2,3\n")
    with pytest.raises(UserError, match=r"t\.csv:2: not UTF-8"):
        read_duplex(path)


@pytest.mark.parametrize("given", [("--lmin", "3"), ("--lmin", "0"), ("--lbase", "0.5"), ("--lbase", "nan")])
def test_anchors_that_are_none(tmp_path: Path, given: tuple[str, ...]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("team,int,rej,delay\nA,1,2,3\n")
    result = CliRunner().invoke(cli, ["leaderboard", "compute", "duplex", str(path), *given])
    assert isinstance(result.exception, UserError)
    assert "anchors" in result.exception.message


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("team,int,rej,delay\nA,1,2,3\n")
    with pytest.raises(UserError, match="--lbase"):
        compute_duplex(read_duplex(path), anchors="teams")


def test_the_table_for_people(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "benchmark", *OVERALL)
    result = CliRunner().invoke(cli, ["leaderboard", "compute", "duplex", str(path)])
    assert result.exit_code == 0
    assert "Cookie asr" in result.output and "76.6" in result.output
    assert "delay score: 100 at 0.624 s, 60 at 2.531 s" in result.output
