"""Check a submission: everything that is wrong with it, in one pass, before anything is unpacked.

The archive comes first (``archive.py``). Where it is not sound, names are still compared with what is expected, but
nothing inside is read. Contents are read as a stream; no file is written.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from duologue.challenge.submission import name as names
from duologue.challenge.submission.archive import Archive, BadArchive, Member
from duologue.challenge.submission.expected import (
    CARD,
    DECLARATION,
    REPORT,
    RUN,
    Expected,
    ExpectedAudio,
    bounds,
)
from duologue.challenge.submission.limits import MIB, Limits
from duologue.challenge.submission.lines import check_answers, check_dialogues, check_transcript
from duologue.challenge.submission.pages import LARGEST as LARGEST_PDF
from duologue.challenge.submission.pages import NotPdf, count_pages
from duologue.challenge.submission.problem import Level, Problem, Problems, shown
from duologue.challenge.submission.rules import SubmissionRules
from duologue.challenge.submission.wav import MOST_AROUND, NotWav, kind, read_wav, sample_bytes
from duologue.corpus.bounds import Name
from duologue.errors import MissingPartError, UserError
from duologue.protect.declaration_rules import check_declaration
from duologue.protect.declaration_signed import LARGEST as LARGEST_SIGNED
from duologue.protect.declaration_signed import verify

FORMAT = "duologue-submission/1"
LARGEST_TEXT = 32 * MIB
LARGEST_CARD = 64 * 1024
_PLACEHOLDER = "YOUR "
# Files that operating systems leave in folders.
_JUNK = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``submission.json``: who submits what for which test set."""

    format: str
    team: Name
    system: Name
    test_set: str
    contact: str = ""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How often one thing was wrong; ``problems`` of a report lists the first hundred of each."""

    what: str
    level: Level
    count: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. ``accepted`` where there is no error.

    ``present`` of the ``expected`` items are there, whether sound or not. ``seconds`` is the length of the audio that
    could be read, ``pages`` of the report. ``sha256`` is of the zip file, "" where the archive is not sound.
    """

    file: str
    sha256: str
    layout: str
    track: str
    test_set: str
    expected: int
    present: int
    accepted: bool
    errors: int
    warnings: int
    counts: tuple[Count, ...] = ()
    problems: tuple[Problem, ...] = ()
    team: str = ""
    system: str = ""
    pages: int | None = None
    seconds: float = 0.0


def check(path: Path, expected: Expected, rules: SubmissionRules | None = None) -> Report:
    """Everything that is wrong with the zip file ``path``, held against what is ``expected``.

    Whatever the file holds ends in a report; UserError only where there is no file.
    """
    with opened(path, expected, rules) as (archive, problems):
        return check_archive(path, archive, problems, expected, rules)


class opened:  # noqa: N801 - a context
    """The archive at ``path`` under the limits of what is ``expected``, with the problems that it has so far."""

    def __init__(self, path: Path, expected: Expected, rules: SubmissionRules | None = None) -> None:
        if not path.exists():
            raise UserError("no such file", where=str(path))
        self._problems = Problems()
        self._archive = Archive(path, limits_of(expected, rules or SubmissionRules()), self._problems)

    def __enter__(self) -> tuple[Archive, Problems]:
        return self._archive, self._problems

    def __exit__(self, *_: object) -> None:
        self._archive.close()


def limits_of(expected: Expected, rules: SubmissionRules) -> Limits:
    """Limits that what is expected cannot reach."""
    audio = [_most_bytes(a, rules) for a in expected.audio]
    texts = len(expected.text_files) * LARGEST_TEXT
    transcripts = sum(_transcripts(expected).values())
    rest = LARGEST_PDF + LARGEST_SIGNED + LARGEST_CARD
    return Limits(
        members=3 * len(expected.audio) + len(expected.text_files) + 1_000,
        unpacked=sum(audio) + texts + transcripts + rest,
        member=max([LARGEST_TEXT, *audio]),
    )


