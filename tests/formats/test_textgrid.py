"""TextGrids: the grammar, every dialogue out and in without loss, what a person changes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.corpus import read
from duologue.corpus.annotation import EmotionAnnotation, ShiftAnnotation, TimeAnnotation
from duologue.corpus.check import check
from duologue.corpus.dialogue import Dialogue
from duologue.errors import UserError
from duologue.formats import textgrid
from duologue.formats.format import ExportOptions, options_of
from duologue.formats.textgrid import Interval, TextGrid, Tier, apply, encode, grid_of, parse

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "anna"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.7
            text = ""
        intervals [2]:
            xmin = 0.7
            xmax = 1.1
            text = "she said ""no"" twice"
        intervals [3]:
            xmin = 1.1
            xmax = 2.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 1.9
            mark = "click 3"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"
! a comment with the number 7
0
2.5
<exists>
2
"IntervalTier"
"anna"
0
2.5
3
0
0.7
""
0.7
1.1
"she said ""no"" twice"
1.1
2.5
""
"TextTier"
"clicks"
0
2.5
1
1.9
"click 3"
"""
GRID = TextGrid(
    end=2.5,
    tiers=(
        Tier(name="anna", intervals=(Interval(0.7, 1.1, 'she said "no" twice'),)),
        Tier(name="clicks", intervals=(Interval(1.9, 1.9, "click 3"),), points=True),
    ),
)


def test_the_long_and_the_short_form_in_three_encodings_are_one_grid() -> None:
    for text in (LONG, SHORT, LONG.replace("\n", "\r\n")):
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            assert parse(text.encode(encoding)) == GRID
    assert encode(GRID).decode() == LONG


