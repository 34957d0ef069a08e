"""What is wrong with a submission."""

from __future__ import annotations

from typing import Literal

import msgspec

# "error": the submission is refused; "warning": it counts, but costs points or was hardly meant.
Level = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``file`` is a member's name as it may be printed, with a line where there is one; "" is the whole archive.

    ``item`` is the dialogue or turn concerned, ``field`` a JSON field, ``allowed`` what would have been accepted.
    """

    what: str
    level: Level = "error"
    file: str = ""
    item: str = ""
    field: str = ""
    value: str = ""
    allowed: str = ""


class Problems:
    """All problems in one pass; of one kind (``what``) at most ``listed`` are kept, and all are counted."""

    def __init__(self, listed: int = 100) -> None:
        self.found: list[Problem] = []
        self.counts: dict[tuple[Level, str], int] = {}
        self._listed = listed

    def add(
        self,
        what: str,
        *,
        level: Level = "error",
        file: str = "",
        item: str = "",
        field: str = "",
        value: object = "",
        allowed: str = "",
    ) -> None:
        n = self.counts.get((level, what), 0)
        self.counts[level, what] = n + 1
        if n < self._listed:
            self.found.append(
                Problem(
                    what=what,
                    level=level,
                    file=shown(file),
                    item=shown(item),
                    field=shown(field),
                    value=shown(str(value)),
                    allowed=allowed,
                )
            )

    @property
    def errors(self) -> int:
        return sum(n for (level, _), n in self.counts.items() if level == "error")

    @property
    def warnings(self) -> int:
        return sum(n for (level, _), n in self.counts.items() if level == "warning")


def shown(text: str, most: int = 120) -> str:
    """Text of strangers as it may be printed anywhere: control, surrogate and turning characters are escaped."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
