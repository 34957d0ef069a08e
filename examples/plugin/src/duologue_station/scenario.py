"""The scenario, read from its description."""

from importlib.resources import files

import msgspec

from duologue.corpus.scenario import Scenario

ANNOUNCEMENT = msgspec.yaml.decode(files(__package__).joinpath("announcement.yaml").read_bytes(), type=Scenario)
