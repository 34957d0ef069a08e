"""Errors that a user can mend.

Every mistake of a user ends in one :class:`UserError`: what is wrong, where, what was allowed and how to
mend it. The command line prints it in one line and exits with code 2; a traceback is always a bug of ours.
"""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave, with enough to mend it.

    Parameters
    ----------
    what: the mistake in one clause ("unknown emotion").
    where: file, line or item ("recipes/my.yaml:12", "dialogue en-4f21").
    field: dotted name of the field ("counts.emotion.en").
    value: the offending value; shown with ``repr`` and cut at 200 characters.
    allowed: what would have been accepted.
    mend: what to do about it, as a command where there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        field: str = "",
        value: object = None,
        allowed: str = "",
        mend: str = "",
    ) -> None:
        self.what, self.where, self.field = what, where, field
        self.value, self.allowed, self.mend = value, allowed, mend
        super().__init__(self.message)

    @property
    def message(self) -> str:
        parts = [f"{self.where}: " if self.where else "", f"{self.field}: " if self.field else "", self.what]
        if self.value is not None:
            shown = repr(self.value)
            parts.append(f" (got {shown if len(shown) <= 200 else shown[:197] + '...'})")
        if self.allowed:
            parts.append(f"; allowed: {self.allowed}")
        if self.mend:
            parts.append(f"; {self.mend}")
        return "".join(parts)


class MissingPartError(UserError):
    """An optional part, voice or model is not installed; ``mend`` names the command that installs it."""
