"""Many items: each accounted for once, whatever befalls it; a run that was stopped goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
import soundfile
from callers import dialogue

from duologue.corpus.observation import Observation
from duologue.corpus.run import Run
from duologue.errors import UserError
from duologue.live.call import CallSettings
from duologue.live.instruments import Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.live.run import RunSettings, RunSummary, run
from duologue.systems.spec import open_system
from duologue.systems.system import Settings

SETTINGS = RunSettings(call=CallSettings(tail=0.4), sessions=4, wait=0.01)


def go(spec: str, items, folder: Path, settings: RunSettings = SETTINGS, **more) -> RunSummary:
    system = open_system(spec, Settings(open_timeout=2.0, key_env=more.pop("key_env", "")))
    return run_loop(run(system, items, folder, settings, **more))


def lines(folder: Path) -> list[Observation]:
    data = (folder / "observations.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Observation) for line in data]


@pytest.fixture
def items(tmp_path: Path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    return [dialogue(corpus, f"d{i}") for i in range(6)]


def test_a_run_leaves_what_scorers_read(items, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Instrument("realtime", Behaviour(reply_after=0.25, reply=0.2)) as server:
        summary = go(server.spec, items, out, corpus_sha256="c0ffee")
    assert summary == RunSummary(expected=6, counts={"ok": 6})
    opened = Run(out)
    assert opened.manifest.system == server.spec
    assert (opened.manifest.mode, opened.manifest.corpus_sha256) == ("fixed", "c0ffee")
    for item in items:
        seen = opened.observe(item.dialogue)
        assert (seen.status, seen.length, seen.sample_rate) == ("ok", 16_000, 16_000)
        assert [tuple(msgspec.to_builtins(s)) for s in seen.sent] == [(0, 1600, 6400)]
        x, left = opened.system(seen, item.dialogue)
        assert left.status == "ok" and len(x) == 16_000
        # The user stops at 0.4 s; the answer cannot be heard before 0.65 s.
        loud = abs(x) > 0.01  # resampling rings by a few units of the last place
        assert not loud[: round(0.648 * 16_000)].any() and loud[round(0.66 * 16_000) :].any()
        both, _ = soundfile.read(out / seen.audio, dtype="int16")
        assert (both[: round(0.6 * 16_000), 0] != 0).any()
        events = [json.loads(line) for line in (out / seen.protocol).read_text().splitlines()]
        assert events[0]["name"] == "duologue.call"
        assert events[1]["name"] == "session.created"
    assert opened.extra == [] and opened.broken == []


def test_every_item_is_accounted_for_and_the_run_goes_on(items, tmp_path: Path) -> None:
    # Of the connections, in order of arrival, the first two break; with one attempt each these two items are lost to
    # the infrastructure, and nothing else is.
    out = tmp_path / "run"
    settings = msgspec.structs.replace(SETTINGS, attempts=1, sessions=1)
    with Instrument("ws", Behaviour(fault="drop", fault_at=0.1, fault_times=2)) as server:
        summary = go(server.spec, items, out, settings)
    assert summary.counts == {"infrastructure": 2, "ok": 4}
    assert sum(summary.counts.values()) + summary.left == summary.expected == 6
    assert server.url in summary.first_why["infrastructure"]
    assert "connection was lost" in summary.first_why["infrastructure"]


def test_a_broken_connection_is_tried_again_a_bounded_number_of_times(items, tmp_path: Path) -> None:
    with Instrument("ws", Behaviour(fault="drop", fault_at=0.1, fault_times=2)) as server:
        summary = go(server.spec, items[:1], tmp_path / "a")
        assert summary.counts == {"ok": 1}
        assert server.connections == 3
        assert "attempt 3" in lines(tmp_path / "a")[0].notes
    with Instrument("ws", Behaviour(fault="drop", fault_at=0.1)) as server:
        summary = go(server.spec, items[:1], tmp_path / "b")
        assert summary.counts == {"infrastructure": 1}
        assert server.connections == 3


def test_a_failure_of_the_systems_own_is_not_tried_again(items, tmp_path: Path) -> None:
    with Instrument("realtime", Behaviour(fault="malformed", fault_at=0.1)) as server:
        summary = go(server.spec, items[:2], tmp_path / "run")
        assert server.connections == 2
    assert summary.counts == {"failed": 2}
    assert "not JSON" in summary.first_why["failed"]


def test_a_stopped_run_goes_on_where_it_was(items, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        assert go(server.spec, items[:3], out).counts == {"ok": 3}
        done = (out / "observations.jsonl").read_bytes()
        # A kill in the middle of a write leaves a line without an end.
        with (out / "observations.jsonl").open("ab") as f:
            f.write(b'{"id":"d4","status":"ok","audio":"aud')
        summary = go(server.spec, items, out)
        assert server.connections == 6
    assert summary == RunSummary(expected=6, counts={"ok": 6}, before=3)
    assert (out / "observations.jsonl").read_bytes().startswith(done)
    assert sorted(o.id for o in lines(out)) == [f"d{i}" for i in range(6)]
    assert Run(out).broken == []


def test_infrastructure_failures_are_tried_again_by_the_next_run(items, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = msgspec.structs.replace(SETTINGS, attempts=1)
    with Instrument("ws", Behaviour(reply_after=None, fault="refuse", fault_times=6)) as server:
        assert go(server.spec, items, out, settings).counts == {"infrastructure": 6}
        assert go(server.spec, items, out, settings) == RunSummary(expected=6, counts={"ok": 6})
    assert [o.status for o in lines(out)] == ["ok"] * 6


def test_a_killed_run_goes_on(items, tmp_path: Path) -> None:
    """A real process, killed without warning in the middle of its calls."""
    out, corpus = tmp_path / "run", tmp_path / "corpus"
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from callers import dialogue
        from test_live_run import SETTINGS, go
        import msgspec
        items = [dialogue(Path(sys.argv[2]), f"d{i}") for i in range(6)]
        done = lambda seen: print(seen.id, flush=True)
        go(sys.argv[3], items, Path(sys.argv[4]), msgspec.structs.replace(SETTINGS, sessions=1), heard=done)
        """
    )
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        argv = [sys.executable, "-c", script, str(Path(__file__).parent), str(corpus), server.spec, str(out)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = [process.stdout.readline().strip() for _ in range(2)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert first == ["d0", "d1"]
        summary = go(server.spec, items, out)
    assert summary.expected == 6 and summary.counts == {"ok": 6}
    assert summary.before in (2, 3)
    assert len(lines(out)) == 6


def test_the_time_of_a_run_is_bounded(items, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = msgspec.structs.replace(SETTINGS, sessions=1, limit=1.5)
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        summary = go(server.spec, items, out, settings)
        # Each call takes 1 s.
        assert summary.left >= 4
        assert sum(summary.counts.values()) + summary.left == summary.expected == 6
        assert len(lines(out)) == 6 - summary.left
        assert go(server.spec, items, out).counts == {"ok": 6}


def test_the_time_of_a_call_is_bounded(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    long = [dialogue(corpus, "long", seconds=30.0)]
    settings = msgspec.structs.replace(SETTINGS, call=CallSettings(tail=0.4, limit=1.0))
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        summary = go(server.spec, long, tmp_path / "run", settings)
    assert summary.counts == {"infrastructure": 1}
    assert "longer than 1 s" in summary.first_why["infrastructure"]


def test_another_run_in_the_folder_is_refused(items, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        go(server.spec, items[:1], out)
        for more, field in (
            ({"corpus_sha256": "other"}, "corpus_sha256"),
            ({"mode": "adaptive"}, "mode"),
            ({"parameters": {"voice": "x"}}, "parameters"),
        ):
            with pytest.raises(UserError, match=field):
                go(server.spec, items[:1], out, **more)
        strange = tmp_path / "strange"
        strange.mkdir()
        (strange / "thesis.txt").write_text("precious")
        with pytest.raises(UserError, match="something else than a run"):
            go(server.spec, items[:1], strange)
        assert [p.name for p in strange.iterdir() if p.name != ".lock"] == ["thesis.txt"]


def test_two_processes_do_not_write_one_run(items, tmp_path: Path) -> None:
    out = tmp_path / "run"

    async def twice(spec: str) -> list[object]:
        runs = [run(open_system(spec), items[:1], out, SETTINGS) for _ in range(2)]
        return await asyncio.gather(*runs, return_exceptions=True)

    with Instrument("ws", Behaviour(reply_after=None)) as server:
        results = run_loop(twice(server.spec))
    assert [type(r) for r in results].count(RunSummary) == 1
    assert any("another process writes this run" in str(r) for r in results)


def test_a_system_with_one_session_is_called_one_at_a_time(items, tmp_path: Path) -> None:
    # Moshi's server lets a second caller wait; with 4 at once some would wait longer than 2 s and fail.
    with Instrument("moshi", Behaviour(reply_after=None)) as server:
        summary = go(server.spec, items[:4], tmp_path / "run", msgspec.structs.replace(SETTINGS, attempts=1))
    assert summary.counts == {"ok": 4}


def test_an_item_whose_audio_is_gone_is_counted(items, tmp_path: Path) -> None:
    Path(items[1].path()).unlink()
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        summary = go(server.spec, items[:3], tmp_path / "run")
    assert summary.counts == {"infrastructure": 1, "ok": 2}
    assert "missing file" in summary.first_why["infrastructure"]


def test_names_of_items_cannot_leave_the_folder(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    ids = ["../../etc/passwd", ".hidden", "名前", "a/b", "CON", "x" * 300]
    hostile = [dialogue(corpus, id) for id in ids]
    with Instrument("ws", Behaviour(reply_after=None)) as server:
        summary = go(server.spec, hostile, tmp_path / "run")
    assert summary.counts == {"ok": 6}
    opened = Run(tmp_path / "run")
    for item in hostile:
        seen = opened.observe(item.dialogue)
        assert opened.system(seen, item.dialogue)[1].status == "ok"
    assert {p.name for p in tmp_path.iterdir()} == {"corpus", "run"}


def test_no_key_is_in_any_file(items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-nobody-may-read-this-42"
    monkeypatch.setenv("MY_KEY", key)
    with Instrument("realtime", Behaviour(reply_after=0.25, reply=0.1, fault="echo-key", fault_at=0.2)) as server:
        summary = go(server.spec, items[:2], tmp_path / "run", key_env="MY_KEY")
    assert summary.counts == {"ok": 2}
    files = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert len(files) >= 6
    assert all(key.encode() not in p.read_bytes() for p in files)
    # The server did get it, and did send it back.
    assert any(b"[key]" in p.read_bytes() for p in files)
