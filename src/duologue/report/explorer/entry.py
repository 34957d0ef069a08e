"""One dialogue inside an explorer: a row to search and filter by, and all that is shown once it is opened."""

from __future__ import annotations

import msgspec

from duologue.corpus.annotation import Shift
from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.invariants import breaches
from duologue.corpus.manifest import Manifest
from duologue.corpus.read import OpenDialogue
from duologue.corpus.truth import emotions, shifts
from duologue.errors import UserError
from duologue.report.explorer.track import Track, track


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What the list knows of a dialogue. ``estimated`` names the layers that a recogniser or model gave.

    ``heard`` is whether its sound found room in the page.
    """

    id: str
    track: str
    language: str
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    scenario: str
    split: str
    source: str
    seconds: float
    emotions: tuple[str, ...]
    shifts: tuple[str, ...]
    findings: int
    estimated: tuple[str, ...]
    speakers: tuple[str, ...]
    texts: tuple[str, ...]
    twin: bool
    heard: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What an opened dialogue shows: its record, the emotions that count (turn index as text), shifts, findings."""

    dialogue: Dialogue
    felt: dict[str, EmotionValue]
    shifts: tuple[Shift, ...]
    findings: tuple[str, ...]
    main: Track | None
    twin: Track | None


def files(item: OpenDialogue) -> tuple[Audio | None, Audio | None]:
    """The main file and its twin, None where there is none."""
    try:
        main = item.file("main")
    except UserError:
        return None, None
    return main, next((a for a in item.dialogue.audio if a.twin is not None and a.twin.of == main.id), None)


def entry(item: OpenDialogue, manifest: Manifest) -> Entry:
    """All that the page shows of ``item``. A file that is missing or broken becomes a finding, not an error."""
    d = item.dialogue
    found = [
        f"{field}: {message}" + (f" (allowed: {allowed})" if allowed else "")
        for field, _, allowed, message in breaches(d, manifest.taxonomy, manifest.scenarios or ())
    ]
    tracks: list[Track | None] = []
    for file in files(item):
        try:
            tracks.append(None if file is None else track(item, file))
        except UserError as error:
            found.append(f"audio {file.id if file else ''}: {error.what}")
            tracks.append(None)
    return Entry(
        dialogue=d,
        felt={str(i): v for i, v in emotions(d).items()},
        shifts=tuple(shifts(d)),
        findings=tuple(found),
        main=tracks[0],
        twin=tracks[1] if tracks[0] else None,
    )


def row(e: Entry) -> Row:
    """The list's row for ``e``."""
    d = e.dialogue
    estimated = []
    if any(w.source == "estimated" for t in d.turns for w in t.words):
        estimated.append("words")
    estimated += sorted({_layer(a) for a in d.annotations if a.rater_type == "model"})
    return Row(
        id=d.id,
        track=d.track,
        language=d.languages[0],
        languages=d.languages,
        tasks=d.tasks,
        scenario=d.scenario,
        split=d.split,
        source=d.source,
        seconds=round(e.main.seconds, 2) if e.main else 0.0,
        emotions=tuple(sorted({v.label for v in e.felt.values()})),
        shifts=tuple(sorted({f"{s.from_label} → {s.to_label}" for s in e.shifts})),
        findings=len(e.findings),
        estimated=tuple(estimated),
        speakers=tuple(s.id for s in d.speakers),
        texts=tuple(t.text for t in d.turns),
        twin=e.twin is not None,
    )


def _layer(a: msgspec.Struct) -> str:
    """The layer of an annotation: "emotion", "cause", "shift", "time" or "label"."""
    return str(a.__struct_config__.tag)
