"""Acted clips that people recorded, as examples of the voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from duologue.errors import UserError
from duologue.listen.acted import LABELS, read_acted
from duologue.understanding.classifier import Example, fit
from duologue.understanding.stretch import at_rate, voice

# Of the classifier that is trained on other actors, to compare with.
_STRENGTH = 1.0


def read_clips(folder: Path) -> list[Example]:
    """The clips of ``folder``; UserError for a row whose file, label or actor is missing or unknown."""
    found = []
    for clip in read_acted(folder):
        heard, _ = voice(at_rate(np.ascontiguousarray(clip.samples), clip.rate))
        found.append(
            Example(id=clip.file, label=clip.label, text=clip.text, numbers=heard, clusters={"speaker": clip.actor})
        )
    if not found:
        raise UserError("no clip is listed", where=str(folder / LABELS))
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
