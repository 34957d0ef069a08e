"""Track 2: a folder of files for each scenario; a shuffled test set without answers.

``_sentence.json`` holds ``final_duration`` and ``speech_segments`` (all speech in the user's channel, in order, with
``xmin`` and ``xmax`` in seconds). Ours add to each segment ``text``, ``speaker`` (its role) and ``turn``, and beside
them ``system_segments``; readers of the official keys alone miss nothing of theirs. ``.json`` is the transcript with
word times, exactly ``text`` and ``chunks``.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio, Channel, Twin
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.event import INTERRUPTION
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.speaker import ROLES, Role, Speaker
from duologue.corpus.turn import Segment, Turn, TurnKind, Word
from duologue.errors import UserError
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.humdial.place import (
    Importing,
    official,
    parse_object,
    read_text,
    seconds,
    write_json,
    write_wav,
)

FOLDERS = {
    "follow_up": "Follow-up_Questions",
    "negation": "Negation_or_Dissatisfaction",
    "repetition": "Repetition_Requests",
    "topic_switch": "Topic_Switching",
    "termination": "Silence_or_Termination",
    "backchannel": "User_Real-time_Backchannels",
    "pause": "Pause_Handling",
    "third_party": "Third-party_Speech",
    "others_directed": "Speech_Directed_at_Others",
    # Dialogues without an event have no official folder.
    "none": "No_Event",
}
# A word of a folder's name that tells its scenario, however the rest is spelled.
_HINTS = {
    "follow": "follow_up",
    "negat": "negation",
    "dissatis": "negation",
    "repet": "repetition",
    "topic": "topic_switch",
    "terminat": "termination",
    "silence": "termination",
    "backchannel": "backchannel",
    "pause": "pause",
    "third": "third_party",
    "other": "others_directed",
    "noevent": "none",
}
_KINDS: dict[Role, TurnKind] = {"third_party": "third_party"}
_WAV = re.compile(r"(?P<clean>clean[_-])?(?P<base>.+?)(?P<output>_output)?\.wav", re.IGNORECASE)


class _Exporting:
    """The parts of one dialogue that the layout can hold."""

    def __init__(self, item: OpenDialogue) -> None:
        d = item.dialogue
        self.item, self.d = item, d
        self.main = item.file("main")
        self.twin = next((a for a in d.audio if a.twin is not None and a.twin.of == self.main.id), None)
        self.rate = self.main.sample_rate
        turns = [t for t in d.turns if any(s.audio == self.main.id for s in t.segments)]
        self.turns = sorted(turns, key=lambda t: (self._start(t), t.index))
        self.number = {t.index: i for i, t in enumerate(self.turns)}
        self.user, self.system = self._channel("user-mic"), self._channel("system")
        if self.user is None:
            self.user = 0

    def _start(self, t: Turn) -> int:
        return min(s.start for s in t.segments if s.audio == self.main.id)

    def _channel(self, kind: str) -> int | None:
        return next((i for i, c in enumerate(self.main.channels) if c.kind == kind), None)

    def samples(self, audio: Audio, channel: int) -> npt.NDArray[np.int16]:
        return self.item.audio(channel, which=audio.id, dtype="int16")[0].astype(np.int16, copy=False)

    def segments(self, channel: int | None) -> list[dict[str, Any]]:
        rows = [
            (s.start, s.end, t)
            for t in self.turns
            for s in t.segments
            if s.audio == self.main.id and s.channel == channel
        ]
        return [
            {
                "xmin": seconds(start, self.rate),
                "xmax": seconds(end, self.rate),
                "text": t.text,
                "speaker": t.role,
                "turn": self.number[t.index],
            }
            for start, end, t in sorted(rows, key=lambda r: (r[0], r[1], self.number[r[2].index]))
        ]

    def sentence(self) -> dict[str, Any]:
        rows: dict[str, Any] = {
            "final_duration": seconds(self.main.length, self.rate),
            "speech_segments": self.segments(self.user),
        }
        if self.system is not None:
            rows["system_segments"] = self.segments(self.system)
        return rows

    def transcript(self, channel: int | None, *, outside: tuple[int, int] | None = None) -> dict[str, Any]:
        """Words in one channel, without those that touch the samples ``outside``."""
        turns = [t for t in self.turns if any(s.channel == channel and s.audio == self.main.id for s in t.segments)]
        rows = sorted(
            (w.start, w.end, t.text[w.char_start : w.char_end])
            for t in turns
            for w in t.words
            if outside is None or w.end <= outside[0] or w.start >= outside[1]
        )
        joiner = "" if self.d.languages[0] == "zh" else " "
        return {
            "text": joiner.join(text for *_, text in rows),
            "chunks": [
                {"text": text, "timestamp": [seconds(start, self.rate), seconds(end, self.rate)]}
                for start, end, text in rows
            ],
        }


def export(corpus: Corpus, folder: Path, options: ExportOptions) -> ExportReport:
    """Write every track 2 dialogue under ``folder``/HD-Track2; the key of a shuffled test set goes to its own file."""
    names = _names(corpus)
    written: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    files = 0
    key: list[str] = []
    orders = _shuffled(corpus) if not options.answers else {}
    for item in corpus:
        d = item.dialogue
        if d.track != "duplex":
            continue
        if not d.audio or d.scenario not in FOLDERS:
            left_out["duplex dialogues without audio or of no official scenario"] += 1
            continue
        part = _Exporting(item)
        place = folder / "HD-Track2" / d.split / d.languages[0]
        if d.split == "test" and not options.answers:
            test, clean = orders[d.id]
            for sub, name, audio in (("test", test, part.main), ("clean", clean, part.twin)):
                if audio is not None and name:
                    (place / sub).mkdir(parents=True, exist_ok=True)
                    write_wav(place / sub / f"{name}.wav", part.samples(audio, part.user or 0), part.rate)
                    files += 1
            key.append(
                json.dumps(
                    {
                        "test": test,
                        "clean": clean,
                        "language": d.languages[0],
                        "scenario": d.scenario,
                        "name": names[d.id],
                        "dialogue": d.id,
                        "sentence": part.sentence(),
                        "transcript": part.transcript(part.user),
                    },
                    ensure_ascii=False,
                )
            )
            written[(place / "test").relative_to(folder).as_posix()] += 1
            continue
        place = place / FOLDERS[d.scenario]
        place.mkdir(parents=True, exist_ok=True)
        files += _write(part, place, names[d.id])
        written[place.relative_to(folder).as_posix()] += 1
    if options.key is not None:
        options.key.parent.mkdir(parents=True, exist_ok=True)
        options.key.write_text("".join(f"{row}\n" for row in sorted(key)), encoding="utf-8")
    return ExportReport(files=files, written=dict(sorted(written.items())), left_out=dict(left_out))


def _write(part: _Exporting, place: Path, name: str) -> int:
    assert part.user is not None
    write_wav(place / f"{name}.wav", part.samples(part.main, part.user), part.rate)
    write_json(place / f"{name}_sentence.json", part.sentence())
    write_json(place / f"{name}.json", part.transcript(part.user))
    files = 3
    if part.system is not None:
        write_wav(place / f"{name}_output.wav", part.samples(part.main, part.system), part.rate)
        write_json(place / f"{name}_output.json", part.transcript(part.system))
        files += 2
    if part.twin is not None and part.twin.twin is not None:
        write_wav(place / f"clean_{name}.wav", part.samples(part.twin, part.user), part.rate)
        write_json(place / f"clean_{name}.json", part.transcript(part.user, outside=part.twin.twin.differs))
        files += 2
        if part.system is not None and len(part.twin.channels) > part.system:
            write_wav(place / f"clean_{name}_output.wav", part.samples(part.twin, part.system), part.rate)
            files += 1
    return files


def _names(corpus: Corpus) -> dict[str, str]:
    """Dialogue id -> base name: the one it came with, else ``xxxx_xxxx`` by scenario and number in order of ids."""
    rows = []
    for item in corpus:
        d = item.dialogue
        if d.track == "duplex" and d.scenario in FOLDERS:
            before = d.scenario == "third_party" and any(e.position == "before" for e in d.events[:1])
            rows.append((d.id, d.languages[0], d.split, d.scenario, before, official(d, "dialogue_id")))
    taken = {(language, split, scenario, name) for _, language, split, scenario, _, name in rows if name}
    used: set[tuple[str, str, str, str]] = set()
    names: dict[str, str] = {}
    count: Counter[tuple[str, str, str]] = Counter()
    for id, language, split, scenario, before, name in sorted(rows):
        while not name or (language, split, scenario, name) in used:
            count[language, split, scenario] += 1
            n = count[language, split, scenario]
            first = list(FOLDERS).index(scenario) + 1 + 100 * (n // 10_000)
            name = f"{first:04d}_{n % 10_000:04d}{'_before' if before else ''}"
            if (language, split, scenario, name) in taken:
                name = ""
        used.add((language, split, scenario, name))
        names[id] = name
    return names


def _shuffled(corpus: Corpus) -> dict[str, tuple[str, str]]:
    """Test dialogue id -> its names in ``test/`` and ``clean/``; the two are shuffled apart, from the corpus's hash."""
    by_language: dict[str, list[tuple[str, bool, str, str]]] = defaultdict(list)
    for item in corpus:
        d = item.dialogue
        if d.track == "duplex" and d.split == "test":
            twin = any(a.twin is not None for a in d.audio)
            by_language[d.languages[0]].append((d.id, twin, official(d, "test_id"), official(d, "clean_id")))

    def order(salt: str, ids: Iterable[str]) -> list[str]:
        seed = corpus.manifest.corpus_sha256
        return sorted(ids, key=lambda i: hashlib.sha256(f"{seed} {salt} {i}".encode()).digest())

    names: dict[str, tuple[str, str]] = {}
    for rows in by_language.values():
        tests = {id: name for id, _, name, _ in rows if name}
        cleans = {id: name for id, _, _, name in rows if name}
        if not tests:
            tests = {id: f"test-{n:04d}" for n, id in enumerate(order("test", (r[0] for r in rows)), 1)}
            cleans = {id: f"clean-{n:04d}" for n, id in enumerate(order("clean", (r[0] for r in rows if r[1])), 1)}
        names |= {id: (tests[id], cleans.get(id, "")) for id, *_ in rows if id in tests}
        for n, id in enumerate(sorted(r[0] for r in rows if r[0] not in tests), 1):
            names[id] = (f"test-x{n:04d}", "")
    return names


