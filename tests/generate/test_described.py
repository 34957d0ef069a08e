"""Scenarios and emotions as data: in a recipe, and from an installed plug-in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

import duologue
from duologue.cli import cli
from duologue.corpus.annotation import EmotionAnnotation
from duologue.corpus.check import check
from duologue.corpus.emotion import DUOLOGUE, EmotionClass, Taxonomy
from duologue.corpus.event import INTERRUPTION, REJECTION
from duologue.corpus.read import Corpus
from duologue.corpus.scenario import STANDARD, Scenario, check_scenario
from duologue.errors import UserError
from duologue.generate.build import build
from duologue.generate.recipe import Recipe, read_recipe
from duologue.generate.script import Brief, Feeling
from duologue.generate.scripts.duplex import write as write_duplex
from duologue.generate.scripts.emotion import write as write_emotion

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"
HURRY = Scenario(
    name="hurry",
    family="interruption",
    about="the user wants a shorter answer",
    expected=("stop", "respond"),
    says={"en": ("I'm in a hurry, just the short version.",), "zh": ("我赶时间，说重点。",)},
    replies={"en": ("In short, {topic} is easy.",), "zh": ("简单说，{topic}不难。",)},
)
RECIPE = """
name: own
seed: 3
voices: {en: espeak}
scenarios:
  - name: hurry
    family: interruption
    about: the user wants a shorter answer
    expected: [stop, respond]
    says: {en: ["I'm in a hurry, just the short version."]}
    replies: {en: ["In short, {topic} is easy."]}
  - name: lost_words
    family: rejection
    about: the user looks for a word
    kind: turn
    when: [within]
    expected: [wait, respond]
  - name: announcement
    family: rejection
    about: a loudspeaker
    role: third_party
    to: third_party
    kind: third_party
    when: [before, over]
    expected: [ignore, continue]
    expected_before: [ignore, respond]
    says: {en: ["Platform {four|five} is now closed."]}
mix: {contrast: 0.0, several: 0.0}
acoustics: {room_share: 0.0}
counts:
  - track: duplex
    languages: [en]
    scenarios: [hurry, lost_words, announcement]
    turns: [1]
    train: 2
    dev: 1
    test: 1
