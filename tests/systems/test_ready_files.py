"""A folder of outputs as a system, run into a run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duologue.corpus.run import Run
from duologue.errors import UserError
from duologue.live.call import CallSettings
from duologue.live.loop import run_loop
from duologue.live.run import RunSettings, run
from duologue.systems.spec import open_system

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from callers import dialogue


def test_ready_files_become_a_run(tmp_path: Path) -> None:
    corpus, outputs = tmp_path / "corpus", tmp_path / "outputs"
    corpus.mkdir()
    outputs.mkdir()
    items = [dialogue(corpus, f"d{i}") for i in range(4)]
    tone = (8000 * np.sin(np.arange(9600) / 5)).astype(np.int16)
    soundfile.write(outputs / "d0.wav", tone, 16_000)
    (outputs / "d0.json").write_text('{"text": "ok", "chunks": [{"text": "ok", "timestamp": [0.1, 0.3]}]}')
    soundfile.write(outputs / "d1.wav", np.tile(tone, 5), 16_000)
    (outputs / "d2.wav").write_bytes(b"RIFF")
    system = open_system(f"files:{outputs}")
    settings = RunSettings(call=CallSettings(tail=0.5), sessions=2)
    summary = run_loop(run(system, items, tmp_path / "run", settings, mode="files"))
    assert summary.expected == 4
    assert summary.counts == {"failed": 1, "missing": 1, "ok": 2}
    assert "d2.wav" in summary.first_why["failed"]
    opened = Run(tmp_path / "run")
    first, second = (opened.observe(i.dialogue) for i in items[:2])
    x, _ = opened.system(first, items[0].dialogue)
    assert (np.rint(x * 32_768) == tone).all()
    assert [w.text for w in first.words] == ["ok"] and first.words_from == "run"
    # 3 s of output for 0.6 s of user: heard for as long as a call would have listened.
    assert second.length == round(1.1 * 16_000)
    assert any("left out" in n for n in second.notes)
    # The user's own audio lies beside it.
    both, _ = soundfile.read(tmp_path / "run" / first.audio, dtype="int16")
    assert (both[:, 0] == items[0].audio(role="user", dtype="int16")[0]).all()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        open_system(f"files:{tmp_path / 'nothing'}")
