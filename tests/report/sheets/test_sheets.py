"""Reading sheets, worked by hand from a script of five lines."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus.dialogue import Situation
from duologue.errors import UserError
from duologue.generate.item import CastMember
from duologue.generate.script import Brief, Feeling, Line, Script
from duologue.generate.scripts.written import Heading, Written, encode_heading, encode_written, read_scripts
from duologue.report.sheets.part import parts_of, seconds
from duologue.report.sheets.write import write_sheets

HEADING = Heading(duologue_scripts=1, name="t", recipe_sha256="0", writer="embedded", writer_version="1")
LINES = (
    Line(role="user", to="system", text="I lost my keys again.", feeling=Feeling(label="sad", intensity=2)),
    Line(role="system", to="user", text="Look in your coat first, then by the door."),
    Line(
        role="user",
        to="system",
        kind="interruption",
        over=1,
        text="Wait, not the blue coat please.",
        text_raw="Wait, [sigh] not the blue coat please.",
        emphasis=(14, 18),
        pause_at=(19,),
        feeling=Feeling(label="angry", intensity=3, semantic="happy", acoustic="angry"),
    ),
)


def _written(lines: tuple[Line, ...], id: str = "abc", language: str = "en", cast: bool = True) -> Written:
    brief = Brief(
        language=language, track="duplex", task="interruption", scenario="follow_up", family="a/b", user_turns=1, seed=1
    )
    script = Script(
        version=1,
        language=language,
        track="duplex",
        tasks=("interruption",),
        scenario="follow_up",
        family="a/b",
        situation=Situation(domain="home", relationship="friend", setting="home", register="casual"),
        lines=lines,
    )
    member = CastMember(role="user", voice="v", speaker="Ann", parent="Ann", sex="female", age="adult")
    other = msgspec.structs.replace(member, role="system", speaker="Bo", parent="Bo")
    return Written(id=id, brief=brief, script=script, cast=(member, other) if cast else ())


def _file(path: Path, *written: Written) -> Path:
    path.write_bytes(encode_heading(HEADING) + b"".join(encode_written(w) for w in written))
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def _text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S)).split())


def test_each_actor_gets_a_page_and_a_table_of_their_own_lines(tmp_path: Path) -> None:
    parts = write_sheets(_file(tmp_path / "s.jsonl", _written(LINES)), tmp_path / "out")
    assert [p.name for p in parts] == ["Ann-en", "Bo-en"]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == [
        "Ann-en.csv",
        "Ann-en.html",
        "Bo-en.csv",
        "Bo-en.html",
        "index.html",
    ]
    assert _rows(tmp_path / "out" / "Ann-en.csv") == [
        {
            "key": "abc_01",
            "file": "abc_01.wav",
            "speaker": "Ann",
            "language": "en",
            "text": "I lost my keys again.",
            "direction": "clearly sad (intensity 2 of 3); said to the assistant",
        },
        {
            "key": "abc_03",
            "file": "abc_03.wav",
            "speaker": "Ann",
            "language": "en",
            "text": "Wait, not the blue coat please.",
            "direction": "strongly angry (intensity 3 of 3) in the voice, although the words are happy; said to the "
            "assistant; break in over line 2, while the assistant is talking; "
            "Wait, [sigh] not the *blue* ‖ coat please.",
        },
    ]


def test_the_page_shows_words_signs_and_greyed_cues(tmp_path: Path) -> None:
    write_sheets(_file(tmp_path / "s.jsonl", _written(LINES)), tmp_path / "out")
    page = (tmp_path / "out" / "Ann-en.html").read_text("utf-8")
    assert (
        '<p class="words">Wait, <span class="mark">[sigh]</span> not the <strong>blue</strong> '
        '<span class="sign">‖</span> coat please.</p><p class="file">abc_03.wav</p>'
    ) in page
    assert page.count('<li class="mine">') == 2 and page.count('<li class="cue">') == 1
    assert "the assistant: Look in your coat first, then by the door." in _text(page)
    assert "abc_02.wav" not in page


def test_minutes_are_words_by_two_and_a_half_and_hanzi_by_four_and_a_half() -> None:
    # "Wait, I'll go" is 3 words: 3 / 2.5 = 1.2 s. 九个汉字就是两秒钟 is 9 hanzi: 9 / 4.5 = 2 s. With "OK" 2.4 s.
    assert seconds("Wait, I'll go.") == pytest.approx(1.2)
    assert seconds("九个汉字就是两秒钟。") == pytest.approx(2.0)
    assert seconds("OK，九个汉字就是两秒钟") == pytest.approx(2.4)


def test_the_index_names_sheets_with_counts_and_says_that_minutes_are_estimated(tmp_path: Path) -> None:
    # 15 words x 20 lines are 300 words: 300 / 2.5 = 120 s.
    line = Line(role="user", to="system", text=" ".join(["word"] * 15) + ".")
    write_sheets(_file(tmp_path / "s.jsonl", _written((line,) * 20)), tmp_path / "out")
    text = _text((tmp_path / "out" / "index.html").read_text("utf-8"))
    assert "minutes (estimated)" in text and "Ann-en user en 1 20 2.0 CSV" in text


def test_chinese_scripts_have_chinese_directions(tmp_path: Path) -> None:
    lines = (
        Line(role="system", to="user", text="先看看外套。"),
        Line(
            role="user",
            to="system",
            text="等一下。",
            kind="interruption",
            over=0,
            feeling=Feeling(label="angry", intensity=1),
        ),
    )
    write_sheets(_file(tmp_path / "s.jsonl", _written(lines, language="zh")), tmp_path / "out")
    (row,) = _rows(tmp_path / "out" / "Ann-zh.csv")
    assert row["direction"] == "略微愤怒（强度 1/3）; 对语音助手说; 在语音助手说第1句时插话打断"
    assert '<html lang="zh">' in (tmp_path / "out" / "Ann-zh.html").read_text("utf-8")


def test_without_a_cast_there_is_a_sheet_for_each_role_and_language(tmp_path: Path) -> None:
    scripts = _file(
        tmp_path / "s.jsonl",
        _written(LINES, "a1", cast=False),
        _written(LINES, "a2", cast=False),
        _written((Line(role="user", to="system", text="你好。"),), "a3", "zh", cast=False),
    )
    assert [(p.name, len(p.mine)) for p in parts_of(scripts)] == [("system-en", 2), ("user-en", 4), ("user-zh", 1)]
    assert [p.name for p in parts_of(scripts, "user", "zh")] == ["user-zh"]
    assert [p.name for p in parts_of(scripts, "user")] == ["user-en", "user-zh"]
    with pytest.raises(UserError, match="no line to read"):
        parts_of(scripts, "addressee")


def test_speakers_whose_names_look_alike_keep_their_own_sheets(tmp_path: Path) -> None:
    written = _written(LINES)
    cast = tuple(msgspec.structs.replace(c, speaker=s) for c, s in zip(written.cast, ("a+b", "A/B"), strict=True))
    names = [p.name for p in parts_of(_file(tmp_path / "s.jsonl", msgspec.structs.replace(written, cast=cast)))]
    assert len({n.casefold() for n in names}) == 2 and all(re.fullmatch(r"[Aa]-[Bb]-en-[0-9a-f]{8}", n) for n in names)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " ="])
def test_a_spreadsheet_sees_no_formula(tmp_path: Path, start: str) -> None:
    text = f'{start}HYPERLINK("x")'
    write_sheets(_file(tmp_path / "s.jsonl", _written((Line(role="user", to="system", text=text),))), tmp_path / "o")
    assert _rows(tmp_path / "o" / "Ann-en.csv")[0]["text"] == f"'{text}"


def test_hostile_words_are_inert(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>\"'&\u202e"
    lines = (
        Line(role="user", to="system", text=bad, text_raw=f"[<img src=x>] {bad}"),
        Line(role="system", to="user", text=bad),
    )
    written = _written(lines)
    cast = tuple(msgspec.structs.replace(c, speaker=f"../{bad}{c.role}") for c in written.cast)
    parts = write_sheets(_file(tmp_path / "s.jsonl", msgspec.structs.replace(written, cast=cast)), tmp_path / "o")
    assert len(list((tmp_path / "o").iterdir())) == 5 and len(list(tmp_path.iterdir())) == 2
    for page in [*(f"{p.name}.html" for p in parts), "index.html"]:
        html = (tmp_path / "o" / page).read_text("utf-8")
        assert "<script" not in html and "<img" not in html and "\u202e" not in html


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"over": 9}, "over"),
        ({"emphasis": (3, 99)}, "emphasis"),
        ({"pause_at": (-1,)}, "pause_at"),
        ({"feeling": Feeling(label="sad", intensity=7)}, "feeling"),
        ({"feeling": Feeling(label="grumpish")}, "feeling"),
    ],
)
def test_a_script_that_contradicts_itself_is_named_and_nothing_is_written(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    wrong = msgspec.structs.replace(LINES[0], **change)
    scripts = _file(tmp_path / "s.jsonl", _written(LINES, "ok"), _written((wrong,), "bad"))
    with pytest.raises(UserError, match=rf"s\.jsonl:3: .*{field}"):
        write_sheets(scripts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ids", [("../x",), ("",), ("same", "SAME")])
def test_ids_that_cannot_name_files_are_refused(tmp_path: Path, ids: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="id"):
        parts_of(_file(tmp_path / "s.jsonl", *(_written(LINES, i) for i in ids)))


def test_marks_whose_words_differ_come_first(tmp_path: Path) -> None:
    line = Line(role="user", to="system", text="Oh no.", text_raw="Oh [sigh] yes.")
    write_sheets(_file(tmp_path / "s.jsonl", _written((line,))), tmp_path / "o")
    assert _rows(tmp_path / "o" / "Ann-en.csv")[0]["direction"].endswith("; [sigh] Oh no.")


def test_equal_scripts_give_equal_bytes_and_other_sheets_are_not_mixed_in(tmp_path: Path) -> None:
    scripts = _file(tmp_path / "s.jsonl", _written(LINES))
    write_sheets(scripts, tmp_path / "a")
    write_sheets(scripts, tmp_path / "b")
    write_sheets(scripts, tmp_path / "b")
    a, b = ({f.name: f.read_bytes() for f in (tmp_path / d).iterdir()} for d in "ab")
    assert a == b
    with pytest.raises(UserError, match="other sheets"):
        write_sheets(scripts, tmp_path / "a", "user")


def test_the_cast_is_kept_and_its_absence_leaves_no_bytes(tmp_path: Path) -> None:
    assert b"cast" not in encode_written(_written(LINES, cast=False))
    ((_, back),) = read_scripts(_file(tmp_path / "s.jsonl", _written(LINES)))
    assert [c.speaker for c in back.cast] == ["Ann", "Bo"]


def test_the_verb_says_what_it_wrote(tmp_path: Path) -> None:
    scripts = _file(tmp_path / "s.jsonl", _written(LINES))
    ran = CliRunner().invoke(cli, ["sheets", str(scripts), "-o", str(tmp_path / "o"), "--role", "user", "--json"])
    assert ran.exit_code == 0, ran.output
    # 5 + 6 words: 11 / 2.5 = 4.4 s = 0.07 minutes.
    assert json.loads(ran.output)["sheets"] == [
        {
            "sheet": "Ann-en",
            "speaker": "Ann",
            "language": "en",
            "roles": ["user"],
            "dialogues": 1,
            "lines": 2,
            "estimated_minutes": 0.07,
        }
    ]
    missing = CliRunner().invoke(cli, ["sheets", str(tmp_path / "none.jsonl"), "-o", str(tmp_path / "p")])
    assert isinstance(missing.exception, UserError) and not (tmp_path / "p").exists()
