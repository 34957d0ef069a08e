"""What a format is: a module that can bring recordings into a corpus, write a corpus out, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from duologue.corpus.dialogue import SourceKind
from duologue.corpus.read import Corpus
from duologue.corpus.rights import Rights
from duologue.errors import UserError

KINDS: tuple[SourceKind, ...] = ("synthetic", "human-human", "human-machine", "synthetic-user-machine", "acted")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that could not be taken: ``where`` names file and line, ``what`` says why and what was allowed."""

    where: str
    what: str


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every import is told.

    ``rate`` is the sample rate in Hz of the corpus, None keeps that of each recording. ``channels`` "mix" averages
    all channels to one. ``keep_clipped`` takes clipped recordings, which are otherwise problems. ``skip_bad``
    writes what is sound and lists the rest; without it one problem means that nothing is written.
    """

    licence: str = ""
    consent: str = ""
    source_url: str = ""
    holder: str = ""
    kind: SourceKind | Literal[""] = ""
    language: str = ""
    rate: int | None = 16_000
    channels: Literal["keep", "mix"] = "keep"
    keep_clipped: bool = False
    skip_bad: bool = False

    def rights(self) -> tuple[Rights, SourceKind]:
        """Licence, consent and origin; UserError lists everything that is missing and how to give it."""
        missing = [
            how
            for given, how in (
                (self.licence, "--licence CC-BY-4.0 (an SPDX expression)"),
                (self.consent, "--consent ID (the record of the speakers' consent)"),
                (self.source_url or self.holder, "--source-url URL or --holder NAME (where it comes from)"),
                (self.kind, f"--kind {'|'.join(KINDS)}"),
            )
            if not given
        ]
        if missing or not self.kind:
            raise UserError("rights are incomplete", field="rights", mend="give " + ", ".join(missing))
        if self.kind not in KINDS:
            raise UserError("unknown kind of source", field="kind", value=self.kind, allowed=", ".join(KINDS))
        if self.consent == "not-applicable" and self.kind != "synthetic":
            raise UserError(
                "people speak here, so their consent needs a record",
                field="consent",
                value=self.consent,
                allowed="'not-applicable' only with --kind synthetic",
            )
        rights = Rights(licence=self.licence, consent_id=self.consent, source_url=self.source_url, holder=self.holder)
        return rights, self.kind


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Time in which two or more speakers speak, as a share of the annotated time and of the time with any speech."""

    of_time: float
    of_speech: float


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. ``written`` is false where problems kept it from writing anything.

    ``overlap`` maps a recording with several speakers' segments to its overlap.
    """

    written: bool
    dialogues: int = 0
    seconds: float = 0.0
    corpus_sha256: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    overlap: dict[str, Overlap] = {}


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every export is told.

    ``answers`` writes the answers of the test split too. ``key`` is a file, outside the exported folder, that
    receives what joins a shuffled test set to its answers.
    """

    answers: bool = False
    key: Path | None = None


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many dialogues were written under which folder, and what the layout could not hold (why -> count).

    ``notes`` are warnings for whoever goes on with the folder.
    """

    files: int
    written: dict[str, int] = {}
    left_out: dict[str, int] = {}
    notes: tuple[str, ...] = ()


_Options = TypeVar("_Options", bound=ImportOptions)


def options_of(kind: type[_Options], given: dict[str, Any]) -> _Options:
    """Options of a command line: what is None or empty keeps its default; ``rate`` is a number or "keep"."""
    given = {k: v for k, v in given.items() if v not in (None, "")}
    if rate := given.get("rate"):
        if rate != "keep" and not (str(rate).isdecimal() and 1_000 <= int(rate) <= 384_000):
            raise UserError("not a sample rate", field="rate", value=rate, allowed="1000-384000 Hz, or keep")
        given["rate"] = None if rate == "keep" else int(rate)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`")
        raise UserError("bad option", field=field, value=given.get(field), allowed=str(error)) from None


class Importer(Protocol):
    """A module (or object) registered under ``duologue.formats`` that can import."""

    OPTIONS: type[ImportOptions]

    def import_(self, src: Path, out: Path, options: ImportOptions) -> ImportReport:
        """Make the corpus ``out`` from ``src``. ``out`` is absent or empty before, complete or absent after."""
        ...


class Exporter(Protocol):
    """A module (or object) registered under ``duologue.formats`` that can export."""

    def export(self, corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
        """Write ``corpus`` into the folder ``out``, which is absent or empty before."""
        ...
