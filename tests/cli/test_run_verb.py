"""``duologue run``, ``talk`` and ``systems`` as a user calls them, against real servers on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))

from scripted import scripted

from duologue.cli import cli
from duologue.corpus.check import check
from duologue.corpus.manifest import Manifest
from duologue.corpus.observation import Observation
from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.corpus.write import encode_dialogue, encode_flac, write_atomic, write_manifest, write_shard
from duologue.errors import UserError
from duologue.live.instruments import Behaviour, Instrument

RATE = 16_000
LINES = [
    ("user", "turn", [(0.3, 0.9)], None),
    ("system", "turn", [(1.2, 3.0)], None),
    ("user", "follow_up", [(1.8, 2.3)], 1),
    ("system", "turn", [(2.9, 3.4)], None),
]


def duologue(*arguments, code: int | None = 0, env: dict[str, str] | None = None):
    done = subprocess.run(
        [sys.executable, "-c", "from duologue.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert code is None or done.returncode == code, done.stderr + done.stdout
    return done


def refused(*arguments, said: str) -> None:
    """A mistake of the user's, which the command line tells in one line and ends with exit code 2."""
    with pytest.raises(UserError, match=said):
        cli.main(list(map(str, arguments)), standalone_mode=False)


def observations(run: Path) -> list[Observation]:
    lines = (run / "observations.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Observation) for line in lines]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short dialogues in English, of two scenarios."""
    root = tmp_path_factory.mktemp("corpus")
    loose = tmp_path_factory.mktemp("loose")
    lines = []
    for k, scenario in enumerate(("follow_up", "follow_up", "none")):
        item = scripted(loose, LINES if scenario != "none" else LINES[:2], id=f"d{k}", scenario=scenario)
        samples, _ = item.audio(dtype="int16")
        # Distinct dialogues hold distinct samples.
        samples = np.ascontiguousarray(samples[: len(samples) - k])
        flac = encode_flac(samples, RATE)
        path = f"audio/duplex-en-test-000/d{k}.flac"
        write_atomic(root / path, flac.data, sync=False)
        (entry,) = item.dialogue.audio
        entry = msgspec.structs.replace(
            entry, path=path, sha256=flac.sha256, pcm_sha256=flac.pcm_sha256, length=flac.length
        )
        lines.append(encode_dialogue(msgspec.structs.replace(item.dialogue, audio=(entry,))))
    shard = write_shard(root, "duplex-en-test-000", lines)
    write_manifest(root, Manifest(name="small", duologue="0", shards=(shard,)))
    assert check(root).findings == []
    return root


def test_a_live_run_is_kept_as_a_corpus_that_holds(corpus: Path, tmp_path: Path) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    behaviour = Behaviour(reply_after=0.3, reply=1.6, stop_after=0.2, text="First do this. Then do that.")
    with Instrument("realtime", behaviour) as server:
        told = duologue(
            "run", corpus, "--system", server.spec, "-o", run, "--mode", "adaptive", "--sessions", 3, "--echo", "-40dB",
            "--keep", kept, "--json",
        )  # fmt: skip
    result = json.loads(told.stdout)
    assert result["counts"] == {"ok": 3} and result["expected"] == 3
    assert "3 dialogues, about" in told.stderr
    opened = Run(run)
    assert opened.manifest.mode == "adaptive"
    assert opened.manifest.parameters["echo_db"] == -40.0
    assert opened.manifest.parameters["reference_echo"] == "removed"
    seen = {o.id: o for o in observations(run)}
    # What was interrupted is where it was, and the answers that it fell into were heard.
    assert [r.event for r in seen["d0"].realised] == ["e2"] and seen["d0"].not_exercised == {}
    both, _ = soundfile.read(run / seen["d2"].audio, dtype="int16")
    user, system = both[:, 0].astype(float), both[:, 1].astype(float)
    on = np.flatnonzero(np.abs(system) > 2000)
    # The echo: in the user's microphone, 60 ms later, a hundredth as loud.
    late = user[on[0] + 960 + 400 : on[-1] + 960 - 400]
    before = system[on[0] + 400 : on[-1] - 400]
    gain = float(late @ before / (before @ before))
    assert gain == pytest.approx(0.01, rel=0.1)
    # As data: annotations that hold, in the run's own time, marked for what they are.
    assert check(kept).findings == []
    for item in Corpus(kept):
        d = item.dialogue
        (source,) = d.groups["source_recording"]
        assert d.source == "synthetic-user-machine"
        assert d.rights.licence == "CC0-1.0 AND LicenseRef-system-output"
        assert d.provenance.steps[-1].parameters["system"] == opened.manifest.system
        assert d.provenance.parents == (source,)
        turns = [t for t in d.turns if t.role == "user"]
        assert [(s.start, s.end) for t in turns for s in t.segments] == [(s.start, s.end) for s in seen[source].sent]
        answers = [t for t in d.turns if t.role == "system"]
        assert answers and all(w.source == "estimated" for t in answers for w in t.words)
        assert any(t.text.startswith("First do") for t in answers)
        assert d.acoustics.echo_db == -40.0
        if source == "d0":
            (event,), (real,) = d.events, d.realised
            assert d.turns[event.target_turn].text == "line 2"
            assert (real.start, real.end) == (seen["d0"].realised[0].start, seen["d0"].realised[0].end)
            # It fell into an answer, and says so by the answer's own turn.
            assert d.turns[event.trigger.reference_turn].role == "system"
            assert d.turns[event.target_turn].inside_turn == event.trigger.reference_turn


def test_exit_codes_and_going_on(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Instrument("ws", Behaviour(reply_after=None, fault="refuse", fault_times=1)) as server:
        common = ("run", corpus, "--system", server.spec, "-o", run, "--tail", 0.2, "--sessions", 2, "--attempts", 1)
        told = duologue(*common, "--scenario", "follow_up", code=1)
        assert "1 infrastructure" in told.stdout and "1 ok" in told.stdout and server.url in told.stdout
        # Once more: only what was lost is tried again, and what is new.
        told = duologue(*common, "--json")
    assert json.loads(told.stdout)["counts"] == {"ok": 3} and json.loads(told.stdout)["before"] == 1
    for arguments, said in (
        (("--system", "realtime"), "not a system"),
        (("--system", "degenerate:mute", "--echo", "loud"), "whole audio at once"),
        (("--system", "ws:ws://127.0.0.1:9", "--echo", "loud"), "not a level of echo"),
        (("--system", "degenerate:nobody"), "no such system"),
        (("--system", "degenerate:mute", "--mode", "adaptive"), "whole audio at once"),
        (("--system", "ws:ws://127.0.0.1:9", "--keep", corpus), "the folder is not empty"),
        ((), "nothing to run"),
        (("--system", "ws:ws://127.0.0.1:9", "--wav-dir", tmp_path), "neither a corpus nor a system"),
    ):
        refused("run", corpus, *arguments, "-o", tmp_path / "other", said=said)
    assert not (tmp_path / "other").exists()


def test_a_degenerate_system_is_run_by_its_name(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    told = duologue("run", corpus, "--system", "degenerate:never_stops", "-o", run, "--limit-per-cell", 1)
    assert "2 ok of 2" in told.stdout
    opened = Run(run)
    assert (opened.manifest.system, opened.manifest.mode) == ("degenerate:never_stops", "files")
    item = Corpus(corpus).get("d0")
    samples, seen = opened.system(opened.observe(item.dialogue), item.dialogue)
    assert seen.status == "ok" and abs(samples).max() > 0.1


def test_a_command_that_looks_ahead_is_found_out(corpus: Path, tmp_path: Path) -> None:
    echo, peek, dice = (tmp_path / f"{name}.py" for name in ("echo", "peek", "dice"))
    head = "import sys, numpy as np, soundfile as sf\nx, r = sf.read(sys.argv[1], dtype='int16')\n"
    echo.write_text(head + "sf.write(sys.argv[2], np.r_[np.zeros(800, 'int16'), x[:-800]], r)\n")
    # As loud as the whole recording allows: the past depends on the future.
    peek.write_text(
        head + "sf.write(sys.argv[2], (x / 2 + 3000 * (x[-4000:].astype(float).std() > 100)).astype('int16'), r)\n"
    )
    dice.write_text(
        head + "sf.write(sys.argv[2], np.random.default_rng().integers(-9000, 9000, len(x)).astype('int16'), r)\n"
    )
    looks = {}
    for script in (echo, peek, dice):
        run = tmp_path / script.stem
        command = f"command:{sys.executable} {script} {{input}} {{output}}"
        duologue("run", corpus, "--system", command, "-o", run, "--limit-per-cell", 1, "--sessions", 2)
        looks[script.stem] = [o.looks_ahead for o in observations(run)]
        notes = " ".join(n for o in observations(run) for n in o.notes)
        assert ("looks ahead" in notes) == (script in (peek, dice))
    assert looks == {"echo": [False, False], "peek": [True, True], "dice": [None, None]}
    assert Run(tmp_path / "peek").looking_ahead == ["d0", "d2"]


def test_logged_calls_are_diagnosed(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the speech detector is not installed")
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    from duologue.generate.prosody import Prosody
    from duologue.generate.voices.espeak import EspeakVoice

    voice = EspeakVoice()

    def say(text: str) -> np.ndarray:
        speech = voice.synthesise(text, language="en", speaker=voice.speakers("en")[0].id, prosody=Prosody(), seed=1)
        x = np.asarray(speech.samples, np.float32)
        return (x / abs(x).max() * 0.3 * 32_767).astype(np.int16)

    query, answer = say("How can I get to the old station from here?"), say("Take the second street on the left. " * 3)
    calls, run = tmp_path / "calls", tmp_path / "run"
    calls.mkdir()
    # The user ends, the system answers 0.7 s later; the user says the same into the answer 1.5 s after its onset, and
    # the system falls silent 0.5 s after that.
    onset = RATE // 2 + len(query) + round(0.7 * RATE)
    barge, stop = onset + round(1.5 * RATE), onset + 2 * RATE
    both = np.zeros((barge + len(query) + RATE, 2), np.int16)
    both[RATE // 2 : RATE // 2 + len(query), 0] = query
    both[barge : barge + len(query), 0] = query
    both[onset:stop, 1] = answer[: stop - onset]
    soundfile.write(calls / "one.wav", both, RATE)
    soundfile.write(calls / "mono.wav", both[:, 0], RATE)
    told = duologue("run", "--wav-dir", calls, "-o", run, "--json", "--html", tmp_path / "page.html", code=1)
    found = json.loads(told.stdout)
    mono, one = found["calls"]
    assert "channels" in mono["why"] and one["why"] == ""
    assert one["responses"][0]["offset"] == pytest.approx(0.7, abs=0.15)
    assert one["responses"][1]["offset"] is None and found["unanswered"] == 1
    (cut,) = one["interruptions"]
    assert cut["by"] == "user" and cut["stop"] == pytest.approx(0.5, abs=0.15)
    assert one["overlap"] == pytest.approx(0.5, abs=0.15)
    assert "one.wav" in duologue("run", "--wav-dir", calls, "-o", run, code=1).stdout
    assert "<svg" in (tmp_path / "page.html").read_text()
    assert {o.id: o.status for o in observations(run)} == {"mono.wav": "failed", "one.wav": "ok"}


def test_one_exchange_has_a_timeline(tmp_path: Path) -> None:
    wav = tmp_path / "query.wav"
    x = np.zeros(RATE, np.int16)
    x[RATE // 4 : RATE // 2] = 9000 * np.random.default_rng(0).choice([-1, 1], RATE // 4)
    soundfile.write(wav, x, RATE)
    out = tmp_path / "both.wav"
    with Instrument("realtime", Behaviour(reply_after=0.3, reply=0.5, text="Hello there.")) as server:
        told = duologue("talk", "--system", server.spec, "--wav", wav, "--tail", 1, "-o", out, "--json")
        shown = duologue("talk", "--system", server.spec, "--wav", wav, "--tail", 1)
    found = json.loads(told.stdout)
    moments = [(m["by"], m["what"]) for m in found["timeline"]]
    assert ("user", "falls silent") in moments and ("system", "in its own transcript: Hello there.") in moments
    heard = next(m["at"] for m in found["timeline"] if m["what"] == "is heard")
    # The query ends at 0.5 s: nothing can be heard before 0.8 s.
    assert heard >= 0.8 - 0.005
    assert {"audible", "server", "network"} <= set(found["latency"])
    assert "latency: network" in shown.stdout and "is heard" in shown.stdout
    assert soundfile.info(out).channels == 2
    soundfile.write(wav, np.zeros(RATE, np.int16), RATE)
    refused("talk", "--system", "ws:ws://127.0.0.1:9", "--wav", wav, said="nothing can be heard")
    refused("talk", "--system", "ws:ws://127.0.0.1:9", said="--wav QUERY.wav or --mic")
    # Whatever this machine lacks (the package, the library, a microphone), it is named.
    refused("talk", "--system", "ws:ws://127.0.0.1:9", "--mic", said="sounddevice|sound library|microphone")


def test_systems_are_listed_and_served() -> None:
    listed = json.loads(duologue("systems", "list", "--json").stdout)
    assert {"realtime", "moshi", "gemini", "ws", "command", "files", "degenerate"} <= set(listed["ways"])
    assert "baseline" in listed["serve"] and "realtime" in listed["serve"]
    assert "mute" in listed["degenerate"] and all(listed["degenerate"].values())
    assert "degenerate:NAME" in duologue("systems", "list").stdout
    refused("systems", "serve", "nobody", said="nothing to serve")
    refused("systems", "serve", "ws", "--behaviour", '{"reply_after": "soon"}', said="--behaviour")
    argv = [sys.executable, "-c", "from duologue.cli import main; main()", "systems", "serve", "ws"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ws:ws://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
