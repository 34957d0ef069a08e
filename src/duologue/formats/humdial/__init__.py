"""The official layouts of the HumDial challenge (ICASSP 2026), both tracks, in and out.

    HD-Track1/{split}/{language}/HD-Track1-T{1,2,3}.jsonl and HD-Track1-T{1,2,3}/{dialogue_id}_{turn_id}.wav
    HD-Track2/{split}/{language}/{Scenario}/0001_0001[_before].wav, clean_*, *_output.wav, *_sentence.json, *.json
    HD-Track2/test/{language}/test/test-0001.wav and clean/clean-0001.wav, shuffled, without answers

The official sets carry only what ``docs/formats.md`` lists; the rest of a corpus stays behind.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from duologue.corpus.dialogue import SPLITS
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.formats.format import ExportOptions, ExportReport, ImportOptions, ImportReport
from duologue.formats.humdial import duplex, emotion
from duologue.formats.humdial.place import Importing
from duologue.formats.landing import Landing


class HumdialOptions(ImportOptions, frozen=True, kw_only=True):
    """Each recording keeps its rate by default. ``split`` counts where no folder says it; ``key`` is a test's key."""

    rate: int | None = None
    split: str = ""
    key: Path | None = None


OPTIONS = HumdialOptions


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write both tracks of ``corpus``. Test answers are left out unless ``options.answers``."""
    if options.key is not None and options.key.absolute().is_relative_to(out.absolute()):
        raise UserError(
            "the key holds the answers and cannot lie in the exported folder", field="key", value=str(options.key)
        )
    with aside(out) as folder:
        one = emotion.export(corpus, folder, options)
        two = duplex.export(corpus, folder, options)
        reveal(folder, out)
    left_out = dict(one.left_out)
    for why, count in two.left_out.items():
        left_out[why] = left_out.get(why, 0) + count
    return ExportReport(files=one.files + two.files, written=one.written | two.written, left_out=left_out)


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of everything under ``src`` that has the official names."""
    options = msgspec.convert(msgspec.structs.asdict(options), HumdialOptions)
    options.rights()
    if not src.is_dir():
        raise UserError("no such folder", where=str(src))
    if options.split and options.split not in SPLITS:
        raise UserError("unknown split", field="split", value=options.split, allowed=", ".join(SPLITS))
    with aside(out) as folder:
        work = Importing(src, Landing(folder), options, split=options.split)
        emotion.import_(work)
        duplex.import_(work, options.key)
        if not work.dialogues and not work.problems:
            raise UserError("nothing with the official names found", where=str(src), allowed=__doc__.split("\n\n")[1])
        if not work.dialogues or (work.problems and not options.skip_bad):
            return ImportReport(written=False, problems=tuple(work.problems), notes=tuple(work.notes))
        return work.landing.reveal(out, "humdial", work.problems, work.notes)
