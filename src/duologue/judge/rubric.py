"""Rubrics: the words in which a judge is asked, kept as data in ``rubrics/NAME_LANGUAGE.yaml``."""

from __future__ import annotations

from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from duologue.errors import UserError
from duologue.remote.cache import digest


class Dimension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is graded; ``anchors`` says what each grade means, and only those are given."""

    id: str
    title: str
    asks: str
    anchors: dict[int, str]


class Rubric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """``dimensions`` are graded, or one of ``answers`` is chosen; ``situations`` words the scenarios."""

    name: str
    version: str
    language: str
    task: str
    answer: str
    closing: str
    dimensions: tuple[Dimension, ...] = ()
    answers: dict[str, str] = {}
    situations: dict[str, str] = {}

    @cached_property
    def system(self) -> str:
        """The system message: task, dimensions with their anchors or the answers to choose from, form of the answer."""
        parts = [self.task.strip()]
        for d in self.dimensions:
            grades = "\n".join(f"  {g}: {d.anchors[g]}" for g in sorted(d.anchors, reverse=True))
            parts.append(f"{d.title} ({d.id}): {d.asks}\n{grades}")
        if self.answers:
            parts.append("\n".join(f"- {name}: {meaning}" for name, meaning in self.answers.items()))
        parts.append(self.answer.strip())
        return "\n\n".join(parts)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the answer: a reason first, then what follows from it; no other field."""
        fields: dict[str, Any] = {"reason": {"type": "string"}}
        if self.dimensions:
            fields["reply_language"] = {"type": "string", "enum": ["en", "zh", "other"]}
            fields |= {d.id: {"type": "integer", "enum": sorted(d.anchors)} for d in self.dimensions}
        else:
            fields["tag"] = {"type": "string", "enum": list(self.answers)}
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}

    @cached_property
    def sha256(self) -> str:
        """Names the wording: changes with every word that a judge is told."""
        return digest([self.system, self.closing, self.situations, self.schema])


@cache
def load(name: str, language: str) -> Rubric:
    """Our rubric ``name`` in ``language``; UserError names the languages that there are."""
    folder = files("duologue.judge") / "rubrics"
    there = sorted(f.name.removesuffix(".yaml").rpartition("_")[::2] for f in folder.iterdir())
    if (name, language) not in there:
        known = ", ".join(other for n, other in there if n == name)
        raise UserError(f"no rubric {name!r} for this language", field="language", value=language, allowed=known)
    text = (folder / f"{name}_{language}.yaml").read_text("utf-8")
    return msgspec.convert(yaml.safe_load(text), Rubric, strict=False)
