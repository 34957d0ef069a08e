"""The spoken replies of a track 1 card as a table for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.emotion_text import shown
from duologue.score.emotion.card import SpokenCard


def spoken(s: SpokenCard) -> Group:
    """Heard as asked and intelligible by language, then the ear and its error, then how every reply ended."""
    table = Table("spoken replies", *(c.language for c in s.cells))
    scores = [c.scores for c in s.cells]
    table.add_row("heard as the feeling asked for", *(shown(x.heard_as_asked if x else None) for x in scores))
    ceilings = [x.ceiling if x else None for x in scores]
    table.add_row("  the ear's own recall of these", *(f"{c:.3f}" if c is not None else "-" for c in ceilings))
    table.add_row("intelligible, 1 - error rate", *(shown(x.intelligible if x else None) for x in scores))
    lines: list[RenderableType] = [table]
    for c in s.cells:
        ended = ", ".join(f"{status} {n}" for status, n in c.accounted.items())
        lines.append(Text(f"{c.language}: {c.expected} replies expected = {ended}; no feeling asked in {c.not_asked}"))
    if s.hearing is not None:
        h = s.hearing
        by_class = ", ".join(f"{label} {x:.2f}" for label, x in h.recall.by_class.items())
        lines.append(
            Text(
                f"ear: {s.ear_from}; right on {h.recall.mean:.3f} of each class of {h.clips} clips by {h.speakers} "
                f"speakers it never heard (chance {h.chance:.3f}): {by_class}"
            )
        )
    else:
        lines.append(Text(f"ear: {s.ear_from}"))
    lines.append(Text(f"words: {s.words_from}"))
    return Group(*lines)
