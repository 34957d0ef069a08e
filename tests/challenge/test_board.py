"""A board: quotas, deadlines, states, withdrawn items, ties; every rule on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import board_cards
import msgspec
import pytest

sa = pytest.importorskip("sqlalchemy", reason="the extra board is not installed")

from duologue.challenge.board import schema  # noqa: E402
from duologue.challenge.board.board import Board  # noqa: E402
from duologue.challenge.board.challenge import Challenge, Phase  # noqa: E402
from duologue.challenge.board.database import Database, url_of  # noqa: E402
from duologue.challenge.board.standing import Place, public_history, standings  # noqa: E402
from duologue.errors import UserError  # noqa: E402

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
CHAIR = {"by": "A. Chair"}
DEV = Phase(name="dev", opens="2027-02-01 00:00 UTC", closes="2027-03-02 AoE", quota=3)


def open_board(url: str, **changes: object) -> Board:
    challenge = Challenge(name="c", track="duplex", phases=(DEV,))
    challenge = msgspec.structs.replace(challenge, **changes)
    return Board.create(Database(url_of(url)), challenge, by="A. Chair", now=NOON)


def add(board: Board, team: str, utilities: list[float], *, phase: str = "dev", now: datetime = NOON) -> str:
    return board.add(board_cards.corrected(utilities), team=team, phase=phase, by="desk", now=now).id


def places(board: Board, now: datetime = NOON, **how: object) -> list[Place]:
    return list(standings(board, now=now, **how).phases[0].places)  # type: ignore[arg-type]


def test_a_submission_is_received_checked_and_scored(board_url: str) -> None:
    board = open_board(board_url)
    found = board.add(board_cards.corrected([0.2, 0.4, 0.6, 0.8]), team="A", phase="dev", by="desk", now=NOON)
    # Scenarios in turn: follow_up 0.2, 0.6 and pause 0.4, 0.8; the mean of 0.4 and 0.6.
    assert found.parts == {"utility": pytest.approx(0.5)}
    assert [(s.state, s.by) for s in found.steps] == [
        ("received", "desk"),
        ("checked", "duologue"),
        ("scored", "duologue"),
    ]
    assert found.steps[2].rule.startswith("corrected: utility")
    assert found.steps[2].evidence == f"card {found.card}"
    (place,) = places(board)
    assert (place.team, place.rank, place.total, place.used) == ("A", 1, 0.5, 1)
    assert board.verify() == []


def test_a_team_has_three_submissions_however_it_writes_its_name(board_url: str) -> None:
    board = open_board(board_url)
    # One team: case, spaces, full-width letters, a combining accent.
    for n, name in enumerate(["Café 9", "CAFÉ  9", "Cafe\u0301 ９"]):
        add(board, name, [0.1 * n, 0.5])
    with pytest.raises(UserError, match="used its 3 submissions") as error:
        add(board, "café9", [0.9, 0.9])
    assert "dev-1, dev-2, dev-3" in error.value.message
    add(board, "Cafe 9", [0.9, 0.9])
    assert [(p.team, p.used) for p in places(board)] == [("Cafe 9", 1), ("Café 9", 3)]
    # The refusal left no trace.
    assert len(board.view().submissions) == 4


def test_the_deadline_is_over_when_the_day_is_over_everywhere(board_url: str) -> None:
    board = open_board(board_url)
    # 2 March ends Anywhere on Earth (UTC-12) at noon of 3 March UTC.
    end = datetime(2027, 3, 3, 12, tzinfo=UTC)
    add(board, "A", [0.5, 0.5], now=end - timedelta(microseconds=1))
    with pytest.raises(UserError, match="after the deadline") as error:
        add(board, "B", [0.5, 0.5], now=end)
    assert "2027-03-02 23:59:59 AoE" in error.value.message
    with pytest.raises(UserError, match="not open yet"):
        add(board, "B", [0.5, 0.5], now=datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC))
    # What came in time may be entered later, and what it says of the time is kept beside the time of entry.
    late = board.add(
        board_cards.corrected([0.1, 0.1]), team="B", phase="dev", by="desk", now=end + timedelta(days=1), received=NOON
    )
    assert late.received == "2027-03-01T12:00:00.000000Z"
    assert late.steps[0].at == "2027-03-04T12:00:00.000000Z"
    with pytest.raises(UserError, match="received after now"):
        board.add(
            board_cards.corrected([0.2, 0.1]),
            team="B",
            phase="dev",
            by="desk",
            now=NOON,
            received=NOON + timedelta(seconds=1),
        )


def test_the_same_file_is_not_submitted_twice(board_url: str) -> None:
    board = open_board(board_url)
    add(board, "A", [0.5, 0.5])
    with pytest.raises(UserError, match="the same card is submitted as dev-1"):
        add(board, "A", [0.5, 0.5])
    # From another team it counts, and is flagged by rule, with the evidence.
    id = add(board, "B", [0.5, 0.5])
    found = board.view().submission(id)
    assert (found.state, found.decision.by) == ("flagged", "duologue")
    assert "the same file as dev-1, of A" in found.decision.evidence


def test_a_card_of_another_test_set_is_refused_and_does_not_count(board_url: str) -> None:
    board = open_board(board_url, phases=(msgspec.structs.replace(DEV, quota=1),))
    add(board, "A", [0.5, 0.5])
    other = board_cards.corrected([0.9, 0.9, 0.9])
    for _ in range(2):
        with pytest.raises(UserError, match="not what the other cards"):
            board.add(other, team="B", phase="dev", by="desk", now=NOON)
    for card in (board_cards.corrected([0.9, 0.9], sha="cd" * 32), board_cards.corrected([1, 1], comparable="live")):
        with pytest.raises(UserError, match="not what the other cards"):
            board.add(card, team="B", phase="dev", by="desk", now=NOON)
    refused = [s for s in board.view().submissions.values() if s.state == "refused"]
    assert len(refused) == 4
    assert all("dev-1" in s.decision.evidence for s in refused)
    # Its one submission is still there to be used.
    add(board, "B", [0.9, 0.9])
    assert [(p.team, p.used) for p in places(board)] == [("B", 1), ("A", 1)]


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (b"", "no card"),
        (b"[1, 2]", "no card"),
        (b"\xff\xfe", "no card"),
        (b"[" * 100_000, "no card"),
        (b'{"profile": "corrected"}', "no card"),
        (board_cards.corrected([0.5, 0.5]).replace(b'"corrected"', b'"other"'), "another profile"),
        (board_cards.corrected([0.5, 0.5]).replace(b'"utility":0.5', b'"utility":1.5', 1), "not a score"),
        (board_cards.corrected([0.5, 0.5]).replace(b'"utility":0.5', b'"utility":0.9', 1), "headline is not that"),
        (board_cards.corrected([0.5, 0.5]).replace(b'"id":"i001"', b'"id":"i000"'), "an item comes twice"),
        (board_cards.corrected([0.5, 0.5]).replace(b'"id":"i001"', b'"id":"i\\u0000"'), "not an item's name"),
        (board_cards.official(board_cards.official_items(1)), "no card"),
    ],
)
def test_what_is_no_card_leaves_no_trace(board_url: str, card: bytes, says: str) -> None:
    board = open_board(board_url)
    with pytest.raises(UserError, match=says):
        board.add(card, team="A", phase="dev", by="desk", now=NOON)
    assert len(board.events()) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\u202eb", "a\x00b", "a\ud800b", "zero\u200bwidth"])
def test_names_that_cannot_be_shown_are_refused(board_url: str, name: str) -> None:
    board = open_board(board_url)
    with pytest.raises(UserError, match="team's name"):
        add(board, name, [0.5, 0.5])


def test_only_listed_teams_where_there_is_a_list(board_url: str) -> None:
    board = open_board(board_url, teams=("Alpha", "Beta"))
    add(board, "ALPHA", [0.5, 0.5])
    assert places(board)[0].team == "Alpha"
    with pytest.raises(UserError, match="not a team of this challenge"):
        add(board, "Gamma", [0.5, 0.5])


def test_ties_share_a_rank_and_the_earlier_is_listed_first(board_url: str) -> None:
    board = open_board(board_url, decimals=2)
    minutes = itertools.count()
    for team, utilities in (("late", [0.5, 0.5]), ("top", [0.9, 0.9]), ("tied", [0.502, 0.502]), ("last", [0.1, 0.1])):
        add(board, team, utilities, now=NOON + timedelta(minutes=next(minutes)))
    # 0.502 is 0.50 to two decimals.
    assert [(p.team, p.rank, p.total) for p in places(board, now=NOON + timedelta(hours=1))] == [
        ("top", 1, 0.9),
        ("late", 2, 0.5),
        ("tied", 2, 0.5),
        ("last", 4, 0.1),
    ]


@pytest.mark.parametrize(("counts", "submission", "total"), [("best", "dev-2", 0.8), ("last", "dev-3", 0.3)])
def test_which_submission_counts(board_url: str, counts: str, submission: str, total: float) -> None:
    board = open_board(board_url, counts=counts)
    for u in (0.5, 0.8, 0.3):
        add(board, "A", [u, u])
    (place,) = places(board)
    assert (place.submission, place.total, place.used) == (submission, total, 3)


def test_every_decision_has_its_rule_its_evidence_and_who_decided(board_url: str) -> None:
    board = open_board(board_url)
    first, second = add(board, "A", [0.9, 0.9]), add(board, "A", [0.8, 0.8])
    add(board, "B", [0.5, 0.5])
    leak = {"rule": "test data leakage", "evidence": "audit.html, finding 3"}
    board.decide("flagged", first, now=NOON, **leak, **CHAIR)
    # A flagged submission keeps its place until it is decided; why it is looked into is not public.
    top = places(board)[0]
    assert (top.submission, top.state, top.rank, top.evidence) == (first, "flagged", 1, "")
    assert places(board, public=False)[0].evidence == "audit.html, finding 3"
    assert all("audit.html" not in e.evidence for e in public_history(board, NOON))

    board.decide("disqualified", first, now=NOON, **leak, **CHAIR)
    assert [(p.team, p.submission, p.rank) for p in places(board)] == [("A", second, 1), ("B", "dev-3", 2)]
    board.decide("disqualified", second, now=NOON, **leak, **CHAIR)
    out = places(board)[1]
    assert (out.team, out.rank, out.state, out.rule, out.by) == ("A", None, "disqualified", leak["rule"], "A. Chair")
    assert out.evidence == leak["evidence"]

    back = board.decide("reinstated", first, rule="appeal", evidence="a false alarm", now=NOON, **CHAIR)
    assert back.state == "flagged"
    cleared = board.decide("cleared", first, rule="appeal", evidence="a false alarm", now=NOON, **CHAIR)
    assert [s.state for s in cleared.steps] == [
        "received",
        "checked",
        "scored",
        "flagged",
        "disqualified",
        "flagged",
        "scored",
    ]
    assert places(board)[0].submission == first
    for kind, says in (("cleared", "it is scored"), ("reinstated", "it is scored")):
        with pytest.raises(UserError, match=says):
            board.decide(kind, first, rule="r", evidence="e", now=NOON, **CHAIR)  # type: ignore[arg-type]
    for empty in ({"rule": " ", "evidence": "e"}, {"rule": "r", "evidence": ""}):
        with pytest.raises(UserError, match="needs its reason"):
            board.decide("flagged", first, now=NOON, **empty, **CHAIR)
    with pytest.raises(UserError, match="who decides"):
        board.decide("flagged", first, rule="r", evidence="e", by=" ", now=NOON)
    with pytest.raises(UserError, match="did you mean dev-1"):
        board.decide("flagged", "DEV-1", rule="r", evidence="e", now=NOON, **CHAIR)
    assert board.verify() == []


def test_withdrawing_an_item_rescores_everybody_and_keeps_what_was(board_url: str) -> None:
    board = open_board(board_url)
    # Items in turn of follow_up and pause. A wins by item i000 alone.
    a, b = add(board, "A", [1.0, 0.5, 0.2, 0.5]), add(board, "B", [0.1, 0.5, 0.6, 0.5])
    assert [p.team for p in places(board)] == ["A", "B"]
    before = board.view().seq

    changed = board.withdraw("dev", ["i000"], why="its reference is wrong", now=NOON, **CHAIR)
    # Follow_up is then i002 alone: A (0.2 + 0.5) / 2, B (0.6 + 0.5) / 2.
    assert changed[a] == ({"utility": pytest.approx(0.55)}, {"utility": pytest.approx(0.35)})
    assert changed[b] == ({"utility": pytest.approx(0.425)}, {"utility": pytest.approx(0.55)})
    assert [(p.team, p.total) for p in places(board)] == [("B", 0.55), ("A", 0.35)]
    # A submission that comes later is scored without it too.
    late = board.add(board_cards.corrected([1.0, 0.4, 0.4, 0.4]), team="C", phase="dev", by="desk", now=NOON)
    assert late.parts == {"utility": pytest.approx(0.4)}
    # History: the board as it was, and the entry that says why.
    assert [(p.team, p.total) for p in places(board, up_to=before)] == [("A", 0.55), ("B", 0.425)]
    entry = next(e for e in board.events() if e.kind == "withdrawn")
    assert (entry.by, entry.evidence, entry.data["items"]) == ("A. Chair", "its reference is wrong", ["i000"])

    board.withdraw("dev", ["i000"], why="it was right after all", now=NOON, restore=True, **CHAIR)
    # C with the item: (0.7 + 0.4) / 2.
    assert {p.team: p.total for p in places(board)} == {"A": 0.55, "B": 0.425, "C": 0.55}
    for items, restore, says in (
        (["nothing"], False, "no such item"),
        (["i001"], True, "not withdrawn"),
        ([f"i{n:03d}" for n in range(4)], False, "no item would be left"),
    ):
        with pytest.raises(UserError, match=says):
            board.withdraw("dev", items, why="w", now=NOON, restore=restore, **CHAIR)
    assert board.verify() == []


def test_a_hidden_phase_shows_nothing_until_it_is_revealed(board_url: str) -> None:
    hidden = Phase(name="final", kind="hidden", closes="2027-03-02 AoE", reveals="2027-03-20 12:00 Asia/Shanghai")
    board = open_board(board_url, phases=(hidden,))
    add(board, "A", [0.7, 0.7], phase="final")
    (phase,) = standings(board, now=NOON).phases
    assert (phase.withheld, phase.places, phase.teams, phase.submissions) == (True, (), 1, 1)
    assert "0.7" not in msgspec.json.encode([standings(board, now=NOON), public_history(board, NOON)]).decode()
    assert places(board, public=False)[0].total == 0.7
    # 12:00 in Shanghai is 04:00 UTC.
    assert places(board, now=datetime(2027, 3, 20, 3, 59, 59, tzinfo=UTC)) == []
    assert places(board, now=datetime(2027, 3, 20, 4, tzinfo=UTC))[0].total == 0.7
    board.reveal("final", why="announced", now=NOON, **CHAIR)
    assert places(board)[0].total == 0.7
    with pytest.raises(UserError, match="nothing hidden"):
        board.reveal("final", why="again", now=NOON, **CHAIR)


def test_open_ranks_are_those_that_the_items_leave_open(board_url: str) -> None:
    board = open_board(board_url)
    # 40 items, every one its own speaker. "even" and "near" differ in nothing that 40 items can tell.
    base = [0.5 + 0.1 * ((n * 7) % 5 - 2) for n in range(40)]
    near = [u + (0.08 if n % 3 else -0.15) for n, u in enumerate(base)]
    for team, utilities in (("far", [u - 0.25 for u in base]), ("even", base), ("near", near)):
        add(board, team, [min(max(round(u, 6), 0), 1) for u in utilities])
    found = {p.team: p for p in places(board)}
    assert [(p.rank_low, p.rank_high) for p in (found["even"], found["near"], found["far"])] == [(1, 2), (1, 2), (3, 3)]
    even = found["even"].interval
    assert even is not None and even.low is not None and even.high is not None
    assert even.low < found["even"].total < even.high  # type: ignore[operator]


def test_few_items_claim_no_order(board_url: str) -> None:
    board = open_board(board_url)
    add(board, "A", [0.9] * 4)
    add(board, "B", [0.1] * 4)
    (phase,) = standings(board, now=NOON).phases
    assert [(p.rank, p.rank_low, p.rank_high) for p in phase.places] == [(1, 1, 2), (2, 1, 2)]
    assert "20 are needed" in phase.why_not


def test_a_deadline_can_move_but_not_what_scores_stand_on(board_url: str) -> None:
    board = open_board(board_url)
    after = datetime(2027, 3, 4, tzinfo=UTC)
    with pytest.raises(UserError, match="after the deadline"):
        add(board, "A", [0.5, 0.5], now=after)
    old = board.view().challenge
    longer = msgspec.structs.replace(old, phases=(msgspec.structs.replace(DEV, closes="2027-03-09 AoE"),))
    board.amend(longer, why="the server was down", now=NOON, **CHAIR)
    add(board, "A", [0.5, 0.5], now=after)
    with pytest.raises(UserError, match="cannot be changed"):
        board.amend(msgspec.structs.replace(longer, track="emotion"), why="w", now=NOON, **CHAIR)
    with pytest.raises(UserError, match="a phase is gone"):
        board.amend(
            msgspec.structs.replace(longer, phases=(msgspec.structs.replace(DEV, name="x"),)),
            why="w",
            now=NOON,
            **CHAIR,
        )


def test_the_database_itself_refuses_to_change_what_was_written(board_url: str) -> None:
    board = open_board(board_url)
    add(board, "A", [0.5, 0.5])
    before = msgspec.json.encode(board.events())
    statements = ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"]
    if board.database.engine.dialect.name == "postgresql":
        statements.append("TRUNCATE {0} CASCADE")
    for table, statement in itertools.product(schema.METADATA.sorted_tables, statements):
        sql = statement.format(table.name, table.columns.keys()[0])
        with pytest.raises(sa.exc.SQLAlchemyError, match="never changed"), board.database.engine.begin() as connection:
            connection.exec_driver_sql(sql)
    assert msgspec.json.encode(board.events()) == before


def _without_triggers(board: Board, *statements: str) -> None:
    """What somebody does who owns the database and drops what is in the way."""
    with board.database.engine.begin() as connection:
        for table in schema.METADATA.sorted_tables:
            if connection.dialect.name == "sqlite":
                for what in ("update", "delete"):
                    connection.exec_driver_sql(f"DROP TRIGGER {table.name}_no_{what}")
            else:
                connection.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE duologue_event SET evidence = 'x' WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE duologue_event SET at = '2027-01-01T00:00:00.000000Z' WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM duologue_event WHERE seq = 2", "entry 2 is missing"),
        ("UPDATE duologue_item SET score = replace(score, '0.25', '0.95')", "dev-1: its items were changed"),
        ("DELETE FROM duologue_item WHERE item = 'i001'", "dev-1: its items were changed"),
        ("DELETE FROM duologue_event WHERE seq = 4", "was cut or written anew"),
    ],
)
def test_tampering_past_the_triggers_is_found(board_url: str, statement: str, says: str) -> None:
    board = open_board(board_url)
    add(board, "A", [0.25, 0.5])
    published = board.view().head
    assert board.verify(published) == []
    _without_triggers(board, statement)
    found = board.verify(published)
    assert len(found) == 1 and says in found[0]


def test_several_challenges_in_one_database(board_url: str) -> None:
    one = open_board(board_url)
    two = open_board(board_url, name="other")
    add(one, "A", [0.5, 0.5])
    add(two, "A", [0.7, 0.7])
    assert [places(b)[0].total for b in (one, two)] == [0.5, 0.7]
    database = Database(url_of(board_url))
    with pytest.raises(UserError, match="which challenge's board") as error:
        Board.open(database)
    assert error.value.allowed == "c, other"
    assert Board.open(database, "other").challenge == "other"
    with pytest.raises(UserError, match="such a board already"):
        open_board(board_url)


def test_a_newer_board_is_refused_and_an_older_one_is_migrated(board_url: str) -> None:
    board = open_board(board_url)

    def second(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE duologue_note (text VARCHAR(10))")
        schema.forbid_changes(connection, "duologue_note")

    with board.database.engine.begin() as connection:
        schema.migrate(connection, "2027-03-02", (*schema.MIGRATIONS, second))
        # A second run finds nothing to do.
        schema.migrate(connection, "2027-03-03", (*schema.MIGRATIONS, second))
        rows = connection.execute(sa.select(schema.VERSIONS).order_by(schema.VERSIONS.c.version)).all()
        assert [tuple(r) for r in rows] == [(1, "2027-03-01T12:00:00.000000Z"), (2, "2027-03-02")]
    with pytest.raises(UserError, match="a newer Duologue wrote this board"):
        board.view()
    with pytest.raises(UserError, match="a newer Duologue wrote this board"):
        add(board, "A", [0.5, 0.5])


def test_a_board_of_version_1_stays_readable(tmp_path: Path) -> None:
    # Written once by version 1 and never again: two teams, a flag, a withdrawn item.
    with sqlite3.connect(tmp_path / "b.sqlite") as connection:
        connection.executescript((Path(__file__).parent / "fixtures" / "board_v1.sql").read_text("utf-8"))
    board = Board.open(Database(url_of(str(tmp_path / "b.sqlite"))))
    assert board.verify("41c3643196ce19a1e7a538e7ae06bc16506e1fde73b22c6a203939d07ff9e6d8") == []
    assert [(p.team, p.total, p.state) for p in places(board)] == [("B", 0.6, "flagged"), ("A", 0.35, "scored")]
    add(board, "C", [0.9, 0.9, 0.9, 0.9])
    assert [p.team for p in places(board)] == ["C", "B", "A"]
