"""The recipe: what a corpus is to hold, in which numbers, from which parts.

A recipe is a YAML file (docs/recipes.md lists every key). It is strict: a key or value that nothing reads is
an error that names the file, the line and what was allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from duologue import registry
from duologue.corpus.dialogue import LANGUAGES, TASKS, TRACKS, Track
from duologue.corpus.emotion import DUOLOGUE, Taxonomy
from duologue.corpus.scenario import Scenario, by_name
from duologue.document import Document, Place, nearest
from duologue.errors import UserError
from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.described import check_words, completed
from duologue.generate.seeds import derive
from duologue.generate.timing import TimingSettings

PlannedSplit = Literal["train", "dev", "test"]
PLANNED_SPLITS: tuple[PlannedSplit, ...] = ("train", "dev", "test")
# Which scenarios a task of track 1 can have, and how many user turns a scenario can have.
TASK_SCENARIOS: dict[str, tuple[str, ...]] = {
    "trajectory": ("dialogue",),
    "reasoning": ("dialogue",),
    "empathy": ("dialogue",),
    "recognition": ("clip", "conflict_clip"),
    "expression": ("clip",),
}
EMOTION_TURNS = {"dialogue": (3, 5), "clip": (1, 1), "conflict_clip": (1, 1)}
DUPLEX_TURNS = (1, 5)

Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many dialogues of each listed language and scenario, shared out evenly over ``turns``.

    ``task`` may be left out in track "duplex", where the scenario says it. ``turns`` counts user turns; for
    clips it is 1.
    """

    track: str
    scenarios: tuple[str, ...]
    task: str = ""
    languages: tuple[str, ...] = LANGUAGES
    turns: tuple[int, ...] = ()
    train: Count = 0
    dev: Count = 0
    test: Count = 0


