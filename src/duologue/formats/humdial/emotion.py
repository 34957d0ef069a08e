"""Track 1: a dialogue a line of JSON, one mono WAV for each user turn."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from duologue.corpus.annotation import Annotation, EmotionAnnotation, ShiftAnnotation
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.emotion import DUOLOGUE, EmotionValue
from duologue.corpus.probe import Probe
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.speaker import Speaker
from duologue.corpus.truth import emotions, shifts
from duologue.corpus.turn import Segment, Turn
from duologue.errors import UserError
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.humdial.place import Importing, official, parse_object, read_text, write_wav

# Tasks 4 and 5 are supplementary: no official file names them, ours go on counting.
NUMBERS = {"trajectory": 1, "reasoning": 2, "empathy": 3, "recognition": 4, "expression": 5}
_TASKS = {f"hd-track1-t{n}": task for task, n in NUMBERS.items()} | {
    # The train and dev sets count from recognition: task2_3 is the trajectory of 3 turns.
    "task1": "recognition",
    "task2": "trajectory",
    "task3": "reasoning",
    "task4": "empathy",
    "task5": "expression",
}
# Labels as the official files spell them, where they differ from ours.
_OFFICIAL = {"angry": "anger", "fearful": "fear", "surprised": "surprise", "disgusted": "disgust"}
_MARK = re.compile(r"\s*\[[^\[\]]+\]")


def export(corpus: Corpus, folder: Path, options: ExportOptions) -> ExportReport:
    """Write every track 1 dialogue with an official task under ``folder``/HD-Track1."""
    names = _names(corpus)
    lines: dict[Path, list[tuple[str, str]]] = {}
    left_out: Counter[str] = Counter()
    files = 0
    for item in corpus:
        d = item.dialogue
        if d.track != "emotion":
            continue
        if d.id not in names:
            left_out["emotion dialogues without an official task"] += 1
            continue
        task, name = names[d.id]
        place = folder / "HD-Track1" / d.split / d.languages[0]
        stem = f"HD-Track1-T{NUMBERS[task]}"
        record, wavs = _record(item, name, withhold=d.split == "test" and not options.answers)
        if not wavs:
            left_out["emotion dialogues without audio of user turns"] += 1
            continue
        (place / stem).mkdir(parents=True, exist_ok=True)
        for file, (samples, rate) in wavs.items():
            write_wav(place / stem / file, samples, rate)
        files += len(wavs)
        lines.setdefault(place / f"{stem}.jsonl", []).append((name, json.dumps(record, ensure_ascii=False)))
    for path, rows in lines.items():
        path.write_text("".join(f"{row}\n" for _, row in sorted(rows)), encoding="utf-8")
    written = {p.relative_to(folder).as_posix(): len(rows) for p, rows in sorted(lines.items())}
    return ExportReport(files=files + len(lines), written=written, left_out=dict(left_out))


def _names(corpus: Corpus) -> dict[str, tuple[str, str]]:
    """Dialogue id -> (task, official id): the one it came with, else the next free number in order of ids."""
    rows = []
    for item in corpus:
        d = item.dialogue
        task = next((t for t in NUMBERS if t in d.tasks), None)
        if d.track == "emotion" and task:
            rows.append((d.id, d.languages[0], task, official(d, "dialogue_id")))
    taken = {name for *_, name in rows if name}
    names: dict[str, tuple[str, str]] = {}
    used: set[str] = set()
    count: Counter[tuple[str, str]] = Counter()
    for id, language, task, name in sorted(rows):
        while not name or name in used:
            count[language, task] += 1
            name = f"{language}_{NUMBERS[task]:04d}_{count[language, task]:04d}"
            if name in taken:
                name = ""
        used.add(name)
        names[id] = (task, name)
    return names


def _record(item: OpenDialogue, name: str, *, withhold: bool) -> tuple[dict[str, Any], dict[str, tuple[Any, int]]]:
    """The line of a dialogue and its WAV files (name -> samples and rate)."""
    d = item.dialogue
    felt = emotions(d)
    turns = sorted(d.turns, key=lambda t: t.index)
    user = [t for t in turns if t.role == "user" and t.segments]
    reference = next((p.reference for p in d.probes if p.reference), "")
    wavs: dict[str, tuple[Any, int]] = {}
    rows = []
    for number, t in enumerate(user, 1):
        file = f"{name}_{number}.wav"
        first = t.segments[0]
        wavs[file] = item.audio(
            first.channel,
            which=first.audio,
            start=first.start,
            end=max(s.end for s in t.segments if s.audio == first.audio),
            dtype="int16",
        )
        row: dict[str, Any] = {"turn_id": number, "text": t.text_raw or t.text}
        if not withhold:
            if t.index in felt:
                label = felt[t.index].label
                row["emotion"] = _OFFICIAL.get(label, label)
            until = user[number].index if number < len(user) else None
            replies = [
                s.text for s in turns if s.role == "system" and t.index < s.index and (until is None or s.index < until)
            ]
            last = number == len(user) and reference
            if reply := reference if last else " ".join(r for r in replies if r):
                row["response_text"] = reply
        row["split_audio_file"] = file
        rows.append(row)
    return {"dialogue_id": name, "turns": rows}, wavs


def import_(work: Importing) -> None:
    """Take every track 1 JSONL file under the source."""
    for path in sorted(work.src.rglob("*.jsonl"), key=lambda p: p.as_posix()):
        stem = path.stem.casefold()
        task = _TASKS.get(stem) or _TASKS.get(re.sub(r"_\d$", "", stem))
        if task is None:
            continue
        where = work.name(path)
        try:
            text = read_text(path)
        except UserError as error:
            work.problem(where, error)
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                _take(work, path, task, parse_object(line, f"{where}:{number}"))
            except UserError as error:
                message = error.message.removeprefix(f"{where}:{number}: ")
                work.problem(f"{where}:{number}", message)


def _field(row: dict[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = row.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError("missing or of the wrong kind", field=name, value=value)
    return value


def _number(turn_id: int | str) -> int:
    if not str(turn_id).isdecimal():
        raise UserError("not a number", field="turn_id", value=turn_id)
    return int(turn_id)


def _wav(work: Importing, path: Path, name: str, row: dict[str, Any]) -> Path:
    said = str(row.get("split_audio_file") or "")
    plain = f"{name}_{row['turn_id']}.wav"
    tried = [path.parent / said, path.parent / path.stem / Path(said).name] if said else []
    tried += [path.parent / path.stem / plain, path.parent / plain]
    for candidate in tried:
        if candidate.is_file() and candidate.resolve().is_relative_to(work.src.resolve()):
            return candidate
    raise UserError("missing audio", field="split_audio_file", value=said or plain)


def _take(work: Importing, path: Path, task: str, record: dict[str, Any]) -> None:
    """One dialogue: its turns' audio is joined end to end, so that there is one clock and no sample is changed."""
    name = str(_field(record, "dialogue_id", (str, int)))
    rows = _field(record, "turns", list)
    if not rows or not all(isinstance(r, dict) for r in rows):
        raise UserError("no turns", field="turns", value=rows)
    rows = sorted(rows, key=lambda r: _number(_field(r, "turn_id", (int, str))))
    language, split = work.language_of(path, name), work.split_of(path)
    rights, kind = work.options.rights()
    turns: list[Turn] = []
    annotations: list[Annotation] = []
    probes: list[Probe] = []
    parts = []
    rates: set[int] = set()
    at, sha256 = 0, ""
    for i, row in enumerate(rows):
        samples, rate, file_hash = work.samples(_wav(work, path, name, row))
        sha256 = sha256 or file_hash
        rates.add(rate)
        raw = unicodedata.normalize("NFC", _field(row, "text", str))
        text = _MARK.sub("", raw).strip()
        turns.append(
            Turn(
                index=len(turns),
                role="user",
                speaker="",
                addressee="",
                language=language,
                text=text,
                text_raw=raw if raw != text else "",
                segments=(Segment(audio="a0", channel=0, start=at, end=at + len(samples)),),
            )
        )
        at += len(samples)
        parts.append(samples)
        index = turns[-1].index
        if emotion := row.get("emotion"):
            annotations.append(
                EmotionAnnotation(
                    id=f"n{len(annotations)}",
                    target=f"turn:{index}",
                    rater="official labels",
                    rater_type="human",
                    value=EmotionValue(
                        label=DUOLOGUE.resolve(str(emotion), field=f"turns[{i}].emotion"),
                    ),
                )
            )
        reply = str(row.get("response_text") or "")
        if i == len(rows) - 1 and task in ("trajectory", "reasoning", "empathy"):
            target = index if task != "empathy" else None
            probes.append(Probe(id="p0", task=task, turn=index, target_turn=target, question=text, reference=reply))
        elif reply:
            turns.append(Turn(index=len(turns), role="system", speaker="", addressee="", language=language, text=reply))
    if len(rates) > 1:
        raise UserError("turns of different sample rates", value=sorted(rates), mend="give --rate 16000")
    id = work.id_of(f"{path.stem} {name}", sha256)
    user, system = f"{id}-user", f"{id}-system"
    replies = any(t.role == "system" for t in turns)
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track="emotion",
        tasks=(task,),
        languages=(language,),
        split=split,
        scenario="clip" if len(rows) == 1 else "dialogue",
        source=kind,
        rights=rights,
        groups={"speaker": (user,), "source_recording": (sha256[:16],)},
        speakers=(
            Speaker(
                id=user,
                role="user",
                languages=(language,),
                synthetic=kind == "synthetic",
                consent_id=rights.consent_id,
            ),
            *([Speaker(id=system, role="system", languages=(language,), synthetic=True)] if replies else []),
        ),
        turns=tuple(
            msgspec.structs.replace(
                t,
                speaker=user if t.role == "user" else system,
                addressee=(system if t.role == "user" else user) if replies else "",
            )
            for t in turns
        ),
        annotations=tuple(annotations),
        probes=tuple(probes),
        provenance=work.provenance(sha256, dialogue_id=name, file=work.name(path)),
    )
    derived = tuple(
        ShiftAnnotation(id=f"s{i}", target=f"turn:{s.to_turn}", rater="official labels", rater_type="human", value=s)
        for i, s in enumerate(shifts(d))
    )
    d = msgspec.structs.replace(d, annotations=d.annotations + derived)
    entry = work.landing.store(
        d, "a0", np.concatenate(parts), rates.pop(), (Channel(kind="user-mic", speakers=(user,)),)
    )
    work.landing.add(msgspec.structs.replace(d, audio=(entry,)))
    work.dialogues += 1