def import_(work: Importing, key: Path | None) -> None:
    """Take every scenario folder and shuffled test set under the source."""
    groups: dict[tuple[Path, str], dict[str, Path]] = defaultdict(dict)
    for path in sorted(work.src.rglob("*"), key=lambda p: p.as_posix()):
        if path.suffix.lower() == ".wav" and (match := _WAV.fullmatch(path.name)):
            part = ("clean" if match["clean"] else "") + ("output" if match["output"] else "") or "main"
            if _scenario(path.parent) is not None:
                groups[path.parent, match["base"]][part] = path
        elif path.name.endswith("_sentence.json") and _scenario(path.parent) is not None:
            groups[path.parent, path.name.removesuffix("_sentence.json")]["sentence"] = path
    for (folder, base), parts in groups.items():
        where = work.name(folder / base)
        try:
            if "main" not in parts:
                raise UserError("missing audio", value=f"{base}.wav", allowed="the user's audio beside its other files")
            if "sentence" not in parts:
                raise UserError("missing", value=f"{base}_sentence.json")
            name = parts["sentence"].name
            sentence = parse_object(read_text(parts["sentence"]), name)
            transcript = folder / f"{base}.json"
            words = parse_object(read_text(transcript), transcript.name) if transcript.is_file() else {}
            output = folder / f"{base}_output.json"
            said = parse_object(read_text(output), output.name) if output.is_file() else {}
            scenario = _scenario(folder)
            assert scenario is not None
            _take(work, parts, scenario, sentence, words, said, {"dialogue_id": base})
        except UserError as error:
            work.problem(where, error)
    _take_tests(work, key)