class Mix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of the duplex dialogues with an event scenario. Dialogues without an event: scenario "none".

    ``contrast`` are confusing neighbours, in which the event only seems to happen; ``several`` hold two or
    three events of the scenario.
    """

    contrast: Share = 0.15
    several: Share = 0.2


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Dialogues that differ only by chance; ``key`` names the cell in seeds and never changes."""

    track: Track
    language: str
    task: str
    scenario: str
    turns: int
    split: PlannedSplit
    count: int

    @property
    def key(self) -> str:
        return f"{self.track}/{self.language}/{self.task}/{self.scenario}/{self.turns}/{self.split}"


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a build needs to know.

    ``voices`` names a registered voice per language. ``emotions`` weighs the labels of track 1 (a label that is
    not named weighs 1, 0 leaves it out). ``twins`` is the share of duplex dialogues with a twin, ``stems`` the
    share of all dialogues with clean stems. ``derived_speakers`` admits mixed synthetic speakers, always in the
    split of their parents. ``timing`` and ``acoustics`` are the scene's settings. ``scenarios`` describes those beyond
    the nine, ``taxonomy`` the labels where they are not the standard ones (or names an installed package's).
    ``options`` are the settings of writers and voices that take any, by the part's name. ``scripts`` is a file of
    scripts that ``writer`` wrote (see ``generate/scripts/written.py``), perhaps edited since.
    """

    name: str
    seed: int
    counts: tuple[Quota, ...]
    voices: dict[str, str]
    writer: str = "embedded"
    licence: str = "CC-BY-4.0"
    emotions: dict[str, float] = {}
    mix: Mix = Mix()
    twins: Share = 1.0
    stems: Share = 0.0
    derived_speakers: bool = True
    timing: TimingSettings = TimingSettings()
    acoustics: AcousticsSettings = AcousticsSettings()
    scenarios: tuple[Scenario, ...] = ()
    taxonomy: str | Taxonomy = DUOLOGUE.name
    options: dict[str, dict[str, Any]] = {}
    scripts: str = ""

    @property
    def labels(self) -> Taxonomy:
        """The taxonomy; the standard one as long as another package's is only named."""
        return DUOLOGUE if isinstance(self.taxonomy, str) else self.taxonomy

    def weights(self) -> dict[str, float]:
        """The weight of every emotion label, in the taxonomy's order."""
        given = {self.labels.resolve(name): weight for name, weight in self.emotions.items()}
        return {label: given.get(label, 1.0) for label in self.labels.labels}

    def cells(self) -> tuple[Cell, ...]:
        """The cells with a positive count, in the recipe's order."""
        known = by_name(self.scenarios)
        return tuple(c for q in self.counts for c in _cells(q, known) if c.count)

    def scaled(self, factor: float) -> Recipe:
        """Every count times ``factor``, rounded half up, never below 1 where it was positive."""
        if not factor > 0 or factor > 1000:
            raise UserError("the scale must be above 0 and at most 1000", field="scale", value=factor)

        def scale(n: int) -> int:
            exact = Decimal(n) * Decimal(repr(factor))
            return max(1, int(exact.quantize(Decimal(1), ROUND_HALF_UP))) if n else 0

        return msgspec.structs.replace(
            self,
            counts=tuple(
                msgspec.structs.replace(q, train=scale(q.train), dev=scale(q.dev), test=scale(q.test))
                for q in self.counts
            ),
        )

    def identity(self) -> str:
        """SHA-256 over all but the counts: what each single dialogue depends on.

        Recipes of one identity grow into each other: a raised count adds dialogues and changes none.
        """
        fixed = msgspec.to_builtins(self)
        del fixed["counts"]
        fixed["emotions"] = self.weights()
        # What most recipes do without is left out, so that a new key renames no corpus.
        for key, usual in (("scenarios", ()), ("taxonomy", DUOLOGUE.name), ("options", {}), ("scripts", "")):
            if getattr(self, key) == usual:
                del fixed[key]
        if self.scripts:  # By what they hold, as a part of the corpus.
            fixed["scripts"] = True
        if self.options:
            fixed["options"] = lasting_options(self)
        # Recordings count by what they hold (see the corpus's parts), not by where they lie.
        fixed["acoustics"]["noise_folder"] = bool(self.acoustics.noise_folder)
        return hashlib.sha256(msgspec.json.encode(fixed, order="deterministic")).hexdigest()


def lasting_options(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """The options without those that a part calls its machine's own (``local_options``: an address, a cache)."""
    found: dict[str, dict[str, Any]] = {}
    for name, options in recipe.options.items():
        part = registry.load("scripts" if name == recipe.writer else "voices", name)
        found[name] = {k: v for k, v in options.items() if k not in getattr(part, "local_options", ())}
    return found


def _placed(recipe: Recipe, folder: Path) -> dict[str, dict[str, Any]]:
    """The options with their paths (``path_options`` of a part) beginning at ``folder``."""
    found: dict[str, dict[str, Any]] = {}
    for name, options in recipe.options.items():
        paths = getattr(registry.load("scripts" if name == recipe.writer else "voices", name), "path_options", ())
        found[name] = {k: str(folder / v) if k in paths and isinstance(v, str) and v else v for k, v in options.items()}
    return found


def _task_of(quota: Quota, scenario: str, known: Mapping[str, Scenario]) -> str:
    if quota.task:
        return quota.task
    return known[scenario].family if scenario in known else "rejection"


def _cells(quota: Quota, known: Mapping[str, Scenario]) -> Iterator[Cell]:
    for language in quota.languages:
        for scenario in quota.scenarios:
            task = _task_of(quota, scenario, known)
            turns = sorted(quota.turns) or [1]
            for split in PLANNED_SPLITS:
                n = getattr(quota, split)
                # Where a small count cannot serve every number of turns, cells begin at different ones. The
                # beginning depends on the cell's name alone, so that raising a count only ever adds.
                first = derive(0, "turns", language, scenario, task, split) % len(turns)
                for place, t in enumerate(turns):
                    rank = (place - first) % len(turns)
                    yield Cell(
                        track=quota.track,  # type: ignore[arg-type]
                        language=language,
                        task=task,
                        scenario=scenario,
                        turns=t,
                        split=split,
                        count=(n - rank + len(turns) - 1) // len(turns),
                    )


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in YAML file ``path``; UserError names the line of whatever is wrong in it.

    A relative ``noise_folder`` or ``scripts`` is looked for beside the recipe, and so is an option that a part calls a
    path (``path_options``).
    """
    document = Document.read(path)
    if not isinstance(document.data, dict):
        raise UserError("a recipe is a mapping of keys to values", where=document.where(()))
    recipe = completed(document.convert(Recipe))
    check_recipe(recipe, document)
    if recipe.scripts:
        recipe = msgspec.structs.replace(recipe, scripts=str(Path(path).parent / recipe.scripts))
    if recipe.options:
        recipe = msgspec.structs.replace(recipe, options=_placed(recipe, Path(path).parent))
    if folder := recipe.acoustics.noise_folder:
        recipe = msgspec.structs.replace(
            recipe,
            acoustics=msgspec.structs.replace(recipe.acoustics, noise_folder=str(Path(path).parent / folder)),
        )
    return recipe


def check_recipe(recipe: Recipe, document: Document | None = None) -> None:
    """Raise UserError for names that nothing knows and for combinations that cannot be."""
    doc = document or Document(f"recipe {recipe.name}", {}, {})

    def known(word: str, allowed: tuple[str, ...], what: str, place: Place) -> None:
        if word not in allowed:
            raise doc.error(
                f"unknown {what}", place, value=word, allowed=", ".join(allowed), mend=nearest(word, allowed)
            )

    if not recipe.name.strip():
        raise doc.error("a recipe needs a name", ("name",))
    for language, voice in recipe.voices.items():
        known(language, LANGUAGES, "language", ("voices", language))
        known(voice, registry.names("voices"), "voice", ("voices", language))
    known(recipe.writer, registry.names("scripts"), "writer", ("writer",))
    named: dict[str, str] = {}
    for name, weight in recipe.emotions.items():
        if not 0 <= weight < float("inf"):
            raise doc.error("a weight is a number from 0", ("emotions", name), value=weight)
        try:
            label = recipe.labels.resolve(name)
        except UserError:
            known(name, recipe.labels.labels, "emotion", ("emotions", name))
        if label in named:
            raise doc.error(f"{named[label]!r} and {name!r} both name {label!r}", ("emotions", name))
        named[label] = name
    if sum(weight > 0 for weight in recipe.weights().values()) < 3:
        raise doc.error("at least 3 emotions need a weight above 0", ("emotions",))
    if recipe.mix.contrast + recipe.mix.several > 1:
        raise doc.error("contrast and several add up to more than 1", ("mix",))
    if not any(q.train or q.dev or q.test for q in recipe.counts):
        raise doc.error("the recipe asks for no dialogue at all", ("counts",))
    seen: dict[str, int] = {}
    described = by_name(recipe.scenarios)
    for name in recipe.options:
        parts = tuple(dict.fromkeys((recipe.writer, *recipe.voices.values())))
        known(name, parts, "part of this recipe", ("options", name))
    for i, quota in enumerate(recipe.counts):
        at: Place = ("counts", i)
        known(quota.track, TRACKS, "track", (*at, "track"))
        if not quota.scenarios:
            raise doc.error("at least one scenario is needed", (*at, "scenarios"))
        if not quota.languages:
            raise doc.error("at least one language is needed", (*at, "languages"))
        tasks = TASKS[quota.track]
        if quota.task:
            known(quota.task, tasks, f"task of track {quota.track!r}", (*at, "task"))
        elif quota.track == "emotion":
            raise doc.error("track 'emotion' needs a task", at, allowed=", ".join(tasks))
        for j, language in enumerate(quota.languages):
            known(language, LANGUAGES, "language", (*at, "languages", j))
            if language not in recipe.voices:
                raise doc.error(
                    f"no voice for language {language!r}",
                    (*at, "languages", j),
                    mend=f"add '{language}: ...' under 'voices'",
                )
        valid = tuple(s for task in ([quota.task] if quota.task else tasks) for s in _scenarios(task, described))
        for j, scenario in enumerate(quota.scenarios):
            what = f"scenario of task {quota.task!r}" if quota.task else f"scenario of track {quota.track!r}"
            known(scenario, valid, what, (*at, "scenarios", j))
            low, high = EMOTION_TURNS.get(scenario, DUPLEX_TURNS)
            if not quota.turns and high > 1:
                raise doc.error(f"scenario {scenario!r} needs 'turns'", at, allowed=f"a list of {low} to {high}")
            for k, t in enumerate(quota.turns):
                if not low <= t <= high:
                    raise doc.error(
                        f"scenario {scenario!r} cannot have {t} user turns",
                        (*at, "turns", k),
                        allowed=str(low) if low == high else f"{low} to {high}",
                    )
        for name, values in (("scenarios", quota.scenarios), ("languages", quota.languages), ("turns", quota.turns)):
            if len(set(values)) < len(values):
                raise doc.error("something is listed twice", (*at, name), value=list(values))
        for cell in (c for c in _cells(quota, described) if getattr(quota, c.split)):
            first = seen.setdefault(cell.key, i)
            if first != i:
                raise doc.error(f"{cell.key} is counted twice", at, mend=f"it is in counts[{first}] already")
    if recipe.writer == "embedded":
        check_words(recipe)


def _scenarios(task: str, known: Mapping[str, Scenario]) -> tuple[str, ...]:
    if task in TASK_SCENARIOS:
        return TASK_SCENARIOS[task]
    return (*(s.name for s in known.values() if s.family == task), *(("none",) if task == "rejection" else ()))
