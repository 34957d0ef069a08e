"""The understanding baseline as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.report.emotion_text import shown
from duologue.understanding.evaluate import Evaluation, Result
from duologue.understanding.model import ModelManifest


def trained(m: ModelManifest) -> Group:
    """What a model learnt from and what dev chose."""
    table = Table("task", "lang", "train", "dev", "cue", "C", "mean recall on dev", title="chosen on dev")
    for c in m.choices:
        by_cue = ", ".join(f"{cue} {score:.3f}" for cue, score in c.by_cue.items())
        table.add_row(c.task, c.language, str(c.train), str(c.n), c.cue, f"{c.strength:g}", by_cue)
    seen = ", ".join(f"{split} {s.heard} of {s.dialogues}" for split, s in m.splits.items())
    return Group(
        Text(f"corpus {m.corpus} {m.corpus_sha256}"),
        Text(f"dialogues heard: {seen}; words: {m.words}"),
        table,
        Text(f"{len(m.files)} files of weights; model {m.model_sha256}"),
    )


def evaluated(e: Evaluation) -> Group:
    """Each task by language and cue; then acted clips and the drop."""
    other = "" if e.corpus_sha256 == e.trained_on_sha256 else f", trained on another corpus: {e.trained_on}"
    lines: list[RenderableType] = [
        _table(e.results, f"{e.corpus}, {e.split}: {e.heard} of {e.dialogues} dialogues{other}"),
        Text(f"words: {e.words}, in training {e.trained_words}; * chosen on dev; model {e.model_sha256}"),
    ]
    if e.real:
        lines.append(_table(e.real, "clips acted by people"))
    for language, drop in e.drop.items():
        lines.append(Text(f"from synthetic to real, UA of the voice, {language}: a drop of {drop:.3f}"))
    lines.append(Text("recall by class:"))
    for r in (*e.results, *e.real):
        if r.chosen and r.by_class:
            by_class = ", ".join(f"{label} {x:.2f}" for label, x in r.by_class.items())
            lines.append(Text(f"  {r.task}, {r.language}, {r.cue}: {by_class}"))
    return Group(*lines)


def _table(results: Sequence[Result], title: str) -> Table:
    table = Table("task", "lang", "cue", "n", "UA", "chance", "share right", title=title)
    for r in results:
        cue = r.cue + ("*" if r.chosen else "")
        chance = f"{r.chance:.3f}" if r.chance is not None else "-"
        table.add_row(r.task, r.language, cue, str(r.n), shown(r.ua), chance, shown(r.wa))
    return table
