"""Timing extraction on 400 wavs in one run: ours beside the bare network and the official script's loop.

python benchmarks/score_duplex.py [--count 400] [--threads 2] [--torch-python PATH]

The wavs are made anew: 16 kHz mono exchanges of synthetic speech, 8 to 40 s long. Every way runs in a process of its
own, cold: start of Python, imports, loading of the network, reading, hearing, segments. Wall and CPU time are taken
around the whole process, the peak of its memory from the system.

- ours: SpeechDetector.many, merged over 0.6 s; "refined" also moves the edges (duologue.listen.edges)
- bare: nothing but runs of the network, over frames that lie ready in memory, the time of the runs alone. Once as the
  official graph, batched over 16 files with its state carried, and once as our own graph
- loop: silero-vad's get_speech_timestamps in PyTorch, file by file, as the challenge's script runs it. Needs a Python
  with torch and silero-vad==6.2.3 (--torch-python PATH); its segments are compared with ours, and the official graph
  is taken from it
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RATE, FRAME = 16_000, 512

LOOP = """
import json, sys, time
import soundfile, torch
from silero_vad import get_speech_timestamps, load_silero_vad
model = load_silero_vad()
found = []
for path in open(sys.argv[1]).read().split("\\n"):
    audio = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    found.append([[s["start"], s["end"]] for s in get_speech_timestamps(audio, model)])