@given(
    st.lists(
        st.tuples(st.integers(1, 10**7), st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)), max_size=8
    )
)
@settings(max_examples=60, deadline=None)
def test_any_label_and_sample_comes_back(rows: list[tuple[int, str]]) -> None:
    at, intervals = 0, []
    for length, label in rows:
        if label.strip():
            intervals.append(Interval(at / 44_100, (at + length) / 44_100, label))
        at += length
    grid = TextGrid(end=(at + 1) / 44_100, tiers=(Tier(name='a "b"\nc', intervals=tuple(intervals)),))
    assert parse(encode(grid)) == grid


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short"),
        (LONG[:400].encode(), "cut short"),
        (b"RIFF....WAVE", "cut short"),
        (b'"ooTextFile" "PitchTier" 0 1', "not a TextGrid"),
        (LONG.replace("xmax = 1.1", "xmax = 0.2").encode(), "ends before it begins"),
        (LONG.replace("xmin = 1.1", "xmin = 0.9").replace('text = ""', 'text = "x"').encode(), "intervals overlap"),
        (LONG.replace("IntervalTier", "OtherTier").encode(), "unknown kind of tier"),
        (b"\xff\xfe\x00", "neither UTF-8 nor UTF-16"),
        (LONG.encode()[:60] + b"\xe9\xe9", "neither UTF-8 nor UTF-16"),
    ],
)
def test_what_is_no_grid_is_said(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(data, "x.TextGrid")


def unchanged(corpus: read.Corpus) -> None:
    for item in corpus:
        d = item.dialogue
        assert apply(d, parse(encode(grid_of(d))), taxonomy=corpus.manifest.taxonomy) is d


def test_an_unchanged_grid_is_the_dialogue_again(small: read.Corpus) -> None:
    unchanged(small)


def edited(d: Dialogue, old: str, new: str) -> Dialogue:
    """``d`` after a person replaced ``old`` by ``new`` in its grid."""
    text = encode(grid_of(d)).decode()
    assert text.count(old) == 1, old
    return apply(d, parse(text.replace(old, new).encode()), rater="anna")


def test_a_corrected_text_and_its_words(small: read.Corpus) -> None:
    d = small.get("ba").dialogue
    grid = grid_of(d)
    # The system says leaf too; that stays.
    changes = {"ba-user turns": ("2: Which leaf?", "2: Which leaves?"), "ba-user words": ("leaf", "leaves")}
    tiers = []
    for t in grid.tiers:
        old, new = changes.get(t.name, ("", ""))
        rows = (Interval(i.start, i.end, new if i.text == old else i.text) for i in t.intervals)
        tiers.append(msgspec.structs.replace(t, intervals=tuple(rows)))
    got = apply(d, TextGrid(end=grid.end, tiers=tuple(tiers))).turns[2]
    assert got.text == "Which leaves?"
    assert [(w.text, w.char_start, w.char_end, w.source) for w in got.words] == [
        ("Which", 0, 5, "exact"),
        ("leaves", 6, 12, "estimated"),
    ]


def test_a_boundary_that_was_moved(small: read.Corpus) -> None:
    d = small.get("be").dialogue
    # Turn 0 is [200, 8000) at 16 kHz; its end goes to 0.51 s = 8160 samples.
    grid = grid_of(d)
    tiers = tuple(
        msgspec.structs.replace(t, intervals=(Interval(0.0125, 0.51, "0: Hello there."),))
        if t.name.endswith("user turns")
        else t
        for t in grid.tiers
    )
    got = apply(d, TextGrid(end=grid.end, tiers=tiers))
    assert (got.turns[0].segments[0].start, got.turns[0].segments[0].end) == (200, 8160)
    assert got.turns[0].words == d.turns[0].words


def test_a_new_turn_moves_numbers_and_all_that_refers_to_them(small: read.Corpus) -> None:
    d = small.get("aa").dialogue
    # Between turn 0, which ends at sample 9000, and turn 1, which begins at 10000, the system hums.
    grid = grid_of(d)
    hum = Interval(9_200 / 16_000, 9_800 / 16_000, "backchannel: Mhm.")
    tiers = tuple(
        msgspec.structs.replace(t, intervals=(hum, *t.intervals)) if t.name.endswith("system turns") else t
        for t in grid.tiers
    )
    got = apply(d, TextGrid(end=grid.end, tiers=tiers))
    assert [t.text for t in got.turns][:3] == ["The bus left without me.", "Mhm.", "That is a pity."]
    assert (got.turns[1].kind, got.turns[1].segments[0].channel) == ("backchannel", 1)
    # Feelings were at turns 0, 2, 4 and are at 0, 3, 5; the shift from 0 to 2 is one from 0 to 3.
    assert [a.target for a in got.annotations if isinstance(a, EmotionAnnotation)] == ["turn:0", "turn:3", "turn:5"]
    assert [(a.value.from_turn, a.value.to_turn) for a in got.annotations if isinstance(a, ShiftAnnotation)] == [
        (0, 3),
        (3, 5),
    ]
    assert got.probes[0].turn == d.probes[0].turn + 1


def test_a_feeling_that_a_person_hears_otherwise_is_one_more_judgement(small: read.Corpus) -> None:
    d = small.get("ac").dialogue
    got = edited(d, '"fearful 2"', '"surprised 3"')
    assert got.annotations[: len(d.annotations)] == d.annotations
    more = got.annotations[-1]
    assert isinstance(more, EmotionAnnotation)
    assert (more.rater, more.rater_type, more.value.label, more.value.intensity) == ("anna", "human", "surprised", 3)


def test_a_mark_comes_in_and_goes_out_again(small: read.Corpus) -> None:
    d = small.get("be").dialogue
    grid = grid_of(d)
    marked = TextGrid(
        end=grid.end, tiers=(*grid.tiers[:-1], Tier(name="marks", intervals=(Interval(0.1, 0.2, "door"),)))
    )
    got = apply(d, marked, rater="anna")
    marks = [a for a in got.annotations if isinstance(a, TimeAnnotation)]
    assert [(a.value.start, a.value.end, a.value.label, a.rater) for a in marks] == [(1600, 3200, "door", "anna")]
    assert apply(got, parse(encode(grid_of(got)))) is got
    assert apply(got, grid) == d


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2: Which leaf?", "9: Which leaf?", "no such turn"),
        ("2: Which leaf?", "0: Which leaf?", "number comes twice"),
        ("2: Which leaf?", "2+:", "no beginning"),
        ("2: Which leaf?", "2: Which tree?", "a word that its turn's text does not have"),
        ("2: Which leaf?", "", "a turn that is needed was taken away|a word outside every turn"),
        ('"e0 follow_up"', '"e7 follow_up"', "unknown event"),
        ('"e0 follow_up"', '"e0 pause"', "unknown event"),
        ('"marks"', '"remarks"', "unknown tier"),
        ('"ba-user turns"', '"bob turns"', "unknown tier"),
        ('"e0 follow_up"', '""', "an event that never happens"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(small: read.Corpus, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        edited(small.get("ba").dialogue, old, new)


def back(src: Path, out: Path, corpus: read.Corpus, **more: object):
    return textgrid.import_(src, out, options_of(textgrid.OPTIONS, {"corpus": Path(corpus.root), **more}))


def test_the_corpus_that_comes_back_unchanged_has_the_same_hash(small: read.Corpus, tmp_path: Path) -> None:
    textgrid.export(small, tmp_path / "out", ExportOptions(answers=True))
    report = back(tmp_path / "out", tmp_path / "back", small)
    assert report.corpus_sha256 == small.manifest.corpus_sha256
    assert check(tmp_path / "back").findings == check(Path(small.root)).findings


def test_one_bad_grid_stops_the_import_or_leaves_its_dialogue_as_it_was(small: read.Corpus, tmp_path: Path) -> None:
    textgrid.export(small, tmp_path / "out", ExportOptions())
    (tmp_path / "out" / "train" / "ba.TextGrid").write_text("nothing")
    (tmp_path / "out" / "train" / "zz.TextGrid").write_text(LONG)
    report = back(tmp_path / "out", tmp_path / "back", small)
    assert not report.written
    assert not (tmp_path / "back").exists()
    assert sorted(p.where for p in report.problems) == ["train/ba.TextGrid", "train/zz.TextGrid"]
    report = back(tmp_path / "out", tmp_path / "back", small, skip_bad=True)
    assert report.written
    assert read.open(tmp_path / "back").get("ba").dialogue == small.get("ba").dialogue


def test_a_grid_and_a_recording_from_elsewhere(tmp_path: Path, rights: dict[str, str]) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "call.wav", np.random.default_rng(0).normal(0, 0.1, (40_000, 2)), 16_000)
    grid = TextGrid(
        end=2.5,
        tiers=(
            Tier(name="anna", intervals=(Interval(0.0, 1.5, "how are you"),)),
            Tier(name="bob 2nd", intervals=(Interval(1.0, 2.5, "well"),)),
            Tier(name="bob 2nd words", intervals=(Interval(1.25, 1.75, "well"),)),
        ),
    )
    (src / "call.TextGrid").write_bytes(encode(grid))
    options = options_of(textgrid.OPTIONS, {**rights, "language": "en", "kind": "human-human"})
    report = textgrid.import_(src, tmp_path / "out", options)
    assert report.written, report.problems
    d = next(iter(read.open(tmp_path / "out"))).dialogue
    assert [(t.speaker, t.text, t.segments[0].channel, t.segments[0].start, t.segments[0].end) for t in d.turns] == [
        ("anna", "how are you", 0, 0, 24_000),
        ("bob 2nd", "well", 1, 16_000, 40_000),
    ]
    assert [(w.text, w.start, w.end, w.source) for w in d.turns[1].words] == [("well", 20_000, 28_000, "estimated")]
    assert not check(tmp_path / "out").findings


def test_praatio_reads_every_interval_and_what_it_saves_is_the_corpus_again(small: read.Corpus, tmp_path: Path) -> None:
    from test_training_exports import peer, python_with

    python_with("praatio")
    textgrid.export(small, tmp_path / "out", ExportOptions(answers=True))
    got = peer("praatio", tmp_path / "out", tmp_path)
    for item in small:
        grid = grid_of(item.dialogue)
        assert got[item.id]["end"] == grid.end
        for tier in grid.tiers:
            # The library trims labels and rounds times.
            told = [
                (pytest.approx(i.start, abs=1e-5), pytest.approx(i.end, abs=1e-5), i.text.strip())
                for i in tier.intervals
            ]
            assert [tuple(row) for row in got[item.id]["tiers"][tier.name]] == told
    report = back(tmp_path / "out", tmp_path / "back", small)
    assert report.corpus_sha256 == small.manifest.corpus_sha256, report
