"""What tests share: hypothesis without deadlines, and a small corpus of track 2 in both languages by the fast voice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No test is timed: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

RECIPE = """\
name: scored
seed: 7
voices: {en: espeak, zh: espeak}
acoustics: {room_share: 0}
counts:
  - track: duplex
    scenarios: [follow_up, negation, repetition, topic_switch, termination, backchannel, pause, third_party,
                others_directed, none]
    turns: [1, 2]
    train: 1
  - {track: duplex, scenarios: [follow_up, backchannel], turns: [1], dev: 1, test: 1}
"""


@pytest.fixture(scope="session")
def duplex_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    from duologue.generate.build import build
    from duologue.generate.recipe import read_recipe

    folder = tmp_path_factory.mktemp("scored")
    (folder / "recipe.yaml").write_text(RECIPE)
    build(read_recipe(folder / "recipe.yaml"), folder / "corpus", workers=1)
    return folder / "corpus"
