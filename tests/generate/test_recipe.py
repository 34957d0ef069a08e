"""A recipe is strict: every mistake is one message with file, line and what was allowed."""

import msgspec
import pytest

from duologue.errors import UserError
from duologue.generate.recipe import read_recipe

GOOD = """\
name: mine
seed: 1
voices: {en: espeak, zh: espeak}
emotions: {angry: 2, joy: 0.5}
counts:
  - {track: emotion, task: recognition, scenarios: [clip], train: 10}
  - {track: duplex, scenarios: [pause, none], turns: [1, 2], train: 7, test: 1}
"""


def read(tmp_path, text):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_a_good_recipe_counts_cells(tmp_path):
    r = read(tmp_path, GOOD)
    counts = {c.key: c.count for c in r.cells()}
    assert counts["emotion/en/recognition/clip/1/train"] == 10
    assert counts["duplex/zh/rejection/pause/1/train"] + counts["duplex/zh/rejection/pause/2/train"] == 7
    assert sum(counts.values()) == 2 * (10 + 2 * 8)
    assert r.weights()["angry"] == 2 and r.weights()["happy"] == 0.5 and r.weights()["sad"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 1", "sead: 1", "r.yaml:2: sead: unknown key 'sead'; allowed: name, seed, .*; did you mean 'seed'?"),
        ("train: 10", "trian: 10", r"r.yaml:6: counts\[0\].trian: unknown key 'trian'.*did you mean 'train'\?"),
        ("train: 10", "train: -3", r"r.yaml:6: counts\[0\].train: expected `int` >= 0 \(got -3\)"),
        ("train: 10", "train: many", r"r.yaml:6: counts\[0\].train: expected `int`, got `str` \(got 'many'\)"),
        ("train: 10", "train: 1.5", r"r.yaml:6: counts\[0\].train: expected `int`"),
        ("joy: 0.5", "hungry: 1", r"r.yaml:4: emotions.hungry: unknown emotion \(got 'hungry'\).*angry.*'angry'"),
        ("joy: 0.5", "anger: 1", r"r.yaml:4: emotions.anger: 'angry' and 'anger' both name 'angry'"),
        ("joy: 0.5", "joy: -1", r"r.yaml:4: emotions.joy: a weight is a number from 0 \(got -1.0\)"),
        ("joy: 0.5", "joy: .inf", r"r.yaml:4: emotions.joy: a weight"),
        ("joy: 0.5", "joy: .nan", r"r.yaml:4: emotions.joy: a weight"),
        ("zh: espeak", "zh: espaek", r"r.yaml:3: voices.zh: unknown voice \(got 'espaek'\).*did you mean 'espeak'\?"),
        ("zh: espeak", "fr: espeak", r"r.yaml:3: voices.fr: unknown language \(got 'fr'\); allowed: en, zh"),
        (", zh: espeak", "", r"r.yaml:6: counts\[0\].languages\[1\]: no voice for language 'zh'; add 'zh: ...' under"),
        ("track: duplex", "track: duplx", r"r.yaml:7: counts\[1\].track: unknown track .*did you mean 'duplex'\?"),
        ("recognition", "recogniton", r"r.yaml:6: counts\[0\].task: unknown task of track 'emotion'.*'recognition'\?"),
        ("task: recognition, ", "", r"r.yaml:6: counts\[0\]: track 'emotion' needs a task; allowed: trajectory"),
        (
            "[pause, none]",
            "[puase]",
            r"r.yaml:7: counts\[1\].scenarios\[0\]: unknown scenario .*did you mean 'pause'\?",
        ),
        ("[clip]", "[dialogue]", r"unknown scenario of task 'recognition' \(got 'dialogue'\); allowed: clip, conflict"),
        ("[1, 2]", "[1, 9]", r"r.yaml:7: counts\[1\].turns\[1\]: scenario 'pause' cannot have 9 user turns; .* 1 to 5"),
        ("turns: [1, 2], ", "", r"r.yaml:7: counts\[1\]: scenario 'pause' needs 'turns'"),
        ("[pause, none]", "[pause, pause]", r"r.yaml:7: counts\[1\].scenarios: something is listed twice"),
        ("train: 10", "train: 0", None),
        ("name: mine", "name: mine\nmix: {contrast: 0.7, several: 0.4}", r"r.yaml:2: mix: contrast and several add"),
        ("name: mine", "name: mine\ntwins: 2", r"r.yaml:2: twins: expected `float` <= 1.0 \(got 2"),
        ("name: mine", "name: mine\nwriter: embeded", r"r.yaml:2: writer: unknown writer .*did you mean 'embedded'"),
        ("name: mine", "name: mine\ntiming: {fadee: [0, 1]}", r"r.yaml:2: timing.fadee: .*did you mean 'fade'\?"),
        ("name: mine", "name: mine\ntiming: {fade: [2, 1]}", r"r.yaml:2: timing: fade: \[2.0, 1.0\] is not a range"),
        ("name: mine", "name: mine\nacoustics: {noise_share: 3}", r"r.yaml:2: acoustics: noise_share: 3"),
        ("name: mine", "name: mine\nseed: 3", r"r.yaml:3: seed: a key comes twice; first in line 2"),
        ("name: mine", "name: [mine", r"r.yaml:2: is not valid YAML"),
        ("name: mine\n", "", r"r.yaml:1: .*missing required field `name`"),
        ("name: mine", "name: ' '", r"r.yaml:1: name: a recipe needs a name"),
        ("name: mine", "name: 2026", r"r.yaml:1: name: expected `str`, got `int`"),
    ],
)
def test_each_mistake_has_its_message(tmp_path, old, new, message):
    assert old in GOOD
    if message is None:
        read(tmp_path, GOOD.replace(old, new))
        return
    with pytest.raises(UserError, match=message):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_a_cell_counted_twice_is_refused_and_other_splits_are_not(tmp_path):
    row = "  - {track: duplex, scenarios: [pause], turns: [2], SPLIT: 3}\n"
    read(tmp_path, GOOD + row.replace("SPLIT", "dev"))
    with pytest.raises(UserError, match=r"r.yaml:8: .*duplex/en/rejection/pause/2/train is counted twice.*counts\[1\]"):
        read(tmp_path, GOOD + row.replace("SPLIT", "train"))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "\x00", "{a: *b}"])
