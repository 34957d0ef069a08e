"""The official score of track 1, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.judge.verdict import STATUSES, Policy
from duologue.report.printable import printable
from duologue.score.profiles.humdial2026.emotion.evaluate import EmotionLanguage, EmotionScore
from duologue.score.profiles.humdial2026.emotion.read import NUMBERS
from duologue.score.profiles.humdial2026.rounding import round_half_up
from duologue.score.scorecard import Estimate

# Faults that are listed by name; the rest are counted.
SHOWN = 20


def official_emotion(score: EmotionScore) -> RenderableType:
    """Totals under both policies, each dimension's grades and statuses, and every kind of fault with its count."""
    head = Text("Final ", style="bold")
    head.append(f"drop {_interval(score.drop)}   floor {_interval(score.floor)}", style="not bold")
    parts: list[RenderableType] = [head]
    if score.why:
        parts.append(Text(f"not complete: {printable(score.why)}", style="yellow"))
    parts.append(
        Text(f"{score.expected} expected replies; empathy is scored at the {score.target} turn that is not neutral")
    )
    for method in dict.fromkeys(score.methods.values()):
        judged = [d for d, m in score.methods.items() if m == method]
        parts.append(Text(printable(f"{method}: {', '.join(judged)}")))
    parts += [_language(language) for language in score.languages.values()]
    if score.left_out:
        parts.append(Text(f"left out, without a turn to score: {printable(', '.join(score.left_out[:SHOWN]))}"))
    if score.faults:
        parts.append(Text("faults: " + ", ".join(f"{kind} {count}" for kind, count in score.faults.items())))
    for p in score.problems[:SHOWN]:
        parts.append(Text(printable(f"note: {p.where}: {p.kind}: {p.what}")))
    if len(score.problems) > SHOWN:
        parts.append(Text(f"note: ... {len(score.problems) - SHOWN} more (--json lists all)"))
    return Group(*parts)


def _language(language: EmotionLanguage) -> Table:
    policies: tuple[Policy, ...] = ("drop", "floor")
    table = Table(f"{printable(language.language)}: dimension", "expected", *STATUSES, "drop", "floor")
    for column in table.columns[1:]:
        column.justify = "right"
    for task, number in NUMBERS.items():
        for name, d in language.dimensions.items():
            if d.task == task:
                counts = [str(d.statuses[s]) for s in STATUSES] if d.judged else ["not judged", *[""] * 4]
                table.add_row(name, str(d.expected), *counts, _interval(d.drop), _interval(d.floor))
        means = [_number(language.tasks[task][p]) for p in policies]
        table.add_row(f"T{number} {task}", *[""] * 6, *means, style="bold", end_section=True)
    table.add_row("final", *[""] * 6, _interval(language.drop), _interval(language.floor), style="bold")
    return table


def _interval(e: Estimate) -> str:
    if e.low is None or e.high is None:
        return _number(e.value)
    return f"{_number(e.value)} ({_number(e.low)}-{_number(e.high)})"


def _number(x: float | None) -> str:
    return "-" if x is None else f"{round_half_up(x, 2):.2f}"