def _scenario(folder: Path) -> str | None:
    plain = re.sub(r"[^a-z]", "", folder.name.casefold())
    return next((scenario for hint, scenario in _HINTS.items() if hint in plain), None)


def _take_tests(work: Importing, key: Path | None) -> None:
    """The shuffled sets: ``test/test-ID.wav``, with their answers and twins only where the key is given."""
    answers: dict[tuple[str, str], dict[str, Any]] = {}
    if key is not None:
        try:
            text = read_text(key)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(key)) from None
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                row = parse_object(line, f"{key.name}:{number}")
                answers[str(row.get("language")), str(row.get("test"))] = row
    loose = 0
    for path in sorted(work.src.rglob("test-*.wav"), key=lambda p: p.as_posix()):
        if path.stem.endswith("_output"):
            continue
        language = work.language_of(path)
        row = answers.get((language, path.stem), {})
        parts = {"main": path}
        clean = path.parent.parent / "clean" / f"{row.get('clean')}.wav"
        if row.get("clean") and clean.is_file():
            parts["clean"] = clean
        else:
            loose += not row
        fields = {"test_id": path.stem}
        if row:
            fields |= {"dialogue_id": str(row.get("name", ""))}
            if "clean" in parts:
                fields["clean_id"] = clean.stem
        scenario = str(row.get("scenario", "none"))
        try:
            if scenario not in FOLDERS:
                raise UserError("unknown scenario", field="scenario", value=scenario, allowed=", ".join(FOLDERS))
            _take(work, parts, scenario, row.get("sentence") or {}, row.get("transcript") or {}, {}, fields)
        except UserError as error:
            work.problem(work.name(path), error)
    if loose:
        work.notes.append(f"{loose} test recordings without answers: the key of the set (--key) holds them")


