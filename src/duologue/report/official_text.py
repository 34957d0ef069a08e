"""The official score and the benchmark's, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.printable import printable
from duologue.score.profiles.fdb import FdbScore
from duologue.score.profiles.humdial2026.item import OfficialScore
from duologue.score.profiles.humdial2026.rounding import round_half_up

# Problems that are listed by name; the rest are counted.
SHOWN = 20


def official(score: OfficialScore, tags_from: str) -> RenderableType:
    """The ranking's numbers, every scenario's, and what they leave out."""
    head = Text("Total ", style="bold")
    head.append(_number(score.total, 1), style="bold")
    head.append(
        f"   interruption {_number(score.interruption, 1)}   rejection {_number(score.rejection, 1)}   delay "
        f"{_number(score.delay, 3)} s -> {_number(score.delay_score, 1)}",
        style="not bold",
    )
    parts: list[RenderableType] = [head]
    if not score.complete or score.why:
        parts.append(Text(f"not complete: {score.why}" if score.why else "not complete", style="yellow"))
    parts.append(Text(f"tags {printable(tags_from)}; {score.scored} of {score.expected} items scored for behaviour"))
    for language in score.languages.values():
        table = Table(
            f"{printable(language.language)}: scenario",
            "expected",
            "scored",
            "RESPOND / RESUME / rate",
            "stop s",
            "response s",
            "first response s",
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for name, s in language.scenarios.items():
            behaviour = s.behaviour
            table.add_row(
                name.replace("_", " "),
                str(s.expected),
                str(s.scored),
                _number(behaviour, 3 if s.rejection_rate is not None else 2),
                _number(s.stop_latency, 3),
                _number(s.response_latency, 3),
                _number(s.first_response_delay, 3),
            )
        table.add_section()
        table.add_row(
            "all",
            "",
            "",
            f"Int {_number(language.interruption, 1)}, Rej {_number(language.rejection, 1)}",
            _number(language.stop, 3),
            _number(language.response, 3),
            f"{_number(language.first_response, 3)} (L {_number(language.delay, 3)})",
        )
        parts.append(table)
    lost = [f"{i}: no readable output" for i in score.missing]
    lost += [f"{i}: tag {t!r} is none of the four" for i, t in score.bad_tags]
    lost += [f"{i}: {note}" for i, note in score.notes]
    for line in lost[:SHOWN]:
        parts.append(Text(f"note: {printable(line)}"))
    if len(lost) > SHOWN:
        parts.append(Text(f"note: ... {len(lost) - SHOWN} more (--json lists all)"))
    return Group(*parts)


def fdb(score: FdbScore) -> RenderableType:
    """Full-Duplex-Bench's numbers by task."""
    table = Table("task", "expected", "scored", "takeover rate", "latency s", "backchannels a second", "JSD")
    for column in table.columns[1:]:
        column.justify = "right"
    for task, s in score.tasks.items():
        table.add_row(
            task.replace("_", " "),
            str(s.expected),
            str(s.scored),
            _number(s.takeover_rate, 3),
            _number(s.latency, 3),
            _number(s.frequency, 3),
            _number(s.jsd, 3),
        )
    return table


def _number(x: float | None, places: int) -> str:
    return "-" if x is None else f"{round_half_up(x, places):.{places}f}"
