"""Acted clips that people recorded: a folder with ``labels.csv`` (file, emotion, actor, and text where it is known)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.table import read_table
from duologue.errors import UserError

LABELS = "labels.csv"


class ActedClip(NamedTuple):
    """One clip; ``samples`` are float32 [length] at ``rate``, the mean of its channels."""

    file: str
    label: str
    actor: str
    text: str
    samples: npt.NDArray[np.float32]
    rate: int


def read_acted(folder: Path) -> Iterator[ActedClip]:
    """The clips of ``folder`` in turn; UserError for a row whose file, label or actor is missing or unknown."""
    path = folder / LABELS
    if not path.is_file():
        raise UserError("no acted clips here", where=str(folder), allowed=f"{LABELS} with file, emotion, actor")
    rows = csv.DictReader(io.StringIO(read_table(path, 1 << 24)))
    if missing := {"file", "emotion", "actor"} - set(rows.fieldnames or ()):
        raise UserError("a column is missing", where=str(path), field=", ".join(sorted(missing)))
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
        yield ActedClip(row["file"], label, row["actor"] or "", row.get("text") or "", samples.mean(axis=1), rate)