json.dump(found, open(sys.argv[2], "w"))
"""


def make(folder: Path, count: int) -> list[Path]:
    """``count`` wavs of speech and pauses from 24 sentences of the fast voice; returns their paths."""
    import soundfile
    import soxr

    from duologue.generate.voices.espeak import EspeakVoice

    voice, rng = EspeakVoice(), np.random.default_rng(0)
    said = []
    for i in range(24):
        language = ("en", "zh")[i % 2]
        text = (Path(__file__).parent / f"texts_{language}.txt").read_text("utf-8").split("\n")[i // 2]
        speakers = voice.speakers(language)
        speech = voice.synthesise(text, language=language, speaker=speakers[i % len(speakers)].id)
        said.append(soxr.resample(speech.samples, speech.sample_rate, RATE).astype(np.float32))
    paths = []
    for n in range(count):
        length = int(rng.uniform(8, 40) * RATE)
        x = rng.normal(0, 10 ** (rng.uniform(-70, -45) / 20), length).astype(np.float32)
        at = int(rng.uniform(0.2, 2) * RATE)
        while at < length:
            clip = said[int(rng.integers(len(said)))][: length - at]
            x[at : at + len(clip)] += clip
            at += len(clip) + int(rng.exponential(1.5) * RATE)
        paths.append(folder / f"{n:04}.wav")
        soundfile.write(paths[-1], np.clip(x, -1, 1), RATE, subtype="PCM_16")
    return paths


def read(paths: list[Path]) -> Iterator[tuple[Path, Any, int]]:
    import soundfile

    for path in paths:
        yield path, *soundfile.read(path, dtype="float32")


def ours(paths: list[Path], threads: int, refined: bool) -> list[Any]:
    from duologue.corpus import interval
    from duologue.listen.edges import refine
    from duologue.listen.speech import SpeechDetector

    found = []
    heard = {}

    def kept() -> Iterator[tuple[Path, Any, int]]:
        for path, samples, rate in read(paths):
            if refined:
                heard[path] = samples
            yield path, samples, rate

    for path, segments in SpeechDetector(threads).many(kept()):
        merged = interval.merge_gaps(segments, 0.6 * RATE)
        if refined:
            merged = refine(heard.pop(path), RATE, merged)
        found.append(segments.tolist())
    return found


def bare_own(paths: list[Path]) -> float:
    """Seconds of CPU in runs of our graph, 256 frames at a time."""
    from duologue.listen import silero

    network = silero.Silero()
    session, spent = network._session, 0.0
    for _, x, _ in read(paths):
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (64, -len(x) % FRAME)), 64 + FRAME)[::FRAME]
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        for first in range(0, len(frames), 256):
            part = frames[first : first + 256]
            feed = {"windows": silero._windows(part), "shape": np.array([len(part), 1, 128])}
            began = time.process_time()
            _, hidden, cell = session.run(None, {**feed, "hidden": hidden, "cell": cell})
            spent += time.process_time() - began
    return spent


def bare_official(paths: list[Path], graph: str) -> float:
    """Seconds of CPU in runs of the official graph, batched over 16 files of like length, state carried."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    paths = sorted(paths, key=lambda p: p.stat().st_size)
    rate, spent = np.array(RATE, np.int64), 0.0
    for group in range(0, len(paths), 16):
        signals = [x for _, x, _ in read(paths[group : group + 16])]
        steps = -(-max(map(len, signals)) // FRAME)
        x = np.stack([np.pad(s, (64, steps * FRAME - len(s))) for s in signals])
        state = np.zeros((2, len(x), 128), np.float32)
        for at in range(0, steps * FRAME, FRAME):
            # Files that are over drop out, so that none of the time goes to padding.
            going = sum(len(s) > at for s in signals)
            frame = np.ascontiguousarray(x[-going:, at : at + 64 + FRAME])
            state = np.ascontiguousarray(state[:, -going:])
            began = time.process_time()
            _, state = session.run(None, {"input": frame, "state": state, "sr": rate})
            spent += time.process_time() - began
    return spent


def apart(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Run ``command`` to its end: wall seconds, CPU seconds, peak MB of it alone."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch-python", default="", help="a Python with torch and silero-vad==6.2.3")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        paths = [Path(p) for p in given.files.read_text().split("\n")]
        part, _, extra = given.part.partition(":")
        results = {
            "ours": lambda: ours(paths, given.threads, False),
            "refined": lambda: ours(paths, given.threads, True),
            "own": lambda: bare_own(paths),
            "official": lambda: bare_official(paths, extra),
        }
        given.out.write_text(json.dumps(results[part]()))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = make(folder, given.count)
        seconds = sum(p.stat().st_size - 44 for p in paths) / 2 / RATE
        files, out = folder / "files", folder / "out.json"
        files.write_text("\n".join(map(str, paths)))
        few = folder / "few"
        few.write_text("\n".join(map(str, paths[: max(1, given.count // 10)])))

        def run(part: str, threads: int = 1, listed: Path = files) -> tuple[float, float, float]:
            me = [sys.executable, __file__, "--part", part, "--files", str(listed), "--out", str(out)]
            return apart([*me, "--threads", str(threads)])

        def show(name: str, wall: float, cpu: float, peak: float) -> None:
            print(f"{name:46}{wall:8.2f}{cpu:8.2f}{seconds / wall:9.0f}{seconds / cpu:9.0f}{peak:8.0f}", flush=True)

        print(f"{given.count} wavs, {seconds:.0f} s of audio, {os.cpu_count()} cores")
        print(f"{'':46}{'wall, s':>8}{'CPU, s':>8}{'x real':>9}{'x a CPU':>9}{'MB':>8}")
        mine = run("ours", 1)
        show("ours, 1 thread", *mine)
        segments = json.loads(out.read_text())
        threaded = run("ours", given.threads)
        show(f"ours, {given.threads} threads", *threaded)
        same = json.loads(out.read_text()) == segments
        print(f"  the same segments with {given.threads} threads as with one: {'yes' if same else 'NO'}")
        show("ours and refined edges, 1 thread", *run("refined", 1))
        _, _, small = run("ours", 1, few)
        print(f"  memory: peak {small:.0f} MB on a tenth of the files, {mine[2]:.0f} MB on all")
        run("own")
        own = float(json.loads(out.read_text()))
        print(f"{'bare: our graph, time of runs alone':46}{'':8}{own:8.2f}{'':9}{seconds / own:9.0f}")
        print(f"  ours (CPU, cold, reading included) / bare own graph: {mine[1] / own:.2f}")
        if not given.torch_python:
            print("bare official graph and PyTorch loop: not run; name a Python that has them with --torch-python")
            return
        where = "import importlib.util as u; print(u.find_spec('silero_vad').submodule_search_locations[0])"
        place = subprocess.run([given.torch_python, "-c", where], capture_output=True, text=True, check=True).stdout
        run(f"official:{place.strip()}/data/silero_vad.onnx")
        official = float(json.loads(out.read_text()))
        print(f"{'bare: official graph batched, runs alone':46}{'':8}{official:8.2f}{'':9}{seconds / official:9.0f}")
        print(f"  ours (CPU, cold, reading included) / bare official graph: {mine[1] / official:.2f}")
        loop = apart([given.torch_python, "-c", LOOP, str(files), str(out)])
        show("loop: Silero in PyTorch, file by file", *loop)
        theirs = json.loads(out.read_text())
        equal = sum(a == b for a, b in zip(segments, theirs, strict=True))
        print(f"  files with the very same segments: {equal} of {len(paths)}")
        print(
            f"  loop / ours: wall {loop[0] / threaded[0]:.1f} with {given.threads} threads, CPU {loop[1] / mine[1]:.1f}"
        )


if __name__ == "__main__":
    main()
