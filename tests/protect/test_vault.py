"""The vault: what goes in comes out, and a wrong key, an altered file and a cut one are told apart."""

from __future__ import annotations

import functools
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.protect.key import Secret, new_key, passphrase, read_key
from duologue.protect.vault import CHUNK, Member, Tampered, Truncated, Vault, WrongKey, write_vault

pytest.importorskip("cryptography", reason="the package that encrypts is not installed")

KEY = Secret(bytes(range(32)))


def entropy(seed: int) -> Callable[[int], bytes]:
    """Bytes that are the same each time, as a test wants them."""
    count = iter(range(seed, 1 << 20))
    return lambda n: b"".join(next(count).to_bytes(4, "big") for _ in range(-(-n // 4)))[:n]


def put(path: Path, files: dict[str, bytes], secret: Secret = KEY) -> None:
    members = [Member(name, len(data), functools.partial(io.BytesIO, data)) for name, data in files.items()]
    write_vault(path, members, secret, entropy(1))


def get(path: Path, secret: Secret = KEY) -> dict[str, bytes]:
    with Vault(path, secret) as vault:
        return {name: b"".join(pieces) for name, pieces in vault.read()}


# Two whole chunks and a part of a third.
FILES = {
    "map.json": b"{}",
    "corpus/empty": b"",
    "corpus/long": os.urandom(2 * CHUNK + 12345),
    "corpus/zh 中文": b"x" * 70,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vault") / "vault"
    put(path, FILES)
    return path


def test_what_goes_in_comes_out_and_cannot_be_read_without(whole: Path) -> None:
    assert get(whole) == FILES
    data = whole.read_bytes()
    assert b"map.json" not in data and b"x" * 70 not in data


def test_a_table_of_exactly_a_chunk_comes_out_too(tmp_path: Path) -> None:
    """8 bytes of length and the table [["a",N]] of 15 bytes fill one chunk with a file of N = 1,048,553 bytes."""
    files = {"a": b"\x01" * (CHUNK - 8 - len('[["a",1048553]]'))}
    put(tmp_path / "v", files)
    assert get(tmp_path / "v") == files


def test_another_key_is_a_wrong_key_and_nothing_else(whole: Path) -> None:
    with pytest.raises(WrongKey, match="not the key that it was sealed with"):
        get(whole, Secret(bytes(32)))
    with pytest.raises(WrongKey, match="was sealed with a key file"):
        get(whole, passphrase("a long enough phrase"))


def test_a_passphrase_opens_what_it_sealed(tmp_path: Path) -> None:
    put(tmp_path / "v", {"a": b"1"}, passphrase("correct horse battery"))
    assert get(tmp_path / "v", passphrase("correct horse battery")) == {"a": b"1"}
    with pytest.raises(WrongKey, match="not the key"):
        get(tmp_path / "v", passphrase("correct horse batterY"))
    with pytest.raises(WrongKey, match="was sealed with a passphrase"):
        get(tmp_path / "v")


def places(path: Path) -> dict[str, int]:
    """A byte of each region of the file: header length at 8, header from 16, then two hashes, then three chunks."""
    header = int.from_bytes(path.read_bytes()[8:12], "big")
    front = 16 + header + 64
    return {
        "magic": 3,
        "header length": 11,
        "its complement": 15,
        "first byte of the header": 16,
        "last byte of the header": 15 + header,
        "hash": 16 + header,
        "mac": 16 + header + 40,
        "first chunk": front + 5,
        "first tag": front + CHUNK + 3,
        "second chunk": front + CHUNK + 16 + 100,
        "last chunk": front + 2 * (CHUNK + 16) + 9,
        "last tag": path.stat().st_size - 1,
    }


REGIONS = (
    "magic",
    "header length",
    "its complement",
    "first byte of the header",
    "last byte of the header",
    "hash",
    "mac",
    "first chunk",
    "first tag",
    "second chunk",
    "last chunk",
    "last tag",
)


@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("region", REGIONS)
def test_a_flipped_bit_anywhere_is_tampering(whole: Path, tmp_path: Path, region: str, bit: int) -> None:
    data = bytearray(whole.read_bytes())
    data[places(whole)[region]] ^= 1 << bit
    (tmp_path / "v").write_bytes(data)
    with pytest.raises(Tampered):
        get(tmp_path / "v")


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_single_bit_can_change_without_notice(tmp_path_factory: pytest.TempPathFactory, at: float, bit: int) -> None:
    folder = tmp_path_factory.mktemp("flip")
    put(folder / "v", {"a": b"answer" * 20})
    data = bytearray((folder / "v").read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    (folder / "v").write_bytes(data)
    with pytest.raises(Tampered):
        get(folder / "v")


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_truncated(tmp_path_factory: pytest.TempPathFactory, at: float) -> None:
    folder = tmp_path_factory.mktemp("cut")
    put(folder / "v", {"a": b"answer" * 20})
    data = (folder / "v").read_bytes()
    (folder / "v").write_bytes(data[: int(at * len(data))])
    with pytest.raises(Truncated):
        get(folder / "v")


def test_chunks_that_change_places_or_are_left_out_are_noticed(whole: Path, tmp_path: Path) -> None:
    data, front = whole.read_bytes(), places(whole)["first chunk"] - 5
    size = CHUNK + 16
    a, b, rest = data[front : front + size], data[front + size : front + 2 * size], data[front + 2 * size :]
    for chunks, error in (((b, a, rest), Tampered), ((a, rest), Truncated), ((a, b, rest, b"!"), Tampered)):
        (tmp_path / "v").write_bytes(data[:front] + b"".join(chunks))
        with pytest.raises(error):
            get(tmp_path / "v")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="changed while it was read"):
        write_vault(tmp_path / "v", [Member("a", 5, lambda: io.BytesIO(b"1234"))], KEY, entropy(1))


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    secret = new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again, warnings = read_key(path)
    assert again.derive("x") == secret.derive("x") and warnings == ()
    with pytest.raises(UserError, match="never overwritten"):
        new_key(path)
    path.chmod(0o644)
    assert "0644" in read_key(path)[1][0]
    assert new_key(tmp_path / "other").derive("x") != secret.derive("x")


def test_a_secret_shows_in_no_message(tmp_path: Path) -> None:
    path = tmp_path / "key"
    secret = new_key(path)
    text = path.read_text().split(":")[1].strip()
    assert text not in repr(secret) and text[:8] not in f"{secret}"
    path.write_text("duologue-key-1:" + text[:-6])
    with pytest.raises(UserError, match="damaged") as error:
        read_key(path)
    assert text[:8] not in error.value.message
    with pytest.raises(UserError, match="at least 12") as error:
        passphrase("hunter2")
    assert "hunter2" not in error.value.message


def test_a_header_cannot_ask_for_endless_work(tmp_path: Path) -> None:
    """A key of scrypt with N = 2^40 would take all memory: it is refused before anything is computed."""
    import hashlib

    put(tmp_path / "v", {"a": b"1"}, passphrase("correct horse battery"))
    data = (tmp_path / "v").read_bytes()
    length = int.from_bytes(data[8:12], "big")
    header = data[16 : 16 + length].replace(b'"n":65536', b'"n":1099511627776')
    front = data[:8] + len(header).to_bytes(4, "big") + (len(header) ^ 0xFFFFFFFF).to_bytes(4, "big") + header
    (tmp_path / "v").write_bytes(front + hashlib.sha256(front).digest() + data[16 + length + 32 :])
    with pytest.raises(Tampered, match="header cannot be"):
        get(tmp_path / "v", passphrase("correct horse battery"))
