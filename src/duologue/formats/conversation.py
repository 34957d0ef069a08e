"""Conversations as text, with emotions and causes by turn: what emotion corpora without sound bring in.

Every row of a source is accounted for: it became a turn, or it is a problem with its file and line. A dialogue of text
alone has no audio, segments or words; its speakers are all in the role of user.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.annotation import (
    Annotation,
    Cause,
    CauseAnnotation,
    CauseKind,
    EmotionAnnotation,
    LabelAnnotation,
    ShiftAnnotation,
)
from duologue.corpus.dialogue import SCHEMA_VERSION, SPLITS, Dialogue, Split
from duologue.corpus.emotion import DUOLOGUE, EmotionValue
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.speaker import Speaker
from duologue.corpus.truth import shifts
from duologue.corpus.turn import Turn
from duologue.errors import UserError
from duologue.formats.aside import aside
from duologue.formats.folder import language_of
from duologue.formats.format import ImportOptions, ImportReport, Problem
from duologue.formats.landing import Landing


class TextOptions(ImportOptions, frozen=True, kw_only=True):
    """``split`` is that of every dialogue: the sources' own parts share speakers, which a split here must not."""

    split: Split = "unassigned"


class Row(msgspec.Struct, kw_only=True):
    """One utterance. ``number`` orders it and is what causes refer to; ``emotions`` are (rater, name as given).

    ``rows`` is how many rows of the source it stands for.
    """

    where: str
    number: int
    speaker: str
    text: str
    emotions: list[tuple[str, str]] = []
    text_raw: str = ""
    marks: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A cause as a source tells it: numbers of rows, and the words, or code points of the text."""

    where: str
    emotion: int
    evidence: int
    words: str = ""
    span: tuple[int, int] | None = None
    kind: CauseKind = "event"


class Conversation(msgspec.Struct, kw_only=True):
    """A dialogue of a source, before it is one of ours."""

    id: str
    file: str
    rows: list[Row] = []
    causes: list[Told] = []


def files(src: Path, suffix: str, what: str) -> list[Path]:
    """``src`` itself, or the files with ``suffix`` under it in order."""
    found = [src] if src.is_file() else sorted(p for p in src.rglob(f"*{suffix}") if p.is_file())
    if not found:
        raise UserError(f"no {what} found", where=str(src), allowed=f"a file, or a folder of *{suffix}")
    return found


def text_of(path: Path, notes: list[str]) -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or else Windows-1252, which is noted."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append(f"{path.name}: not UTF-8, read as Windows-1252")
        return data.decode("cp1252", errors="replace")


def table(path: Path, wanted: tuple[str, ...], notes: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV or TSV file with their places; ``wanted`` columns must be there, in any case."""
    text = text_of(path, notes)
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter="\t" if first.count("\t") > first.count(",") else ","
    )
    header = [(h or "").strip().casefold() for h in reader.fieldnames or ()]
    if missing := [w for w in wanted if w not in header]:
        raise UserError("a column is missing", where=f"{path}:1", value=header, allowed=", ".join(missing))
    reader.fieldnames = header
    for row in reader:
        yield f"{path.name}:{reader.line_num}", {k: (v or "") for k, v in row.items() if isinstance(k, str)}


def json_of(path: Path, notes: list[str]) -> Any:
    """The JSON of a file; UserError where it is broken."""
    try:
        return json.loads(text_of(path, notes))
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=str(path)) from None


def land(
    name: str,
    conversations: Iterable[Conversation],
    out: Path,
    options: TextOptions,
    problems: list[Problem],
    notes: list[str],
    *,
    language: str,
    rows: int,
) -> ImportReport:
    """Write ``conversations`` as the corpus ``out``. ``rows`` is how many rows the source has, to be accounted for."""
    rights, kind = options.rights()
    if options.split not in SPLITS:
        raise UserError("unknown split", field="split", value=options.split, allowed=", ".join(SPLITS))
    language = language_of(options.language, language)
    turns = emotions = causes = 0
    with aside(out) as fresh:
        landing = Landing(fresh)
        for c in conversations:
            kept = _sound(c, problems)
            if not kept:
                problems.append(Problem(where=c.file, what=f"dialogue {c.id}: no row of it can be used"))
                continue
            speakers = {r.speaker: f"spk-{name}-{r.speaker}" for r in kept}
            annotations = [*_annotated(kept, problems), *_caused(c, kept, problems)]
            causes += sum(isinstance(a, CauseAnnotation) for a in annotations)
            emotions += sum(isinstance(a, EmotionAnnotation) for a in annotations)
            turns += len(kept)
            others = {a: b for a in speakers for b in speakers if a != b} if len(speakers) == 2 else {}
            landing.add(
                _shifted(
                    Dialogue(
                        schema_version=SCHEMA_VERSION,
                        id=f"{name}-{hashlib.sha256(f'{c.file} {c.id}'.encode()).hexdigest()[:12]}",
                        track="emotion",
                        tasks=("trajectory", "reasoning") if c.causes else ("trajectory",),
                        languages=(language,),
                        split=options.split,
                        scenario="dialogue",
                        source=kind,
                        rights=rights,
                        groups={"speaker": tuple(sorted(speakers.values()))},
                        speakers=tuple(
                            Speaker(
                                id=id,
                                role="user",
                                languages=(language,),
                                synthetic=kind == "synthetic",
                                consent_id=options.consent,
                            )
                            for id in speakers.values()
                        ),
                        turns=tuple(
                            Turn(
                                index=i,
                                role="user",
                                speaker=speakers[r.speaker],
                                addressee=speakers[others[r.speaker]] if others else "",
                                language=language,
                                text=r.text,
                                text_raw=r.text_raw if r.text_raw != r.text else "",
                            )
                            for i, r in enumerate(kept)
                        ),
                        annotations=tuple(annotations),
                        provenance=Provenance(
                            steps=(
                                Step(
                                    step="import",
                                    part=name,
                                    version=version("duologue"),
                                    parameters={"file": c.file, "id": c.id, "numbers": [r.number for r in kept]},
                                ),
                            )
                        ),
                    )
                )
            )
        notes.append(f"{rows} rows: {turns} turns, {rows - turns} left out; {emotions} emotions, {causes} causes")
        if not turns or (problems and not options.skip_bad):
            return ImportReport(written=False, problems=tuple(problems), notes=tuple(notes))
        return landing.reveal(out, name, problems, notes)


