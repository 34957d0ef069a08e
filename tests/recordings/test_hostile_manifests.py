"""A table and a folder that strangers filled: nothing outside the folder is read, and each fault has its place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duologue.errors import UserError
from duologue.recordings.manifest import read_manifest
from duologue.recordings.person import read_people
from duologue.recordings.take import Folder, read_take

HEAD = "file,key,speaker,language,text,direction\n"


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    (folder / "t.csv").write_text(head + "".join(f"{r}\n" for r in rows), encoding="utf-8-sig")
    return folder / "t.csv"


def wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "a/b.wav", "..", "a\\b.wav"])
def test_a_file_of_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    wav(tmp_path / "secret.wav", np.zeros(10, np.float32))
    line = read_manifest(table(tmp_path, f"{name},d1_01,Ann,en,Hello there."))["d1_01"]
    with pytest.raises(UserError, match="another folder") as e:
        Folder(tmp_path / "in").find(line)
    assert e.value.where.endswith("t.csv:2")


def test_a_link_out_of_the_folder_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    secret = wav(tmp_path / "secret.wav", np.zeros(10, np.float32))
    (tmp_path / "in" / "d1_01.wav").symlink_to(secret)
    os.mkfifo(tmp_path / "in" / "d1_02.wav")
    lines = read_manifest(table(tmp_path, ",d1_01,Ann,en,Hello there.", ",d1_02,Ann,en,Hello there."))
    folder = Folder(tmp_path / "in")
    with pytest.raises(UserError, match="out of the folder"):
        folder.find(lines["d1_01"])
    with pytest.raises(UserError, match="no file"):
        folder.find(lines["d1_02"])


def test_a_formula_of_a_spreadsheet_and_a_bom_are_read_as_they_were_meant(tmp_path: Path) -> None:
    lines = read_manifest(
        table(tmp_path, "d1_01.wav,d1_01,Ann,en,'=cmd|' /C calc'!A0", "d1_02.wav,d1_02,Ann,en,'Tis so.")
    )
    assert lines["d1_01"].text == "=cmd|' /C calc'!A0" and lines["d1_02"].text == "'Tis so."


@pytest.mark.parametrize(
    "row, said, field",
    [
        ("x.wav,../../d1_01,Ann,en,Hi.", "no key", "key"),
        ("x.wav,d1,Ann,en,Hi.", "no key", "key"),
        ("x.wav,d1_01,Ann,fr,Salut.", "unknown language", "language"),
        ("x.wav,d1_01, ,en,Hi.", "who reads", "speaker"),
    ],
)
def test_a_row_that_says_nothing_is_named(tmp_path: Path, row: str, said: str, field: str) -> None:
    with pytest.raises(UserError, match=said) as e:
        read_manifest(table(tmp_path, row))
    assert e.value.field == field and e.value.where.endswith("t.csv:2")


def test_a_key_twice_a_table_without_keys_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="twice"):
        read_manifest(table(tmp_path, "a.wav,d1_01,Ann,en,Hi.", "b.wav,d1_01,Bob,en,Hi."))
    with pytest.raises(UserError, match="a column is missing"):
        read_manifest(table(tmp_path, "a.wav,hi", head="file,text\n"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no table"):
        read_manifest(tmp_path / "none")


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda p: p.write_bytes(b""), "not audio|holds no sample"),
        (lambda p: p.write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt "), "not audio"),
        (lambda p: p.write_text("<script>alert(1)</script>"), "not audio"),
        (lambda p: wav(p, np.zeros(0, np.float32)), "no sample"),
        (lambda p: wav(p, np.array([0.1, np.nan, 0.1], np.float32)), "no numbers"),
        (lambda p: wav(p, np.zeros(8_000 * 121, np.float32), 8_000), "too long"),
        (lambda p: wav(p, np.zeros((100, 9), np.float32)), "too many channels"),
        (lambda p: wav(p, np.zeros(100, np.float32), 4_000), "sampling rate"),
        (lambda p: (p.touch(), os.truncate(p, 300 * 2**20)), "too large"),
    ],
)
def test_a_file_that_is_no_line_is_refused(tmp_path: Path, make, said: str) -> None:
    make(tmp_path / "d1_01.wav")
    with pytest.raises(UserError, match=said):
        read_take(tmp_path / "d1_01.wav")


def test_a_cast_without_consent_with_a_strange_column_or_a_double_name_is_refused(tmp_path: Path) -> None:
    cast = tmp_path / "cast.csv"
    for text, said in (
        ("name,languages,licence,consent_id\nAnn,en,CC0-1.0,\n", "gave no consent"),
        ("name,languages,licence,consent_id\nAnn,en,,C-1\n", "under which licence"),
        ("name,languages,licens,consent_id\nAnn,en,CC0-1.0,C-1\n", "unknown column"),
        ("name,languages,licence,consent_id\nAnn,en,CC0-1.0,C-1\nAnn,zh,CC0-1.0,C-1\n", "twice"),
        ("name,languages,licence,consent_id,roles\nAnn,en,CC0-1.0,C-1,system user\n", "cannot read these roles"),
    ):
        cast.write_text(text)
        with pytest.raises(UserError, match=said):
            read_people(cast)
