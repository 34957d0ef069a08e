"""A prompt file of the user's own: text with places for data, filled literally.

Nothing in the file but its placeholders has a meaning: braces, percent signs and backslashes are text, and so are
those of the data, which is put in once and never looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from duologue.errors import UserError
from duologue.remote.cache import digest

# {name}, {{name}}, ${name}, <name>, <<name>>, [name], [[name]], %name%, %(name)s, __name__
_NAME = r"[ \t]*([^\W\d_][\w \t-]{0,40}?)[ \t]*"
_PLACES = re.compile(
    rf"\{{\{{{_NAME}\}}\}}|\$?\{{{_NAME}\}}|<<{_NAME}>>|<{_NAME}>|\[\[{_NAME}\]\]|\[{_NAME}\]"
    rf"|%\({_NAME}\)s|%{_NAME}%|(?<!\w)__([A-Za-z][A-Za-z0-9_]*?)__(?!\w)"
)


class PromptFile(msgspec.Struct, frozen=True, kw_only=True):
    """``text`` as read; ``places`` maps each literal placeholder to the role whose data goes there."""

    path: str
    text: str
    places: dict[str, str]

    @property
    def sha256(self) -> str:
        return digest([self.text, self.places])

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced by its role's value, unchanged, in one pass."""
        # Longest first, so that {a} inside {{a}} is not taken for a placeholder of its own.
        literals = sorted(self.places, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, literals)), lambda m: values[self.places[m[0]]], self.text)


def read_text(path: str | Path) -> str:
    """A prompt file as UTF-8, with or without a byte order mark; UserError where it cannot be read or is empty."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"the prompt file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UserError(f"the prompt file is not UTF-8 (byte {error.start})", where=str(path)) from None
    if not text.strip():
        raise UserError("the prompt file is empty", where=str(path))
    return text


def find_places(text: str, roles: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Placeholders in ``text`` -> role. ``roles`` maps a role to the names it goes by, such as "clean_input".

    Names are compared without case, with spaces and hyphens as underscores. Brackets round other names are text.
    """
    role_of = {name: role for role, names in roles.items() for name in names}
    places = {}
    for m in _PLACES.finditer(text):
        name = re.sub(r"[\s-]+", "_", next(g for g in m.groups() if g is not None)).strip("_").lower()
        if name in role_of:
            places[m[0]] = role_of[name]
    return places


def load_prompt(
    path: str | Path, roles: Mapping[str, Sequence[str]], placeholders: Mapping[str, str] | None = None
) -> PromptFile:
    """Read a prompt file whose placeholders are found by name, or are given as role -> literal text.

    UserError where the file has none, or lacks one of ``roles``, or where a given literal is not in it.
    """
    text = read_text(path)
    if placeholders is None:
        places = find_places(text, roles)
    else:
        if unknown := sorted(set(placeholders) - set(roles)):
            raise UserError("no such role", field="placeholders", value=unknown[0], allowed=", ".join(roles))
        places = {literal: role for role, literal in placeholders.items()}
        for literal in places:
            if not literal or literal not in text:
                raise UserError(
                    "this placeholder is not in the prompt file", where=str(path), field="placeholders", value=literal
                )
    lacking = [role for role in roles if role not in places.values()]
    if lacking:
        what = "no placeholder was found" if not places else f"no placeholder for {', '.join(lacking)}"
        raise UserError(
            what,
            where=str(path),
            field="prompt_file",
            allowed=", ".join(f"{{{names[0]}}}" for names in roles.values()),
            mend="name them: placeholders={role: text as it stands in the file}",
        )
    return PromptFile(path=str(path), text=text, places=places)
