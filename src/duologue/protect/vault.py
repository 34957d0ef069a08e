"""One authenticated encrypted file that holds many, of any size.

    8    magic "DUOVAULT"
    4+4  length of the header and its complement
    n    header, JSON: version, chunk size, length of what is inside, salt, how the key is made, a check of the key
    32   SHA-256 of all before: damage is told from a wrong key without one
    32   HMAC-SHA256 of all before, under the key
    ...  chunks of AES-256-GCM, each with its 16 bytes of tag

The chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, "Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance", CRYPTO 2015): a chunk's nonce is its number and whether it is the last, under a
key that is fresh for each file, so that chunks cannot be moved, left out or cut off. What is inside begins with a table
(8 bytes of length, JSON ``[[path, bytes], ...]``) and the files follow.

Three things are told apart: a wrong key (:class:`WrongKey`), a file that was altered (:class:`Tampered`) and one that
is cut short (:class:`Truncated`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from duologue.errors import MissingPartError, UserError
from duologue.protect.key import SCRYPT, Entropy, Secret

MAGIC = b"DUOVAULT"
CHUNK = 1 << 20
TAG = 16
LARGEST_HEADER, LARGEST_TABLE = 1 << 16, 1 << 30


class VaultError(UserError):
    """A vault that does not open; see the kinds."""


class WrongKey(VaultError):  # noqa: N818 - a kind of VaultError
    """The file is whole, but was sealed with another key."""


class Tampered(VaultError):  # noqa: N818
    """Some byte of the file is not what was written."""


class Truncated(VaultError):  # noqa: N818
    """The file ends before it should."""


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    chunk: int
    bytes: int
    salt: str
    key: str
    kdf: dict[str, int]
    check: str


class Member(msgspec.Struct, frozen=True):
    """A file to put in: ``open`` gives its ``bytes`` bytes."""

    path: str
    bytes: int
    open: Callable[[], BinaryIO]


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingPartError(
            "sealing needs the package 'cryptography'", mend="pip install 'duologue[protect]'"
        ) from None
    return AESGCM(key)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def write_vault(
    path: str | Path, members: Iterable[Member], secret: Secret, entropy: Entropy = os.urandom
) -> tuple[str, int]:
    """Write ``members`` to a new file ``path`` and give its SHA-256 and length.

    Reads each member once, a chunk at a time. Raises UserError where a member is not as long as it says.
    """
    members = list(members)
    table = msgspec.json.encode([(m.path, m.bytes) for m in members])
    inside = 8 + len(table) + sum(m.bytes for m in members)
    salt = entropy(16)
    kdf = SCRYPT if secret.kind == "passphrase" else {}
    key = secret.stretched(salt, kdf)
    header = msgspec.json.encode(
        _Header(
            version=1,
            chunk=CHUNK,
            bytes=inside,
            salt=base64.b64encode(salt).decode(),
            key=secret.kind,
            kdf=kdf,
            check=key.derive("vault check", salt).hex(),
        )
    )
    size = len(header)
    front = MAGIC + size.to_bytes(4, "big") + (size ^ 0xFFFFFFFF).to_bytes(4, "big") + header
    front += hashlib.sha256(front).digest()
    front += hmac.new(key.derive("vault header", salt), front, hashlib.sha256).digest()
    cipher, bound = _cipher(key.derive("vault chunks", salt)), hashlib.sha256(front).digest()
    sha, written = hashlib.sha256(front), len(front)
    with Path(path).open("xb") as out:
        out.write(front)
        buffer, number = bytearray(), 0

        def flush(last: bool) -> None:
            nonlocal number, written
            sealed = cipher.encrypt(_nonce(number, last), bytes(buffer[:CHUNK]), bound)
            out.write(sealed)
            sha.update(sealed)
            written += len(sealed)
            number += 1
            del buffer[:CHUNK]

        for piece in _inside(table, members):
            buffer += piece
            while len(buffer) > CHUNK:
                flush(last=False)
        flush(last=True)
        out.flush()
        os.fsync(out.fileno())
    return sha.hexdigest(), written


def _inside(table: bytes, members: list[Member]) -> Iterator[bytes]:
    yield len(table).to_bytes(8, "big") + table
    for m in members:
        left = m.bytes
        with m.open() as file:
            while piece := file.read(CHUNK):
                left -= len(piece)
                yield piece
        if left:
            raise UserError("the file changed while it was read", where=m.path, mend="seal again")


class Vault:
    """An open vault. ``files`` is its table, path -> bytes; :meth:`read` goes through them once, in its order.

    Nothing that it gives has not been authenticated, but a later part may still prove altered: use what is read only
    when :meth:`read` has come to its end.
    """

    def __init__(self, path: str | Path, secret: Secret) -> None:
        self.where = str(path)
        try:
            self._file = Path(path).open("rb")  # noqa: SIM115 - closed by the vault
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=self.where) from None
        try:
            self._begin(secret)
            length = int.from_bytes(self._take(8), "big")
            if length > min(LARGEST_TABLE, self._left):
                raise Tampered("its table cannot be that long", where=self.where)
            rows = msgspec.json.decode(self._take(length), type=list[tuple[str, int]])
            if sum(size for _, size in rows) != self._left:
                raise Tampered("its table does not fit what is inside", where=self.where)
        except BaseException:
            self._file.close()
            raise
        self.files = dict(rows)

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _begin(self, secret: Secret) -> None:
        size = os.fstat(self._file.fileno()).st_size
        front = self._exactly(len(MAGIC) + 8)
        length, complement = int.from_bytes(front[8:12], "big"), int.from_bytes(front[12:], "big")
        if front[:8] != MAGIC or length ^ complement != 0xFFFFFFFF or length > LARGEST_HEADER:
            raise Tampered("is no sealed file, or its beginning was altered", where=self.where)
        front += self._exactly(length)
        digest = self._exactly(32)
        if hashlib.sha256(front).digest() != digest:
            raise Tampered("its header was altered", where=self.where)
        header = self._header(front[16:])
        if header.key != secret.kind:
            made = {"file": "a key file", "passphrase": "a passphrase"}
            raise WrongKey(f"was sealed with {made.get(header.key, 'another kind of key')}", where=self.where)
        try:
            salt = base64.b64decode(header.salt)
            key = secret.stretched(salt, header.kdf)
        except ValueError:
            raise Tampered("its header cannot be", where=self.where) from None
        if not hmac.compare_digest(key.derive("vault check", salt).hex(), header.check):
            raise WrongKey("this is not the key that it was sealed with", where=self.where)
        front += digest
        tag = self._exactly(32)
        if not hmac.compare_digest(hmac.new(key.derive("vault header", salt), front, hashlib.sha256).digest(), tag):
            raise Tampered("its header was altered", where=self.where)
        front += tag
        self._chunk, self._left = header.chunk, header.bytes
        self._chunks = max(1, -(-header.bytes // header.chunk))
        wanted = len(front) + header.bytes + TAG * self._chunks
        if size < wanted:
            raise Truncated("is cut short", where=self.where, value=size, allowed=f"{wanted} bytes")
        if size > wanted:
            raise Tampered("goes on after its end", where=self.where, value=size, allowed=f"{wanted} bytes")
        self._cipher, self._bound = _cipher(key.derive("vault chunks", salt)), hashlib.sha256(front).digest()
        self._number, self._buffer, self._unread = 0, bytearray(), header.bytes

    def _header(self, data: bytes) -> _Header:
        try:
            header = msgspec.json.decode(data, type=_Header)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Tampered("its header cannot be read", where=self.where) from None
        if header.version != 1:
            raise UserError(
                "was sealed by a newer duologue", where=self.where, value=header.version, mend="upgrade duologue"
            )
        if not 0 < header.chunk <= 1 << 26 or header.bytes < 8:
            raise Tampered("its header cannot be", where=self.where)
        return header

    def _exactly(self, n: int) -> bytes:
        data = self._file.read(n)
        if len(data) < n:
            raise Truncated("is cut short", where=self.where)
        return data

    def _take(self, n: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        while len(self._buffer) < n:
            size = min(self._chunk, self._unread)
            last = self._number == self._chunks - 1
            at = self._file.tell()
            try:
                self._buffer += self._cipher.decrypt(_nonce(self._number, last), self._exactly(size + TAG), self._bound)
            except InvalidTag:
                raise Tampered(f"was altered between bytes {at} and {at + size + TAG}", where=self.where) from None
            self._unread -= size
            self._number += 1
        out = bytes(self._buffer[:n])
        del self._buffer[:n]
        self._left -= n
        return out

    def read(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each file's path and its content in pieces, which are to be taken before the next file is asked for."""
        for path, size in self.files.items():
            pieces = self._pieces(size)
            yield path, pieces
            for _ in pieces:
                pass

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._take(min(size, CHUNK))
            size -= len(piece)
            yield piece
