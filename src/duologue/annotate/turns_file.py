"""Turns as JSON Lines for a person to correct, a turn a line, and the dialogues again as the lines say it.

    {"dialogue": ..., "turn": 3, "speaker": ..., "kind": "turn", "text": ..., "segments": [[1.25, 3.5]],
     "words": [["Hello", 1.25, 1.6], ...]}

Seconds of the main audio. A line without ``turn`` is a new turn, a turn without a line is gone. What follows from a
change is settled as for TextGrids (:mod:`duologue.formats.textgrid.tiers`), so both give the same dialogue.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec

from duologue.annotate.rewrite import rewrite
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.table import read_table
from duologue.corpus.turn import TurnKind
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.formats.format import ImportReport, Problem
from duologue.formats.textgrid.grid import Interval, TextGrid, Tier, layers
from duologue.formats.textgrid.tiers import apply, main_audio

LARGEST = 1 << 30


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dialogue: str
    turn: int | None = None
    speaker: str
    kind: TurnKind = "turn"
    text: str = ""
    segments: tuple[tuple[float, float], ...]
    words: tuple[tuple[str, float, float], ...] = ()


def write_turns(corpus: Corpus, path: Path) -> int:
    """Write every turn of ``corpus`` that its main audio holds; gives their number."""
    lines = []
    for item in corpus:
        d = item.dialogue
        audio = main_audio(d)
        if audio is None:
            continue
        r = audio.sample_rate
        for t in d.turns:
            own = tuple((s.start / r, s.end / r) for s in t.segments if s.audio == audio.id)
            if own:
                words = tuple((w.text, w.start / r, w.end / r) for w in t.words)
                line = Line(dialogue=d.id, turn=t.index, speaker=t.speaker, kind=t.kind, text=t.text,
                            segments=own, words=words)  # fmt: skip
                lines.append(msgspec.json.encode(line) + b"\n")
    write_atomic(path, b"".join(lines))
    return len(lines)


def correct(corpus: Corpus, path: Path, out: Path, *, rater: str, skip_bad: bool = False) -> ImportReport:
    """Make the corpus ``out`` with the turns that ``path`` gives; dialogues without a line stay as they are."""
    problems: list[Problem] = []
    lines: dict[str, list[Line]] = defaultdict(list)
    for number, row in enumerate(read_table(path, LARGEST).splitlines(), 1):
        if row.strip():
            try:
                line = msgspec.json.decode(row, type=Line)
                lines[line.dialogue].append(line)
            except msgspec.MsgspecError as error:
                problems.append(Problem(where=f"{path.name}:{number}", what=str(error)))
    changed: dict[str, Dialogue] = {}
    for item in corpus:
        own = lines.pop(item.id, None)
        if own is None:
            continue
        try:
            manifest = corpus.manifest
            d = apply(item.dialogue, _grid(item.dialogue, own), rater=rater, taxonomy=manifest.taxonomy,
                      scenarios=manifest.scenarios or (), where=item.id)  # fmt: skip
            if d != item.dialogue:
                changed[item.id] = d
        except UserError as error:
            problems.append(Problem(where=item.id, what=error.message))
    problems += [Problem(where=path.name, what=f"no dialogue {id}") for id in lines]
    if problems and not skip_bad:
        return ImportReport(written=False, problems=tuple(problems))
    made = rewrite(corpus, out, lambda d: changed.get(d.id, d), {"corrected_by": rater} if changed else {})
    return ImportReport(
        written=True,
        dialogues=made.totals.dialogues,
        seconds=made.totals.seconds,
        corpus_sha256=made.corpus_sha256,
        problems=tuple(problems),
        notes=(f"{len(changed)} dialogues changed",),
    )


def _grid(d: Dialogue, lines: list[Line]) -> TextGrid:
    audio = main_audio(d)
    if audio is None:
        raise UserError("the dialogue has no audio", where=d.id)
    tiers: list[Tier] = []
    if unknown := [x.speaker for x in lines if x.speaker not in {s.id for s in d.speakers}]:
        raise UserError(
            "unknown speaker", field="speaker", value=unknown[0], allowed=", ".join(s.id for s in d.speakers)
        )
    for speaker in d.speakers:
        turns: list[Interval] = []
        words: list[Interval] = []
        for x in (x for x in lines if x.speaker == speaker.id):
            kind = "" if x.kind == "turn" else f" {x.kind}"
            for k, (a, b) in enumerate(x.segments):
                if x.turn is None:
                    if k:
                        raise UserError("a new turn has one segment", field="segments", value=x.segments)
                    text = f"{x.kind}: {x.text}"
                else:
                    text = f"{x.turn}{kind}: {x.text}" if not k else f"{x.turn}+:"
                turns.append(Interval(a, b, text))
            words += [Interval(a, b, w) for w, a, b in x.words]
        for name, rows in (("turns", turns), ("words", words)):
            for k, layer in enumerate(layers(rows) or [[]], 1):
                tiers.append(Tier(name=f"{speaker.id} {name}" + (f" {k}" if k > 1 else ""), intervals=tuple(layer)))
    return TextGrid(end=audio.length / audio.sample_rate, tiers=tuple(tiers))
