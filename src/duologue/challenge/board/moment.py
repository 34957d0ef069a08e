"""Points in time as a call for participation writes them: always with a time zone, "AoE" among them.

Anywhere on Earth is UTC-12: a day is over when it is over everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from duologue.errors import UserError

AOE = timezone(timedelta(hours=-12), "AoE")
_FORM = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?\s*(\S+)?")
_ALLOWED = '"2027-03-01 23:59 AoE", "2027-03-01 23:59 Asia/Shanghai", "2027-03-01T23:59:00+08:00" or "...Z"'


def parse_moment(text: str, *, day: Literal["begins", "ends"] | None = None) -> datetime:
    """The moment that ``text`` names, with its zone. A date alone is that day's first or last microsecond by ``day``.

    UserError for a text that is no moment, has no zone or an unknown one, names a local time that the clocks skip or
    pass twice, or for a date alone where ``day`` is None.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UserError("not a point in time", value=text, allowed=_ALLOWED)
    day_text, clock, zone = found.groups()
    if zone is None:
        raise UserError("no time zone", value=text, allowed=_ALLOWED)
    if clock is None and day is None:
        raise UserError("no time of day", value=text, allowed=_ALLOWED)
    try:
        on = date.fromisoformat(day_text)
        at = time.fromisoformat(clock) if clock else time.min if day == "begins" else time.max
    except ValueError as error:
        raise UserError(f"not a point in time: {error}", value=text, allowed=_ALLOWED) from None
    moment = datetime.combine(on, at, _zone(zone, text))
    try:
        back = moment.astimezone(UTC).astimezone(moment.tzinfo)
        twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    except OverflowError:
        raise UserError("not a point in time", value=text, allowed=_ALLOWED) from None
    if twice:
        why = "the clocks pass this time twice" if back.replace(fold=0) == moment else "the clocks skip this time"
        raise UserError(why, value=text, mend="give it with an offset, as in 2027-03-01T23:59:00+08:00")
    return moment


def _zone(name: str, text: str) -> tzinfo:
    if name.casefold() == "aoe":
        return AOE
    if name in ("Z", "UTC"):
        return UTC
    if re.fullmatch(r"[+-]\d{2}:?\d{2}", name):
        hours, minutes = int(name[1:3]), int(name[-2:])
        if hours < 24 and minutes < 60:
            return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if name[0] == "-" else 1))
        raise UserError("not an offset", value=text, allowed=_ALLOWED)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError("unknown time zone", value=text, allowed=_ALLOWED) from None


def instant(moment: datetime) -> str:
    """``moment`` in UTC to the microsecond, in the one form that a board stores and compares; needs a zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_instant(text: str) -> datetime:
    """What :func:`instant` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def shown(moment: datetime) -> str:
    """``moment`` for people: to the second, in its own zone."""
    name = getattr(moment.tzinfo, "key", None) or moment.tzname() or ""
    return f"{moment:%Y-%m-%d %H:%M:%S} {name}".strip()
