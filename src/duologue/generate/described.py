"""Scenarios and emotions that a recipe brings along or names from another package, put into the recipe itself.

A recipe so completed depends on no plug-in for its plan, and its corpus carries the descriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duologue import registry
from duologue.corpus.emotion import DUOLOGUE, Taxonomy
from duologue.corpus.scenario import STANDARD, Scenario, by_name, check_scenario
from duologue.errors import UserError
from duologue.generate.emotion_prosody import MEASURES

if TYPE_CHECKING:
    from duologue.generate.recipe import Recipe

_NINE = tuple(s.name for s in STANDARD)
# What the embedded writer must be told of a label that it has no words for.
_WORDS = ("word", "state", "show")


def completed(recipe: Recipe) -> Recipe:
    """``recipe`` with the scenarios and the taxonomy that it names from installed packages written out in full.

    UserError for a description that contradicts itself, or a package's part of another type. Completing twice
    changes nothing.
    """
    known = by_name(recipe.scenarios)
    for s in recipe.scenarios:
        check_scenario(s)
    more = list(recipe.scenarios)
    offered = registry.names("scenarios")
    for quota in recipe.counts:
        for name in quota.scenarios:
            if quota.track == "duplex" and name not in known and name in offered:
                found = registry.load("scenarios", name)
                if not isinstance(found, Scenario) or found.name != name:
                    raise UserError("the package offers no such scenario", field="scenarios", value=name)
                check_scenario(found)
                known[name] = found
                more.append(found)
    taxonomy = recipe.taxonomy
    if isinstance(taxonomy, str) and taxonomy != DUOLOGUE.name:
        taxonomy = registry.load("taxonomies", taxonomy)
        if not isinstance(taxonomy, Taxonomy):
            raise UserError("the package offers no taxonomy of this name", field="taxonomy", value=recipe.taxonomy)
    if isinstance(taxonomy, Taxonomy):
        check_taxonomy(taxonomy)
    return msgspec.structs.replace(recipe, scenarios=tuple(more), taxonomy=taxonomy)


def check_taxonomy(taxonomy: Taxonomy) -> None:
    """Raise UserError for a taxonomy that no corpus can be built with."""

    def error(message: str, field: str, value: object, allowed: str) -> UserError:
        return UserError(message, where=f"taxonomy {taxonomy.id}", field=field, value=value, allowed=allowed)

    if taxonomy.name == DUOLOGUE.name:
        raise error("a taxonomy of one's own has a name of its own", "name", taxonomy.name, f"not {DUOLOGUE.name!r}")
    labels = taxonomy.labels
    if "neutral" not in labels:
        raise error("speech without a feeling needs a label", "classes", ", ".join(labels), "one class 'neutral'")
    taken: dict[str, str] = {}
    for c in taxonomy.classes:
        for name in (c.label, c.zh, *c.aliases):
            if name and taken.setdefault(name.casefold(), c.label) != c.label:
                raise error(
                    f"names two labels: {taken[name.casefold()]!r} and {c.label!r}", "aliases", name, "one label"
                )
        if labels.count(c.label) > 1:
            raise error("a label comes twice", "classes", c.label, "each label once")
        if c.label not in DUOLOGUE.labels and c.like not in DUOLOGUE.labels:
            raise error(f"what is {c.label!r} like?", "like", c.like, ", ".join(DUOLOGUE.labels))
        if c.label in DUOLOGUE.labels and c.like not in ("", c.label):
            raise error(f"{c.label!r} is a standard label", "like", c.like, "nothing")
        for measure in c.prosody:
            if measure not in MEASURES:
                raise error(f"unknown measure of prosody of {c.label!r}", "prosody", measure, ", ".join(MEASURES))


def check_words(recipe: Recipe) -> None:
    """Raise UserError where the embedded writer has no words for a described scenario or emotion of ``recipe``."""
    taxonomy, known = recipe.labels, by_name(recipe.scenarios)
    for quota in recipe.counts:
        for language in quota.languages:
            for s in (known[n] for n in quota.scenarios if quota.track == "duplex" and n in known and n not in _NINE):
                needed = {} if s.within else {"says": s.says}
                if "respond" in s.expected and not s.within:
                    needed["replies"] = s.replies
                for field, words in needed.items():
                    if not words.get(language):
                        raise UserError(
                            f"the embedded writer has no words for scenario {s.name!r} in {language!r}",
                            field=f"scenarios.{s.name}.{field}.{language}",
                            allowed="templates, see docs/recipes.md",
                        )
            if quota.track != "emotion":
                continue
            for c in taxonomy.classes:
                if c.label in DUOLOGUE.labels or c.label in DUOLOGUE.of(c.like).aliases:
                    continue
                missing = [w for w in _WORDS if not c.says.get(language, {}).get(w)]
                if missing and recipe.weights()[c.label]:
                    raise UserError(
                        f"the embedded writer has no words for {c.label!r} in {language!r}",
                        field=f"taxonomy.{c.label}.says.{language}",
                        value=", ".join(missing) + " missing",
                        allowed=", ".join(_WORDS),
                    )
