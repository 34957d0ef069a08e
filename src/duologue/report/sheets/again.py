"""Sheets of lines that a manifest asks for and nobody has recorded: what is to be read again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from duologue.generate.script import Line
from duologue.recordings.manifest import ScriptedLine
from duologue.report.sheets.part import Entry, Part, names


def parts_again(lines: Iterable[ScriptedLine]) -> tuple[Part, ...]:
    """One part a speaker and language, with the directions that the manifest holds and without the others' cues."""
    dealt: dict[tuple[str, str, str], dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        entry = Entry(
            number=line.number,
            key=line.key,
            line=Line(role="user", to="system", text=line.text),
            directions=(line.direction,),
            mine=True,
        )
        dealt["again", line.speaker, line.language][line.dialogue].append(entry)
    name_of = names(dealt)
    return tuple(
        Part(
            name=name_of[owner],
            speaker=owner[1],
            known=True,
            language=owner[2],
            roles=(),
            dialogues=tuple((id, tuple(entries)) for id, entries in dealt[owner].items()),
        )
        for owner in sorted(dealt, key=lambda o: name_of[o])
    )
