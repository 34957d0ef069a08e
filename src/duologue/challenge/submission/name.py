"""What a file in a submission may be called, so that it means one file on every system."""

from __future__ import annotations

import re
import unicodedata

LONGEST_PART = 200
LONGEST = 400
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*\\')


def fault(name: str) -> str:
    """Why ``name``, a path with forward slashes, cannot be a member's, or "". A folder's ends with a slash."""
    if not name:
        return "an empty name"
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST:
        return "too long a name"
    if name.startswith("/"):
        return "an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "a path with a drive"
    if "\\" in name:
        return "a backslash in a name"
    for c in name:
        if c == "\0" or not c.isprintable():
            return "a control or invisible character in a name"
        if c in _FORBIDDEN:
            return "a character that some systems forbid in a name"
    if unicodedata.normalize("NFC", name) != name:
        return "a name that is not in Unicode NFC"
    for part in name.removesuffix("/").split("/"):
        if part in ("", ".", ".."):
            return "a path that climbs or has an empty part"
        if len(part.encode()) > LONGEST_PART:
            return "too long a name"
        if part != part.strip() or part.endswith("."):
            return "a name that begins or ends with a space, or ends with a dot"
        if _DEVICE.fullmatch(part):
            return "the name of a device"
    return ""


def key(name: str) -> str:
    """Equal for two names that are one file on some system: case, composition and width do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return folded.removesuffix("/")
