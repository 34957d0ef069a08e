"""The text of a table that a user gives: bounded, UTF-8, with or without a byte order mark."""

from __future__ import annotations

from pathlib import Path

from duologue.errors import UserError


def read_table(path: Path, largest: int) -> str:
    """The text of a file of at most ``largest`` bytes; UserError names the line that is not UTF-8."""
    try:
        if path.stat().st_size > largest:
            raise UserError("too large a table", where=str(path), allowed=f"up to {largest} bytes")
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError("not UTF-8", where=f"{path}:{line}") from None
