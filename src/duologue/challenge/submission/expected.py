"""Every item that a submission to one test set has to hold, and under which name.

Duologue's own layout, from a corpus (or from the public part of a sealed one):

    submission.json                     {"format": "duologue-submission/1", "team", "system", "test_set"}
    run/ID.wav                          the system's audio for dialogue ID; track 1: the spoken reply
    run/clean/ID.wav, run/ID.json       optional, track 2: for the twin; the system's words
    run/answers.jsonl                   track 1: {"id", "probe", "answer"} a line
    report.pdf, declaration.json

The official layouts of the HumDial challenge, from a test set as the challenge gives it out:

    HD-Track1/{zh,en}/HD-Track1-T{1,2,3}.jsonl, HD-Track1/{zh,en}/HD-Track1-T3/{dialogue_id}_{turn_id}_response.wav
    HD-Track2/{test,clean}/{test,clean}-{id}_output.wav      with {zh,en}/ after HD-Track2 where languages share names
    HD-Track1/NAME.pdf, HD-Track2/NAME.pdf
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from duologue.challenge.submission import name as names
from duologue.challenge.submission.rules import SubmissionRules
from duologue.challenge.submission.wav import NotWav, read_wav
from duologue.corpus.dialogue import TASKS, Track
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.formats.humdial.place import parse_object, read_text
from duologue.score.emotion.evaluate import TASKS as ANSWERED
from duologue.score.profiles.humdial2026.layout import language_of

Layout = Literal["duologue", "humdial"]
FORMAT = "duologue-expected/1"
RUN, ANSWERS, CARD = "run/", "run/answers.jsonl", "submission.json"
REPORT, DECLARATION = "report.pdf", "declaration.json"
LARGEST = 64 * 2**20
# Tasks of track 1 whose reply is spoken.
_SPOKEN = ("empathy", "expression")
_OFFICIAL = re.compile(r"hd-track1-t([123])(?!\d)[^/]*\.jsonl", re.IGNORECASE)
_TEST = re.compile(r"((?:test|clean)-[^/]+)\.wav", re.IGNORECASE)


class ExpectedAudio(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An audio file at path ``file`` in the zip. ``seconds`` is the length of the dialogue on whose clock it lies, None
    for a reply that has a clock of its own."""

    file: str
    item: str
    language: str
    seconds: float | None = None
    required: bool = True


class ExpectedAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of answers.jsonl: about dialogue ``item``, to ``probe``, asked in ``turn``."""

    item: str
    probe: str
    turn: int
    language: str


class ExpectedDialogue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the official ``file``: dialogue ``item`` with ``turns``; those in ``replies`` need a reply.

    ``audio`` is the folder in which the spoken reply to each of them has to lie, "" where none is asked for.
    """

    file: str
    item: str
    language: str
    turns: tuple[int, ...]
    replies: tuple[int, ...]
    audio: str = ""


class Expected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a submission has to hold. ``test_set`` names the set (a corpus by its hash)."""

    layout: Layout
    track: Track
    test_set: str
    format: str = FORMAT
    audio: tuple[ExpectedAudio, ...] = ()
    answers: tuple[ExpectedAnswer, ...] = ()
    dialogues: tuple[ExpectedDialogue, ...] = ()

    @property
    def root(self) -> str:
        """The folder in which all of an official submission lies; "" in Duologue's own layout."""
        return "" if self.layout == "duologue" else f"HD-Track{1 if self.track == 'emotion' else 2}/"

    @property
    def text_files(self) -> tuple[str, ...]:
        """The JSON Lines files, each once."""
        return tuple(dict.fromkeys([d.file for d in self.dialogues] + ([ANSWERS] if self.answers else [])))

    @property
    def languages(self) -> tuple[str, ...]:
        spoken = [a.language for a in self.audio] + [a.language for a in self.answers]
        return tuple(sorted({*spoken, *(d.language for d in self.dialogues)}))

    def __len__(self) -> int:
        """Items: audio files that are required, answers, dialogues."""
        return sum(a.required for a in self.audio) + len(self.answers) + len(self.dialogues)


