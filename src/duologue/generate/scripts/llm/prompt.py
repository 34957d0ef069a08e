"""The words in which a model is asked: text files a task and language, with placeholders (docs/llm-writer.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import yaml

from duologue.corpus.dialogue import LANGUAGES
from duologue.corpus.emotion import DUOLOGUE, Taxonomy
from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.generate.script import Brief, Feeling
from duologue.generate.scripts.duplex.content import topics
from duologue.generate.scripts.emotion.material import material
from duologue.generate.scripts.llm.layout import Layout, Slot
from duologue.generate.scripts.llm.wire import least_over
from duologue.generate.seeds import stream
from duologue.judge.prompt import read_text
from duologue.remote.cache import digest

TASKS = (
    "trajectory",
    "reasoning",
    "empathy",
    "clip",
    "conflict_clip",
    "expression",
    *SCENARIOS,
    "none",
    "described",
)
_EMOTION = frozenset({"emotions", "shifts", "subject"})
_PLACES: dict[str, frozenset[str]] = {
    "system": frozenset(),
    "request": frozenset(
        {"task", "subject", "domain", "persona", "relationship", "setting", "register", "so_far", "lines"}
    ),
    "mend": frozenset({"findings"}),
    **dict.fromkeys(TASKS, _EMOTION),
    "described": _EMOTION | {"name", "about", "speaker", "to", "when", "expected"},
}
_NEEDED = {"request": ("task", "lines", "so_far"), "mend": ("findings",)}
_PLACE = re.compile(r"\{([a-z_]+)\}")
NEIGHBOUR = re.compile(r"^---[ \t]*\n", re.MULTILINE)
_LANGUAGE_WORDS = "words"


class Prompts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """``texts`` by "language/name", ``words`` by language: names of things, for the places of the texts."""

    texts: dict[str, str]
    words: dict[str, dict[str, Any]]

    @cached_property
    def sha256(self) -> str:
        return digest([self.texts, self.words])

    def sha256_of(self, brief: Brief) -> str:
        """Names the wording that ``brief`` is asked with; a word changed elsewhere does not change it."""
        of = brief.language
        return digest(
            [self.texts[f"{of}/{n}"] for n in ("system", "request", "mend", task_of(brief))] + [self.words[of]]
        )

    def system(self, brief: Brief) -> str:
        return self.texts[f"{brief.language}/system"].strip()

    def mend(self, brief: Brief, findings: Sequence[str]) -> str:
        return _fill(self.texts[f"{brief.language}/mend"], {"findings": "\n".join(f"- {f}" for f in findings)})

    def request(
        self,
        brief: Brief,
        plan: Layout,
        slots: Sequence[Slot],
        so_far: Sequence[tuple[str, str]],
        axes: Mapping[str, str],
    ) -> str:
        """What is asked for ``slots``; ``so_far`` are (slot, words) written before, ``axes`` the situation."""
        words = self.words[brief.language]
        teller = _Teller(words, brief)
        text = NEIGHBOUR.split(self.texts[f"{brief.language}/{task_of(brief)}"])
        emotions = [teller.feeling(f) for f in brief.feelings]
        values = {
            "subject": subject(brief),
            "emotions": "; ".join(emotions) if brief.language == "en" else "；".join(emotions),
            "shifts": teller.shifts(),
        }
        if (s := brief.described) is not None:
            values |= {
                "name": s.name,
                "about": s.about,
                "speaker": words["roles"][s.role],
                "to": words["roles"][s.to],
                "when": teller.listed(words["when"][w] for w in s.when),
                "expected": teller.listed(words["acts"][a] for a in s.expected),
            }
        task = _fill(text[1 if brief.contrast and len(text) > 1 else 0], values)
        told = {
            "task": task,
            "subject": values["subject"],
            "domain": teller.name("domains", brief.family.split("/")[0]),
            "persona": teller.persona(),
            "relationship": teller.name("relationships", axes["relationship"]),
            "setting": teller.name("settings", axes["setting"]),
            "register": teller.name("registers", axes["register"]),
            "so_far": "\n".join(f"{n}: {t}" for n, t in so_far) or words["notes"]["nothing"],
            "lines": "\n".join(f"{s.name}: {teller.slot(s, plan)}" for s in slots),
        }
        return _fill(self.texts[f"{brief.language}/request"], told)


class _Teller:
    """Says in the prompt's language what a brief holds."""

    def __init__(self, words: Mapping[str, Any], brief: Brief) -> None:
        self.words, self.brief = words, brief
        self.taxonomy: Taxonomy = brief.taxonomy or DUOLOGUE

    def listed(self, items: Any) -> str:
        return (", " if self.brief.language == "en" else "、").join(items)

    def label(self, label: str) -> str:
        if self.brief.language == "en":
            return label.replace("_", " ")
        return self.taxonomy.of(label).zh or label

    def strong(self, label: str, intensity: int) -> str:
        parts = (self.words["intensity"][intensity], self.label(label))
        return (" " if self.brief.language == "en" else "").join(p for p in parts if p)

    def feeling(self, f: Feeling) -> str:
        if f.semantic:
            heard = self.strong(f.heard, f.intensity)
            return str(self.words["conflict"]).format(words=self.label(f.semantic), feeling=heard)
        return self.strong(f.label, f.intensity)

    def shifts(self) -> str:
        pairs = [(a.heard, b.heard) for a, b in pairwise(self.brief.feelings) if a.heard != b.heard]
        found = [str(self.words["shift"]).format(before=self.label(a), after=self.label(b)) for a, b in pairs]
        return self.listed(found) or str(self.words["no_shift"])

    def name(self, table: str, value: str) -> str:
        return str(self.words[table].get(value, value.replace("_", " "))) or str(self.words["notes"]["any"])

    def persona(self) -> str:
        """Who the user is and what kind of day it is, drawn from the brief's seed; so no two requests are equal."""
        rng = stream(self.brief.seed, "llm", "persona")
        drawn = {k: str(rng.choice(self.words[k])) for k in ("age", "trade", "temper", "today")}
        return str(self.words["persona"]).format(**drawn)

    def slot(self, s: Slot, plan: Layout) -> str:
        notes, parts = self.words["notes"], [str(self.words["parts"][s.part])]
        least = least_over(self.brief.language)
        if s.feeling.semantic:
            heard = self.strong(s.feeling.heard, s.feeling.intensity)
            parts.append(notes["conflict"].format(words=self.label(s.feeling.semantic), feeling=heard))
        elif self.brief.track == "emotion" and (s.role == "user" or s.feeling.intensity):
            parts.append(notes["feeling"].format(feeling=self.strong(s.feeling.label, s.feeling.intensity)))
        if s.over:
            parts.append(notes["over"].format(line=s.over, size=least))
        if any(o.over == s.name for o in plan.slots):
            parts.append(notes["long"].format(size=least))
        if s.halts:
            parts.append(notes["pause"])
        return ("; " if self.brief.language == "en" else "；").join(parts)


