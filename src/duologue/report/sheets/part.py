"""Who has to read what: a file of scripts dealt out to its actors."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from duologue.corpus.emotion import DUOLOGUE
from duologue.corpus.speaker import Role
from duologue.errors import UserError
from duologue.generate.script import Line
from duologue.generate.scripts.written import Written, read_scripts
from duologue.recordings.person import Person
from duologue.report.sheets.deal import Cast
from duologue.report.sheets.direction import directions

# Reading rates of the estimate of minutes.
WORDS_PER_SECOND = 2.5
HANZI_PER_SECOND = 4.5

_HANZI = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a dialogue. ``number`` counts the dialogue's lines from 1; ``mine`` says that it is this actor's."""

    number: int
    key: str
    line: Line
    directions: tuple[str, ...]
    mine: bool

    @property
    def file(self) -> str:
        return f"{self.key}.wav"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one actor reads in one language: each dialogue with all its lines, so that cues can be seen.

    ``name`` is the sheet's file name without ending; ``known`` says that ``speaker`` comes from a cast.
    """

    name: str
    speaker: str
    known: bool
    language: str
    roles: tuple[str, ...]
    dialogues: tuple[tuple[str, tuple[Entry, ...]], ...]

    @property
    def mine(self) -> list[Entry]:
        return [e for _, entries in self.dialogues for e in entries if e.mine]

    @property
    def seconds(self) -> float:
        """Estimated reading time."""
        return sum(seconds(e.line.text) for e in self.mine)


def seconds(text: str) -> float:
    """Estimated time to read ``text``: hanzi / 4.5 + other words / 2.5."""
    hanzi, rest = len(_HANZI.findall(text)), _HANZI.sub(" ", text)
    return hanzi / HANZI_PER_SECOND + len(_WORD.findall(rest)) / WORDS_PER_SECOND


def parts_of(
    path: str | Path, role: str = "", language: str = "", people: Mapping[str, Person] | None = None
) -> tuple[Part, ...]:
    """The parts in ``path``, by name; of lines of ``role`` and scripts in ``language`` only, where given.

    ``people`` read in place of the planned speakers; where none of them reads for the system, nobody does.
    UserError where the file cannot be read, a script contradicts itself or nothing is left to read.
    """
    dealt: dict[tuple[str, str, str], list[tuple[str, tuple[Entry, ...]]]] = {}
    roles: dict[tuple[str, str, str], set[str]] = {}
    ids: set[str] = set()
    reads = _cast(path, role, language, people).reads if people is not None else None
    for number, written in read_scripts(path):
        where = f"{path}:{number}"
        _whole(written, where)
        if written.id.casefold() in ids:
            raise UserError("two scripts have one id", where=where, field="id", value=written.id)
        ids.add(written.id.casefold())
        spoken = written.script.language
        if language and spoken != language:
            continue
        cast: dict[str, tuple[str, str]] = {c.role: (c.voice, c.speaker) for c in written.cast}
        if reads is not None:
            cast = {r: ("cast", reads.get((written.id, r), "")) for r in {x.role for x in written.script.lines}}
        owners = [(*cast.get(x.role, ("", x.role)), spoken) for x in written.script.lines]
        read = {o for o, x in zip(owners, written.script.lines, strict=True) if o[1] and role in ("", x.role)}
        told = _directions(written, where)
        for owner in sorted(read):
            entries = tuple(
                Entry(
                    number=i,
                    key=f"{written.id}_{i:02d}",
                    line=line,
                    directions=told[i - 1],
                    mine=owners[i - 1] == owner and (not role or line.role == role),
                )
                for i, line in enumerate(written.script.lines, 1)
            )
            dealt.setdefault(owner, []).append((written.id, entries))
            roles.setdefault(owner, set()).update(e.line.role for e in entries if e.mine)
    if not dealt:
        raise UserError("no line to read", where=str(path), mend="choose another --role or --language")
    name_of = names(dealt)
    return tuple(
        Part(
            name=name_of[owner],
            speaker=owner[1],
            known=bool(owner[0]),
            language=owner[2],
            roles=tuple(sorted(roles[owner])),
            dialogues=tuple(dealt[owner]),
        )
        for owner in sorted(dealt, key=lambda o: name_of[o])
    )


def _cast(path: str | Path, role: str, language: str, people: Mapping[str, Person]) -> Cast:
    cast = Cast(people)
    for number, written in read_scripts(path):
        if language and written.script.language != language:
            continue
        here: dict[Role, float] = {}
        for x in written.script.lines:
            if role in ("", x.role):
                here[x.role] = here.get(x.role, 0.0) + seconds(x.text)
        if here:
            cast.add(written, f"{path}:{number}", here)
    cast.deal()
    return cast


def _directions(written: Written, where: str) -> list[tuple[str, ...]]:
    script, taxonomy = written.script, written.brief.taxonomy or DUOLOGUE
    try:
        return [directions(x, script.lines, script.language, taxonomy) for x in script.lines]
    except UserError as error:
        raise UserError(error.what, where=where, field="feeling", value=error.value, allowed=error.allowed) from None


def _whole(written: Written, where: str) -> None:
    """UserError where an id is no file name or an index points outside."""
    mend = "'duologue scripts check' lists all that is wrong"
    if not _ID.fullmatch(written.id):
        raise UserError("cannot name a file", where=where, field="id", value=written.id, allowed="letters, digits, ._-")
    lines = written.script.lines
    for i, line in enumerate(lines):
        at, length = f"script.lines[{i}]", len(line.text)
        if not 0 <= line.feeling.intensity <= 3:
            raise UserError(
                "no intensity",
                where=where,
                field=f"{at}.feeling",
                value=line.feeling.intensity,
                allowed="0 to 3",
                mend=mend,
            )
        if line.over is not None and not 0 <= line.over < len(lines):
            raise UserError("no such line", where=where, field=f"{at}.over", value=line.over, mend=mend)
        if line.emphasis is not None and not 0 <= line.emphasis[0] < line.emphasis[1] <= length:
            raise UserError("outside the text", where=where, field=f"{at}.emphasis", value=line.emphasis, mend=mend)
        if any(not 0 <= p <= length for p in line.pause_at):
            raise UserError("outside the text", where=where, field=f"{at}.pause_at", value=line.pause_at, mend=mend)


def names(owners: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """A file name for each (voice, speaker, language); those that would be the same in a folder get a hash."""
    plain = {o: "-".join(re.sub(r"[^A-Za-z0-9]+", "-", x).strip("-")[:40] or "x" for x in o[1:]) for o in owners}
    count = Counter(n.casefold() for n in plain.values())
    return {
        o: n if count[n.casefold()] == 1 else f"{n}-{hashlib.sha256(repr(o).encode()).hexdigest()[:8]}"
        for o, n in plain.items()
    }
