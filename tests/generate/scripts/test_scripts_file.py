"""Scripts in a file: written, checked, edited by hand, and built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from duologue.cli import cli
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.generate.build import build, choose_voices
from duologue.generate.recipe import Recipe, read_recipe
from duologue.generate.scripts.check_file import check_file
from duologue.generate.scripts.inspect import breaches
from duologue.generate.scripts.write_file import write_file
from duologue.generate.scripts.written import read_scripts

RECIPE = """
name: told
seed: 4
voices: {en: espeak, zh: espeak}
acoustics: {room_share: 0.0, noise_share: 0.0}
counts:
  - {track: emotion, task: reasoning, scenarios: [dialogue], turns: [3], train: 2}
  - {track: duplex, scenarios: [follow_up, pause], turns: [1], train: 1}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "told.yaml").write_text(RECIPE)
    return read_recipe(tmp_path / "told.yaml")


@pytest.fixture
def scripts(tmp_path: Path, recipe: Recipe) -> Path:
    _, voices, _ = choose_voices(recipe)
    report = write_file(recipe, voices, tmp_path / "scripts.jsonl")
    assert (report.written, report.kept, report.refused) == (8, 0, ())
    return tmp_path / "scripts.jsonl"


def _told(root: Path) -> dict[str, list[str]]:
    return {i.id: [t.text for t in i.dialogue.turns] for i in Corpus(root)}


def test_scripts_written_first_and_built_later_say_what_the_build_itself_would_have_said(
    tmp_path: Path, recipe: Recipe, scripts: Path
) -> None:
    build(recipe, tmp_path / "direct", workers=1)
    build(msgspec.structs.replace(recipe, scripts=str(scripts)), tmp_path / "later", workers=1)
    assert _told(tmp_path / "later") == _told(tmp_path / "direct")
    a, b = Corpus(tmp_path / "direct").manifest, Corpus(tmp_path / "later").manifest
    assert {p.name for p in b.parts} - {p.name for p in a.parts} == {"writer:written"}
    # The file's place on this machine is in no file of the corpus.
    assert str(tmp_path) not in (tmp_path / "later" / "recipe.yaml").read_text()


def test_an_edited_line_is_spoken_and_named_as_another_part(tmp_path: Path, recipe: Recipe, scripts: Path) -> None:
    lines = scripts.read_text().splitlines()
    row = json.loads(next(line for line in lines[1:] if '"language":"en"' in line and '"track":"duplex"' in line))
    # The last answer: an earlier one may be broken off.
    said = max(n for n, line in enumerate(row["script"]["lines"]) if line["role"] == "system")
    row["script"]["lines"][said]["text"] = "Somebody wrote this answer by hand, and it is spoken."
    edited = [json.dumps(row) if json.loads(line).get("id") == row["id"] else line for line in lines]
    scripts.write_text("\n".join(edited) + "\n")
    assert check_file(scripts) == (8, [])
    build(msgspec.structs.replace(recipe, scripts=str(scripts)), tmp_path / "out", workers=1)
    assert "Somebody wrote this answer by hand, and it is spoken." in " ".join(_told(tmp_path / "out")[row["id"]])


def test_writing_goes_on_where_it_was_killed(tmp_path: Path, recipe: Recipe, scripts: Path) -> None:
    whole = scripts.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 700, whole.index(b"\n") + 20):
        scripts.write_bytes(whole[:cut])
        _, voices, _ = choose_voices(recipe)
        report = write_file(recipe, voices, scripts)
        assert report.written >= 1
        assert scripts.read_bytes() == whole


def test_a_file_of_another_recipe_is_left_alone(recipe: Recipe, scripts: Path) -> None:
    before = scripts.read_bytes()
    other = msgspec.structs.replace(recipe, seed=5)
    _, voices, _ = choose_voices(other)
    with pytest.raises(UserError, match="another recipe"):
        write_file(other, voices, scripts)
    assert scripts.read_bytes() == before


def test_a_build_names_the_script_that_is_missing(tmp_path: Path, recipe: Recipe, scripts: Path) -> None:
    scripts.write_text("\n".join(scripts.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(UserError, match="no script for a dialogue"):
        build(msgspec.structs.replace(recipe, scripts=str(scripts)), tmp_path / "out", workers=1)


def _broken(scripts: Path, track: str, change: Any) -> list[tuple[str, str]]:
    for _, w in read_scripts(scripts):
        if w.script.track == track and w.script.language == "en":
            plain = json.loads(msgspec.json.encode(w.script))
            change(plain)
            script = msgspec.convert(plain, type(w.script))
            return [(field, message) for field, _, _, message in breaches(script, w.brief)]
    raise AssertionError(track)


@pytest.mark.parametrize(
    ("track", "change", "message"),
    [
        ("emotion", lambda s: s["lines"][0].update(text="你好，我今天很高兴，真的很高兴。"), "another language"),
        ("emotion", lambda s: s["lines"][0].update(text="Well {name}, hello there."), "what no voice reads out"),
        ("emotion", lambda s: s["lines"][0].update(text=" "), "a line without words"),
        ("emotion", lambda s: s["lines"][1].update(text="word " * 120 + "end"), "too long to be said in one turn"),
        ("emotion", lambda s: s["causes"][0].update(span=[5, 9999]), "no span of the text"),
        ("emotion", lambda s: s["causes"][0].update(evidence_line=99), "no such line"),
        ("emotion", lambda s: s["lines"].append({"role": "user", "text": "And me.", "to": "system"}), "another number"),
        ("duplex", lambda s: s["events"].clear(), "another number of events"),
        ("duplex", lambda s: s["events"][0].update(response_line=None), "an event that wants a reply has none"),
        ("duplex", lambda s: s["events"][0].update(kind="backchannel"), "not a line of scenario backchannel"),
    ],
)
def test_each_rule_is_found_broken_by_name(scripts: Path, track: str, change: Any, message: str) -> None:
    found = _broken(scripts, track, change)
    assert any(m.startswith(message) for _, m in found), found


@pytest.mark.parametrize("text", ["", "{}\n", "not json\n", '{"duologue_scripts": 2}\n', "\x00\xff"])
def test_what_is_no_file_of_scripts_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.jsonl").write_text(text)
    done = CliRunner().invoke(cli, ["scripts", "check", str(tmp_path / "bad.jsonl")])
    assert isinstance(done.exception, UserError)
    assert "bad.jsonl:1" in done.exception.message


def test_the_verbs_write_and_check(tmp_path: Path) -> None:
    (tmp_path / "told.yaml").write_text(RECIPE)
    run, out = CliRunner(), str(tmp_path / "s.jsonl")
    written = run.invoke(cli, ["scripts", "write", str(tmp_path / "told.yaml"), "-o", out, "--json"])
    assert json.loads(written.stdout)["written"] == 8
    again = run.invoke(cli, ["scripts", "write", str(tmp_path / "told.yaml"), "-o", out, "--json"])
    assert json.loads(again.stdout)["kept"] == 8
    checked = run.invoke(cli, ["scripts", "check", out, "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)) == (0, {"scripts": 8, "findings": []})
