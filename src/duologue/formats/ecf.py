"""ECF-style JSON (Xia & Ding 2019; SemEval-2024 Task 3): emotion-cause pairs, with or without the words of the cause.

``[{"conversation_ID": 1, "conversation": [{"utterance_ID": 1, "text": "...", "speaker": "A", "emotion": "joy"}],
"emotion-cause_pairs": [["3_joy", "1_words"], ["3_joy", "1"], ["3_joy", "1_0_4"]]}]``: in the last form the numbers
count tokens between spaces, half-open. A pair without words points at the whole utterance.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from duologue.formats.conversation import Conversation, Row, TextOptions, Told, files, json_of, land
from duologue.formats.format import ImportOptions, ImportReport, Problem

OPTIONS = TextOptions


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the JSON file ``src``, or of those in the folder."""
    assert isinstance(options, TextOptions)
    problems: list[Problem] = []
    notes: list[str] = []
    found: list[Conversation] = []
    rows = 0
    for path in files(src, ".json", "ECF files"):
        data = json_of(path, notes)
        for n, entry in enumerate(data if isinstance(data, list) else [data]):
            if not isinstance(entry, dict) or not isinstance(entry.get("conversation"), list):
                problems.append(Problem(where=f"{path.name}[{n}]", what="not a conversation"))
                continue
            c = Conversation(id=str(entry.get("conversation_ID", n)), file=path.name)
            for k, u in enumerate(entry["conversation"]):
                rows += 1
                where = f"{path.name}: conversation {c.id}[{k}]"
                if not isinstance(u, dict) or not isinstance(number := u.get("utterance_ID", k + 1), int):
                    problems.append(Problem(where=where, what="not an utterance: an object with utterance_ID, text"))
                    continue
                emotion = str(u.get("emotion", ""))
                c.rows.append(
                    Row(
                        where=where,
                        number=number,
                        speaker=str(u.get("speaker", "")),
                        text=str(u.get("text", "")),
                        emotions=[("source labels", emotion)] if emotion else [],
                    )
                )
            texts = {r.number: " ".join(r.text.split()) for r in c.rows}
            for pair in entry.get("emotion-cause_pairs") or []:
                where = f"{path.name}: conversation {c.id}"
                if (told := _told(where, pair, texts)) is None:
                    problems.append(Problem(where=where, what=f"not a pair of emotion and cause: {str(pair)[:80]}"))
                else:
                    c.causes.append(told)
            found.append(c)
    return land("ecf", found, out, options, problems, notes, language="en", rows=rows)


def _told(where: str, pair: Any, texts: dict[int, str]) -> Told | None:
    if not (isinstance(pair, list) and len(pair) == 2):
        return None
    felt, cause = str(pair[0]).partition("_"), re.fullmatch(r"(\d+)(?:_(.*))?", str(pair[1]), re.S)
    if not felt[0].isdecimal() or cause is None:
        return None
    evidence, words = int(cause[1]), cause[2] or ""
    if tokens := re.fullmatch(r"(\d+)_(\d+)", words):
        text = texts.get(evidence, "")
        spans = [m.span() for m in re.finditer(r"\S+", text)]
        a, b = int(tokens[1]), int(tokens[2])
        if a < b <= len(spans):
            return Told(where=where, emotion=int(felt[0]), evidence=evidence, span=(spans[a][0], spans[b - 1][1]))
    return Told(where=where, emotion=int(felt[0]), evidence=evidence, words=words)