def _most_bytes(entry: ExpectedAudio, rules: SubmissionRules) -> int:
    most = bounds(entry, rules)[1]
    frame = max(rules.audio.channels) * max(sample_bytes(f) for f in rules.audio.formats)
    return 2 * MOST_AROUND + int(most * max(rules.audio.rates)) * frame


def check_archive(
    path: Path, archive: Archive, problems: Problems, expected: Expected, rules: SubmissionRules | None = None
) -> Report:
    """As :func:`check`, of an archive that is open."""
    work = _Check(archive, problems, expected, rules or SubmissionRules())
    work.compare()
    sha256 = ""
    if archive.sound:
        work.read()
        sha256 = _sha256(path)
    elif archive.members:
        problems.add("the archive is not sound, so nothing in it was read", level="warning")
    return Report(
        file=shown(path.name),
        sha256=sha256,
        layout=expected.layout,
        track=expected.track,
        test_set=expected.test_set,
        expected=len(expected),
        present=work.present,
        accepted=not problems.errors,
        errors=problems.errors,
        warnings=problems.warnings,
        counts=tuple(Count(what=what, level=level, count=n) for (level, what), n in problems.counts.items()),
        problems=tuple(problems.found),
        team=work.team,
        system=work.system,
        pages=work.pages,
        seconds=round(work.seconds, 3),
    )


def wanted_members(archive: Archive, expected: Expected) -> list[Member]:
    """The members that are a run: audio, lines and transcripts that are expected."""
    known = {a.file for a in expected.audio} | set(expected.text_files) | set(_transcripts(expected))
    return [m for m in archive.members if not m.folder and m.name in known]


