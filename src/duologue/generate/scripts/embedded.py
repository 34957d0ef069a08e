"""The embedded writer: scripts from our own hand-written Chinese and English material, no model needed."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from duologue.corpus.dialogue import LANGUAGES, TRACKS, Track
from duologue.errors import UserError
from duologue.generate.script import Brief, Script


class _Composer(Protocol):
    def families(self, language: str, scenario: str) -> tuple[str, ...]: ...

    def axes(self, language: str, family: str) -> dict[str, tuple[str, ...]]: ...

    def write(self, brief: Brief) -> Script: ...


def _composer(track: str, language: str) -> _Composer:
    if track not in TRACKS:
        raise UserError("unknown track", field="track", value=track, allowed=", ".join(TRACKS))
    if language not in LANGUAGES:
        raise UserError(
            "the embedded writer does not write this language",
            field="language",
            value=language,
            allowed=", ".join(LANGUAGES),
        )
    # A track's material is loaded only when it is asked for.
    return cast(_Composer, import_module(f"duologue.generate.scripts.{track}"))


class EmbeddedWriter:
    """A :class:`~duologue.generate.script.Writer`: pure, offline, equal briefs give equal scripts everywhere."""

    name = "embedded"
    version = "1"

    def families(self, language: str, track: Track, scenario: str) -> tuple[str, ...]:
        """All story families of a cell in a stable order, as "domain/story"."""
        return _composer(track, language).families(language, scenario)

    def axes(self, language: str, track: Track, family: str) -> dict[str, tuple[str, ...]]:
        """Relationships, settings and registers that suit ``family``."""
        return _composer(track, language).axes(language, family)

    def write(self, brief: Brief) -> Script:
        """The script for ``brief``; UserError where it cannot be met."""
        return _composer(brief.track, brief.language).write(brief)