def task_of(brief: Brief) -> str:
    """The file that asks for ``brief``."""
    if brief.track == "emotion":
        return brief.scenario if brief.task == "recognition" else brief.task
    return "described" if brief.described is not None else brief.scenario


def subject(brief: Brief) -> str:
    """What the family is about, in the brief's language."""
    if brief.track == "emotion":
        story = material(brief.language).stories.get(brief.family)
        found = story.about[0] if story else ""
    else:
        topic = topics(brief.language).get(brief.family)
        found = topic.label if topic else ""
    if not found:
        raise UserError("unknown family", field="family", value=brief.family)
    return re.sub(r"\{([^|{}]*)[^{}]*\}", r"\1", found)


def read_prompts(folder: str = "") -> Prompts:
    """Our prompts, each replaced by ``folder/LANGUAGE/NAME.txt`` (or ``words.yaml``) where there is one.

    UserError for a file of another name, an unknown placeholder or one that is needed and missing.
    """
    texts, words = {}, {}
    own = Path(folder).expanduser() if folder else None
    names = (*_PLACES, _LANGUAGE_WORDS)
    if own is not None:
        _only_known(own, names)
    for language in LANGUAGES:
        for name in names:
            file = f"{name}.yaml" if name == _LANGUAGE_WORDS else f"{name}.txt"
            path = own / language / file if own is not None else None
            if path is not None and path.exists():
                text, where = read_text(path), str(path)
            else:
                where = f"prompts/{language}/{file}"
                text = (files("duologue.generate.scripts.llm") / "prompts" / language / file).read_text("utf-8")
            if name == _LANGUAGE_WORDS:
                words[language] = _words(text, where)
            else:
                _check(text, name, where)
                texts[f"{language}/{name}"] = text
    return Prompts(texts=texts, words=words)


def _only_known(folder: Path, names: Sequence[str]) -> None:
    if not folder.is_dir():
        raise UserError("no such folder of prompts", field="options.llm.prompts", value=str(folder))
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        known = {f"{x}/{n}.{'yaml' if n == _LANGUAGE_WORDS else 'txt'}" for x in LANGUAGES for n in names}
        if path.relative_to(folder).as_posix() not in known:
            allowed = "LANGUAGE/NAME.txt or LANGUAGE/words.yaml; names: " + ", ".join(_PLACES)
            raise UserError("a file that no task uses", where=str(path), allowed=allowed)


def _check(text: str, name: str, where: str) -> None:
    used = set(_PLACE.findall(text))
    if unknown := sorted(used - _PLACES[name]):
        allowed = ", ".join(f"{{{p}}}" for p in sorted(_PLACES[name])) or "none"
        raise UserError("unknown placeholder", where=where, value=f"{{{unknown[0]}}}", allowed=allowed)
    if missing := [p for p in _NEEDED.get(name, ()) if p not in used]:
        raise UserError("a placeholder is missing", where=where, value=f"{{{missing[0]}}}")


def _words(text: str, where: str) -> dict[str, Any]:
    """The table, with every key that ours has: what a file of one's own leaves out is a mistake."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"is no YAML: {error}", where=where) from None
    ours: dict[str, Any] = yaml.safe_load(
        (files("duologue.generate.scripts.llm") / "prompts" / "en" / "words.yaml").read_text("utf-8")
    )
    if not isinstance(found, dict):
        raise UserError("is no table of words", where=where)
    for key, value in ours.items():
        kind = type(value)
        if not issubclass(type(found.get(key)), kind):
            raise UserError("is missing or of another type", where=where, field=key, allowed=kind.__name__)
        if key in ("parts", "notes", "roles", "when", "acts") and (
            lacks := sorted(k for k in value if k not in found[key])
        ):
            raise UserError("is missing", where=where, field=f"{key}.{lacks[0]}")
    return found


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Every placeholder replaced in one pass: braces in what is put in are text."""
    return _PLACE.sub(lambda m: values.get(m[1], m[0]), text).strip()
