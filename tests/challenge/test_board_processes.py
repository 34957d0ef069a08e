"""Real processes on one board: they submit at once and lose nothing, and may be killed at any instant."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import board_cards
import pytest

pytest.importorskip("sqlalchemy", reason="the extra board is not installed")

from duologue.challenge.board.board import Board
from duologue.challenge.board.challenge import Challenge, Phase
from duologue.challenge.board.database import Database, url_of
from duologue.challenge.board.standing import standings
from duologue.errors import UserError

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
WORKER = Path(__file__).parent / "board_worker.py"


@pytest.fixture
def board(board_url: str) -> Board:
    challenge = Challenge(name="c", track="duplex", phases=(Phase(name="dev", closes="2027-03-02 AoE", quota=3),))
    return Board.create(Database(url_of(board_url)), challenge, by="A. Chair", now=NOON)


def start(url: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), url, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def card(folder: Path, name: str, utilities: Sequence[float]) -> Path:
    path = folder / f"{name}.json"
    path.write_bytes(board_cards.corrected(utilities))
    return path


def at_once(url: str, folder: Path, work: Sequence[tuple[str, Sequence[Path]]]) -> list[list[str]]:
    """Run a process for each (team, cards), all from the same instant; what each of them printed."""
    go = folder / "go"
    running = [start(url, "add", go, ",".join(map(str, cards)), team) for team, cards in work]
    for p in running:
        assert p.stdout is not None and p.stderr is not None
        assert p.stdout.readline() == "ready\n", p.stderr.read()
    go.touch()
    ends = [p.communicate(timeout=120) for p in running]
    assert [p.returncode for p in running] == [0] * len(running), ends
    return [out.splitlines() for out, _ in ends]


def test_processes_that_submit_at_once_lose_nothing(board: Board, board_url: str, tmp_path: Path) -> None:
    work = []
    for team in range(3):
        cards = [card(tmp_path, f"{team}-{n}", [0.1 * team + 0.01 * n, 0.5]) for n in range(3)]
        work.append((f"team {team}", cards))
    said = at_once(board_url, tmp_path, work)
    # Nine submissions, each with a number of its own, all scored, and one unbroken history of 1 + 9 * 3 entries.
    ids = [id for lines in said for id in lines]
    assert sorted(ids) == [f"dev-{n}" for n in range(1, 10)]
    view = board.view()
    assert {s.state for s in view.submissions.values()} == {"scored"}
    assert view.seq == 28
    assert board.verify() == []
    assert [(p.team, p.used) for p in standings(board, now=NOON).phases[0].places] == [
        ("team 2", 3),
        ("team 1", 3),
        ("team 0", 3),
    ]


def test_a_race_does_not_get_a_team_a_fourth_submission(board: Board, board_url: str, tmp_path: Path) -> None:
    # Three processes with two cards each, for one team with a quota of three.
    work = [("A", [card(tmp_path, f"{p}-{n}", [0.1 * p, 0.01 * n]) for n in range(2)]) for p in range(3)]
    said = [line for lines in at_once(board_url, tmp_path, work) for line in lines]
    refused = [line for line in said if line.startswith("refused")]
    assert sorted(set(said) - set(refused)) == ["dev-1", "dev-2", "dev-3"]
    assert len(refused) == 3
    assert all("used its 3 submissions" in line for line in refused)
    assert len(board.view().submissions) == 3
    assert board.verify() == []


@pytest.mark.parametrize(
    ("table", "kind", "left"),
    [
        # About to write down that it was received: nothing is there.
        ("duologue_event", "received", None),
        # Received and not checked; checked and, of the score's own transaction, no item or all items written.
        ("duologue_event", "checked", "received"),
        ("duologue_item", "", "checked"),
        ("duologue_event", "scored", "checked"),
    ],
)
def test_a_process_killed_in_mid_score_leaves_the_board_whole_and_the_next_goes_on(
    board: Board, board_url: str, tmp_path: Path, table: str, kind: str, left: str | None
) -> None:
    board.add(board_cards.corrected([0.3, 0.3]), team="before", phase="dev", by="desk", now=NOON)
    path = card(tmp_path, "card", [0.9, 0.9])
    process = start(board_url, "stop-at", table, kind, path, "A")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "standing still\n", process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.communicate()

    assert board.verify() == []
    states = {s.team: s.state for s in board.view().submissions.values()}
    assert states == {"before": "scored"} | ({"A": left} if left else {})
    # What is half done has no place that counts.
    assert [p.rank for p in standings(board, now=NOON).phases[0].places] == ([1, None] if left else [1])

    # The same command again goes on with the same submission; so does resume, which needs no file.
    if kind == "scored":
        assert [(s.id, s.state) for s in board.resume(now=NOON)] == [("dev-2", "scored")]
        with pytest.raises(UserError, match="submitted as dev-2"):
            board.add(path.read_bytes(), team="A", phase="dev", by="desk", now=NOON)
    else:
        again = board.add(path.read_bytes(), team="A", phase="dev", by="desk", now=NOON)
        assert (again.id, again.state) == ("dev-2", "scored")
    assert [(p.team, p.used) for p in standings(board, now=NOON).phases[0].places] == [("A", 1), ("before", 1)]
    assert board.resume(now=NOON) == []
    assert board.verify() == []
