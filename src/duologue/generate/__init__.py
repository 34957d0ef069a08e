"""From a recipe to a corpus: plan, scripts, voices, scenes, build."""