"""


def test_the_nine_are_described_as_the_rest_of_the_project_knows_them() -> None:
    assert tuple(s.name for s in STANDARD if s.family == "interruption") == INTERRUPTION
    assert tuple(s.name for s in STANDARD if s.family == "rejection") == REJECTION
    for s in STANDARD:
        check_scenario(s)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "none"}, "name"),
        ({"expected": ()}, "expected"),
        ({"kind": "backchannel"}, "kind"),
        ({"when": ("before",)}, "when"),
        ({"role": "third_party"}, "when"),
        ({"when": ("within",)}, "when"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(UserError) as caught:
        check_scenario(msgspec.structs.replace(HURRY, **change))
    assert caught.value.field == field


def test_a_described_interruption_is_written_with_its_own_words_and_reply() -> None:
    brief = Brief(
        language="zh", track="duplex", task="interruption", scenario="hurry", family="", user_turns=1, seed=5, events=1
    )
    from duologue.generate.scripts.duplex import families

    brief = msgspec.structs.replace(brief, family=families("zh", "none")[0], described=HURRY)
    script = write_duplex(brief)
    (event,) = script.events
    assert (event.kind, event.expected) == ("hurry", ("stop", "respond"))
    assert script.lines[event.line].text == "我赶时间，说重点。"
    assert script.lines[event.line].over == event.reference_line
    assert event.response_line is not None
    assert script.lines[event.response_line].text.startswith("简单说，")
    assert write_duplex(brief) == script


PROUD = Taxonomy(
    name="lab",
    version=2,
    classes=(
        EmotionClass(label="neutral"),
        EmotionClass(label="joy", like="happy"),
        EmotionClass(
            label="proud",
            like="happy",
            aliases=("pride",),
            says={
                "en": {"word": ("pride",), "state": ("proud",), "show": ("I'm so *proud*.",), "link": ("@, so proud.",)}
            },
        ),
    ),
)


def test_an_emotion_of_ones_own_is_told_and_named_in_its_own_words() -> None:
    from duologue.generate.scripts.emotion import families

    family = families("en", "dialogue")[0]
    said, states = set(), set()
    for seed in range(12):
        brief = Brief(
            language="en",
            track="emotion",
            task="trajectory",
            scenario="dialogue",
            family=family,
            user_turns=3,
            seed=seed,
            feelings=(Feeling(label="joy", intensity=2), Feeling(label="proud", intensity=2), Feeling()),
            taxonomy=PROUD,
        )
        script = write_emotion(brief)
        assert script.probes[0].answer == "joy>proud"
        said.add("proud" in script.lines[2].text)
        states.add("proud" in script.lines[-1].text)
    assert True in said  # the rest leave the feeling to the voice
    assert states == {True}


def test_a_recipe_that_describes_scenarios_builds_a_corpus_that_checks_and_scores_anywhere(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(RECIPE)
    recipe = read_recipe(tmp_path / "own.yaml")
    build(recipe, tmp_path / "out", workers=1)
    report = check(tmp_path / "out")
    assert not report.findings
    corpus = Corpus(tmp_path / "out")
    assert {s.name for s in corpus.manifest.scenarios or ()} == {"hurry", "lost_words", "announcement"}
    kinds = {}
    for item in duologue.open(tmp_path / "out"):
        (event,) = item.dialogue.events
        kinds.setdefault(event.kind, []).append((event, item.dialogue))
    assert set(kinds) == {"hurry", "lost_words", "announcement"}
    assert all(len(d.audio[0].channels) == 2 and any(a.twin for a in d.audio) for _, d in kinds["hurry"])
    assert all(d.turns[e.target_turn].segments[1:] for e, d in kinds["lost_words"])  # the turn halts
    assert {e.position for e, _ in kinds["announcement"]} <= {"before", "after"}
    assert len(list(Corpus(tmp_path / "out", scenario="hurry"))) == 4
    # A rule for each from the acts that it expects: who never stops fails at hurry, the reference does not.
    asked = ["score", "selfcheck", str(tmp_path / "out"), "--per-cell", "1", "--system", "never_stops", "--json"]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 0, result.output
    scores = {r["system"]: r["scenarios"] for r in json.loads(result.stdout)["systems"]}
    assert scores["never_stops"]["hurry"] < 0.5 < scores["honest"]["hurry"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('    says: {en: ["I\'m in a hurry, just the short version."]}\n', "", "no words for scenario 'hurry'"),
        ("scenarios: [hurry,", "scenarios: [hury,", "unknown scenario"),
        ("family: interruption", "family: interuption", "interuption"),
        ("mix:", "taxonomy: nowhere\nmix:", "unknown taxonomie"),
        ("mix:", "options: {kokoro: {speed: 2}}\nmix:", "unknown part of this recipe"),
    ],
)
def test_a_bad_description_in_a_recipe_is_named(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert old in RECIPE
    (tmp_path / "bad.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(UserError, match=what):
        read_recipe(tmp_path / "bad.yaml")


def test_options_for_a_part_that_takes_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(RECIPE.replace("mix:", "options: {espeak: {speed: 2}}\nmix:"))
    with pytest.raises(UserError, match="takes no options"):
        build(read_recipe(tmp_path / "bad.yaml"), tmp_path / "out", workers=1)


def test_new_keys_leave_the_names_of_older_recipes_as_they_were() -> None:
    plain = msgspec.yaml.decode("{name: x, seed: 1, voices: {en: espeak}, counts: []}", type=Recipe)
    assert plain.labels == DUOLOGUE
    assert msgspec.structs.replace(plain, scenarios=(HURRY,)).identity() != plain.identity()
    # Worked out before the keys existed.
    assert plain.identity() == IDENTITY


IDENTITY = "47b20ccb79060f8f7b5cecf557299b154ea9374c239d6416194b0ec5a521b662"


def test_a_plug_in_is_installed_and_its_scenario_taxonomy_noise_and_voice_build_a_corpus(tmp_path: Path) -> None:
    """A fresh environment that sees this one's packages, with the plug-in installed into it as a user would."""
    venv.create(tmp_path / "env", with_pip=False, system_site_packages=False)
    python = tmp_path / "env" / "bin" / "python"
    ours = [p for p in sys.path if p.endswith("site-packages")]
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    (site / "ours.pth").write_text("\n".join([*ours, str(Path(duologue.__file__).parents[1])]))
    shutil.copytree(PLUGIN, tmp_path / "plugin")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(tmp_path / "plugin")], check=True, env=env)
    run = [str(python), "-c", "from duologue.cli import main; main()"]
    out = tmp_path / "station"
    subprocess.run(
        [*run, "build", str(tmp_path / "plugin/station.yaml"), str(out), "--workers", "1"], check=True, env=env
    )
    corpus = Corpus(out)
    assert corpus.manifest.taxonomy.name == "pride"
    assert [s.name for s in corpus.manifest.scenarios or ()] == ["announcement"]
    assert {"noise:escalator", "voice:beeper"} <= {p.name for p in corpus.manifest.parts}
    labels = {a.value.label for i in corpus for a in i.dialogue.annotations if isinstance(a, EmotionAnnotation)}
    assert "proud" in labels
    assert {i.dialogue.scenario for i in Corpus(out, track="duplex")} == {"announcement", "follow_up"}
    # The corpus stands where the plug-in is not installed.
    assert not check(out).findings


def test_track_1_of_a_corpus_with_labels_of_its_own_is_scored_by_them() -> None:
    from duologue.score.emotion.extract import own_names, read

    own = own_names(PROUD)
    assert read('["joy", "pride"]', own).labels == ("joy", "proud")
    assert read('["joy", "pride"]').labels == ("happy", "happy")  # by the standard taxonomy
