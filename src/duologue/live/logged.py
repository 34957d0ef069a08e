"""Calls that were logged elsewhere: a folder of two-channel recordings becomes a run, and is diagnosed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.interval import Intervals
from duologue.corpus.observation import Observation, RunManifest
from duologue.corpus.recording import SUFFIXES, read_recording
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.live.call import Recording
from duologue.live.journal import Journal
from duologue.live.keep import keep
from duologue.live.source import RATE
from duologue.score.calls import Call, Calls, diagnose, together

# A line a call, beside the run's own files.
CALLS = "calls.jsonl"

Speech = Callable[[Sequence[npt.NDArray[np.float32]]], list[Intervals]]


def logged(folder: Path, out: Path, speech: Speech, *, advance: Callable[[int], None] = lambda n: None) -> Calls:
    """Every recording under ``folder``, channel 0 the user and channel 1 the system, as a run in ``out``, diagnosed.

    ``speech`` finds speech in channels (mono, 16 kHz). A file that cannot be used is told in its call; UserError where
    there is none at all.
    """
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder))
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UserError("no recordings found", where=str(folder), allowed=" ".join(sorted(SUFFIXES)))
    calls = []
    with Journal(out, RunManifest(system="logged calls", mode="files", parameters={"calls": len(paths)})) as journal:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            call, recording = _heard(path, name, speech)
            if name not in journal.done:
                why = call.why
                seen = (
                    Observation(id=name, status="failed", why=why) if recording is None else keep(out, name, recording)
                )
                journal.append(seen)
            calls.append(call)
            advance(1)
    write_atomic(out / CALLS, b"".join(msgspec.json.encode(c) + b"\n" for c in calls))
    return together(calls)


def _heard(path: Path, name: str, speech: Speech) -> tuple[Call, Recording | None]:
    try:
        read = read_recording(path, rate=RATE, keep_clipped=True)
        if read.samples.shape[1] != 2:
            allowed = "2: the user, the system"
            raise UserError(
                "not a call", where=str(path), field="channels", value=read.samples.shape[1], allowed=allowed
            )
    except UserError as error:
        return Call(name=name, why=error.message), None
    user, system = (np.ascontiguousarray(read.samples[:, k]) for k in (0, 1))
    found = speech([x.astype(np.float32) / np.float32(32_768) for x in (user, system)])
    return diagnose(name, found[0], found[1], len(user)), Recording(user=user, system=system, notes=read.notes)
