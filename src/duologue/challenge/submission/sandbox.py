"""The run in a submission as a folder, for the scorer: unpacked only after every check has passed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duologue.challenge.submission.archive import Archive, BadArchive, Member
from duologue.challenge.submission.check import Report, check_archive, opened, wanted_members
from duologue.challenge.submission.expected import RUN, Expected
from duologue.challenge.submission.rules import SubmissionRules
from duologue.errors import UserError


@contextmanager
def unpacked(
    path: Path, expected: Expected, rules: SubmissionRules | None = None, *, parent: Path | None = None
) -> Iterator[tuple[Report, Path | None]]:
    """The report on ``path``, and the folder that a scorer reads where it is accepted (None where it is not).

    The folder lies in a new private one (mode 0700) under ``parent``, by default the system's temporary folder, and is
    gone afterwards. Only expected audio, lines and transcripts are written, from the archive that was checked and that
    stays open, each into a new file that is no link, and never more bytes than were checked.
    """
    with opened(path, expected, rules) as (archive, problems):
        report = check_archive(path, archive, problems, expected, rules)
        if not report.accepted:
            yield report, None
            return
        with tempfile.TemporaryDirectory(prefix="duologue-submission-", dir=parent) as made:
            sandbox = Path(made)
            for member in wanted_members(archive, expected):
                _write(archive, member, sandbox)
            yield report, sandbox / (RUN if expected.layout == "duologue" else expected.root)


def _write(archive: Archive, member: Member, sandbox: Path) -> None:
    target = sandbox / member.name
    folder = sandbox
    for part in Path(member.name).parts[:-1]:
        folder /= part
        folder.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        try:
            for piece in archive.stream(member):
                file.write(piece)
        except BadArchive as error:
            raise UserError(f"the archive has changed while it was read: {error}", where=member.name) from None
