"""Acted clips that people recorded: a folder with ``labels.csv`` (file, emotion, actor, and text where it is known)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.table import read_table
from duologue.errors import UserError
from duologue.understanding.classifier import Example, fit
from duologue.understanding.stretch import at_rate, voice

LABELS = "labels.csv"
# Of the classifier that is trained on other actors, to compare with.
_STRENGTH = 1.0


def read_clips(folder: Path) -> list[Example]:
    """The clips of ``folder``; UserError for a row whose file, label or actor is missing or unknown."""
    path = folder / LABELS
    if not path.is_file():
        raise UserError("no acted clips here", where=str(folder), allowed=f"{LABELS} with file, emotion, actor")
    rows = csv.DictReader(io.StringIO(read_table(path, 1 << 24)))
    missing = {"file", "emotion", "actor"} - set(rows.fieldnames or ())
    if missing:
        raise UserError("a column is missing", where=str(path), field=", ".join(sorted(missing)))
    found = []
    root = folder.resolve()
    for number, row in enumerate(rows, 2):
        where = f"{path}:{number}"
        label = DUOLOGUE.resolve(row["emotion"] or "", where=where)
        audio = (folder / (row["file"] or "")).resolve()
        if not audio.is_relative_to(root) or not audio.is_file():
            raise UserError("no such clip in the folder", where=where, field="file", value=row["file"])
        try:
            samples, rate = soundfile.read(audio, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError):
            raise UserError("not audio that can be read", where=where, field="file", value=row["file"]) from None
        heard, _ = voice(at_rate(np.ascontiguousarray(samples.mean(axis=1)), rate))
        actor = row["actor"] or ""
        found.append(
            Example(id=row["file"], label=label, text=row.get("text") or "", numbers=heard, clusters={"speaker": actor})
        )
    if not found:
        raise UserError("no clip is listed", where=str(path))
    return found


def actors_left_out(clips: Sequence[Example]) -> list[str]:
    """What a classifier of the voice, trained on the other actors' clips, hears in each clip."""
    told = [""] * len(clips)
    for actor in sorted({c.clusters["speaker"] for c in clips}):
        others = [c for c in clips if c.clusters["speaker"] != actor]
        if len({c.label for c in others}) < 2:
            continue
        fitted = fit(others, "voice", _STRENGTH)
        inside = [i for i, c in enumerate(clips) if c.clusters["speaker"] == actor]
        for i, label in zip(inside, fitted.tell([clips[i] for i in inside]), strict=True):
            told[i] = label
    return told
