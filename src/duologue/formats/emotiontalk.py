"""EmotionTalk-style CSV (Sun et al. 2025): Mandarin dyads, an utterance a row, emotions judged by text, voice or both.

``transcription.csv`` (name, emotion, chinese) has the words; ``audio.csv`` and ``mm.csv`` (file_name, emotion) beside
it, where they are there, give what was judged by the voice and by all channels. A name is
``group/dialogue/dialogue_speaker/dialogue_speaker_number``. Marks such as ``[over/]...[/over]`` and ``[laughing]``
leave the text and become labels; the many malformed ones (``[over/words]``, ``[[/over]``) too, and words inside stay.
"""

from __future__ import annotations

import re
from pathlib import Path

from duologue.errors import UserError
from duologue.formats.conversation import Conversation, Row, TextOptions, land, table
from duologue.formats.format import ImportOptions, ImportReport, Problem

OPTIONS = TextOptions
TEXT, FURTHER = "transcription.csv", {"audio.csv": "judged by voice", "mm.csv": "judged by all channels"}
_NAME = re.compile(r"(?:.*/)?(?P<dialogue>[^/]+)_(?P<speaker>\d+)_(?P<number>\d+)")
_SOUND = {
    "over": "overlap",
    "interrupted": "interrupted",
    "laughing": "laughter",
    "sobbing": "sobbing",
    "crying": "crying",
    "screaming": "screaming",
}
_MARK = re.compile(rf"\[+\s*/?\s*({'|'.join(_SOUND)})\s*/?\s*([^\[\]]*)\]*", re.I)
_WELL_FORMED = re.compile(rf"\[(?:over/|/over|{'|'.join(k for k in _SOUND if k != 'over')})\]", re.I)


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the folder ``src`` that holds transcription.csv (somewhere below it)."""
    assert isinstance(options, TextOptions)
    found = [src] if src.is_file() else sorted(src.rglob(TEXT))
    if len(found) != 1:
        raise UserError(f"{len(found)} files {TEXT} found", where=str(src), allowed="one")
    path = found[0]
    problems: list[Problem] = []
    notes: list[str] = []
    heard: dict[str, list[tuple[str, str]]] = {}
    for name, rater in FURTHER.items():
        if (beside := path.with_name(name)).is_file():
            for _, cells in table(beside, ("file_name", "emotion"), notes):
                id = cells["file_name"].rpartition(".")[0] or cells["file_name"]
                heard.setdefault(id, []).append((rater, cells["emotion"].strip()))
    dialogues: dict[str, Conversation] = {}
    rows = malformed = 0
    for where, cells in table(path, ("name", "emotion", "chinese"), notes):
        rows += 1
        name = cells["name"].strip()
        match = _NAME.fullmatch(name)
        if match is None:
            problems.append(Problem(where=where, what=f"not a name of an utterance: {name[:80]!r}"))
            continue
        text, marks, odd = unmarked(cells["chinese"])
        malformed += odd
        emotion = cells["emotion"].strip()
        dialogue = match["dialogue"]
        c = dialogues.setdefault(dialogue, Conversation(id=dialogue, file=path.name))
        c.rows.append(
            Row(
                where=where,
                number=int(match["number"]),
                speaker=f"{dialogue.partition('_')[0]}-{match['speaker']}",
                text=text,
                text_raw=cells["chinese"],
                emotions=[*([("judged by text", emotion)] if emotion else []), *heard.pop(name, [])],
                marks=marks,
            )
        )
    if malformed:
        notes.append(f"{malformed} rows with malformed marks: the marks were taken out, the words in them kept")
    if heard:
        notes.append(f"{len(heard)} rows of {', '.join(FURTHER)} have no words in {TEXT} (first: {next(iter(heard))})")
    return land("emotiontalk", dialogues.values(), out, options, problems, notes, language="zh", rows=rows)


def unmarked(text: str) -> tuple[str, dict[str, str], bool]:
    """The words of ``text``, what its marks say, and whether any mark is malformed."""
    marks = {_SOUND[m[1].casefold()]: "yes" for m in _MARK.finditer(text)}
    words = _MARK.sub(lambda m: m[2], text)
    odd = bool(re.search(r"[\[\]]", _WELL_FORMED.sub("", text)))
    opened, closed = len(re.findall(r"\[over/\]", text)), len(re.findall(r"\[/over\]", text))
    return re.sub(r"[\[\]]", "", words), dict(sorted(marks.items())), odd or opened != closed
