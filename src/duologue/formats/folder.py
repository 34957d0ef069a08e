"""A folder or CSV manifest of recordings with labels, one speaker and one turn a file.

Columns are found by their usual names or named by hand; labels can also come out of file names. The turn's segment
is the whole file, as nothing here listens.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from duologue.corpus.annotation import Annotation, EmotionAnnotation, LabelAnnotation, RaterType
from duologue.corpus.audio import Channel, ChannelKind
from duologue.corpus.dialogue import LANGUAGES, SCHEMA_VERSION, TRACKS, Dialogue, SourceKind, Split, Track
from duologue.corpus.emotion import DUOLOGUE, INTENSITIES, EmotionValue
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.recording import SUFFIXES, Recording, read_recording
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Sex, Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.errors import UserError
from duologue.formats.aside import aside
from duologue.formats.format import ImportOptions, ImportReport, Problem
from duologue.formats.landing import Landing

# What a column is usually called, first match first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "filename", "file_name", "path", "audio", "audio_file", "wav", "wav_path", "name"),
    "emotion": ("emotion", "emo", "emotion_label", "label", "feeling", "情感", "情绪"),
    "intensity": ("intensity", "emotion_intensity", "strength", "level"),
    "text": ("text", "transcript", "transcription", "sentence", "utterance", "文本"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "actor", "actor_id", "subject"),
    "sex": ("sex", "gender"),
    "language": ("language", "lang", "locale"),
    "split": ("split", "subset", "partition", "set"),
}
_INTENSITY = {
    "": 2, "none": 0, "weak": 1, "low": 1, "mild": 1, "slight": 1, "normal": 2, "medium": 2, "moderate": 2, "mid": 2,
    "strong": 3, "high": 3, "intense": 3, "弱": 1, "中": 2, "强": 3,
}  # fmt: skip
_SEX: dict[str, Sex] = {
    "": "unknown", "unknown": "unknown", "f": "female", "female": "female", "woman": "female", "女": "female",
    "m": "male", "male": "male", "man": "male", "男": "male",
}  # fmt: skip
_SPLIT: dict[str, Split] = {
    "": "unassigned", "unassigned": "unassigned", "train": "train", "training": "train", "dev": "dev",
    "development": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test", "eval": "test",
    "evaluation": "test",
}  # fmt: skip
_LANGUAGE = {"english": "en", "eng": "en", "chinese": "zh", "mandarin": "zh", "cmn": "zh", "zho": "zh", "中文": "zh"}


class FolderOptions(ImportOptions, frozen=True, kw_only=True):
    """``manifest`` is a CSV or TSV file whose paths are relative to the folder of recordings (or to itself).

    ``columns`` maps what we call a column (a key of COLUMNS) to what the file calls it. ``label_from_name`` is a
    file name without its suffix in which ``{word}`` stands for a label of that name: ``{state}_{origin}_{n}``. A word
    that is a key of COLUMNS fills that column; ``{}`` matches anything. ``rater_type`` is "intent" where the speakers
    were told what to feel, by default for acted speech.
    """

    manifest: Path | None = None
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    label_from_name: str = ""
    track: Track | str = ""
    split: Split = "unassigned"
    rater: str = ""
    rater_type: RaterType | str = ""


OPTIONS = FolderOptions


class _Row(msgspec.Struct):
    """One recording to be: ``cells`` are its columns, ``labels`` what its name says besides."""

    where: str
    file: str
    cells: dict[str, str]
    labels: dict[str, str]


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the recordings under ``src``; see :class:`FolderOptions`."""
    options = msgspec.convert(msgspec.structs.asdict(options), FolderOptions)
    rights, kind = options.rights()
    if not src.is_dir():
        raise UserError("no such folder", where=str(src))
    if options.track and options.track not in TRACKS:
        raise UserError("unknown track", field="track", value=options.track, allowed=", ".join(TRACKS))
    problems: list[Problem] = []
    notes: list[str] = []
    rows = list(_rows(src, options, problems, notes))
    if not rows and not problems:
        raise UserError("no recordings found", where=str(src), allowed=" ".join(sorted(SUFFIXES)))
    has_emotion = any(r.cells.get("emotion") for r in rows)
    track: Track = "duplex" if (options.track or ("emotion" if has_emotion else "duplex")) == "duplex" else "emotion"
    changed, unknown_speakers, seen = 0, 0, dict[str, str]()
    with aside(out) as fresh:
        landing = Landing(fresh)
        for row in rows:
            try:
                path = _find(row, src, options.manifest)
                recording = read_recording(
                    path, rate=options.rate, channels=options.channels, keep_clipped=options.keep_clipped
                )
                if (twice := seen.setdefault(recording.sha256, row.file)) != row.file:
                    raise UserError(f"the same recording as {twice}", where=row.file)
                dialogue = _dialogue(row, recording, options, track, rights, kind)
            except UserError as error:
                problems.append(Problem(where=row.where, what=error.message))
                continue
            changed += not recording.lossless
            unknown_speakers += not row.cells.get("speaker")
            notes += [f"{row.where}: {note}" for note in recording.notes]
            speakers = tuple(s.id for s in dialogue.speakers)
            kinds = _channel_kinds(recording.samples.shape[1], kind)
            audio = landing.store(
                dialogue,
                "a0",
                recording.samples,
                recording.sample_rate,
                tuple(Channel(kind=k, speakers=() if k == "system" else speakers) for k in kinds),
            )
            landing.add(msgspec.structs.replace(dialogue, audio=(audio,)))
        if changed:
            notes.append(
                f"{changed} recordings were resampled, mixed or rounded to 16 bit; the others are sample-exact"
            )
        if unknown_speakers:
            notes.append(f"{unknown_speakers} recordings name no speaker: each counts as a speaker of its own")
        if not any(rows) or (problems and (not options.skip_bad or len(problems) >= len(rows))):
            return ImportReport(written=False, problems=tuple(problems), notes=tuple(notes))
        return landing.reveal(out, "folder", problems, notes)


