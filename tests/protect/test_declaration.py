"""Declarations: rules, completeness, importers, signatures, and hostile YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from duologue.cli import cli
from duologue.errors import UserError
from duologue.protect.declaration import read_declaration, to_yaml
from duologue.protect.declaration_check import check
from duologue.protect.declaration_import import import_resource
from duologue.protect.licence import class_of, licences, named

HASH = "sha256:" + "ab" * 32
DATA: dict[str, Any] = {
    "name": "EmotionTalk",
    "kind": "dataset",
    "version": "1.0",
    "source": "https://example.org/emotiontalk",
    "licence": "CC-BY-NC-4.0",
    "public": True,
    "hash": HASH,
    "uses": ["training"],
    "files": ["data/et/*"],
}
VOICE: dict[str, Any] = {
    "name": "Kokoro",
    "kind": "model",
    "version": "1.0",
    "source": "https://example.org/kokoro",
    "licence": "apache-2.0",
    "public": True,
    "hash": "git:" + "0" * 40,
    "uses": ["synthesis"],
}


def write(folder: Path, *resources: dict[str, Any], team: str = "Team") -> Path:
    path = folder / "resources.yaml"
    path.write_text(json.dumps({"team": team, "system": "one", "resources": resources}, ensure_ascii=False))
    return path


def errors(folder: Path, *resources: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f.field, f.what) for f in check(write(folder, *resources)).report.findings if f.level == "error"]


def test_a_sound_declaration_has_no_finding(tmp_path: Path) -> None:
    report = check(write(tmp_path, DATA, VOICE)).report
    assert report.findings == [] and report.resources == 2


@pytest.mark.parametrize(
    ("resource", "change", "field", "what"),
    [
        (DATA, {"public": False}, "public", "not public"),
        (DATA, {"public": None}, "public", "nobody says whether it is public"),
        (DATA, {"source": "file:///home/me/data"}, "source", "called public, but its source is no public address"),
        (DATA, {"source": "http://192.168.0.4/x"}, "source", "called public, but its source is no public address"),
        (DATA, {"source": "https://nas.local/x"}, "source", "called public, but its source is no public address"),
        (DATA, {"licence": "All rights reserved"}, "licence", "a licence that is not allowed for data sets (closed)"),
        (DATA, {"licence": "ask me"}, "licence", "a licence that is not allowed for data sets (unknown)"),
        (DATA, {"hash": ""}, "hash", "missing"),
        (DATA, {"hash": "sha256:12"}, "hash", "no hash"),
        (DATA, {"version": ""}, "version", "missing"),
        (
            VOICE,
            {"licence": "CC-BY-NC-4.0"},
            "licence",
            "a licence that is not allowed for models that make training data (restricted)",
        ),
        (VOICE, {"licence": "proprietary"}, "licence", "a licence that is not allowed for models (closed)"),
        (VOICE, {"uses": []}, "uses", "missing"),
    ],
)
def test_what_breaks_the_rules(
    resource: dict[str, Any], change: dict[str, Any], field: str, what: str, tmp_path: Path
) -> None:
    assert (field, what) in errors(tmp_path, resource | change)


def test_the_same_model_may_be_used_otherwise(tmp_path: Path) -> None:
    # A model under a restricted licence may start a system, but make no training data; to measure by, any may be used.
    assert errors(tmp_path, VOICE | {"licence": "CC-BY-NC-4.0", "uses": ["initialisation"]}) == []
    assert errors(tmp_path, VOICE | {"licence": "proprietary", "public": False, "uses": ["evaluation"]}) == []


def test_a_challenge_changes_the_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("name: strict\ndatasets: {licences: [open]}\nrequired: [licence]\n")
    path = write(tmp_path, DATA | {"version": ""})
    found = check(path, rules=rules).report
    assert [(f.field, f.value) for f in found.findings] == [("licence", "CC-BY-NC-4.0")]
    rules.write_text("name: by name\ndatasets: {licences: [open, CC-BY-NC-4.0]}\nrequired: []\n")
    assert not check(path, rules=rules).report.findings
    rules.write_text("datasets: {licences: [CC-BY-NC-5.0]}")
    with pytest.raises(UserError, match=r"rules.yaml:1.*unknown licence.*did you mean 'CC-BY-NC-"):
        check(path, rules=rules)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Apache-2.0", "open"),
        ("apache-2.0", "open"),
        ("https://creativecommons.org/licenses/by/4.0/", "open"),
        ("http://creativecommons.org/licenses/by-nc-sa/4.0", "restricted"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "open"),
        ("https://spdx.org/licenses/MIT.html", "open"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "open"),
        ("openrail", "restricted"),
        ("llama3.1", "restricted"),
        ("MIT OR CC-BY-NC-4.0", "open"),
        ("MIT AND CC-BY-NC-4.0", "restricted"),
        ("(MIT OR Apache-2.0) AND CC-BY-NC-4.0", "restricted"),
        ("GPL-3.0-or-later WITH Classpath-exception-2.0", "open"),
        ("MIT AND Nobody-Knows", "unknown"),
        ("MIT OR", "unknown"),
        ("(MIT", "unknown"),
        ("(" * 60, "unknown"),
        ("MIT MIT", "unknown"),
        ("", "unknown"),
    ],
)
def test_licences(text: str, kind: str) -> None:
    assert class_of(text) == kind


def test_every_spelling_leads_to_a_listed_licence() -> None:
    assert all(named(name.upper()) == name for name in licences())


# -- what the training manifest names


MANIFESTS = {
    "list.txt": "data/et/a.wav\n# a remark\ndata/secret/b.wav\ndata/secret/c.wav\nLibriSpeech\n",
    "list.jsonl": '{"path": "data/et/a.wav"}\n{"audio": {"path": "data/secret/b.wav"}}\n{"file": "data/secret/c.wav"}\n'
    '{"dataset": "LibriSpeech", "path": "data/et/x.wav"}\n',
    "list.csv": "text,path,dataset\n你好,data/et/a.wav,\nx,data/secret/b.wav,\ny,data/secret/c.wav,\nz,,LibriSpeech\n",
    "list.tsv": "path\tdataset\ndata/et/a.wav\t\ndata/secret/b.wav\t\ndata/secret/c.wav\t\n\tLibriSpeech\n",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_undeclared_and_unused(name: str, tmp_path: Path) -> None:
    manifest = tmp_path / name
    manifest.write_text(MANIFESTS[name])
    unused = DATA | {"name": "Never used", "files": []}
    report = check(write(tmp_path, DATA, unused, VOICE), manifest).report
    assert report.manifest is not None
    assert (report.manifest.entries, report.manifest.declared) == (4, 1)
    found = {(f.level, f.value or f.resource): f for f in report.findings}
    assert set(found) == {("error", "data/secret"), ("error", "LibriSpeech"), ("warning", "Never used")}
    assert found["error", "data/secret"].allowed == "2 entries, the first data/secret/b.wav"


def test_names_are_compared_without_case_and_marks(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    rows = [{"dataset": x} for x in ("emotion-talk", "org/EmotionTalk", "ＥmotionTalk", "ET")]
    manifest.write_text("".join(json.dumps(r) + "\n" for r in rows) + '{"path": "/mnt/EmotionTalk/a/b.wav"}\n')
    report = check(write(tmp_path, DATA | {"names": ["ET"]}), manifest).report
    assert report.findings == []


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("m.jsonl", '{"path": \n', "not JSON"),
        ("m.jsonl", '{"text": "x"}\n', "names nothing"),
        ("m.csv", "text,words\nx,y\n", "no column that names anything"),
        ("m.csv", 'path\n"a\n', "broken table"),
        ("m.txt", "\n\n", "names nothing"),
        ("m.txt", "x" * 70_000, "too long a line"),
    ],
)
def test_manifests_that_cannot_be_read(name: str, text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=what):
        check(write(tmp_path, DATA), tmp_path / name)


# -- importers


def test_croissant(tmp_path: Path) -> None:
    card = {
        "@context": {"@vocab": "https://schema.org/", "sc": "https://schema.org/"},
        "@type": "sc:Dataset",
        "name": "EmotionTalk",
        "version": "1.0.0",
        "url": "https://example.org/et",
        "license": "https://creativecommons.org/licenses/by-nc/4.0/",
        "distribution": [
            {"@type": "cr:FileObject", "@id": "et.zip", "sha256": "CD" * 32},
            {"@type": "cr:FileSet", "@id": "wavs", "includes": "*.wav"},
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(card))
    found = import_resource(tmp_path / "c.json")
    assert (found.name, found.kind, found.version, found.source) == (
        "EmotionTalk",
        "dataset",
        "1.0.0",
        "https://example.org/et",
    )
    assert (found.licence, found.hash, found.public) == ("CC-BY-NC-4.0", "sha256:" + "cd" * 32, None)
    # A hash that is a link to an explanation is no hash.
    card["distribution"][0]["sha256"] = "https://github.com/mlcommons/croissant/issues/80"  # type: ignore[index]
    (tmp_path / "c.json").write_text(json.dumps(card))
    assert import_resource(tmp_path / "c.json").hash == ""
    (tmp_path / "c.json").write_text('{"@type": "Person", "name": "x"}')
    with pytest.raises(UserError, match="no data set in JSON-LD"):
        import_resource(tmp_path / "c.json")


def test_cards(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "---\nlicense: cc-by-4.0\npretty_name: Chatter\nlanguage: [zh, en]\nextra_gated_prompt: x\n---\n# No\n"
    )
    found = import_resource(readme)
    assert (found.name, found.kind, found.licence, found.note) == ("Chatter", "dataset", "CC-BY-4.0", "gated")
    readme.write_text(
        "---\nlicense: other\nlicense_name: qwen-research\npipeline_tag: text-to-speech\n---\n\n# A voice\n"
    )
    found = import_resource(readme)
    assert (found.name, found.kind, found.licence) == ("A voice", "model", "LicenseRef-Qwen-Research")
    readme.write_text("# nothing\n")
    with pytest.raises(UserError, match="no front matter"):
        import_resource(readme)


# -- hostile YAML

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LAUGHS, "anchors and aliases are not read"),
        ("team: !!python/object/apply:os.system [x]\n", "tags are not read"),
        ("team: a\nteam: b\n", "a key comes twice"),
        ("team: a\nsystem: b\nresources:\n- {name: x, kind: dataset, licens: MIT}\n", r":4.*did you mean 'licence'"),
        ("team: a\nsystem: b\nresources:\n- {name: x, kind: dataset, version: 1.10}\n", "put it in quotes"),
        ("team: a\nsystem: b\nresources:\n- {name: x, kind: dataset, version: 2020-99-99}\n", "is not valid YAML"),
        ("team: a\nsystem: b\nresources:\n- {name: x, kind: [dataset]}\n", "kind"),
        ("[" * 5_000, "nested too deeply"),
        ("team: " + "9" * 9_000, "is not valid YAML|expected `str`"),
        ("x" * 600_000, "too large"),
        ("team: a\0b\n", "is not valid YAML"),
        ("", "is empty"),
        ("- a\n", "a declaration is a mapping"),
        ("? [a]\n: b\n", "is not valid YAML|unknown key"),
        (
            "team: T\nsystem: s\nresources:\n- {name: x, kind: model}\n- {name: X, kind: model}\n",
            "a resource comes twice",
        ),
    ],
)
def test_hostile_yaml(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "resources.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"(?s){what}"):
        read_declaration(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"team: \xff\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read_declaration(tmp_path / "r.yaml")


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    declaration, _ = read_declaration(write(tmp_path, DATA, VOICE | {"name": "声音: 'x' #"}, team="[red] <b>"))
    (tmp_path / "again.yaml").write_text(to_yaml(declaration), encoding="utf-8")
    assert read_declaration(tmp_path / "again.yaml")[0] == declaration


# -- signatures and the command line


def run(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(cli, [str(a) for a in args])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_init_check_sign_verify(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="signatures need the extra 'protect'")
    resources, key, signed = tmp_path / "r.yaml", tmp_path / "team.pem", tmp_path / "declaration.json"
    (tmp_path / "README.md").write_text("---\nlicense: mit\npretty_name: Chatter\n---\n")
    run("declare", "init", resources, "--from", tmp_path / "README.md")
    report = json.loads(run("declare", "check", resources, "--json", code=1))
    assert {f["field"] for f in report["findings"]} == {"team", "system", "version", "source", "hash", "public"}
    resources = write(tmp_path, DATA, VOICE)
    run("declare", "key", key)
    assert key.stat().st_mode & 0o077 == 0
    manifest = tmp_path / "m.txt"
    manifest.write_text("data/et/a.wav\n")
    run("declare", "sign", resources, "--key", key, "--manifest", manifest, "-o", signed)
    told = run("declare", "verify", signed, "--public", f"{key}.pub")
    assert "Team, one: 2 resources, 1 manifest entries, rules humdial2026, 0 warnings; signed by " in told
    first = signed.read_bytes()
    run("declare", "sign", resources, "--key", key, "--manifest", manifest, "-o", signed)
    assert signed.read_bytes() == first
    # Whatever is changed, by a byte or by a field, is seen; so is another key.
    other = tmp_path / "other.pem"
    run("declare", "key", other)
    with pytest.raises(UserError, match="signed with another key"):
        _verify(first, tmp_path / "other.pem.pub")
    data = json.loads(first)
    for change in ({"team": "Other"}, {"warnings": 1}, {"signature": ""}, {"resources": []}, {"manifest": None}):
        with pytest.raises(UserError, match="changed after it was signed"):
            _verify(json.dumps(data | change).encode(), None)
    with pytest.raises(UserError, match="no signed declaration"):
        _verify(json.dumps(data | {"more": 1}).encode(), None)
    with pytest.raises(UserError, match="no private key"):
        _sign(resources, tmp_path / "team.pem.pub")
    failed = CliRunner().invoke(cli, ["declare", "key", str(key)])
    assert isinstance(failed.exception, UserError)
    with pytest.raises(UserError, match="it is not signed"):
        _sign(write(tmp_path, DATA | {"public": False}), key)


def _verify(data: bytes, public: Path | None) -> None:
    from duologue.protect.declaration_signed import verify

    verify(data, "declaration.json", public)


def _sign(resources: Path, key: Path) -> None:
    from duologue.protect.declaration_signed import sign

    found = check(resources)
    sign(found.declaration, found.rules, found.report.findings, None, key)


def test_names_of_strangers_are_harmless_in_the_table(tmp_path: Path) -> None:
    told = run("declare", "check", write(tmp_path, DATA | {"name": "[red]x", "licence": "<b>"}), code=1)
    assert "[red]x" in told and "<b>" in told
