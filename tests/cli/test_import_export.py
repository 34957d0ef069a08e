"""``duologue import`` and ``duologue export`` from the command line: exit codes and what they print."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from duologue.cli.export import command as export
from duologue.cli.import_ import command as import_

RIGHTS = ["--licence", "CC0-1.0", "--consent", "c1", "--holder", "me", "--kind", "human-machine", "--language", "en"]


def test_import_names_the_bad_item_and_export_goes_on(tmp_path: Path) -> None:
    src, out = tmp_path / "src", tmp_path / "out"
    src.mkdir()
    soundfile.write(src / "good.wav", np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)
    (src / "bad.wav").write_text("no audio")
    run = CliRunner().invoke(import_, ["folder", str(src), str(out), *RIGHTS])
    assert run.exit_code == 1
    assert "problem: bad.wav: " in run.output
    assert not out.exists()
    run = CliRunner().invoke(import_, ["folder", str(src), str(out), *RIGHTS, "--skip-bad", "--json"])
    assert run.exit_code == 0
    report = json.loads(run.stdout)
    assert (report["dialogues"], len(report["problems"])) == (1, 1)
    run = CliRunner().invoke(export, ["humdial", str(out), str(tmp_path / "official"), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["written"] == {"HD-Track2/unassigned/en/No_Event": 1}


def test_missing_rights_say_how_to_give_them(tmp_path: Path) -> None:
    run = CliRunner().invoke(import_, ["rttm", str(tmp_path), str(tmp_path / "out")])
    assert "--licence" in str(run.exception)
    assert "--kind" in str(run.exception)
