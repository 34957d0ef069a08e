from __future__ import annotations

from pathlib import Path

import pytest
from cards import fabricate

from duologue.corpus import read
from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.build import build
from duologue.generate.recipe import Quota, Recipe
from duologue.report.score_gallery import GalleryItem
from duologue.score.scorecard import Scorecard

SCENARIOS = ("follow_up", "negation", "termination", "backchannel", "pause", "third_party", "others_directed")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> read.Corpus:
    """Two languages, seven scenarios, one dialogue each, in the fast voice."""
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    root: Path = tmp_path_factory.mktemp("scored") / "corpus"
    counts = (Quota(track="duplex", scenarios=SCENARIOS, turns=(2,), test=1),)
    sound = AcousticsSettings(noise_share=0.0, room_share=0.0)
    recipe = Recipe(name="small", seed=5, voices={"en": "espeak", "zh": "espeak"}, acoustics=sound, counts=counts)
    build(recipe, root, workers=1)
    return read.open(root)


@pytest.fixture(scope="session")
def made_up(small: read.Corpus) -> tuple[Scorecard, dict[str, GalleryItem]]:
    return fabricate(small)
