"""A local command as a system: real processes, well-behaved and not."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from duologue.errors import UserError
from duologue.systems.session import SessionError
from duologue.systems.spec import open_system
from duologue.systems.system import Answer, OfflineSystem, Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from callers import dialogue, voice

USER = voice([(0.1, 0.3)], 0.5)


def ask(tmp_path: Path, code: str, *, time_limit: float = 20.0, arguments: str = "{input} {output}") -> Answer:
    """Run Python ``code`` as the command on a short user; ``sys.argv[1:]`` are input and output."""
    script = tmp_path / "in fer.py"  # a name that a shell would split
    script.write_text(code)
    item = dialogue(tmp_path, "secret-name")
    system = open_system(f"command:{sys.executable} '{script}' {arguments}", Settings(time_limit=time_limit))
    assert isinstance(system, OfflineSystem)
    return asyncio.run(system.answer(item.dialogue, USER, 16_000))


def fails(tmp_path: Path, code: str, **more) -> SessionError:
    with pytest.raises(SessionError) as caught:
        ask(tmp_path, code, **more)
    assert caught.value.message.startswith("command:")
    return caught.value


def test_it_hears_the_user_and_is_heard(tmp_path: Path) -> None:
    code = """
import soundfile, sys, json, pathlib
x, rate = soundfile.read(sys.argv[1], dtype="int16")
assert (rate, x.ndim) == (16000, 1)
assert not any("secret-name" in a for a in sys.argv)
soundfile.write(sys.argv[2], x[::-1], rate)
chunks = [{"text": "hi", "timestamp": [0.1, 0.2]}]
pathlib.Path(sys.argv[2]).with_suffix(".json").write_text(json.dumps({"text": "hi", "chunks": chunks}))
"""
    answer = ask(tmp_path, code)
    assert (answer.pcm == USER[::-1]).all() and answer.sample_rate == 16_000
    assert [tuple(w.__getattribute__(f) for f in ("text", "start", "end")) for w in answer.words] == [
        ("hi", 1600, 3200)
    ]
    assert answer.words_from == "run"


def test_another_rate_and_two_channels_are_taken_and_said(tmp_path: Path) -> None:
    code = """
import numpy, soundfile, sys
soundfile.write(sys.argv[2], numpy.full((24000, 2), 0.25), 48000)
"""
    answer = ask(tmp_path, code)
    assert len(answer.pcm) == 8000
    assert abs(int(answer.pcm[4000]) - 8192) <= 2


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("pass", "missing", "wrote no output"),
        ("raise SystemExit('no licence for this model')", "system", "exit code 1: no licence for this model"),
        ("import os; os.kill(os.getpid(), 11)", "system", "signal 11"),
        ("import sys; open(sys.argv[2], 'w').write('hello')", "system", "not audio"),
        ("import sys; open(sys.argv[2], 'w')", "system", "an empty file"),
        (
            "import numpy, soundfile, sys; x = numpy.zeros(800); x[7] = numpy.nan\n"
            "soundfile.write(sys.argv[2], x, 16000, subtype='FLOAT')",
            "system",
            "1 samples are NaN or infinite",
        ),
        ("import os, sys; os.mkdir(sys.argv[2])", "missing", "wrote no output"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence(tmp_path: Path, code: str, kind: str, said: str) -> None:
    error = fails(tmp_path, code)
    assert (error.kind, error.passing) == (kind, False)
    assert said in error.message and "\n" not in error.message


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """The child ignores the polite signal and has a child of its own; none of them survives."""
    pids = tmp_path / "pids"
    code = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""
    error = fails(tmp_path, code, time_limit=3.0)
    assert "longer than 3 s" in error.message and error.kind == "system"
    for pid in map(int, pids.read_text().split()):
        assert gone(pid)


def test_children_that_outlive_a_command_are_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pids)!r}, "w").write(str(child.pid))
"""
    fails(tmp_path, code)
    assert gone(int(pids.read_text()))


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    code = "import sys\nprint(sys.argv, file=sys.stderr)\nraise SystemExit(3)"
    error = fails(tmp_path, code, arguments="{input} {output} '$(touch hacked)' ';' '*'")
    assert "'$(touch hacked)', ';', '*'" in error.message


def test_a_cancelled_run_ends_the_command(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    script = tmp_path / "slow.py"
    script.write_text(f"import os, time\nopen({str(pids)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    item = dialogue(tmp_path, "d")
    system = open_system(f"command:{sys.executable} {script} {{input}} {{output}}")

    async def cancel() -> None:
        task = asyncio.create_task(system.answer(item.dialogue, USER, 16_000))
        while not (pids.exists() and pids.read_text()):
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert gone(int(pids.read_text()))


@pytest.mark.parametrize("spec", ["command:./infer {input}", "command:./infer {output}", "command:./infer 'x"])
def test_a_command_without_its_places_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match=r"\{input\}|\{output\}|not a command"):
        open_system(spec)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    item = dialogue(tmp_path, "d")
    system = open_system("command:/no/such/program {input} {output}")
    with pytest.raises(SessionError, match="cannot be run: No such file") as caught:
        asyncio.run(system.answer(item.dialogue, np.zeros(10, np.int16), 16_000))
    assert caught.value.kind == "infrastructure"
