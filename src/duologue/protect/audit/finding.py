"""What an audit finds: a place in the training data, a place in the test set, and why they are alike."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "bytes",
    "samples",
    "fingerprint",
    "text",
    "normalised-text",
    "contained-text",
    "near-text",
    "meaning",
    "speaker",
    "canary",
    "hash",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
Level = Literal["certain", "likely", "suspicion"]
LEVELS: tuple[Level, ...] = ("certain", "likely", "suspicion")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """``file`` holds at ``offset`` what ``item`` of the test set holds at ``item_offset``.

    Offsets are seconds for sound and characters or rows for text, as ``evidence`` says; None where the whole is meant.
    ``file`` names members of archives and tables as "shard.tar!clip.wav" and "part.parquet#17.audio". ``seconds`` is
    how long the two are alike in the training data, None for what is no sound. ``score`` is a fingerprint's, and
    ``chance`` how many matches as good chance brings in the whole scan (:mod:`.levels`). ``shared`` says that the voice
    is one that speaks in every split, such as a system's: what it says alike may be a stock phrase.
    """

    file: str
    offset: float | None
    item: str
    item_offset: float | None
    kind: Kind
    level: Level
    evidence: str
    seconds: float | None = None
    score: float | None = None
    chance: float | None = None
    shared: bool = False


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the training data that was not, or not wholly, compared, and why."""

    file: str
    why: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of the audit: ``amount`` of ``unit`` took ``cpu_seconds``; ``note`` says why it was not run."""

    name: str
    amount: float = 0.0
    unit: str = ""
    cpu_seconds: float = 0.0
    note: str = ""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a scan. ``scanned`` counts files, members of archives and rows of tables."""

    scanned: int
    unreadable: tuple[Unreadable, ...]
    findings: tuple[Finding, ...]
    stages: tuple[Stage, ...]

    @property
    def leaked(self) -> bool:
        return bool(self.findings)


def ordered(findings: set[Finding] | list[Finding]) -> tuple[Finding, ...]:
    """Gravest first, then by place; equal findings once."""
    return tuple(
        sorted(
            set(findings), key=lambda f: (LEVELS.index(f.level), f.file, f.offset or 0.0, KINDS.index(f.kind), f.item)
        )
    )
