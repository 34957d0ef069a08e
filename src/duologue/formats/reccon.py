"""RECCON-style JSON (Poria et al. 2021): emotions by utterance, causes as utterance numbers and words.

``{"tr_1": [[{"turn": 1, "speaker": "A", "utterance": "...", "emotion": "happiness", "expanded emotion cause evidence":
[1], "expanded emotion cause span": ["..."], "type": ["no-context"]}]]}``. Evidence "b" is background that is not said
in the dialogue: it has no words to point at, and is counted in a note.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duologue.corpus.annotation import CauseKind
from duologue.formats.conversation import Conversation, Row, TextOptions, Told, files, json_of, land
from duologue.formats.format import ImportOptions, ImportReport, Problem

OPTIONS = TextOptions
_KINDS: dict[str, CauseKind] = {"inter-personal": "interpersonal", "self-contagion": "self", "latent": "latent"}


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the JSON file ``src``, or of those in the folder."""
    assert isinstance(options, TextOptions)
    problems: list[Problem] = []
    notes: list[str] = []
    found: list[Conversation] = []
    rows = background = 0
    for path in files(src, ".json", "RECCON files"):
        data = json_of(path, notes)
        if not isinstance(data, dict):
            problems.append(Problem(where=path.name, what="not an object of dialogues by id"))
            continue
        for id, value in data.items():
            turns = value[0] if isinstance(value, list) and value and isinstance(value[0], list) else value
            c = Conversation(id=str(id), file=path.name)
            for k, turn in enumerate(turns if isinstance(turns, list) else []):
                rows += 1
                where = f"{path.name}: {id}[{k}]"
                if not isinstance(turn, dict) or not isinstance(number := turn.get("turn", k + 1), int):
                    problems.append(
                        Problem(where=where, what="not an utterance: an object with turn, speaker, utterance")
                    )
                    continue
                emotion = str(turn.get("emotion", ""))
                c.rows.append(
                    Row(
                        where=where,
                        number=number,
                        speaker=str(turn.get("speaker", "")),
                        text=str(turn.get("utterance", "")),
                        emotions=[("source labels", emotion)] if emotion else [],
                    )
                )
                causes, missing = _causes(where, number, turn)
                c.causes += causes
                background += missing
            found.append(c)
    if background:
        notes.append(f"{background} causes lie in the background of a dialogue, not in its words: left out")
    return land("reccon", found, out, options, problems, notes, language="en", rows=rows)


def _causes(where: str, number: int, turn: dict[str, Any]) -> tuple[list[Told], int]:
    evidence = turn.get("expanded emotion cause evidence") or []
    spans = turn.get("expanded emotion cause span") or []
    kinds = turn.get("type") or []
    found, background = [], 0
    for k, at in enumerate(evidence if isinstance(evidence, list) else []):
        words = spans[k] if isinstance(spans, list) and k < len(spans) else ""
        if not isinstance(at, int):
            background += 1
            continue
        kind = _KINDS.get(str(kinds[0])) if isinstance(kinds, list) and kinds else None
        found.append(Told(where=where, emotion=number, evidence=at, words=str(words), kind=kind or "event"))
    return found, background
