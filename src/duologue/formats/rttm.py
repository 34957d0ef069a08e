"""Recordings of people talking with RTTM speaker segments and, where there is one, a UEM of what was annotated.

RTTM: lines ``SPEAKER uri channel onset duration <NA> <NA> speaker <NA> <NA>``; UEM: ``uri channel start end``, in
seconds (NIST, Rich Transcription evaluation). Turns come without text: the format holds none.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np

from duologue.corpus.annotation import TimeAnnotation, TimeMark
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.recording import SUFFIXES, Recording, read_recording
from duologue.corpus.speaker import Sex, Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.corpus.write import is_main, write_atomic
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.formats.folder import language_of
from duologue.formats.format import ExportOptions, ExportReport, ImportOptions, ImportReport, Overlap, Problem
from duologue.formats.landing import Landing
from duologue.formats.training import Chosen, chosen
from duologue.formats.unscripted import unscripted

# A segment may pass the end of its recording by this much (seconds) before it is a problem: times are rounded.
SLACK = 0.05
OPTIONS = ImportOptions


class _Spoken(msgspec.Struct, frozen=True):
    where: str
    start: float
    end: float
    speaker: str


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the audio under ``src`` that the RTTM or UEM files there name."""
    options.rights()
    if not src.is_dir():
        raise UserError("no such folder", where=str(src))
    problems: list[Problem] = []
    spoken = _read_rttm(sorted(src.rglob("*.rttm")), problems)
    if not spoken and not problems:
        raise UserError("no speaker segments found", where=str(src), allowed="*.rttm files with SPEAKER lines")
    regions = _read_uem(sorted(src.rglob("*.uem")), problems)
    audio = sorted((p for p in src.rglob("*") if p.suffix.lower() in SUFFIXES), key=lambda p: p.as_posix())
    found, notes = _pair(sorted(spoken.keys() | regions.keys()), audio, src, problems)
    overlap: dict[str, Overlap] = {}
    with aside(out) as fresh:
        landing = Landing(fresh)
        for uri, path in found.items():
            try:
                recording = read_recording(
                    path, rate=options.rate, channels=options.channels, keep_clipped=options.keep_clipped
                )
                file = path.relative_to(src).as_posix()
                dialogue = _dialogue(uri, file, spoken.get(uri, []), regions.get(uri, []), recording, options)
            except UserError as error:
                problems.append(Problem(where=path.relative_to(src).as_posix(), what=error.message))
                continue
            notes += [f"{file}: {note}" for note in recording.notes]
            everyone = tuple(s.id for s in dialogue.speakers)
            channels = tuple(
                Channel(kind="user-mic" if recording.samples.shape[1] == 1 else "mixed", speakers=everyone)
                for _ in range(recording.samples.shape[1])
            )
            entry = landing.store(dialogue, "a0", recording.samples, recording.sample_rate, channels)
            dialogue = msgspec.structs.replace(dialogue, audio=(entry,))
            landing.add(dialogue)
            overlap[uri] = overlap_of(dialogue)
        if not overlap or (problems and not options.skip_bad):
            return ImportReport(written=False, problems=tuple(problems), notes=tuple(notes), overlap=overlap)
        return landing.reveal(out, "rttm", problems, notes, overlap)


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write ``OUT/{split}/{id}.rttm``, ``.uem`` and ``.flac``: a SPEAKER line for each stretch of a turn.

    Seconds have 7 digits; the channel is counted from 1. Names lose their spaces, which RTTM parts fields by. The UEM
    says the annotated time, or the whole recording. Words, events and emotions have no place in the format.
    """
    pick = Chosen(corpus, options)
    with aside(out) as folder:
        for item, data in chosen(pick):
            d = item.dialogue
            audio = next(a for a in d.audio if is_main(a))
            rate, uri = audio.sample_rate, "_".join(d.id.split())
            lines = sorted(
                (s.start, s.channel + 1, s.end, "_".join(t.speaker.split()))
                for t in d.turns
                for s in t.segments
                if s.audio == audio.id
            )
            marks = [
                (a.value.start, a.value.end)
                for a in d.annotations
                if isinstance(a, TimeAnnotation) and a.value.label == "annotated" and a.value.audio == audio.id
            ]
            rttm = [
                f"SPEAKER {uri} {channel} {start / rate:.7f} {(end - start) / rate:.7f} <NA> <NA> {who} <NA> <NA>\n"
                for start, channel, end, who in lines
            ]
            uem = [f"{uri} 1 {a / rate:.7f} {b / rate:.7f}\n" for a, b in marks or [(0, audio.length)]]
            for suffix, content in (
                (".rttm", "".join(rttm).encode()),
                (".uem", "".join(uem).encode()),
                (".flac", data),
            ):
                write_atomic(folder / d.split / f"{uri}{suffix}", content, sync=False)
        reveal(folder, out)
    return pick.report(files=3 * pick.count)


def overlap_of(dialogue: Dialogue) -> Overlap:
    """The overlap in a dialogue's first audio, counted in samples.

    The annotated time is that of its "annotated" marks (UEM), else the whole recording; speech outside it does not
    count. A speaker's own segments that overlap count once.
    """
    first = dialogue.audio[0]
    marks = [
        (a.value.start, a.value.end)
        for a in dialogue.annotations
        if isinstance(a, TimeAnnotation) and a.value.label == "annotated" and a.value.audio == first.id
    ]
    annotated = np.zeros(first.length, bool)
    for start, end in marks or [(0, first.length)]:
        annotated[start:end] = True
    talking = np.zeros(first.length, np.int16)
    for speaker in {t.speaker for t in dialogue.turns}:
        own = np.zeros(first.length, bool)
        for s in (s for t in dialogue.turns if t.speaker == speaker for s in t.segments if s.audio == first.id):
            own[s.start : s.end] = True
        talking += own
    talking = talking[annotated]
    both, anyone = int(np.count_nonzero(talking > 1)), int(np.count_nonzero(talking))
    return Overlap(
        of_time=round(both / len(talking), 4) if len(talking) else 0.0,
        of_speech=round(both / anyone, 4) if anyone else 0.0,
    )


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """The fields of each line that holds something, with its place; a byte order mark is dropped."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError("not UTF-8", where=f"{path.name}:{line}") from None
    return [
        (f"{path.name}:{n}", fields)
        for n, line in enumerate(text.splitlines(), 1)
        if (fields := line.split()) and not line.startswith(";")
    ]


