"""MELD-style CSV (Poria et al. 2019): an utterance a row with speaker, emotion, dialogue and utterance number.

Columns Utterance, Speaker, Emotion, Dialogue_ID, Utterance_ID, in any case and order; others are kept by nobody.
"""

from __future__ import annotations

from pathlib import Path

from duologue.formats.conversation import Conversation, Row, TextOptions, files, land, table
from duologue.formats.format import ImportOptions, ImportReport, Problem

OPTIONS = TextOptions
COLUMNS = ("utterance", "speaker", "emotion", "dialogue_id", "utterance_id")


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the CSV file ``src``, or of those in the folder."""
    assert isinstance(options, TextOptions)
    problems: list[Problem] = []
    notes: list[str] = []
    found: dict[tuple[str, str], Conversation] = {}
    rows = 0
    for path in files(src, ".csv", "MELD files"):
        for where, cells in table(path, COLUMNS, notes):
            rows += 1
            id, number = cells["dialogue_id"].strip(), cells["utterance_id"].strip()
            if not id or not number.isdecimal():
                problems.append(Problem(where=where, what=f"no place in a dialogue: {id!r}, {number!r}"))
                continue
            c = found.setdefault((path.name, id), Conversation(id=id, file=path.name))
            emotion = cells["emotion"].strip()
            if not emotion:
                problems.append(Problem(where=where, what="no emotion"))
            c.rows.append(
                Row(
                    where=where,
                    number=int(number),
                    speaker=cells["speaker"],
                    text=cells["utterance"],
                    emotions=[("source labels", emotion)] if emotion else [],
                )
            )
    return land("meld", found.values(), out, options, problems, notes, language="en", rows=rows)
