"""The taxonomy, read from its description."""

from importlib.resources import files

import msgspec

from duologue.corpus.emotion import Taxonomy

PRIDE = msgspec.yaml.decode(files(__package__).joinpath("pride.yaml").read_bytes(), type=Taxonomy)
