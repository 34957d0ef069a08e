"""The page of an audit: what was found, with both sounds to listen to where they are at hand."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from duologue.errors import UserError
from duologue.protect.audit import source
from duologue.protect.audit.finding import LEVELS, Audit, Finding
from duologue.protect.audit.sound import Sound
from duologue.report.printable import html
from duologue.report.shell import names, page, section
from duologue.report.sound import data_address

_PLAYED = 60  # findings with sound
_LONGEST = 10.0  # seconds of a sound
_LISTED = 2_000
_HEARD = ("bytes", "samples", "fingerprint", "speaker")


def write(audit: Audit, path: Path, training_data: Sequence[Path], test_set: Path | None = None) -> None:
    """Write the page. The training data's side plays; the test's too where ``test_set``, the indexed set, is given.

    UserError where ``path`` cannot be written.
    """
    body = render(audit, training_data, test_set)
    try:
        path.write_text(body, "utf-8")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None


def render(audit: Audit, training_data: Sequence[Path], test_set: Path | None = None) -> str:
    """One HTML document that fetches nothing."""
    counts = {level: sum(f.level == level for f in audit.findings) for level in LEVELS}
    said = "Leakage found" if audit.findings else "Nothing found"
    head = (
        f"<header><h1>{said}</h1><p>{audit.scanned:,} parts scanned, {len(audit.unreadable):,} not compared; "
        + ", ".join(f"{n:,} {level}" for level, n in counts.items())
        + "</p></header>"
    )
    rows, left = [], _PLAYED
    for finding in audit.findings[:_LISTED]:
        players = ""
        if left > 0 and finding.kind in _HEARD:
            players = _players(finding, training_data, test_set)
            left -= bool(players)
        rows.append(_row(finding, players))
    more = len(audit.findings) - _LISTED
    table = (
        "<table><thead><tr><th>level</th><th>kind</th><th>training data</th><th>test item</th><th>evidence</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>" + (f"<p>and {more:,} more</p>" if more > 0 else "")
    )
    stages = "".join(
        f"<tr><td>{html(s.name)}</td><td>{s.amount:,.1f} {html(s.unit)}</td><td>{s.cpu_seconds:,.2f}</td>"
        f"<td>{html(s.note)}</td></tr>"
        for s in audit.stages
    )
    return page(
        said,
        [
            head,
            section("Findings", table if rows else ""),
            section("Not compared", names(((u.file, u.why) for u in audit.unreadable), most=500)),
            section(
                "Stages",
                f"<table><thead><tr><th>stage</th><th>amount</th><th>CPU s</th><th></th></tr></thead>"
                f"<tbody>{stages}</tbody></table>",
            ),
        ],
    )


def _row(f: Finding, players: str) -> str:
    def place(name: str, offset: float | None) -> str:
        at = "" if offset is None else f" <span class='soft'>at {offset:g}</span>"
        return f"<td><code><bdi>{html(name)}</bdi></code>{at}</td>"

    return (
        f"<tr><td>{f.level}</td><td>{f.kind}</td>{place(f.file, f.offset)}{place(f.item, f.item_offset)}"
        f"<td>{html(f.evidence)}{players}</td></tr>"
    )


def _players(f: Finding, training_data: Sequence[Path], test_set: Path | None) -> str:
    seconds = min(f.seconds or _LONGEST, _LONGEST)
    sides = [("training data", _cut(f.file, training_data, f.offset or 0.0, seconds))]
    if test_set is not None:
        sides.append(("test item", _test_side(f, test_set, seconds)))
    return "".join(
        f"<figure><figcaption>{label}</figcaption><audio controls preload='none' src='{data_address(*cut)}'></audio>"
        "</figure>"
        for label, cut in sides
        if cut is not None
    )


def _test_side(f: Finding, test_set: Path, seconds: float) -> tuple[npt.NDArray[np.float32], int] | None:
    if not (test_set / "corpus.json").is_file():
        return _cut(f.item, [test_set], f.item_offset or 0.0, seconds)
    from duologue.corpus.read import open as open_corpus

    try:
        opened = open_corpus(test_set).get(f.item)
        return _read(Path(opened.path()), f.item_offset or 0.0, seconds)
    except (UserError, KeyError):
        return None


def _cut(name: str, roots: Iterable[Path], start: float, seconds: float) -> tuple[npt.NDArray[np.float32], int] | None:
    """The sound that a finding names, from the paths that were scanned; None where it lies in a table."""
    outer, _, member = name.partition("!")
    for root in roots:
        own = root.name or str(root)
        inside = outer[len(own) + 1 :] if outer.startswith(f"{own}/") else "" if outer == own else None
        path = root / inside if inside else root if inside == "" else Path(outer)
        if not path.is_file():
            continue
        if not member:
            return _read(path, start, seconds)
        try:
            with tarfile.open(path, "r|*") as archive:
                for entry in archive:
                    if entry.name == member and entry.isreg() and entry.size <= source.LARGEST:
                        stream = archive.extractfile(entry)
                        return _read(stream.read(), start, seconds) if stream else None
        except (tarfile.TarError, OSError, EOFError):
            return None
    return None


def _read(raw: Path | bytes, start: float, seconds: float) -> tuple[npt.NDArray[np.float32], int] | None:
    import soxr

    pieces: list[npt.NDArray[np.float32]] = []
    try:
        sound = Sound(raw)
        for at, block, _ in sound.blocks():
            if at >= start + seconds:
                break
            low, high = (round((x - at) * sound.rate) for x in (start, start + seconds))
            if high > 0:
                pieces.append(block[max(0, low) : high].mean(axis=1))
        sound.close()
    except UserError:
        return None
    if not pieces or not sum(map(len, pieces)):
        return None
    return np.asarray(soxr.resample(np.concatenate(pieces), sound.rate, 16_000), np.float32), 16_000
