"""What a judge of naturalness reads: the talk so far, the user's last words and what the system then said."""

from __future__ import annotations

import msgspec


class Said(msgspec.Struct, frozen=True):
    """``role`` said ``text``."""

    role: str
    text: str


class ReplyToJudge(msgspec.Struct, frozen=True, kw_only=True):
    """One reply to be judged. ``language`` ("en", "zh") is the one it should be in; ``scenario`` one of the nine
    full-duplex scenarios, "none" or ""; an empty ``reply`` means that the system said nothing."""

    id: str
    language: str
    user_last: str
    reply: str
    context: tuple[Said, ...] = ()
    scenario: str = ""
