"""Splits: what hangs together stays together, strata are even as far as that allows, growth moves nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.corpus.check import check
from duologue.corpus.dialogue import Dialogue, Split
from duologue.corpus.manifest import Manifest
from duologue.corpus.read import open as open_corpus
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Turn
from duologue.corpus.write import encode_dialogue, write_manifest, write_shard
from duologue.errors import UserError
from duologue.protect.split import DEALT, Row, assign, split

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def dialogue(number: int, speaker: str, **changes: object) -> Dialogue:
    """A dialogue of one turn of text that ``speaker`` says."""
    user = Speaker(id=speaker, role="user", languages=("en",), synthetic=True)
    made = Dialogue(
        schema_version=1,
        id=f"d{number:04d}",
        track="duplex",
        tasks=("rejection",),
        languages=("en",),
        split="unassigned",
        scenario="none",
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        speakers=(user,),
        turns=(Turn(index=0, role="user", speaker=speaker, addressee="", language="en", text=f"Number {number}"),),
    )
    return msgspec.structs.replace(made, **changes)


def corpus(folder: Path, dialogues: list[Dialogue]) -> Path:
    shards: dict[str, list[bytes]] = defaultdict(list)
    for d in dialogues:
        shards[f"{d.track}-{d.languages[0]}-{d.split}-0"].append(encode_dialogue(d))
    entries = tuple(write_shard(folder, name, lines, sync=False) for name, lines in shards.items())
    write_manifest(folder, Manifest(name="foreign", duologue="0", shards=entries))
    return folder


def splits(folder: Path) -> dict[str, Split]:
    return {item.id: item.dialogue.split for item in open_corpus(folder)}


# Each dialogue: up to three of twelve links, and one of three strata.
DIALOGUES = st.lists(st.tuples(st.sets(st.integers(0, 11), max_size=3), st.integers(0, 2)), min_size=1, max_size=40)


def rows_of(drawn: list[tuple[set[int], int]], given_: dict[str, Split] | None = None) -> list[Row]:
    known = given_ or {}
    return [
        Row(id=f"d{i:03d}", split=known.get(f"d{i:03d}", "unassigned"), links=sorted(links), strata=[0, 1 + stratum])
        for i, (links, stratum) in enumerate(drawn)
    ]


def splits_of_links(rows: list[Row]) -> dict[int, set[Split]]:
    found: dict[int, set[Split]] = defaultdict(set)
    for row in rows:
        if row.split in DEALT:
            for k in row.links:
                found[k].add(row.split)
    return found


@given(DIALOGUES)
def test_no_link_crosses_and_everything_has_a_split(drawn: list[tuple[set[int], int]]) -> None:
    rows = rows_of(drawn)
    assign(rows, set(range(12)), SHARES)
    assert all(row.split in DEALT for row in rows)
    assert all(len(found) == 1 for found in splits_of_links(rows).values())


@given(DIALOGUES, DIALOGUES)
def test_growth_moves_nothing_and_leaves_what_is_torn_unassigned(
    before: list[tuple[set[int], int]], more: list[tuple[set[int], int]]
) -> None:
    old = rows_of(before)
    assign(old, set(range(12)), SHARES)
    given_ = {row.id: row.split for row in old}
    rows = rows_of(before + more, given_)
    assign(rows, set(range(12)), SHARES)
    assert {row.id: row.split for row in rows[: len(old)]} == given_
    # No link crosses now either, and who was left out touches what could not be joined.
    assert all(len(found) == 1 for found in splits_of_links(rows).values())
    found = splits_of_links(rows)
    left = [row for row in rows if row.split not in DEALT]
    everywhere = {k: set(found[k]) for k in range(12)}
    for row in left:
        assert row.links
    for row in (r for r in left if len({s for k in r.links for s in everywhere[k]}) == 1):
        pytest.fail(f"{row.id} touches one split alone and could have joined it")


@given(DIALOGUES)
def test_links_that_are_not_asked_for_hold_nothing_together(drawn: list[tuple[set[int], int]]) -> None:
    rows = rows_of(drawn)
    component = assign(rows, set(), SHARES)
    assert len(set(component.tolist())) == len(rows)


def test_strata_are_even_where_nothing_hangs_together() -> None:
    rows = [Row(id=f"{i:05d}", split="unassigned", links=[], strata=[0, 1 + i % 7]) for i in range(700)]
    assign(rows, set(), SHARES)
    held = Counter((row.strata[1], row.split) for row in rows)
    # 100 of each stratum: 80, 10, 10.
    assert all(
        abs(held[s, name] - want) <= 1 for s in range(1, 8) for name, want in zip(DEALT, (80, 10, 10), strict=True)
    )


def test_a_few_shared_speakers_join_everything_and_the_report_says_who(tmp_path: Path) -> None:
    """Ten speakers of ten dialogues each, all with one moderator: one component of 100, ten of 10 without speakers."""
    moderator = Speaker(id="moderator", role="third_party", languages=("en",), synthetic=True)
    source = corpus(
        tmp_path / "in",
        [
            msgspec.structs.replace(
                d := dialogue(i, f"s{i // 10}", groups={"script_family": (f"f{i // 10}",)}),
                speakers=(*d.speakers, moderator),
            )
            for i in range(100)
        ],
    )
    report = split(source, tmp_path / "out", SHARES)
    assert (report.count, report.components) == (1, (100,))
    assert report.largest.shares[0] == ("speaker moderator", 100)
    assert report.largest.without == {"speakers": 10}
    assert report.held == {"train": 100, "dev": 0, "test": 0}
    # Groups won over balance, and it says so.
    assert {s.name for s in report.strata} >= {"duplex", "duplex en"}
    # Narrowed to scripts, there are ten components and something in each split.
    narrow = split(source, tmp_path / "narrow", SHARES, apart=["scripts"])
    assert narrow.components == (10,) * 10
    assert narrow.held == {"train": 80, "dev": 10, "test": 10}


def test_the_result_is_a_corpus_whose_splits_do_not_touch_and_growth_keeps_it(tmp_path: Path) -> None:
    first = [dialogue(i, f"s{i % 12}") for i in range(60)]
    a = split(corpus(tmp_path / "a", first), tmp_path / "a-split", SHARES)
    assert check(tmp_path / "a-split").findings == []
    before = splits(tmp_path / "a-split")
    sides = {splits_: id for id, splits_ in before.items()}
    assert set(sides) == set(DEALT) and a.kept == 0
    speaker = {d.id: d.speakers[0] for d in first}
    # A newcomer that knows speakers of train and of test belongs to neither; two others go where their speakers are.
    torn = msgspec.structs.replace(dialogue(900, "x"), speakers=(speaker[sides["train"]], speaker[sides["test"]]))
    torn = msgspec.structs.replace(torn, turns=())
    grown = [*first, dialogue(901, speaker[sides["dev"]].id), torn, dialogue(902, "new")]
    report = split(corpus(tmp_path / "b", grown), tmp_path / "b-split", SHARES, keep=tmp_path / "a-split")
    after = splits(tmp_path / "b-split")
    assert {id: after[id] for id in before} == before
    assert report.unassigned == ("d0900",) and after["d0900"] == "unassigned"
    assert after["d0901"] == "dev" and report.kept == 60
    assert check(tmp_path / "b-split").findings == []


def test_the_order_of_the_shards_has_no_say(tmp_path: Path) -> None:
    made = [dialogue(i, f"s{i % 9}", track="duplex" if i % 2 else "emotion", tasks=("rejection",)) for i in range(40)]
    made = [d if d.track == "duplex" else msgspec.structs.replace(d, tasks=("empathy",), scenario="clip") for d in made]
    one = split(corpus(tmp_path / "one", made), tmp_path / "one-split", SHARES)
    two = split(corpus(tmp_path / "two", made[::-1]), tmp_path / "two-split", SHARES)
    assert splits(tmp_path / "one-split") == splits(tmp_path / "two-split")
    assert (one.held, one.components) == (two.held, two.components)


def test_splits_that_touch_already_are_told_and_not_moved(tmp_path: Path) -> None:
    made = [dialogue(1, "same", split="train"), dialogue(2, "same", split="test"), dialogue(3, "other")]
    report = split(corpus(tmp_path / "in", made), tmp_path / "out", SHARES)
    assert report.touching == {"speakers": 1}
    assert report.examples["speakers"].startswith("speaker same: ")
    assert {k: splits(tmp_path / "out")[k] for k in ("d0001", "d0002")} == {"d0001": "train", "d0002": "test"}


def test_nearly_the_same_words_stay_together(tmp_path: Path) -> None:
    """Forty dialogues of pairwise other speakers, of which each two say the same but for a word."""
    things = ["river", "castle", "violin", "lantern", "bakery", "glacier", "orchard", "harbour", "museum", "tunnel"]
    made = []
    for i in range(20):
        first, second = things[i % 10], things[(i * 3 + 1) % 10]
        text = f"I walked past the {first} and then behind the {second} {i} times before it got dark"
        for n, said in enumerate((text, text.replace("dark", "cold"))):
            d = dialogue(2 * i + n, f"s{2 * i + n}")
            made.append(msgspec.structs.replace(d, turns=(msgspec.structs.replace(d.turns[0], text=said),)))
    split(corpus(tmp_path / "in", made), tmp_path / "out", {"train": 0.5, "dev": 0.25, "test": 0.25})
    where = splits(tmp_path / "out")
    assert set(where.values()) == set(DEALT)
    assert all(where[f"d{2 * i:04d}"] == where[f"d{2 * i + 1:04d}"] for i in range(20))


def test_a_user_is_told_what_is_wrong(tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", [dialogue(1, "a")])
    with pytest.raises(UserError, match="do not sum to 1"):
        split(source, tmp_path / "x", {"train": 0.8, "dev": 0.1, "test": 0.2})
    with pytest.raises(UserError, match="speakers, scripts, source"):
        split(source, tmp_path / "x", SHARES, apart=["voices"])
    earlier = corpus(tmp_path / "earlier", [dialogue(7, "a", split="test")])
    with pytest.raises(UserError, match="1 dialogues of the earlier deal are not in this corpus"):
        split(source, tmp_path / "x", SHARES, keep=earlier)
    assert not (tmp_path / "x").exists()


def test_a_corpus_of_ours_keeps_the_split_it_was_planned_with(duplex_corpus: Path, tmp_path: Path) -> None:
    report = split(duplex_corpus, tmp_path / "out", SHARES)
    assert splits(tmp_path / "out") == splits(duplex_corpus) and report.kept == report.dialogues
    assert report.touching == {} and check(tmp_path / "out").findings == []
    with pytest.raises(UserError, match="split in its plan"):
        split(duplex_corpus, tmp_path / "anew", SHARES, anew=True)


def test_the_verb_prints_components_and_balance(tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", [dialogue(i, f"s{i % 5}") for i in range(30)])
    command = [sys.executable, "-c", "from duologue.cli import main; main()", "split", source, "-o", tmp_path / "out"]
    done = subprocess.run(
        [*map(str, command), "--train", ".6", "--dev", ".2", "--test", ".2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "5 components of 6, 6, 6, 6, 6 dialogues" in done.stdout
    assert "speaker s" in done.stdout