def _shifted(d: Dialogue) -> Dialogue:
    """``d`` with its shifts derived from the emotions, and its annotations numbered."""
    causes: dict[int, list[str]] = {}
    named = [msgspec.structs.replace(a, id=f"n{k}") for k, a in enumerate(d.annotations)]
    for a in named:
        if isinstance(a, CauseAnnotation):
            causes.setdefault(a.value.emotion_turn, []).append(a.id)
    changes = [
        ShiftAnnotation(
            id=f"n{len(named) + k}",
            target=f"turn:{s.to_turn}",
            rater="derived from emotions",
            rater_type="human",
            value=msgspec.structs.replace(s, causes=tuple(causes.get(s.to_turn, ()))),
        )
        for k, s in enumerate(shifts(msgspec.structs.replace(d, annotations=tuple(named))))
    ]
    return msgspec.structs.replace(d, annotations=(*named, *changes))


def _sound(c: Conversation, problems: list[Problem]) -> list[Row]:
    """The rows that are turns, in order; a number that comes twice and a row without words are problems."""
    kept: dict[int, Row] = {}
    for r in c.rows:
        r.text = unicodedata.normalize("NFC", " ".join(r.text.split()))
        r.text_raw = unicodedata.normalize("NFC", " ".join(r.text_raw.split()))
        r.speaker = unicodedata.normalize("NFC", " ".join(r.speaker.split()))
        if r.number in kept:
            problems.append(Problem(where=r.where, what=f"utterance {r.number} of dialogue {c.id} comes twice"))
        elif not r.text:
            problems.append(Problem(where=r.where, what="no words"))
        elif not r.speaker:
            problems.append(Problem(where=r.where, what="no speaker"))
        else:
            kept[r.number] = r
    return [kept[n] for n in sorted(kept)]


def _annotated(rows: list[Row], problems: list[Problem]) -> Iterator[Annotation]:
    for i, r in enumerate(rows):
        for rater, name in r.emotions:
            try:
                label = DUOLOGUE.resolve(name, where=r.where)
            except UserError as error:
                problems.append(Problem(where=r.where, what=error.message.removeprefix(f"{r.where}: ")))
                continue
            yield EmotionAnnotation(
                id="n",
                target=f"turn:{i}",
                rater=rater,
                rater_type="human",
                value=EmotionValue(label=label, intensity=0 if label == "neutral" else 2),
            )
        if r.marks:
            yield LabelAnnotation(id="n", target=f"turn:{i}", rater="transcript", rater_type="human", value=r.marks)


def _caused(c: Conversation, rows: list[Row], problems: list[Problem]) -> Iterator[Annotation]:
    index = {r.number: i for i, r in enumerate(rows)}
    for told in c.causes:
        emotion, evidence = index.get(told.emotion), index.get(told.evidence)
        if emotion is None or evidence is None:
            missing = told.emotion if emotion is None else told.evidence
            problems.append(Problem(where=told.where, what=f"a cause names utterance {missing}, which is not there"))
            continue
        text = rows[evidence].text
        span = told.span or _find(told.words, text)
        if span is None or not 0 <= span[0] < span[1] <= len(text):
            problems.append(Problem(where=told.where, what=f"a cause is not in its utterance: {told.words[:80]!r}"))
            continue
        yield CauseAnnotation(
            id="n",
            target=f"turn:{emotion}",
            rater="source labels",
            rater_type="human",
            value=Cause(emotion_turn=emotion, evidence_turn=evidence, span=span, cause_kind=told.kind, explicit=False),
        )


def _find(words: str, text: str) -> tuple[int, int] | None:
    """Where ``words`` stand in ``text``, whatever the space between its tokens and the case of its letters."""
    words = unicodedata.normalize("NFC", " ".join(words.split()))
    if not words:
        return 0, len(text)
    if (at := text.find(words)) >= 0:
        return at, at + len(words)
    # Tokenised copies put space before punctuation: compared without any space.
    places = [i for i, ch in enumerate(text) if not ch.isspace()]
    bare = "".join(text[i] for i in places).casefold()
    wanted = "".join(words.split()).casefold()
    if len(bare) == len(places) and wanted and (at := bare.find(wanted)) >= 0:
        return places[at], places[at + len(wanted) - 1] + 1
    return None
