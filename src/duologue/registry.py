"""Parts by name: our own and those of other packages, found through entry points.

Groups: ``duologue.voices``, ``duologue.scripts``, ``duologue.formats``, ``duologue.systems``,
``duologue.judges``, ``duologue.scenarios``, ``duologue.taxonomies``, ``duologue.noises``. A package adds a part by
declaring an entry point; nothing here changes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from duologue.errors import MissingPartError, UserError


def names(group: str) -> tuple[str, ...]:
    """Names in ``duologue.<group>``, sorted."""
    return tuple(sorted({e.name for e in entry_points(group=f"duologue.{group}")}))


def load(group: str, name: str) -> Any:
    """The object registered as ``name`` in ``duologue.<group>``; UserError names the nearest where unknown."""
    for e in entry_points(group=f"duologue.{group}"):
        if e.name == name:
            try:
                return e.load()
            except ModuleNotFoundError as error:
                raise MissingPartError(
                    f"{group[:-1]} {name!r} needs the package {error.name!r}",
                    mend=f"pip install 'duologue[{EXTRA_OF.get(name, name)}]'",
                ) from error
    known = names(group)
    near = difflib.get_close_matches(name, known, n=1)
    raise UserError(
        f"unknown {group[:-1]}",
        value=name,
        allowed=", ".join(known) or "none installed",
        mend=f"did you mean {near[0]!r}?" if near else "",
    )


def version(group: str, name: str) -> str:
    """The version of the package that offers ``name``, "" where it does not say."""
    for e in entry_points(group=f"duologue.{group}"):
        if e.name == name:
            return e.dist.version if e.dist else ""
    return ""


def make(group: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """A part as a recipe asks for it: ``configured(options)`` of a class that has one, else the class called plainly.

    UserError where options are given to a part that takes none.
    """
    part = load(group, name)
    if hasattr(part, "configured"):
        return part.configured(dict(options or {}))
    if options:
        raise UserError(f"{name!r} takes no options", field=f"options.{name}", value=", ".join(options), allowed="none")
    return part()


# Where the extra that brings a part has another name than the part.
EXTRA_OF = {"kokoro": "neural", "realtime": "live", "moshi": "live", "gemini": "live", "ws": "live"}
