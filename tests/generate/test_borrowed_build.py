"""Corpora spoken by a server and by a program, built, interrupted, and made again from the cache alone."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "remote"))

import chat_server as fault
from chat_server import KEY, Server, serving

from duologue.cli import cli
from duologue.corpus.annotation import EmotionAnnotation
from duologue.corpus.check import check
from duologue.corpus.manifest import read_manifest
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.generate.build import build
from duologue.generate.prosody import Prosody
from duologue.generate.recipe import read_recipe
from duologue.generate.reproduce import reproduce
from duologue.generate.voices.espeak import EspeakVoice

pytest.importorskip("httpx")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

RECIPE = """
name: borrowed
seed: 9
voices: {{en: {voice}}}
acoustics: {{room_share: 0.0}}
twins: 0.0
counts:
  - {{track: duplex, languages: [en], scenarios: [follow_up, backchannel], turns: [1], train: {train}}}
options:
  {voice}:
    {own}
    cache: {cache}
    readback: never
    speakers:
"""
ESPEAK = EspeakVoice()
NAMES = [s.id for s in ESPEAK.speakers("en")][:6]
SPEAKERS = "".join(
    f"      p{i}: {{sex: {('female', 'male')[i % 2]}, age: adult, languages: [en], voice: '{name}'}}\n"
    for i, name in enumerate(NAMES)
)
# The library speaks one line at a time.
ONE = threading.Lock()


def speech(text: str, speaker: str, speed: float = 1.0) -> bytes:
    with ONE:
        said = ESPEAK.synthesise(text, language="en", speaker=speaker, prosody=Prosody(tempo=1 / speed))
    return wav(said.samples, said.sample_rate)


def wav(samples: Any, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        running.speak = lambda body: speech(body["input"], body["voice"], body.get("speed", 1.0))
        yield running


def recipe_at(folder: Path, voice: str, own: str, train: int = 2) -> Path:
    path = folder / "borrowed.yaml"
    path.write_text(RECIPE.format(voice=voice, own=own, train=train, cache=folder / "cache") + SPEAKERS)
    return path


def sounds(folder: Path) -> set[str]:
    return {p.name for p in (folder / "cache" / "sounds").rglob("*") if p.is_file()}


def test_a_server_that_fails_and_misspeaks_gives_a_corpus_that_its_cache_gives_again(
    tmp_path: Path, server: Server
) -> None:
    html = b"<html><body>Bad gateway, with a good status</body></html>"
    cut = speech("These words come to an end too early.", NAMES[0])[:9_000]
    server.faults.extend(
        [
            fault.busy("0"),
            fault.status(500),
            fault.drip,  # ends with the attempt's time
            lambda h: h.answer(html),
            lambda h: h.answer(cut),
            fault.cut,
            lambda h: h.answer(wav(np.zeros(48_000))),
        ]
    )
    own = f"base_url: '{server.url}'\n    model: tts\n    timeout: 5\n    retries: 7"
    recipe = read_recipe(recipe_at(tmp_path, "openai", own))
    report = build(recipe, tmp_path / "corpus", workers=1)
    assert report.dialogues == 4 and not server.faults
    # So small a corpus has empty splits; else nothing is to be found.
    assert {f.message for f in check(tmp_path / "corpus").findings} <= {"an empty split of a task and language"}
    for item in Corpus(tmp_path / "corpus"):
        assert {w.source for t in item.dialogue.turns for w in t.words} == {"estimated"}
    asked, lines = len(server.seen), {json.dumps(b, sort_keys=True) for _, _, b in server.seen}
    # A request each for the seven failures, and one for each line; no line was asked for again once it was there.
    assert asked == len(lines) + 7
    # The built corpus tells no address, folder or key; the key is nowhere at all.
    kept = (tmp_path / "corpus" / "recipe.yaml").read_text()
    assert "tts" in kept and server.url not in kept and str(tmp_path) not in kept
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert KEY.encode() not in file.read_bytes(), file
    done = CliRunner().invoke(
        cli, ["reproduce", str(tmp_path / "corpus"), "--cache", str(tmp_path / "cache"), "--json"]
    )
    found = json.loads(done.stdout)
    assert (found["equal"], found["equal_files"], found["remote"], done.exit_code) == (4, 4, ["openai"], 0)
    assert len(server.seen) == asked
    # Without the cache nothing is made, and it is said which line is missing.
    elsewhere = CliRunner().invoke(
        cli, ["reproduce", str(tmp_path / "corpus"), "--cache", f"openai={tmp_path / 'none'}"]
    )
    assert elsewhere.exit_code != 0 and "its cache lacks a line of speaker" in str(elsewhere.exception)


def test_a_build_that_broke_off_goes_on_and_pays_for_no_line_twice(tmp_path: Path, server: Server) -> None:
    own = f"base_url: '{server.url}'\n    model: tts\n    retries: 1"
    path = recipe_at(tmp_path, "openai", own)
    full = build(read_recipe(path), tmp_path / "whole", workers=1)
    lines = len(server.seen)
    for file in (tmp_path / "cache").rglob("*"):
        if file.is_file():
            file.unlink()
    server.seen.clear()
    left = [lines // 3]
    killed = threading.Event()

    def failing(body: dict[str, Any]) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionResetError
        return speech(body["input"], body["voice"], body.get("speed", 1.0))

    def hanging(body: dict[str, Any]) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            reached.set()
            killed.wait()
        return speech(body["input"], body["voice"], body.get("speed", 1.0))

    speak, server.speak = server.speak, failing
    with pytest.raises(UserError, match=r"voice 'openai', speaker 'p\d'") as error:
        build(read_recipe(path), tmp_path / "corpus", workers=1)
    assert KEY not in str(error.value)
    left, reached, server.speak = [lines // 3], threading.Event(), hanging
    run = "from duologue.cli import main; main()"
    command = [sys.executable, "-c", run, "build", str(path), str(tmp_path / "corpus"), "--workers", "1"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    assert reached.wait(300)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed.set()
    server.speak = speak
    again = build(read_recipe(path), tmp_path / "corpus", workers=1)
    # One request failed and one was under way when all was killed; every other was the only one for its line.
    assert len(server.seen) == lines + 2 and again.sha256 == full.sha256


def test_a_line_that_stays_silent_is_refused_by_name(tmp_path: Path, server: Server) -> None:
    server.speak = lambda body: wav(np.zeros(48_000))
    path = recipe_at(tmp_path, "openai", f"base_url: '{server.url}'\n    model: tts\n    attempts: 2")
    with pytest.raises(UserError, match=r"voice 'openai', speaker 'p\d': its sound is silent \(2 attempts\)"):
        build(read_recipe(path), tmp_path / "corpus", workers=1)
    assert len(server.seen) == 2 and not sounds(tmp_path)


def test_a_program_gives_a_corpus_that_its_cache_gives_again(tmp_path: Path) -> None:
    program = tmp_path / "say.py"
    program.write_text(
        "import sys, soundfile\n"
        "from duologue.generate.prosody import Prosody\n"
        "from duologue.generate.voices.espeak import EspeakVoice\n"
        "out, speaker, speed = sys.argv[1:]\n"
        "manner = Prosody(tempo=1 / float(speed))\n"
        "said = EspeakVoice().synthesise(sys.stdin.read(), language='en', speaker=speaker, prosody=manner)\n"
        "soundfile.write(out, said.samples.clip(-1, 1), said.sample_rate, subtype='PCM_16')\n"
        f"open({str(tmp_path / 'count')!r}, 'a').write('.')\n"
    )
    own = f"command: '{sys.executable} {program} {{output}} {{speaker}} {{speed}}'"
    path = recipe_at(tmp_path, "command", own, train=1)
    recipe = read_recipe(path)
    report = build(recipe, tmp_path / "corpus", workers=1)
    assert report.dialogues == 2 and len((tmp_path / "count").read_text()) == len(sounds(tmp_path))
    program.unlink()
    again = reproduce(tmp_path / "corpus", tmp_path / "scratch", local={"command": {"cache": str(tmp_path / "cache")}})
    assert again.reproduced and again.remote == ("command",)


def test_only_a_machines_own_options_can_be_told_again(tmp_path: Path, server: Server) -> None:
    path = recipe_at(tmp_path, "openai", f"base_url: '{server.url}'\n    model: tts", train=1)
    build(read_recipe(path), tmp_path / "corpus", workers=1)
    for local, message in (
        ({"openai": {"model": "other"}}, "is no option of this machine"),
        ({"llm": {"cache": "x"}}, "built without it"),
    ):
        with pytest.raises(UserError, match=message):
            reproduce(tmp_path / "corpus", tmp_path / "scratch", local=local)
    done = CliRunner().invoke(cli, ["reproduce", str(tmp_path / "corpus"), "--option", "openai"])
    assert done.exit_code != 0 and "PART.NAME=VALUE" in str(done.exception)


def test_that_nobody_listens_is_said_in_the_corpus(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path / "none"))
    recipe = read_recipe(recipe_at(tmp_path, "openai", f"base_url: '{server.url}'\n    model: tts", train=1))
    heard = {**recipe.options["openai"], "readback": "auto"}
    report = build(msgspec.structs.replace(recipe, options={"openai": heard}), tmp_path / "corpus", workers=1)
    assert ["not read back" in n for n in report.notices] == [True]
    assert read_manifest(tmp_path / "corpus").notes["notices"] == list(report.notices)


def test_the_feeling_of_a_line_is_told_to_the_server(tmp_path: Path, server: Server) -> None:
    path = recipe_at(tmp_path, "openai", f"base_url: '{server.url}'\n    model: tts")
    row = "{track: emotion, languages: [en], task: recognition, scenarios: [clip], turns: [1], train: 2}"
    path.write_text("\n".join(f"  - {row}" if "track:" in line else line for line in path.read_text().split("\n")))
    build(read_recipe(path), tmp_path / "corpus", workers=1)
    dialogues = [item.dialogue for item in Corpus(tmp_path / "corpus")]
    felt = [
        (d.turns[int(a.target.removeprefix("turn:"))].text, a.value.label)
        for d in dialogues
        for a in d.annotations
        if isinstance(a, EmotionAnnotation) and a.target.startswith("turn:")
    ]
    told = {body["input"]: body.get("instructions", "") for _, _, body in server.seen}
    assert {label for _, label in felt} - {"neutral"}
    for text, label in felt:
        assert (f"The speaker feels {label}." in told[text]) == (label != "neutral"), (label, told[text])
