"""Track 1 cards as tables for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from duologue.score.emotion.card import EmotionCard, TaskCell
from duologue.score.emotion.choice_score import ChoiceScores
from duologue.score.scorecard import Estimate

# Part of a cell, its field, what it is called.
MEASURES = (
    ("trajectory", "exact", "whole trajectory right"),
    ("trajectory", "turn_macro_f1", "turns, macro F1"),
    ("trajectory", "edit_similarity", "1 - edit distance"),
    ("trajectory", "transition_strict", "changes at their turn, F1"),
    ("trajectory", "transition_order", "changes in any place, F1"),
    ("trajectory", "trigger_turn", "turns of change, F1"),
    ("trajectory", "placed", "answers that tell turns"),
    ("causes", "pair", "cause pairs, F1"),
    ("causes", "span_strict", "cause spans, strict F1"),
    ("causes", "span_proportional", "cause spans, proportional F1"),
    ("reasons", "exact", "reasons word for word"),
    ("reasons", "token_f1", "reasons, token F1"),
    ("reasons", "token_recall", "reasons, tokens named"),
    ("recognition", "ua", "recognition UA"),
    ("recognition", "wa", "recognition WA"),
    ("recognition", "macro_f1", "recognition macro F1"),
    ("conflict", "agree", "words and voice agree"),
    ("conflict", "conflict", "words and voice conflict"),
    ("conflict", "gap", "gap"),
    ("conflict", "words_win", "words win"),
    ("soft_distance", "", "distance to soft labels"),
    ("valence", "valence", "valence, CCC"),
    ("arousal", "arousal", "arousal, CCC"),
)


def shown(e: Estimate | None) -> str:
    if e is None or e.value is None:
        return "-"
    if e.low is None or e.high is None:
        return f"{e.value:.3f}"
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def card(c: EmotionCard) -> Group:
    """The measures by language, then how every expected answer ended and what was wrong with the file."""
    table = Table("measure", *(cell.language for cell in c.cells), title=f"{c.corpus}, profile {c.profile}, no judge")
    for part, name, title in MEASURES:
        if any(getattr(cell, part) is not None for cell in c.cells):
            table.add_row(title, *(shown(_of(cell, part, name)) for cell in c.cells))
    lines: list[Any] = [table]
    for task, n in c.cells[0].expected.items():
        ended = ", ".join(f"{status} {k}" for status, k in c.cells[0].accounted[task].items())
        lines.append(Text(f"{task}: {n} expected = {ended}"))
    if c.read_as:
        lines.append(Text("trajectories read as: " + ", ".join(f"{k} {n}" for k, n in sorted(c.read_as.items()))))
    if c.left_to_judges:
        lines.append(Text("left to judges: " + ", ".join(f"{k} {n}" for k, n in c.left_to_judges.items())))
    if c.unknown_labels:
        lines.append(Text("unknown labels: " + ", ".join(f"{k!r} {n}" for k, n in c.unknown_labels.items())))
    if c.counts:
        lines.append(Text("lines: " + ", ".join(f"{k} {n}" for k, n in c.counts.items())))
        lines += [Text(f"  line {f.line}: {f.what}") for f in c.findings[:10]]
    lines += [Text(f"warning: {w}") for w in c.warnings]
    return Group(*lines)


def _of(cell: TaskCell, part: str, name: str) -> Estimate | None:
    scores = getattr(cell, part)
    return scores if scores is None or isinstance(scores, Estimate) else getattr(scores, name)


def choice(c: ChoiceScores) -> Group:
    """Accuracy of multiple choice, and where it was lost."""
    table = Table("multiple choice", f"{c.expected} questions")
    table.add_row("accuracy", shown(c.accuracy))
    table.add_row("right in every order", shown(c.every_order))
    if c.transcript is not None:
        table.add_row("from the words alone", shown(c.transcript))
    for name, e in [*c.by_kind.items(), *c.by_language.items()]:
        table.add_row(f"  {name}", shown(e))
    for kind, part in c.errors.items():
        table.add_row(f"  lost to: {kind}", f"{part:.3f}")
    lines: list[Any] = [table, Text("chosen: " + ", ".join(f"{k} {n}" for k, n in c.chosen.items()))]
    if c.counts:
        lines.append(Text("lines: " + ", ".join(f"{k} {n}" for k, n in c.counts.items())))
    return Group(*lines)