def _take(
    work: Importing,
    parts: dict[str, Path],
    scenario: str,
    sentence: dict[str, Any],
    words: dict[str, Any],
    said: dict[str, Any],
    fields: dict[str, str],
) -> None:
    path = parts["main"]
    place = work.name(path)
    language, split = work.language_of(path), work.split_of(path)
    rights, kind = work.options.rights()
    main, rate, sha256 = work.samples(path)
    stacks = {"main": _stack(work, path, main, rate, parts.get("output"))}
    if "clean" in parts:
        clean, clean_rate, _ = work.samples(parts["clean"])
        if clean_rate != rate:
            raise UserError("its clean twin has another sample rate", value=clean_rate, allowed=str(rate))
        stacks["clean"] = _stack(work, parts["clean"], clean, rate, parts.get("cleanoutput"))
        width = max(s.shape[1] for s in stacks.values())
        length = max(len(s) for s in stacks.values())
        if any(s.shape != (length, width) for s in stacks.values()):
            work.notes.append(f"{place}: it and its clean twin were filled up to {length} frames, {width} channels")
            stacks = {k: np.pad(s, ((0, length - len(s)), (0, width - s.shape[1]))) for k, s in stacks.items()}
    id = work.id_of(place, sha256)
    length = len(stacks["main"])
    two = stacks["main"].shape[1] == 2
    if not two:  # Without the system's audio its times point nowhere.
        sentence = {k: v for k, v in sentence.items() if k != "system_segments"}
    turns = _turns(id, language, sentence, words, said, rate, length)
    roles = dict.fromkeys(t.role for t in turns)
    roles.setdefault("user", None)
    if two:
        roles.setdefault("system", None)
    speakers = tuple(
        Speaker(
            id=f"{id}-{role}",
            role=role,
            languages=(language,),
            synthetic=role == "system" or kind == "synthetic",
            consent_id="" if role == "system" else rights.consent_id,
        )
        for role in ROLES
        if role in roles
    )
    heard = tuple(s.id for s in speakers if s.role != "system")
    channels = [Channel(kind="user-mic", speakers=heard)]
    if two:
        channels.append(Channel(kind="system", speakers=(f"{id}-system",)))
    task = "interruption" if scenario in INTERRUPTION else "rejection"
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track="duplex",
        tasks=(task,),
        languages=(language,),
        split=split,
        scenario=scenario,
        source=kind,
        rights=rights,
        groups={"speaker": heard, "source_recording": (sha256[:16],)},
        speakers=speakers,
        turns=turns,
        provenance=work.provenance(sha256, file=place, **fields),
    )
    audio = [work.landing.store(d, "a0", stacks["main"], rate, tuple(channels))]
    if "clean" in stacks:
        differ = np.flatnonzero((stacks["main"] != stacks["clean"]).any(axis=1))
        # Twins that do not differ at all still need an interval.
        span = (int(differ[0]), int(differ[-1]) + 1) if len(differ) else (0, 1)
        twin = Twin(of="a0", differs=span)
        audio.append(work.landing.store(d, "twin", stacks["clean"], rate, tuple(channels), twin))
    work.landing.add(msgspec.structs.replace(d, audio=tuple(audio)))
    work.dialogues += 1


def _stack(
    work: Importing, path: Path, user: npt.NDArray[np.int16], rate: int, output: Path | None
) -> npt.NDArray[np.int16]:
    """[frames, 1 or 2]: the user's channel and the system's on one clock, the shorter filled up with zeros."""
    if output is None:
        return user[:, None]
    system, system_rate, _ = work.samples(output)
    if system_rate != rate:
        raise UserError("its output has another sample rate", value=system_rate, allowed=str(rate))
    length = max(len(user), len(system))
    if len(user) != len(system):
        work.notes.append(f"{work.name(path)}: it and its output were filled up to {length} frames")
    stack = np.zeros((length, 2), np.int16)
    stack[: len(user), 0] = user
    stack[: len(system), 1] = system
    return stack