def expect(
    source: Path,
    *,
    track: Track | None = None,
    split: str = "test",
    language: str | None = None,
    tasks: Sequence[str] = (),
) -> Expected:
    """What is expected of a submission to ``source``: a corpus, a folder with an official test set, or a saved list.

    ``split`` is a corpus's; "" takes every one. ``tasks`` keeps to these. UserError where nothing is left, where both
    tracks are there and ``track`` names none, and where names of items cannot be names of files.
    """
    if source.is_file():
        return _limited(read_expected(source), source, track, language, tasks)
    if not source.is_dir():
        raise UserError("no such folder", where=str(source), mend="give a corpus, an official test set or a saved list")
    for task in tasks:
        if not any(task in known for known in TASKS.values()):
            raise UserError(
                "unknown task", field="task", value=task, allowed=", ".join(t for k in TASKS.values() for t in k)
            )
    if (source / "corpus.json").is_file():
        found = _corpus(source, track, split, language, tasks)
    else:
        found = _official(source, track, language, tasks)
    if not len(found):
        raise UserError("nothing is expected", where=str(source), mend="look at --split, --track, --language, --task")
    _refuse_names(found, source)
    return found


def _limited(found: Expected, where: Path, track: Track | None, language: str | None, tasks: Sequence[str]) -> Expected:
    """A saved list, of ``language`` alone; the rest was settled when it was saved."""
    if tasks or track not in (None, found.track):
        raise UserError(
            "a saved list is of one track and its tasks", where=str(where), mend="leave out --track and --task"
        )
    if language is None:
        return found
    kept = msgspec.structs.replace(
        found,
        audio=tuple(a for a in found.audio if a.language == language),
        answers=tuple(a for a in found.answers if a.language == language),
        dialogues=tuple(d for d in found.dialogues if d.language == language),
    )
    if not len(kept):
        raise UserError("nothing is expected", where=str(where), field="language", value=language)
    return kept


def read_expected(path: Path) -> Expected:
    """A list that ``submission new`` wrote."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError("too large a list", where=str(path), allowed=f"up to {LARGEST} bytes")
        found = msgspec.json.decode(path.read_bytes(), type=Expected)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"no list of expected items: {error}", where=str(path)) from None
    if found.format != FORMAT:
        raise UserError("another format", where=str(path), field="format", value=found.format, allowed=FORMAT)
    _refuse_names(found, path)
    return found


def _refuse_names(found: Expected, where: Path) -> None:
    for file in (*(a.file for a in found.audio), *found.text_files):
        if (why := names.fault(file)) or not file.startswith(found.root or RUN):
            raise UserError(
                f"an item that cannot be a file: {why or 'outside its folder'}", where=str(where), value=file
            )


def bounds(entry: ExpectedAudio, rules: SubmissionRules) -> tuple[float, float]:
    """Seconds that the file may last at least and at most; less than a dialogue's length is only warned of."""
    if entry.seconds is None:
        return rules.audio.least, rules.audio.most
    return 0.0, entry.seconds + rules.audio.after


def _corpus(root: Path, track: Track | None, split: str, language: str | None, tasks: Sequence[str]) -> Expected:
    corpus = Corpus(root, track=track, split=split or None, language=language)
    tracks = {s.track for s in corpus.shards}
    if len(tracks) > 1:
        raise UserError("both tracks are in this corpus", where=str(root), mend="give --track emotion or duplex")
    audio: list[ExpectedAudio] = []
    answers: list[ExpectedAnswer] = []
    for item in corpus:
        d = item.dialogue
        if tasks and not set(tasks) & set(d.tasks):
            continue
        spoken = d.languages[0]
        if d.track == "emotion":
            for p in d.probes:
                if tasks and p.task not in tasks:
                    continue
                if p.task in ANSWERED:
                    answers.append(ExpectedAnswer(item=d.id, probe=p.id, turn=p.turn, language=spoken))
                elif p.task in _SPOKEN and not any(a.item == d.id for a in audio[-1:]):
                    audio.append(ExpectedAudio(file=f"{RUN}{d.id}.wav", item=d.id, language=spoken))
            continue
        main = item.file("main")
        seconds = main.length / main.sample_rate
        audio.append(ExpectedAudio(file=f"{RUN}{d.id}.wav", item=d.id, language=spoken, seconds=seconds))
        if any(a.twin is not None and a.twin.of == main.id for a in d.audio):
            audio.append(
                ExpectedAudio(
                    file=f"{RUN}clean/{d.id}.wav", item=d.id, language=spoken, seconds=seconds, required=False
                )
            )
    return Expected(
        layout="duologue",
        track=next(iter(tracks), track or "duplex"),
        test_set=corpus.manifest.corpus_sha256,
        audio=tuple(audio),
        answers=tuple(answers),
    )