def _transcripts(expected: Expected) -> dict[str, int]:
    """The transcripts that may stand beside the audio, and bytes that the fastest talker does not need."""
    if expected.layout != "duologue" or expected.track != "duplex":
        return {}
    return {f"{a.file.removesuffix('.wav')}.json": 65_536 + int(4_096 * (a.seconds or 0)) for a in expected.audio}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Check:
    def __init__(self, archive: Archive, problems: Problems, expected: Expected, rules: SubmissionRules) -> None:
        self.present, self.seconds = 0, 0.0
        self.team = self.system = ""
        self.pages: int | None = None
        self._archive, self._problems, self._expected, self._rules = archive, problems, expected, rules
        self._members = {m.name: m for m in archive.members if not m.folder}
        self._audio = {a.file: a for a in expected.audio}
        self._texts = expected.text_files
        self._transcripts = _transcripts(expected)
        self._report = ""

    # -- names

    def compare(self) -> None:
        """Missing and extra files, by their names alone."""
        problems, members = self._problems, self._members
        if not members:
            return
        self._find_report()
        required = {f for f, a in self._audio.items() if a.required} | set(self._texts)
        if self._expected.layout == "duologue":
            required.add(CARD)
        known = set(self._audio) | set(self._texts) | set(self._transcripts) | {self._declaration, self._report}
        known |= {CARD} if self._expected.layout == "duologue" else set()
        if not required & set(members) and (wrapped := self._wrapping(required)):
            problems.add(
                "everything lies one folder too deep",
                file=wrapped,
                allowed=f"{min(required)} at the top of the zip",
            )
            return
        by_key = {names.key(n): n for n in members}
        for file in sorted(required - set(members)):
            other = by_key.get(names.key(file), "")
            what = "a missing file" if file in self._texts or file == CARD else "a missing item"
            item = self._audio[file].item if file in self._audio else ""
            problems.add(what, file=file, item=item, value=f"there is {other}" if other else "")
        for file in sorted(set(members) - known):
            first, _, _ = file.partition("/")
            if first == "__MACOSX" or file.rpartition("/")[2].casefold() in _JUNK:
                problems.add("left by the operating system, not read", level="warning", file=file)
            else:
                problems.add("an extra file", file=file, allowed=self._pattern())
        self._folders(known)
        self._wanted(self._declaration, self._rules.declaration, "declaration")
        self.present = sum(f in members for f, a in self._audio.items() if a.required)

    @property
    def _declaration(self) -> str:
        return self._expected.root + DECLARATION

    def _find_report(self) -> None:
        root, wanted = self._expected.root, self._rules.report.wanted
        if self._expected.layout == "duologue":
            self._report = REPORT
            self._wanted(REPORT, wanted, "report")
            return
        found = [n for n in self._members if n.startswith(root) and n.lower().endswith(".pdf")]
        found = [n for n in found if "/" not in n.removeprefix(root)]
        self._report = found[0] if len(found) == 1 else f"{root}*.pdf"
        if len(found) > 1:
            self._problems.add("several reports", file=found[1], value=found[0], allowed="one PDF")
        self._wanted(self._report, wanted, "report")

    def _wanted(self, file: str, wanted: str, what: str) -> None:
        if wanted == "required" and file not in self._members:
            self._problems.add(f"a missing {what}", file=file)
        elif wanted == "forbidden" and file in self._members:
            self._problems.add(f"a {what} that this challenge does not take", file=file)

    def _wrapping(self, required: set[str]) -> str:
        """The one folder in which all the rest lies as it should, or ""."""
        tops = {n.partition("/")[0] for n in self._members if not n.startswith("__MACOSX/")}
        if len(tops) != 1:
            return ""
        top = f"{tops.pop()}/"
        return top if any(f"{top}{file}" in self._members for file in required) else ""

    def _folders(self, known: set[str]) -> None:
        """Folders in which nothing expected can lie."""
        above = {file[: i + 1] for file in known for i, c in enumerate(file) if c == "/"}
        for m in self._archive.members:
            if m.folder and m.name not in above and not m.name.startswith("__MACOSX/"):
                self._problems.add("an extra folder", file=m.name)

    def _pattern(self) -> str:
        if self._expected.layout == "duologue":
            return f"{RUN}ID.wav" if self._audio else ", ".join(self._texts)
        return "HD-Track1/{zh,en}/..." if self._expected.track == "emotion" else "HD-Track2/{test,clean}/..."

    # -- contents

    def read(self) -> None:
        """Every expected file that is there, in the order of the archive."""
        for m in self._archive.members:
            if m.folder:
                continue
            try:
                if m.name in self._audio:
                    self._wav(m, self._audio[m.name])
                elif m.name in self._texts:
                    self._lines(m)
                elif m.name in self._transcripts:
                    check_transcript(self._bytes(m, self._transcripts[m.name]), m.name, self._problems)
                elif m.name == self._report:
                    self._pdf(m)
                elif m.name == self._declaration:
                    self._declared(m)
                elif m.name == CARD and self._expected.layout == "duologue":
                    self._card(m)
                else:
                    for _ in self._archive.stream(m):
                        pass
            except BadArchive as error:
                self._problems.add(str(error), file=m.name)

    def _bytes(self, m: Member, most: int) -> bytes:
        return self._archive.read(m, most)

    def _wav(self, m: Member, entry: ExpectedAudio) -> None:
        problems, rules = self._problems, self._rules.audio
        if m.size > (most := _most_bytes(entry, self._rules)):
            problems.add(
                "too large an audio file", file=m.name, item=entry.item, value=m.size, allowed=f"up to {most:,}"
            )
            return
        try:
            facts = read_wav(self._archive.stream(m), m.size)
        except NotWav as error:
            problems.add("not a sound WAV file", file=m.name, item=entry.item, value=str(error))
            return
        for what, value, allowed in (
            ("a sample rate that is not allowed", facts.rate, rules.rates),
            ("a number of channels that is not allowed", facts.channels, rules.channels),
            ("a sample format that is not allowed", facts.format, rules.formats),
        ):
            if value not in allowed:
                problems.add(what, file=m.name, item=entry.item, value=value, allowed=", ".join(map(str, allowed)))
        least, most_seconds = bounds(entry, self._rules)
        self.seconds += facts.seconds
        if not facts.frames:
            problems.add("no samples", file=m.name, item=entry.item)
        elif not least <= facts.seconds <= most_seconds:
            what = "too long audio" if facts.seconds > most_seconds else "too short audio"
            problems.add(
                what,
                file=m.name,
                item=entry.item,
                value=f"{facts.seconds:.2f} s",
                allowed=f"{least:g} to {most_seconds:.2f} s",
            )
        elif entry.seconds is not None and facts.seconds < entry.seconds - rules.short:
            problems.add(
                "shorter than its dialogue: silence from there on",
                level="warning",
                file=m.name,
                item=entry.item,
                value=f"{facts.seconds:.2f} s",
                allowed=f"{entry.seconds:.2f} s",
            )
        if facts.silent and facts.frames:
            problems.add("every sample is zero", level="warning", file=m.name, item=entry.item)

    def _lines(self, m: Member) -> None:
        if m.size > LARGEST_TEXT:
            raise BadArchive("too large a text file")
        if self._expected.layout == "duologue":
            self.present += check_answers(self._archive.stream(m), m.name, self._expected, self._problems)
        else:
            present = set(self._members)
            self.present += check_dialogues(self._archive.stream(m), m.name, self._expected, present, self._problems)

    def _pdf(self, m: Member) -> None:
        rules = self._rules.report
        try:
            data = self._bytes(m, LARGEST_PDF)
            self.pages = count_pages(data)
        except NotPdf as error:
            other = kind(data[:32])
            why = f"{other} in place of a PDF" if other not in ("", "PDF") else str(error)
            self._problems.add("a report whose pages cannot be counted", file=m.name, value=why, allowed="a plain PDF")
            return
        if not rules.least <= self.pages <= rules.most:
            few = "few" if self.pages < rules.least else "many"
            self._problems.add(
                f"a report of too {few} pages", file=m.name, value=self.pages, allowed=f"{rules.least} to {rules.most}"
            )

    def _declared(self, m: Member) -> None:
        try:
            signed = verify(self._bytes(m, LARGEST_SIGNED), m.name)
        except MissingPartError as error:
            self._problems.add("the declaration could not be verified", level="warning", file=m.name, value=error.mend)
            return
        except UserError as error:
            self._problems.add(
                "a declaration that cannot be accepted",
                file=m.name,
                field=error.field,
                value=error.what,
                allowed=error.allowed,
            )
            return
        # The team's own count is not believed.
        for found in check_declaration(signed.declaration(), self._rules.declaration_rules):
            self._problems.add(
                f"declared: {found.what}",
                level=found.level,
                file=m.name,
                item=found.resource,
                field=found.field,
                value=found.value,
                allowed=found.allowed,
            )

    def _card(self, m: Member) -> None:
        problems = self._problems
        try:
            card = msgspec.json.decode(self._bytes(m, LARGEST_CARD), type=Card)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problems.add(
                "broken JSON or fields", file=m.name, value=str(error)[:100], allowed="as submission new writes it"
            )
            return
        self.team, self.system = shown(card.team), shown(card.system)
        for field, value in (("team", card.team), ("system", card.system)):
            if value.startswith(_PLACEHOLDER) or not value.strip():
                problems.add("not filled in", file=m.name, field=field, value=value)
        if card.format != FORMAT:
            problems.add("another format", file=m.name, field="format", value=card.format, allowed=FORMAT)
        if card.test_set != self._expected.test_set:
            problems.add(
                "made for another test set",
                file=m.name,
                field="test_set",
                value=card.test_set,
                allowed=self._expected.test_set,
            )
