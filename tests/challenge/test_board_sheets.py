"""What a board computes of each kind of card: official totals at frozen anchors, intervals, withdrawn items."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import board_cards
import msgspec
import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="the extra board is not installed")

from duologue.challenge.board.board import Board
from duologue.challenge.board.challenge import Challenge, Phase
from duologue.challenge.board.database import Database, url_of
from duologue.challenge.board.sheets.duplex_official import OfficialDuplexSheet
from duologue.challenge.board.sheets.emotion_official import OfficialEmotionSheet
from duologue.challenge.board.sheets.kinds import KINDS
from duologue.challenge.board.sheets.sheet import Anchors
from duologue.challenge.board.standing import PhaseStanding, standings
from duologue.corpus.event import INTERRUPTION
from duologue.errors import UserError
from duologue.score.profiles.humdial2026.emotion.evaluate import EmotionScore
from duologue.score.profiles.humdial2026.influence import influence
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions, OfficialScore

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
OPTIONS = OfficialOptions()


def a_board(tmp_path: Path, **changes: object) -> Board:
    phases = (Phase(name="final", closes="2027-03-02 AoE"),)
    challenge = msgspec.structs.replace(Challenge(name="c", track="duplex", phases=phases), **changes)
    return Board.create(Database(url_of(str(tmp_path / "b.sqlite"))), challenge, by="A. Chair", now=NOON)


def add(board: Board, team: str, card: bytes) -> str:
    return board.add(card, team=team, phase="final", by="desk", now=NOON).id


def phase(board: Board) -> PhaseStanding:
    return standings(board, now=NOON).phases[0]


def totals(board: Board) -> dict[str, float | None]:
    return {p.team: p.total for p in phase(board).places}


# -- the official total and its error --------------------------------------------------------------------------------


def unrounded(items: list[OfficialItem]) -> float:
    total, _ = influence(items, OPTIONS)
    assert total is not None
    return total


def test_the_linearised_total_is_the_official_one_without_rounding() -> None:
    for seed in range(4):
        items = board_cards.official_items(seed, late=0.7 + 0.5 * seed)
        official = board_cards.official_score(items).total
        # Int and Rej are rounded to 0.1, three times on the way; delays to 1 ms.
        assert official == pytest.approx(unrounded(items), abs=0.15)


def test_an_items_share_is_what_leaving_it_out_does() -> None:
    items = board_cards.official_items(3, per_cell=30)
    total, shares = influence(items, OPTIONS)
    assert total is not None
    assert abs(shares.sum()) < 1e-9
    for i in range(0, len(items), 37):
        # A share is (x - mean) / n sqrt(n / (n - 1)); leaving an item of n out moves a mean by -(x - mean) / (n - 1).
        left_out = unrounded(items[:i] + items[i + 1 :]) - total
        assert left_out == pytest.approx(-shares[i] * math.sqrt(30 / 29), rel=0.12, abs=2e-4)


def test_the_interval_is_as_wide_as_resampling_says() -> None:
    items = board_cards.official_items(5, per_cell=25)
    _, shares = influence(items, OPTIONS)
    sd = math.sqrt(float(shares @ shares))
    rng = np.random.default_rng(0)
    cells: dict[str, list[OfficialItem]] = {}
    for i in items:
        cells.setdefault(i.id.rsplit("-", 1)[0], []).append(i)
    drawn = []
    for _ in range(120):
        again = [cell[k] for cell in cells.values() for k in rng.integers(0, len(cell), len(cell))]
        drawn.append(unrounded(again))
    # 120 resamples know a standard deviation to about 6.5%; the bootstrap's is sqrt(24 / 25) of it.
    assert np.std(drawn) == pytest.approx(sd * math.sqrt(24 / 25), rel=0.2)


def test_only_what_is_linearised_is_taken() -> None:
    with pytest.raises(ValueError, match="default options"):
        influence([], OfficialOptions(third_party_delay="pooled"))
    card = board_cards.official(board_cards.official_items(1), OfficialOptions(round_averages=True))
    with pytest.raises(UserError, match="options that the challenge does not use"):
        OfficialDuplexSheet.read(card)


def test_an_official_card_holds_what_it_was_computed_from() -> None:
    score = msgspec.json.decode(board_cards.official(board_cards.official_items(2)), type=OfficialScore)
    assert board_cards.official_score(list(score.items)) == score
    assert {len(i.system_words or ()) for i in score.items} == {1}
    with pytest.raises(UserError, match="headline is not that of its items"):
        OfficialDuplexSheet.read(msgspec.json.encode(msgspec.structs.replace(score, rejection=99.0)))
    zh = [i for i in board_cards.official_items(2) if i.language == "zh"]
    found = OfficialDuplexSheet.read(board_cards.official(zh))
    assert found.total(found.parts(), Anchors()) == board_cards.official_score(zh).total
    with pytest.raises(UserError, match="not scored in full: no items: en"):
        OfficialDuplexSheet.read(board_cards.official([i for i in zh if i.scenario not in INTERRUPTION]))


# -- anchors ---------------------------------------------------------------------------------------------------------


def test_published_anchors_give_the_cards_own_total(tmp_path: Path) -> None:
    board = a_board(tmp_path, profile="humdial2026")
    items = board_cards.official_items(7)
    add(board, "A", board_cards.official(items))
    (place,) = phase(board).places
    assert place.total == board_cards.official_score(items).total
    assert place.interval is not None and place.interval.low is not None and place.interval.high is not None
    assert place.interval.low < place.interval.high
    assert (phase(board).anchors, phase(board).provisional) == (Anchors(lmin=0.624, lbase=2.531), False)
    with pytest.raises(UserError, match="do not move"):
        board.freeze("final", why="w", by="A. Chair", now=NOON)


def test_frozen_anchors_keep_earlier_scores_when_a_faster_team_comes(tmp_path: Path) -> None:
    board = a_board(tmp_path, profile="humdial2026", anchors="teams")
    slow, fast, fastest = (board_cards.official_items(11, late=late) for late in (2.0, 1.0, 0.5))
    add(board, "Baseline", board_cards.official(slow))
    # A baseline alone has no scale: lmin is not below lbase.
    assert totals(board) == {"Baseline": None}
    with pytest.raises(UserError, match="no scale"):
        board.freeze("final", why="w", by="A. Chair", now=NOON)
    add(board, "A", board_cards.official(fast))

    def delays() -> dict[str, float | None]:
        return {p.team: p.figures["delay_score"] for p in phase(board).places}

    # The fastest scores 100, the baseline 60, whatever their delays.
    assert delays() == {"A": pytest.approx(100), "Baseline": pytest.approx(60)}
    assert phase(board).provisional
    before = totals(board)
    frozen = board.freeze("final", why="the phase is over", by="A. Chair", now=NOON)
    found = {p.team: p.figures["delay"] for p in phase(board).places}
    assert (frozen.lmin, frozen.lbase) == (found["A"], found["Baseline"])
    entry = board.events()[-1]
    assert (entry.kind, entry.by) == ("frozen", "A. Chair")
    assert entry.evidence == f"lmin {frozen.lmin:g} s of final-2, A; lbase {frozen.lbase:g} s of final-1, Baseline"

    add(board, "B", board_cards.official(fastest))
    assert {t: v for t, v in totals(board).items() if t != "B"} == before
    # 100 - 40 ln(L / Lmin) / ln(Lbase / Lmin): faster than the fastest then was scores above 100.
    fast_delay = board.view().submissions["final-3"].parts["delay"]  # type: ignore[index]
    expected = 100 - 40 * math.log(fast_delay / frozen.lmin) / math.log(frozen.lbase / frozen.lmin)
    assert delays()["B"] == pytest.approx(expected)
    assert expected > 100
    assert not phase(board).provisional
    with pytest.raises(UserError, match="frozen already"):
        board.freeze("final", why="w", by="A. Chair", now=NOON)
    # Anew, and then they move; the first freezing stays in the history.
    assert board.freeze("final", why="B entered in time", by="A. Chair", now=NOON, again=True).lmin == fast_delay
    assert totals(board) != before | {"B": totals(board)["B"]}
    assert [e.data["anchors"]["lmin"] for e in board.events() if e.kind == "frozen"] == [frozen.lmin, fast_delay]
    assert board.verify() == []


def test_a_disqualified_team_sets_no_anchor(tmp_path: Path) -> None:
    board = a_board(tmp_path, profile="humdial2026", anchors="teams")
    for team, late in (("Baseline", 2.0), ("A", 1.0), ("cheat", 0.3)):
        add(board, team, board_cards.official(board_cards.official_items(11, late=late)))
    board.decide("disqualified", "final-3", rule="leak", evidence="e", by="A. Chair", now=NOON)
    lmin = board.freeze("final", why="over", by="A. Chair", now=NOON).lmin
    assert lmin == board.view().submissions["final-2"].parts["delay"]  # type: ignore[index]


def test_withdrawing_an_official_item_is_scoring_without_it(tmp_path: Path) -> None:
    board = a_board(tmp_path, profile="humdial2026")
    sets = {team: board_cards.official_items(seed) for seed, team in enumerate(("A", "B"))}
    for team, items in sets.items():
        add(board, team, board_cards.official(items))
    gone = {"zh-follow_up-00", "en-pause-03"}
    board.withdraw("final", sorted(gone), why="w", by="A. Chair", now=NOON)
    again = {t: board_cards.official_score([i for i in items if i.id not in gone]).total for t, items in sets.items()}
    assert totals(board) == again
    assert board.verify() == []


def test_a_profile_without_anchors_has_none_to_freeze(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no delay anchors"):
        a_board(tmp_path).freeze("final", why="w", by="A. Chair", now=NOON)


# -- track 1 ---------------------------------------------------------------------------------------------------------


def test_track_one_ranks_by_the_official_final_score(tmp_path: Path) -> None:
    board = a_board(tmp_path, track="emotion", profile="humdial2026")
    cards = {"A": board_cards.judged(1), "B": board_cards.judged(2, better=6)}
    for team, card in cards.items():
        add(board, team, card)
    own = {t: msgspec.json.decode(c, type=EmotionScore).floor.value for t, c in cards.items()}
    assert totals(board) == {t: pytest.approx(v, abs=1e-6) for t, v in own.items()}
    top = phase(board).places[0]
    assert top.team == "B"
    assert top.interval is not None and top.interval.value == pytest.approx(own["B"])
    assert top.figures.keys() == {"zh", "en"}
    # Whole dialogues are named without their language and task.
    changed = board.withdraw("final", ["empathy-00", "reasoning-11"], why="w", by="A. Chair", now=NOON)
    assert board.events()[-1].data["items"] == [
        "en/empathy/00",
        "en/reasoning/11",
        "zh/empathy/00",
        "zh/reasoning/11",
    ]
    assert set(changed) == {"final-1", "final-2"}
    # Without all of a task's dialogues a language has no final score, and nobody a rank.
    board.withdraw("final", [f"trajectory-{n:02d}" for n in range(12)], why="w", by="A. Chair", now=NOON)
    assert [(p.total, p.rank) for p in phase(board).places] == [(None, None)] * 2
    assert board.verify() == []


def test_a_submission_not_judged_in_full_does_not_rank() -> None:
    score = msgspec.json.decode(board_cards.judged(1), type=EmotionScore)
    first = score.replies[0]
    cut = msgspec.structs.replace(first, judgements={})
    for bad, says in (
        (msgspec.structs.replace(score, floor=msgspec.structs.replace(score.floor, value=None)), "not judged in full"),
        (msgspec.structs.replace(score, replies=(cut, *score.replies[1:])), "not judged in every dimension"),
        (msgspec.structs.replace(score, floor=msgspec.structs.replace(score.floor, value=5.0)), "headline"),
    ):
        with pytest.raises(UserError, match=says):
            OfficialEmotionSheet.read(msgspec.json.encode(bad))


def test_track_one_without_a_judge(tmp_path: Path) -> None:
    board = a_board(tmp_path, track="emotion", profile="corrected")
    asked = [(f"d{n}", task, "en") for n in range(4) for task in ("trajectory", "reasoning")]
    # Trajectories all right, reasons one in four: (1 + 1/4) / 2.
    add(board, "A", board_cards.answered({k: k[1] == "trajectory" or k[0] == "d0" for k in asked}))
    assert totals(board) == {"A": 0.625}
    board.withdraw("final", ["d0/reasoning"], why="w", by="A. Chair", now=NOON)
    assert totals(board) == {"A": 0.5}
    board.withdraw("final", ["d1"], why="the whole dialogue", by="A. Chair", now=NOON)
    assert board.events()[-1].data["items"] == ["d1/reasoning", "d1/trajectory"]


# -- broken cards ----------------------------------------------------------------------------------------------------

CARDS = {
    ("duplex", "corrected"): board_cards.corrected([0.1, 0.5, 0.3, 0.9]),
    ("duplex", "humdial2026"): board_cards.official(board_cards.official_items(1, per_cell=1)),
    ("emotion", "humdial2026"): board_cards.judged(1, dialogues=2),
    ("emotion", "corrected"): board_cards.answered({(d, "trajectory", "en"): True for d in "ab"}),
}
ODD = (None, True, 0, -1, 1e308, -1e308, 1e-308, 2**70, "", "x", "\0", "a" * 300, [], {}, [[1, 2]], {"a": 1}, 0.5, "zh")


def _places(x: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    entries = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from _places(value, (*path, key))


@pytest.mark.parametrize("kind", CARDS)
def test_a_broken_card_is_refused_or_can_be_ranked(kind: tuple[str, str]) -> None:
    rng = random.Random(1)
    places = list(_places(json.loads(CARDS[kind])))
    outcomes = Counter[str]()
    for _ in range(200):
        card = json.loads(CARDS[kind])
        *way, last = rng.choice(places)
        at = card
        for key in way:
            at = at[key]
        if rng.random() < 0.2:
            del at[last]
        else:
            at[last] = rng.choice(ODD)
        try:
            sheet = KINDS[kind].read(json.dumps(card).encode())
        except UserError:
            outcomes["refused"] += 1
            continue
        # Whatever is let in can be stored, read back, ranked, and rescored without an item.
        again = KINDS[kind].load((row for _, row in sheet.rows()), sheet.fixed)
        assert again.parts() == sheet.parts()
        for without in ((), tuple(sheet.items)[:1]):
            sheet.total(sheet.parts(without), Anchors())
            sheet.sample(without, Anchors())
        outcomes["ranked"] += 1
    assert outcomes["refused"] > 50 and outcomes["ranked"] > 10
