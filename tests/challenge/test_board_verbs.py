"""The verbs of a board from the command line, its exports, and its page in a browser."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import board_cards
import msgspec
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("sqlalchemy", reason="the extra board is not installed")
sys.path.append(str(Path(__file__).parents[1] / "report"))

from browser import look, parse

from duologue.challenge.board.database import Database, url_of
from duologue.challenge.board.export import BoardFile
from duologue.cli import cli
from duologue.errors import MissingPartError, UserError

HOSTILE = "<script>alert(1)</script>&\"'"
CHALLENGE = """
name: c
track: duplex
phases:
  - {name: dev, closes: 2999-12-31 AoE, quota: 3}
  - {name: final, kind: hidden, closes: 2999-12-31 23:59 Asia/Shanghai}
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a verb on a board of its own; fails where the verb does."""

    def call(*arguments: object, ok: bool = True) -> Result:
        environment = {"DUOLOGUE_BOARD": str(tmp_path / "b.sqlite"), "DUOLOGUE_BY": "A. Chair"}
        result = CliRunner(env=environment).invoke(cli, ["leaderboard", *map(str, arguments)])
        assert not ok or result.exit_code == 0, (result.output, result.exception)
        return result

    (tmp_path / "c.yaml").write_text(CHALLENGE)
    call("init", tmp_path / "c.yaml")
    return call


def submit(run: Run, folder: Path, team: str, utilities: list[float], phase: str = "dev") -> str:
    path = folder / "card.json"
    path.write_bytes(board_cards.corrected(utilities))
    found: str = json.loads(run("add", path, "--team", team, "--phase", phase, "--json").stdout)["id"]
    return found


def test_a_challenge_from_the_first_card_to_the_page(run: Run, tmp_path: Path) -> None:
    first = submit(run, tmp_path, "Alpha", [0.9, 0.5, 0.3, 0.3])
    submit(run, tmp_path, HOSTILE, [0.2, 0.4, 0.6, 0.8])
    submit(run, tmp_path, "=HYPERLINK(A1)", [0.1, 0.1, 0.1, 0.1])
    submit(run, tmp_path, "\u7b2c\u4e00\u961f", [0.77, 0.77, 0.77, 0.77], "final")
    reason = ("--rule", "test data leakage", "--evidence", f"audit.html {HOSTILE}")
    assert "dev-1, Alpha: flagged" in run("flag", first, *reason).output
    shown = run("show").output
    assert "flagged" in shown and "scores are withheld" in shown and "0.77" not in shown
    run("disqualify", first, *reason)
    moved = json.loads(run("withdraw", "dev", "i000", "--why", "broken audio", "--json").stdout)
    # Without i000 follow_up is i002 alone: (0.6 + 0.6) / 2.
    assert moved["dev-2"][1] == {"utility": pytest.approx(0.6)}

    csv_file, json_file, html_file = (tmp_path / f"board.{end}" for end in ("csv", "json", "html"))
    run("export", "--csv", csv_file, "--json", json_file, "--html", html_file)
    text = csv_file.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert [(r["rank"], r["team"], r["total"], r["state"]) for r in rows] == [
        ("1", HOSTILE, "0.6", "scored"),
        ("2", "'=HYPERLINK(A1)", "0.1", "scored"),
        ("", "Alpha", "", "disqualified"),
    ]
    assert (rows[2]["rule"], rows[2]["decided_by"]) == ("test data leakage", "A. Chair")
    found = msgspec.json.decode(json_file.read_bytes(), type=BoardFile)
    dev, final = found.standings.phases
    assert [p.team for p in dev.places] == [HOSTILE, "=HYPERLINK(A1)", "Alpha"]
    assert (dev.withdrawn, dev.items, final.withheld) == (("i000",), 4, True)
    assert found.history[-1].digest == found.standings.head
    for data in (text, json_file.read_bytes(), html_file.read_bytes()):
        assert b"0.77" not in data

    page = html_file.read_text("utf-8")
    parsed = parse(page)
    # Nothing of a stranger's becomes a tag, and nothing is fetched.
    assert [tag for tag, _ in parsed.tags].count("script") == 1
    assert not [a for _, a in parsed.tags if {"src", "href", "onclick", "onerror"} & a.keys()]
    assert HOSTILE in "".join(parsed.text)

    run("reveal", "final")
    assert "0.77" in run("show").output
    verified = run("verify", "--head", found.standings.head)
    assert "entries, as they were written" in verified.output
    assert len(json.loads(run("show", "--history", "--json").stdout)) == found.standings.seq + 1


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_in_a_browser(run: Run, tmp_path: Path, width: int) -> None:
    for n in range(4):
        base = [min(max(0.3 + 0.1 * n + 0.05 * ((k * 7) % 5 - 2), 0), 1) for k in range(40)]
        submit(run, tmp_path, f"{HOSTILE} {n} " + "long " * 12, base)
    run("export", "--html", tmp_path / "board.html")
    seen = look((tmp_path / "board.html").read_text("utf-8"), width, tmp_path)
    assert seen.complaints == []
    assert seen.scroll <= seen.inner
    assert HOSTILE in seen.text and "40 items count." in seen.text
    assert seen.flat == 0


def test_help_shows_an_example_of_every_verb(run: Run) -> None:
    verbs = [line.split()[0] for line in run("--help").output.split("Verbs:")[1].splitlines() if line.strip()]
    assert len(verbs) == 16
    for verb in verbs:
        assert "Example" in run(verb, "--help").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "--db", "nowhere.sqlite"), "no such board"),
        (("show", "--challenge", "other"), "no board of this challenge"),
        (("show", "--db", "bogus://x"), "SQLAlchemy knows no such database"),
        (("show", "--db", "://"), "not a database's URL"),
        (("add", "nowhere.json", "--team", "A", "--phase", "dev"), "cannot be read"),
        (("add", "c.yaml", "--team", "A", "--phase", "dev"), "no card"),
        (("add", "card.json", "--team", "A", "--phase", "other"), "unknown phase"),
        (("add", "card.json", "--team", "A", "--phase", "dev", "--received", "today"), "not a point in time"),
        (("flag", "dev-9", "--rule", "r", "--evidence", "e"), "no such submission"),
        (("withdraw", "dev", "x", "--why", "w"), "nothing is scored"),
        (("freeze", "dev"), "no delay anchors"),
        (("init", "c.yaml"), "such a board already"),
        (("init", "c.yaml", "--db", "no/folder/b.sqlite"), "no such folder"),
        (("init", "card.json", "--db", "new.sqlite"), "card.json"),
        (("export",), "nothing to write"),
    ],
)
def test_a_users_mistake_ends_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "card.json").write_bytes(board_cards.corrected([0.5, 0.5]))
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, ok=False)
    assert isinstance(result.exception, UserError)
    assert says in result.exception.message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "b.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="file is not a database"):
        Database(url_of(str(tmp_path / "b.sqlite"))).challenges()
    sqlite3.connect(tmp_path / "empty.sqlite").execute("CREATE TABLE x (y)")
    with pytest.raises(UserError, match="no board in this database"):
        Database(url_of(str(tmp_path / "empty.sqlite"))).challenges()


def test_a_locked_board_says_so_in_time(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duologue.challenge.board.database.PATIENCE", 0.1)
    (tmp_path / "card.json").write_bytes(board_cards.corrected([0.5, 0.5]))
    holder = sqlite3.connect(tmp_path / "b.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    result = run("add", tmp_path / "card.json", "--team", "A", "--phase", "dev", ok=False)
    assert isinstance(result.exception, UserError) and "database is locked" in result.exception.message
    holder.execute("ROLLBACK")


def test_a_password_is_never_shown() -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    # Port 1 of this machine: nobody answers.
    url = url_of("postgresql://me@127.0.0.1:1/board", {"DUOLOGUE_DB_PASSWORD": "s3cret-w0rd"})
    assert url.password == "s3cret-w0rd" and url.drivername == "postgresql+psycopg"
    assert url_of("postgresql://me:own@h/b", {"DUOLOGUE_DB_PASSWORD": "other"}).password == "own"
    database = Database(url)
    with pytest.raises(UserError) as error:
        database.challenges()
    assert "postgresql+psycopg://me:***@127.0.0.1:1/board" in error.value.message
    assert "s3cret" not in error.value.message
    with pytest.raises(UserError) as bad:
        url_of("postgresql://me:s3cret-w0rd@host:port/x")
    assert "s3cret" not in bad.value.message
    assert not isinstance(bad.value, MissingPartError)
