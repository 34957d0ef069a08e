"""How much a submission may hold."""

from __future__ import annotations

import msgspec

MIB = 2**20


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the archive as a file, of its directory, of all members unpacked and of one member; members in all.

    They are looked at before anything that they bound is read or unpacked.
    """

    archive: int = 64 * 1024 * MIB
    members: int = 20_000
    directory: int = 16 * MIB
    unpacked: int = 64 * 1024 * MIB
    member: int = 512 * MIB
