"""The guidelines for raters, in English and Chinese; ``docs/guidelines`` holds the same text."""

from __future__ import annotations

from importlib.resources import files

from duologue.errors import UserError

LANGUAGES = ("en", "zh")
# Raised when a definition changes; annotations carry it.
VERSION = "guidelines/1"


def guidelines(language: str) -> str:
    """The guidelines in ``language`` ("en" or "zh") as Markdown."""
    if language not in LANGUAGES:
        raise UserError("no guidelines in this language", field="language", value=language, allowed="en, zh")
    return (files("duologue.annotate") / f"guidelines_{language}.md").read_text(encoding="utf-8")
