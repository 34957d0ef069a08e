"""From a real corpus to a submission and a score, by the command line; names of strangers stay harmless."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from submission_bytes import EVERY, OWN, Entry, Zip, files, pdf, sound, wav

from duologue.challenge.submission.expected import expect
from duologue.cli import cli
from duologue.corpus.read import Corpus
from duologue.errors import UserError


def run(*args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [str(a) for a in args])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def _fill(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    for entry in expected.get("audio", []):
        (folder / entry["file"]).write_bytes(wav(entry.get("seconds", 0.5)))
    root = "" if expected["layout"] == "duologue" else f"HD-Track{1 if expected['track'] == 'emotion' else 2}/"
    (folder / root / "report.pdf").write_bytes(pdf())
    card = folder / "submission.json"
    if card.exists():
        card.write_text(card.read_text().replace("YOUR TEAM", "Team [red]").replace("YOUR SYSTEM", "one"))


def test_new_fill_pack_check_score(duplex_corpus: Path, tmp_path: Path) -> None:
    mine, packed = tmp_path / "mine", tmp_path / "mine.zip"
    run("submission", "new", mine, "--against", duplex_corpus)
    run("submission", "pack", mine, packed, "--against", duplex_corpus)
    empty = json.loads(run("submission", "check", packed, "--against", duplex_corpus, "--json", code=1).stdout)
    test = sum(item.dialogue.split == "test" for item in Corpus(duplex_corpus))
    assert empty["expected"] == test > 0 and empty["present"] == 0
    assert {c["what"]: c["count"] for c in empty["counts"]} == {
        "a missing item": test,
        "a missing report": 1,
        "not filled in": 2,
    }
    _fill(mine)
    (mine / "notes.txt").write_text("mine")
    (mine / "run" / "link.wav").symlink_to(mine / "notes.txt")
    told = json.loads(run("submission", "pack", mine, packed, "--against", mine / "expected.json", "--json").stdout)
    assert told["left_out"] == ["notes.txt"]
    first = packed.read_bytes()
    run("submission", "pack", mine, packed, "--against", duplex_corpus)
    assert packed.read_bytes() == first
    report = json.loads(run("submission", "check", packed, "--against", duplex_corpus, "--json").stdout)
    assert report["accepted"] and report["present"] == test and report["team"] == "Team [red]"
    page = run("submission", "check", packed, "--against", duplex_corpus).stdout
    assert "Team [red]" in page
    pytest.importorskip("onnxruntime", reason="scoring needs the speech detector")
    scored = run("submission", "score", packed, "--against", duplex_corpus, "--", "--json", "--profile", "corrected")
    card = json.loads(scored.stdout)
    assert len(card["items"]) == test


def test_a_sealed_test_set(duplex_corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="sealing needs the extra 'protect'")
    pytest.importorskip("onnxruntime", reason="scoring needs the speech detector")
    public, key, answers = tmp_path / "public", tmp_path / "test.key", tmp_path / "answers"
    run("seal", "--new-key", "--key", key)
    run("seal", duplex_corpus, "-o", public, "--key", key)
    run("unseal", public, "--key", key, "-o", answers)
    mine, packed = tmp_path / "mine", tmp_path / "mine.zip"
    run("submission", "new", mine, "--against", public)
    _fill(mine)
    run("submission", "pack", mine, packed, "--against", public)
    sealed = ("--against", public, "--seal-key", key, "--corpus", answers)
    card = json.loads(run("submission", "score", packed, *sealed, "--", "--json").stdout)
    ids = {item.dialogue.id for item in Corpus(answers)}
    assert {i["id"] for i in card["items"]} == ids
    assert not any("no output" in json.dumps(i) for i in card["items"])


def test_a_refused_submission_is_not_scored(duplex_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(sound(OWN).bytes()[:-7])
    run("submission", "score", tmp_path / "bad.zip", "--against", duplex_corpus, code=1)


def test_the_official_layout_of_track_2(duplex_corpus: Path, tmp_path: Path) -> None:
    official, mine, packed = tmp_path / "official", tmp_path / "mine", tmp_path / "HD-Track2.zip"
    run("export", "humdial", duplex_corpus, official, "--split", "test", "--key", tmp_path / "key.jsonl")
    expected = expect(official)
    # Names are numbered in each language, so that each has a folder; official ones are numbered through.
    assert {a.file for a in expected.audio} >= {"HD-Track2/en/test/test-0001_output.wav"}
    one = expect(official, language="zh")
    assert {a.language for a in one.audio} == {"zh"}
    run("submission", "new", mine, "--against", official)
    _fill(mine)
    run("submission", "pack", mine, packed, "--against", official)
    run("submission", "check", packed, "--against", official)
    pytest.importorskip("onnxruntime", reason="scoring needs the speech detector")
    scored = run("submission", "score", packed, "--against", official, "--", "--key", tmp_path / "key.jsonl", "--json")
    card = json.loads(scored.stdout)
    assert set(card["languages"]) == {"en", "zh"} and not card.get("missing")


def test_official_names_that_are_unique_need_no_language_folder(tmp_path: Path) -> None:
    for language, number in (("zh", 1), ("en", 2)):
        folder = tmp_path / language / "test"
        folder.mkdir(parents=True)
        (folder / f"test-{number:06d}.wav").write_bytes(wav(2.0))
    expected = expect(tmp_path)
    assert [(a.file, a.language, a.seconds) for a in expected.audio] == [
        ("HD-Track2/test/test-000002_output.wav", "en", 2.0),
        ("HD-Track2/test/test-000001_output.wav", "zh", 2.0),
    ]


def test_the_official_layout_of_track_1(tmp_path: Path) -> None:
    folder = tmp_path / "HD-Track1-Test" / "zh"
    folder.mkdir(parents=True)
    turns = [{"turn_id": n, "text": "我很难过。", "split_audio_file": "x.wav"} for n in (1, 2)]
    for task in (1, 3):
        row = {"dialogue_id": f"zh_000{task}_0001", "turns": turns}
        (folder / f"HD-Track1-T{task}.jsonl").write_text(json.dumps(row) + "\n")
    mine, packed = tmp_path / "mine", tmp_path / "HD-Track1.zip"
    run("submission", "new", mine, "--against", tmp_path / "HD-Track1-Test")
    _fill(mine)
    run("submission", "pack", mine, packed, "--against", mine / "expected.json")
    report = json.loads(
        run("submission", "check", packed, "--against", mine / "expected.json", "--json", code=1).stdout
    )
    # Of task 1 the last turn needs a reply, of task 3 every turn, as labels that nobody has say which counts.
    assert [p["item"] for p in report["problems"] if p["what"] == "an empty reply"] == [
        "zh_0001_0001 turn 2",
        "zh_0003_0001 turn 1",
        "zh_0003_0001 turn 2",
    ]
    assert report["errors"] == 3
    one = expect(tmp_path / "HD-Track1-Test", tasks=["trajectory"])
    assert [d.item for d in one.dialogues] == ["zh_0001_0001"] and not one.audio


def test_names_of_strangers_are_harmless_in_the_table(tmp_path: Path) -> None:
    nasty = ["[red]x[/red].wav", "<script>alert(1)<.wav", "\x1b[31m.wav", "\u202egpj.wav", "a\r\nb", "[/]"]
    z = Zip([Entry(n.encode(), d) for n, d in files(OWN).items()] + [Entry(n.encode(), b"x") for n in nasty])
    (tmp_path / "s.zip").write_bytes(z.bytes())
    (tmp_path / "expected.json").write_bytes(_list(OWN))
    out = run("submission", "check", tmp_path / "s.zip", "--against", tmp_path / "expected.json", code=1).stdout
    assert "[red]x[/red].wav" in out and "\\x1b[31m.wav" in out and "\\u202egpj.wav" in out
    assert not {"\x1b", "\u202e", "\r"} & set(out)


def _list(expected: object) -> bytes:
    import msgspec

    return msgspec.json.encode(expected)


@pytest.mark.parametrize("file", ["../x.wav", "/x.wav", "run/a\\b.wav", "other/x.wav"])
def test_a_list_cannot_lead_out_of_the_sandbox(file: str, tmp_path: Path) -> None:
    data = _list(OWN).replace(b"run/b2.wav", json.dumps(file).strip('"').encode())
    (tmp_path / "expected.json").write_bytes(data)
    with pytest.raises(UserError, match="an item that cannot be a file"):
        expect(tmp_path / "expected.json")


def test_rules_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(sound(EVERY["own"]).bytes())
    (tmp_path / "expected.json").write_bytes(_list(OWN))
    against = ("--against", tmp_path / "expected.json", "--rules", tmp_path / "rules.yaml")
    (tmp_path / "rules.yaml").write_text("audio: {rates: [24000]}\nreport: {least: 5}\n")
    report = json.loads(run("submission", "check", tmp_path / "s.zip", *against, "--json", code=1).stdout)
    assert {c["what"] for c in report["counts"]} == {"a sample rate that is not allowed", "a report of too few pages"}
    for text, what in (
        ("audio: {rate: [24000]}", "did you mean 'rates'"),
        ("audio: {formats: [PCM16]}", "unknown sample format"),
        ("declaration_rules: {synthesis: {licences: [opne]}}", "did you mean 'open'"),
    ):
        (tmp_path / "rules.yaml").write_text(text)
        failed = CliRunner().invoke(cli, ["submission", "check", str(tmp_path / "s.zip"), *map(str, against)])
        assert isinstance(failed.exception, UserError) and what in failed.exception.message