def _channel_kinds(count: int, kind: str) -> tuple[ChannelKind, ...]:
    if count == 1:
        return ("user-mic",)
    if count == 2 and kind in ("human-machine", "synthetic-user-machine"):
        return ("user-mic", "system")
    return tuple("mixed" for _ in range(count))


def _rows(src: Path, options: FolderOptions, problems: list[Problem], notes: list[str]) -> Iterator[_Row]:
    pattern = _name_pattern(options.label_from_name) if options.label_from_name else None
    if unknown := [c for c in options.columns if c not in COLUMNS]:
        raise UserError("unknown column", field="--column", value=unknown[0], allowed=", ".join(COLUMNS))
    found = _manifest_rows(options, notes) if options.manifest else _folder_rows(src)
    for row in found:
        if pattern:
            match = pattern.fullmatch(Path(row.file).stem)
            if not match:
                problems.append(
                    Problem(
                        where=row.where, what=f"its name does not fit --label-from-name {options.label_from_name!r}"
                    )
                )
                continue
            for name, value in match.groupdict().items():
                (row.cells if name in COLUMNS else row.labels)[name] = value
        yield row


def _folder_rows(src: Path) -> Iterator[_Row]:
    for path in sorted(src.rglob("*"), key=lambda p: p.as_posix()):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(src).as_posix()
            yield _Row(where=name, file=name, cells={}, labels={})


def _manifest_rows(options: FolderOptions, notes: list[str]) -> Iterator[_Row]:
    path = options.manifest
    assert path is not None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8", where=str(path), value=error.object[error.start : error.start + 8]) from None
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=first.count))
    header = [h.strip() for h in reader.fieldnames or ()]
    reader.fieldnames = header
    folded = {h.casefold(): h for h in header}
    columns: dict[str, str] = {}
    for ours, usual in COLUMNS.items():
        if given := options.columns.get(ours):
            if given not in header:
                raise UserError("no such column", where=f"{path}:1", field=ours, value=given, allowed=", ".join(header))
            columns[ours] = given
        elif name := next((folded[u] for u in usual if u in folded), None):
            columns[ours] = name
    if "file" not in columns:
        raise UserError(
            "no column names the recordings",
            where=f"{path}:1",
            value=header,
            allowed=", ".join(COLUMNS["file"]),
            mend="give --column file=NAME",
        )
    if unused := [h for h in header if h not in columns.values()]:
        notes.append(f"{path.name}: columns not used: {', '.join(unused)}")
    for cells in reader:
        where = f"{path.name}:{reader.line_num}"
        if None in cells:
            yield _Row(where=where, file="", cells={"error": "more cells than the header has columns"}, labels={})
            continue
        yield _Row(
            where=where,
            file=(cells[columns["file"]] or "").strip(),
            cells={ours: (cells[theirs] or "").strip() for ours, theirs in columns.items() if ours != "file"},
            labels={},
        )


def _name_pattern(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w*)\}", pattern)
    regex = "".join(
        re.escape(part) if i % 2 == 0 else (f"(?P<{part}>.+?)" if part else ".+?") for i, part in enumerate(parts)
    )
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise UserError(f"not a pattern: {error}", field="--label-from-name", value=pattern) from None
    if not compiled.groupindex:
        raise UserError(
            "names no label", field="--label-from-name", value=pattern, allowed="{word} marks, as in {state}_{n}"
        )
    return compiled


