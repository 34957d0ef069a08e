"""``duologue build`` as a user calls it: one line for a mistake, a summary or JSON for a result."""

import json
import subprocess
import sys

import pytest

RECIPE = """\
name: tiny
seed: 1
voices: {en: espeak}
acoustics: {noise_share: 0, room_share: 0}
counts:
  - {track: emotion, task: expression, scenarios: [clip], languages: [en], train: 1, dev: 1, test: 1}
"""


def duologue(*arguments):
    code = "from duologue.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_build_prints_a_summary_and_json(tmp_path):
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    (tmp_path / "r.yaml").write_text(RECIPE)
    first = duologue("build", tmp_path / "r.yaml", tmp_path / "c", "--workers", 1)
    assert first.returncode == 0, first.stderr
    assert "tiny: 3 dialogues (all new)" in first.stdout and "x real time" in first.stdout
    again = duologue("build", tmp_path / "r.yaml", tmp_path / "c", "--json", "--scale", 2)
    report = json.loads(again.stdout)
    assert (report["dialogues"], report["made"], report["voices"]) == (6, 3, {"en": "espeak"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed", "sead", "r.yaml:2: sead: unknown key 'sead'; allowed: name, seed"),
        ("train: 1", "train: -1", "r.yaml:6: counts[0].train: expected `int` >= 0 (got -1)"),
        ("en: espeak", "en: espeek", "r.yaml:3: voices.en: unknown voice (got 'espeek')"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(tmp_path, old, new, message):
    (tmp_path / "r.yaml").write_text(RECIPE.replace(old, new))
    result = duologue("build", tmp_path / "r.yaml", tmp_path / "c")
    assert result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "c").exists()


def test_a_bad_scale_is_one_line(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    result = duologue("build", tmp_path / "r.yaml", tmp_path / "c", "--scale", "0")
    assert result.returncode == 2 and "scale: the scale must be above 0" in result.stderr


def test_help_has_an_example():
    result = duologue("build", "--help")
    assert result.returncode == 0 and "duologue build recipes/emotion.yaml" in result.stdout