def _number(text: str, field: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e7:
        raise UserError("not a time", field=field, value=text, allowed="seconds from 0")
    return value


def _read_rttm(paths: list[Path], problems: list[Problem]) -> dict[str, list[_Spoken]]:
    found: dict[str, list[_Spoken]] = defaultdict(list)
    for path in paths:
        for where, fields in _lines(path):
            if fields[0] != "SPEAKER":
                continue
            try:
                if len(fields) < 8:
                    raise UserError("too few fields", value=" ".join(fields), allowed="9 or 10, as RTTM has")
                onset, duration = _number(fields[3], "onset"), _number(fields[4], "duration")
            except UserError as error:
                problems.append(Problem(where=where, what=error.message))
                continue
            uri = unicodedata.normalize("NFC", fields[1])
            if duration > 0:
                speaker = unicodedata.normalize("NFC", fields[7])
                found[uri].append(_Spoken(where, onset, onset + duration, speaker))
    return dict(found)


def _read_uem(paths: list[Path], problems: list[Problem]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in paths:
        for where, fields in _lines(path):
            try:
                if len(fields) < 4:
                    raise UserError("too few fields", value=" ".join(fields), allowed="uri channel start end")
                start, end = _number(fields[2], "start"), _number(fields[3], "end")
            except UserError as error:
                problems.append(Problem(where=where, what=error.message))
                continue
            found[unicodedata.normalize("NFC", fields[0])].append((start, end))
    return dict(found)


def _plain(name: str) -> str:
    """A name without accents and case: RTTM writers often drop what file names keep."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()


def _pair(uris: list[str], audio: list[Path], src: Path, problems: list[Problem]) -> tuple[dict[str, Path], list[str]]:
    """Which recording each uri means: the same name, else the only one that is the same but for accents and case."""
    notes: list[str] = []
    exact: dict[str, list[Path]] = defaultdict(list)
    plain: dict[str, list[Path]] = defaultdict(list)
    for path in audio:
        stem = unicodedata.normalize("NFC", path.stem)
        exact[stem].append(path)
        plain[_plain(stem)].append(path)
    found: dict[str, Path] = {}
    for uri in uris:
        candidates = exact.get(uri) or plain.get(_plain(uri), [])
        if len(candidates) == 1:
            found[uri] = candidates[0]
            if uri not in exact:
                notes.append(f"{uri}: taken as {candidates[0].name}, the only recording of that name but for accents")
        else:
            what = "no recording of this name" if not candidates else f"{len(candidates)} recordings of this name"
            problems.append(Problem(where=uri, what=f"{what} under {src}"))
    if unnamed := [p.name for p in audio if p not in found.values()]:
        notes.append(f"not named by any RTTM or UEM line, left out: {', '.join(unnamed)}")
    return found, notes


def _dialogue(
    uri: str,
    file: str,
    spoken: list[_Spoken],
    regions: list[tuple[float, float]],
    recording: Recording,
    options: ImportOptions,
) -> Dialogue:
    """The dialogue of one recording, still without its audio entry."""
    rights, kind = options.rights()
    language = language_of("", options.language)
    rate, length = recording.sample_rate, len(recording.samples)
    id = f"rec-{hashlib.sha256(f'{uri} {recording.sha256}'.encode()).hexdigest()[:12]}"

    def samples(start: float, end: float, where: str) -> tuple[int, int]:
        if end > length / rate + SLACK:
            raise UserError(
                "lies beyond the end of the recording", where=where, value=end, allowed=f"up to {length / rate:.3f} s"
            )
        return min(round(start * rate), length), min(round(end * rate), length)

    turns: list[Turn] = []
    ends: list[tuple[int, int, str]] = []
    for s in sorted(spoken, key=lambda s: (s.start, s.end, s.speaker)):
        start, end = samples(s.start, s.end, s.where)
        if end <= start:
            continue
        around = next((i for i, (a, b, who) in enumerate(ends) if a <= start and end <= b and who != s.speaker), None)
        ends.append((start, end, s.speaker))
        turns.append(
            Turn(
                index=len(turns),
                role="user",
                speaker=f"spk-{s.speaker}",
                addressee="",
                language=language,
                text="",
                segments=(Segment(audio="a0", channel=0, start=start, end=end),),
                inside_turn=around,
            )
        )
    names = sorted({s.speaker for s in spoken})
    speakers = tuple(
        Speaker(
            id=f"spk-{name}",
            role="user",
            languages=(language,),
            synthetic=kind == "synthetic",
            sex=_sex(name),
            consent_id=options.consent,
        )
        for name in names
    )
    marks = tuple(
        TimeAnnotation(
            id=f"n{i}",
            target="dialogue",
            rater="UEM",
            rater_type="human",
            value=TimeMark(audio="a0", channel=0, start=a, end=b, label="annotated"),
        )
        for i, (a, b) in enumerate(samples(*region, f"{uri} (UEM)") for region in regions)
    )
    header = unscripted(id, "rttm", file, recording, language=language, source=kind, rights=rights, speakers=speakers)
    return msgspec.structs.replace(header, turns=tuple(turns), annotations=marks)


def _sex(name: str) -> Sex:
    """AMI speaker names begin with F or M (FEE005, MÉO069); other names say nothing."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    if len(plain) == 6 and plain[:3].isupper() and plain[1:3].isalpha() and plain[3:].isdecimal():
        return {"F": "female", "M": "male"}.get(plain[0], "unknown")  # type: ignore[return-value]
    return "unknown"
