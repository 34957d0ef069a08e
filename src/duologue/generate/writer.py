"""The writer that a recipe names."""

from __future__ import annotations

from duologue import registry
from duologue.generate.recipe import Recipe
from duologue.generate.script import Writer
from duologue.generate.scripts.written import WrittenWriter


def writer_of(recipe: Recipe) -> Writer:
    """The writer of ``recipe``: reads its file of scripts where it names one (``scripts``), else writes."""
    base: Writer = registry.make("scripts", recipe.writer, recipe.options.get(recipe.writer))
    return WrittenWriter(base, recipe.scripts) if recipe.scripts else base
