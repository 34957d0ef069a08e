"""What a challenge asks of every submission: the form of the audio, the report, the declaration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from duologue.challenge.submission.pages import MOST_PAGES
from duologue.challenge.submission.wav import FORMATS
from duologue.document import Document
from duologue.errors import UserError
from duologue.protect.declaration_rules import DeclarationRules, check_rules

Rate = Annotated[int, msgspec.Meta(ge=1_000, le=384_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=7_200)]
Wanted = Literal["required", "optional", "forbidden"]


class AudioRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Allowed sample rates (Hz), numbers of channels and sample formats (as libsndfile names them); seconds.

    A reply on the clock of a dialogue may last ``after`` seconds longer than it; below its length by more than
    ``short`` seconds is a warning, as the rest counts as silence. Any other reply lasts from ``least`` to ``most``
    seconds.
    """

    rates: tuple[Rate, ...] = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    channels: tuple[Annotated[int, msgspec.Meta(ge=1, le=8)], ...] = (1,)
    formats: tuple[str, ...] = ("PCM_16",)
    after: Seconds = 30.0
    short: Seconds = 0.1
    least: Seconds = 0.1
    most: Seconds = 120.0


class ReportRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system description, a PDF of so many pages."""

    wanted: Wanted = "required"
    least: Annotated[int, msgspec.Meta(ge=1, le=MOST_PAGES)] = 2
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_PAGES)] = 50


class SubmissionRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. ``declaration`` is about ``declaration.json``, what ``duologue declare sign`` writes, and
    ``declaration_rules`` about what stands in it."""

    audio: AudioRules = AudioRules()
    report: ReportRules = ReportRules()
    declaration: Wanted = "optional"
    declaration_rules: DeclarationRules = DeclarationRules()


def read_rules(path: Path | None) -> SubmissionRules:
    """The rules in a YAML file, or those above; UserError names the line of what is wrong."""
    if path is None:
        return SubmissionRules()
    document = Document.read(path)
    rules = document.convert(SubmissionRules)
    for i, name in enumerate(rules.audio.formats):
        if name not in FORMATS:
            raise document.error(
                "unknown sample format", ("audio", "formats", i), value=name, allowed=", ".join(FORMATS)
            )
    check_rules(rules.declaration_rules, document, ("declaration_rules",))
    for place in ("rates", "channels", "formats"):
        if not getattr(rules.audio, place):
            raise document.error("nothing would be allowed", ("audio", place))
    if rules.audio.least > rules.audio.most or rules.report.least > rules.report.most:
        raise UserError("the least is above the most", where=document.where(()))
    return rules