def test_what_is_no_recipe_is_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"r.yaml"):
        read(tmp_path, text)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"missing.yaml: cannot be read: No such file"):
        read_recipe(tmp_path / "missing.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"b.yaml:1: not UTF-8"):
        read_recipe(tmp_path / "b.yaml")


def test_scaling_rounds_half_up_and_never_loses_a_split(tmp_path):
    r = read(tmp_path, GOOD)
    assert [(q.train, q.dev, q.test) for q in r.scaled(0.05).counts] == [(1, 0, 0), (1, 0, 1)]
    assert [q.train for q in r.scaled(0.35).counts] == [4, 2]
    assert [q.train for q in r.scaled(2).counts] == [20, 14]
    for bad in (0, -1, float("nan"), 1e9):
        with pytest.raises(UserError, match="scale"):
            r.scaled(bad)


def test_identity_covers_all_but_counts(tmp_path):
    r = read(tmp_path, GOOD)
    assert r.identity() == r.scaled(3).identity()
    assert r.identity() == read(tmp_path, GOOD.replace("joy", "happy")).identity()
    for changes in ({"seed": 2}, {"stems": 0.5}, {"voices": {"en": "kokoro", "zh": "espeak"}}, {"name": "x"}):
        assert msgspec.structs.replace(r, **changes).identity() != r.identity()


def test_a_noise_folder_is_looked_for_beside_the_recipe(tmp_path):
    r = read(tmp_path, GOOD + "acoustics: {noise_folder: noises}\n")
    assert r.acoustics.noise_folder == str(tmp_path / "noises")