def _rows(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = value.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise UserError("not a list of objects", field=key, value=rows)
    return rows


def _sample(value: Any, rate: int, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e6:
        raise UserError("not a time in seconds", field=field, value=value)
    return round(value * rate)


def _turns(
    id: str,
    language: str,
    sentence: dict[str, Any],
    words: dict[str, Any],
    said: dict[str, Any],
    rate: int,
    length: int,
) -> tuple[Turn, ...]:
    """Turns from the speech segments; each segment is a turn of its own where nothing says which belong together."""
    gathered: dict[tuple[int, object], dict[str, Any]] = {}
    for channel, key in ((0, "speech_segments"), (1, "system_segments")):
        for i, row in enumerate(_rows(sentence, key)):
            start, end = (_sample(row.get(k), rate, f"{key}[{i}].{k}") for k in ("xmin", "xmax"))
            if end > length + rate // 20 or start >= end:
                raise UserError(
                    "lies outside its audio or is empty",
                    field=f"{key}[{i}]",
                    value=[row.get("xmin"), row.get("xmax")],
                    allowed=f"0-{length / rate:.3f} s",
                )
            role = str(row.get("speaker", "user" if channel == 0 else "system"))
            if role not in ROLES:
                raise UserError("unknown speaker", field=f"{key}[{i}].speaker", value=role, allowed=", ".join(ROLES))
            turn = gathered.setdefault(
                (channel, row.get("turn", f"segment {i}")),
                {"role": role, "text": str(row.get("text", "")), "segments": []},
            )
            turn["segments"].append(Segment(audio="a0", channel=channel, start=start, end=min(end, length)))
    ordered = sorted(gathered.values(), key=lambda t: (min(s.start for s in t["segments"]), t["segments"][0].channel))
    for channel, source in ((0, words), (1, said)):
        _place_words([t for t in ordered if t["segments"][0].channel == channel], source, language, rate)
    roles = {t["role"] for t in ordered}
    return tuple(
        Turn(
            index=i,
            role=t["role"],
            speaker=f"{id}-{t['role']}",
            addressee=_addressee(id, t["role"], roles),
            language=language,
            text=unicodedata.normalize("NFC", t["text"]),
            segments=tuple(sorted(t["segments"], key=lambda s: s.start)),
            words=tuple(t.get("words", ())),
            kind=_KINDS.get(t["role"], "turn"),
        )
        for i, t in enumerate(ordered)
    )


def _addressee(id: str, role: str, roles: set[str]) -> str:
    to = {"user": "system", "system": "user"}.get(role, "user")
    return f"{id}-{to}" if to in roles else ""


def _place_words(turns: list[dict[str, Any]], source: dict[str, Any], language: str, rate: int) -> None:
    """Give each chunk of a transcript to the turn in whose time it lies, at its next occurrence in the text.

    A turn without text gets the chunks themselves as its text.
    """
    joiner = "" if language == "zh" else " "
    own: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for i, row in enumerate(_rows(source, "chunks")):
        times = row.get("timestamp")
        if not isinstance(times, list) or len(times) != 2:
            raise UserError("not [start, end]", field=f"chunks[{i}].timestamp", value=times)
        start, end = (_sample(t, rate, f"chunks[{i}].timestamp") for t in times)
        text = unicodedata.normalize("NFC", str(row.get("text") or "")).strip()
        if not text:
            continue
        within = [n for n, t in enumerate(turns) if any(s.start <= (start + end) / 2 < s.end for s in t["segments"])]
        fits = [n for n in within if not turns[n]["text"] or text in turns[n]["text"][_cursor(turns[n]) :]]
        for n in (fits or within)[:1]:
            if turns[n]["text"]:
                at = turns[n]["text"].find(text, _cursor(turns[n]))
                if at >= 0:
                    _add_word(turns[n], Word(text, at, at + len(text), start, end, source="estimated"))
            else:
                own[n].append((start, end, text))
    for n, chunks in own.items():
        at = 0
        for start, end, text in chunks:
            _add_word(turns[n], Word(text, at, at + len(text), start, end, source="estimated"))
            at += len(text) + len(joiner)
        turns[n]["text"] = joiner.join(text for *_, text in chunks)


def _add_word(turn: dict[str, Any], word: Word) -> None:
    """A recogniser's times may overlap or leave the segment; they are cut to what is left, and nothing is too short."""
    placed = turn.setdefault("words", [])
    start = max(word.start, placed[-1].end if placed else min(s.start for s in turn["segments"]))
    end = min(word.end, max(s.end for s in turn["segments"]))
    if start < end:
        placed.append(Word(word.text, word.char_start, word.char_end, start, end, source=word.source))


def _cursor(turn: dict[str, Any]) -> int:
    placed = turn.get("words")
    return placed[-1].char_end if placed else 0