def _official(root: Path, track: Track | None, language: str | None, tasks: Sequence[str]) -> Expected:
    one = [p for p in sorted(root.rglob("*.jsonl")) if _OFFICIAL.fullmatch(p.name)] if track != "duplex" else []
    two = [p for p in sorted(root.rglob("*.wav")) if _TEST.fullmatch(p.name)] if track != "emotion" else []
    if one and two:
        raise UserError("both tracks are in this folder", where=str(root), mend="give --track emotion or duplex")
    if one:
        return _track1(root, one, language, tasks)
    if two:
        return _track2(root, two, language)
    raise UserError(
        "neither a corpus nor an official test set",
        where=str(root),
        allowed="corpus.json, HD-Track1-T1.jsonl, test-0001.wav",
    )


def _spoken(root: Path, path: Path, id: str = "") -> str:
    parts = reversed(path.relative_to(root).parts[:-1])
    return next((x for n in parts if (x := language_of(n)) is not None), "") or language_of(id.split("_")[0]) or ""


def _track1(root: Path, files: list[Path], language: str | None, tasks: Sequence[str]) -> Expected:
    numbered = {"1": "trajectory", "2": "reasoning", "3": "empathy"}
    dialogues: list[ExpectedDialogue] = []
    audio: list[ExpectedAudio] = []
    seen: set[tuple[str, str]] = set()
    for path in files:
        match = _OFFICIAL.fullmatch(path.name)
        number = match[1] if match else ""
        if tasks and numbered[number] not in tasks:
            continue
        for where, id, turns in _dialogues(path):
            spoken = _spoken(root, path, id)
            if not spoken:
                raise UserError("neither folder nor id says zh or en", where=where, value=id)
            if language and spoken != language:
                continue
            file = f"HD-Track1/{spoken}/HD-Track1-T{number}.jsonl"
            if (file, id) in seen:
                raise UserError("a dialogue comes twice: is this one test set?", where=where, value=id)
            seen.add((file, id))
            folder = f"HD-Track1/{spoken}/HD-Track1-T3/" if number == "3" else ""
            # Which turn of task 3 is scored depends on labels that a test withholds, so every turn needs a reply.
            replies = turns if folder else turns[-1:]
            dialogues.append(
                ExpectedDialogue(file=file, item=id, language=spoken, turns=turns, replies=replies, audio=folder)
            )
            audio += [
                ExpectedAudio(file=f"{folder}{id}_{n}_response.wav", item=f"{id} turn {n}", language=spoken)
                for n in (replies if folder else ())
            ]
    return Expected(
        layout="humdial", track="emotion", test_set=root.name, audio=tuple(audio), dialogues=tuple(dialogues)
    )


def _dialogues(path: Path) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        record = parse_object(line, where)
        id, rows = record.get("dialogue_id"), record.get("turns")
        if not isinstance(id, str) or not isinstance(rows, list):
            raise UserError("no dialogue", where=where, allowed="dialogue_id and turns")
        turns = []
        for row in rows:
            said = str(row.get("turn_id", "")) if isinstance(row, dict) else ""
            if not re.fullmatch("[0-9]{1,9}", said):
                raise UserError("a turn without a number", where=where, field="turn_id")
            turns.append(int(said))
        if not turns:
            raise UserError("no turns", where=where)
        yield where, id, tuple(sorted(turns))


def _track2(root: Path, files: list[Path], language: str | None) -> Expected:
    rows: list[tuple[str, str, Path]] = []
    for path in files:
        rows.append((_spoken(root, path), path.name.rpartition(".")[0], path))
    stems = [name for _, name, _ in rows]
    # Numbered through both languages, as officially, or afresh in each.
    shared = len(set(stems)) < len(stems)
    audio = []
    for spoken, name, path in sorted(rows, key=lambda r: (r[0], r[1])):
        if not spoken and shared:
            raise UserError("no folder names its language (zh or en)", where=str(path.relative_to(root)))
        if language and spoken != language:
            continue
        folder = f"{spoken}/" if shared else ""
        kind = name.partition("-")[0].lower()
        audio.append(
            ExpectedAudio(
                file=f"HD-Track2/{folder}{kind}/{name}_output.wav",
                item=f"{folder}{name}",
                language=spoken,
                seconds=_length(path),
            )
        )
    if len({a.file for a in audio}) < len(audio):
        raise UserError("a recording comes twice: is this one test set?", where=str(root))
    return Expected(layout="humdial", track="duplex", test_set=root.name, audio=tuple(audio))


def _length(path: Path) -> float:
    try:
        with path.open("rb") as file:
            return read_wav(iter(lambda: file.read(1 << 16), b""), path.stat().st_size).seconds
    except (NotWav, OSError) as error:
        raise UserError(f"not a recording of the test set: {error}", where=path.name) from None