def _find(row: _Row, src: Path, manifest: Path | None) -> Path:
    """The recording of a row, inside the given folders; a file system may spell its name in another normal form."""
    if "error" in row.cells:
        raise UserError(row.cells["error"])
    if not row.file:
        raise UserError("empty", field="file")
    roots = [src, *([manifest.parent] if manifest else [])]
    for root in roots:
        for form in (row.file, unicodedata.normalize("NFC", row.file), unicodedata.normalize("NFD", row.file)):
            path = root / form
            if path.is_file():
                if not path.resolve().is_relative_to(root.resolve()):
                    raise UserError("leads out of the folder", field="file", value=row.file)
                return path
    raise UserError("no such recording", field="file", value=row.file, allowed=f"a file under {src}")


def _choice(cells: dict[str, str], field: str, allowed: dict[str, str]) -> str:
    value = cells.get(field, "")
    if (meant := allowed.get(value.casefold())) is None:
        names = ", ".join(sorted({k for k in allowed if k and k.isascii()}))
        raise UserError(f"unknown {field}", field=field, value=value, allowed=names)
    return meant


def language_of(value: str, default: str) -> str:
    """ "en" or "zh" of a tag or name such as "zh-CN" or "Mandarin"; UserError where it is neither or not given."""
    given = (value or default).strip().casefold()
    meant = _LANGUAGE.get(given, re.split("[-_]", given)[0])
    if meant not in LANGUAGES:
        raise UserError(
            "unknown language" if given else "no language given",
            field="language",
            value=given or None,
            allowed=", ".join(LANGUAGES),
            mend="" if given else "give --language or a column",
        )
    return meant


def _dialogue(
    row: _Row, recording: Recording, options: FolderOptions, track: Track, rights: Rights, kind: SourceKind
) -> Dialogue:
    """The dialogue of one recording, still without its audio entry."""
    cells = row.cells
    language = language_of(cells.get("language", ""), options.language)
    split = _SPLIT[_choice(cells, "split", {k: k for k in _SPLIT})] if cells.get("split") else options.split
    # The id is drawn from name and content, so that it tells no label.
    id = f"rec-{hashlib.sha256(f'{row.file} {recording.sha256}'.encode()).hexdigest()[:12]}"
    speaker = Speaker(
        id=f"spk-{cells['speaker']}" if cells.get("speaker") else f"spk-{id}",
        role="user",
        languages=(language,),
        synthetic=kind == "synthetic",
        sex=_SEX[_choice(cells, "sex", {k: k for k in _SEX})],
        consent_id=options.consent,
    )
    rater_type: RaterType = "human"
    if options.rater_type in ("human", "model", "intent"):
        rater_type = msgspec.convert(options.rater_type, RaterType)
    elif kind in ("acted", "synthetic"):
        rater_type = "intent"
    rater = options.rater or "source labels"
    annotations: list[Annotation] = []
    if name := cells.get("emotion"):
        label = DUOLOGUE.resolve(name)
        annotations.append(
            EmotionAnnotation(
                id="n0",
                target="turn:0",
                rater=rater,
                rater_type=rater_type,
                value=EmotionValue(label=label, intensity=0 if label == "neutral" else _intensity(cells)),
            )
        )
    if row.labels:
        annotations.append(
            LabelAnnotation(
                id=f"n{len(annotations)}", target="turn:0", rater=rater, rater_type=rater_type, value=dict(row.labels)
            )
        )
    text = unicodedata.normalize("NFC", cells.get("text", ""))
    return Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track=track,
        tasks=("recognition",) if track == "emotion" else ("rejection",),
        languages=(language,),
        split=split,
        scenario="clip" if track == "emotion" else "none",
        source=kind,
        rights=rights,
        groups={"speaker": (speaker.id,), "source_recording": (recording.sha256[:16],)},
        speakers=(speaker,),
        turns=(
            Turn(
                index=0,
                role="user",
                speaker=speaker.id,
                addressee="",
                language=language,
                text=text,
                segments=(Segment(audio="a0", channel=0, start=0, end=len(recording.samples)),),
            ),
        ),
        annotations=tuple(annotations),
        provenance=provenance("folder", row.file, recording),
    )


def _intensity(cells: dict[str, str]) -> int:
    value = cells.get("intensity", "").casefold()
    if value.isdecimal() and int(value) in INTENSITIES:
        return int(value)
    if value not in _INTENSITY:
        raise UserError(
            "unknown intensity",
            field="intensity",
            value=value,
            allowed="0-3, " + ", ".join(k for k in _INTENSITY if k and k.isascii()),
        )
    return _INTENSITY[value]


def provenance(part: str, file: str, recording: Recording) -> Provenance:
    """Which file became a dialogue, and what was done to its samples."""
    return Provenance(
        steps=(
            Step(
                step="import",
                part=part,
                version=version("duologue"),
                sha256=recording.sha256,
                parameters={
                    "file": unicodedata.normalize("NFC", file),
                    "source_rate": recording.source_rate,
                    "subtype": recording.subtype,
                    "lossless": recording.lossless,
                },
            ),
        )
    )
