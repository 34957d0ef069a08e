"""What every export for training shares: which dialogues go out, their audio as it is, and what stays behind.

The answers of a test set do not leave by accident: without ``ExportOptions.answers`` its dialogues stay behind, unless
the set is sealed and has none.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from duologue.corpus.invariants import SEALED
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.write import is_main
from duologue.errors import UserError
from duologue.formats.format import ExportOptions, ExportReport


class Chosen:
    """The dialogues of ``corpus`` that may go out, counted by split as they are read."""

    def __init__(self, corpus: Corpus, options: ExportOptions) -> None:
        self.corpus, self.options = corpus, options
        self.written: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return sum(self.written.values())

    def report(self, files: int) -> ExportReport:
        """What was written and what was not; UserError where nothing was."""
        test = self.written["test"]
        notes = (f"the test split went out with its answers ({test} dialogues): train nothing on it",)
        return ExportReport(
            files=files,
            written=dict(sorted(self.written.items())),
            left_out=dict(sorted(self.left_out.items())),
            notes=notes if test and self.options.answers else (),
        )


def chosen(pick: Chosen) -> Iterator[tuple[OpenDialogue, bytes]]:
    """Each dialogue with the bytes of its main audio file, which are proven to be those of its entry.

    Raises UserError where a file's SHA-256 differs, and where nothing may go out.
    """
    for item in pick.corpus:
        d = item.dialogue
        if d.split == "test" and d.scenario != SEALED and not pick.options.answers:
            pick.left_out["of the test split (--answers writes them with their answers)"] += 1
            continue
        main = next((a for a in d.audio if is_main(a)), None)
        if main is None:
            pick.left_out["without audio"] += 1
            continue
        data = Path(item.path(main.id)).read_bytes()
        if hashlib.sha256(data).hexdigest() != main.sha256:
            raise UserError(
                "the file's SHA-256 is not that of its entry",
                where=main.path,
                mend="run 'duologue check'",
            )
        pick.written[d.split] += 1
        pick.left_out["further audio files (twins, stems) of the dialogues written"] += len(d.audio) - 1
        yield item, data
    pick.left_out += Counter()
    if not pick.count:
        why = ", ".join(f"{n} {what}" for what, n in pick.left_out.items())
        raise UserError("nothing to export", where=pick.corpus.root, value=why or "no dialogue passes the filters")
