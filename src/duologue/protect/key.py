"""The secret that seals a test set: 32 random bytes in a file of the owner's, or a passphrase.

A key file is one line of text, ``duologue-key-1:`` and the bytes in base64. The secret shows in no message, log or
``repr``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path

from duologue.corpus.write import write_error
from duologue.errors import UserError

PREFIX = b"duologue-key-1:"
LENGTH = 32
SHORTEST_PASSPHRASE = 12
# scrypt (RFC 7914): 128 * N * r bytes of memory, 64 MiB here, for every guess.
SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}
_MOST = {"n": 1 << 20, "r": 32, "p": 16}

Entropy = Callable[[int], bytes]


class Secret:
    """A secret that does not print. ``kind`` is "file" or "passphrase"."""

    __slots__ = ("_bytes", "kind")

    def __init__(self, value: bytes, kind: str = "file") -> None:
        self._bytes, self.kind = value, kind

    def __repr__(self) -> str:
        return f"<Secret {self.kind}>"

    def stretched(self, salt: bytes, kdf: dict[str, int]) -> Secret:
        """Of a passphrase, the 32 bytes that scrypt makes of it with ``salt``; a key file's secret as it is.

        Raises ValueError for parameters outside what a reader should spend (a file is not trusted to set them).
        """
        if self.kind != "passphrase":
            return self
        n, r, p = (kdf.get(name, 0) for name in ("n", "r", "p"))
        if not (1 < n <= _MOST["n"] and n & (n - 1) == 0 and 1 <= r <= _MOST["r"] and 1 <= p <= _MOST["p"]):
            raise ValueError("scrypt parameters out of range")
        memory = 128 * r * (n + p + 2)
        return Secret(hashlib.scrypt(self._bytes, salt=salt, n=n, r=r, p=p, maxmem=2 * memory, dklen=LENGTH))

    def derive(self, *labels: str | bytes) -> bytes:
        """32 bytes for one purpose: HMAC-SHA256 of the labels under the secret; independent across labels."""
        parts = [label.encode() if isinstance(label, str) else label for label in labels]
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._bytes, text, hashlib.sha256).digest()


def passphrase(text: str) -> Secret:
    """A secret from a passphrase of at least 12 characters."""
    if len(text) < SHORTEST_PASSPHRASE:
        raise UserError(
            "too short a passphrase", allowed=f"at least {SHORTEST_PASSPHRASE} characters", mend="several words do well"
        )
    return Secret(text.encode(), "passphrase")


def new_key(path: str | Path, entropy: Entropy = os.urandom) -> Secret:
    """Make a key file that only its owner can read (mode 0600); UserError where there is a file already."""
    path = Path(path)
    value = entropy(LENGTH)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            os.write(handle, PREFIX + base64.b64encode(value) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
    except FileExistsError:
        raise UserError(
            "there is a file already, and a key is never overwritten", where=str(path), mend="choose another name"
        ) from None
    except OSError as error:
        raise write_error(path, error) from None
    return Secret(value)


def read_key(path: str | Path) -> tuple[Secret, tuple[str, ...]]:
    """The secret in a key file, and warnings about who else can read it. UserError for anything else."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(1024)
    except FileNotFoundError:
        raise UserError("no key file", where=str(path), mend=f"duologue seal --new-key --key {path}") from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        value = base64.b64decode(line.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        value = b""
    if not line.startswith(PREFIX) or len(value) != LENGTH:
        # What the file holds may be a secret of another kind: it is not shown.
        raise UserError("is no key file of duologue, or a damaged one", where=str(path), mend="duologue seal --new-key")
    shared = mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH)
    warning = f"{path}: others on this machine can read or write this key (mode {stat.S_IMODE(mode):04o}); chmod 600"
    return Secret(value), (warning,) if shared else ()
