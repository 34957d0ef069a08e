"""Reading track 1's folders: a submission beside its reference.

    HD-Track1/{zh,en}/HD-Track1-T{1,2,3}.jsonl        a dialogue a line: dialogue_id, turns[] of turn_id, text, emotion,
                                                      response_text, response_audio
    HD-Track1/{zh,en}/HD-Track1-T3/{dialogue_id}_{turn_id}_response.wav
    HD-Track1-Test/{zh,en}/HD-Track1-T{1,2,3}.jsonl   the reference, also under other names (see ``read``)

A file is read line by line, so that one bad line costs one dialogue.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.emotion import DUOLOGUE
from duologue.errors import UserError
from duologue.judge.emotion import EmotionTurn
from duologue.judge.evidence import LONGEST, cut
from duologue.judge.grades import Task
from duologue.judge.spoken_language import language_by_script
from duologue.language.identify import identify
from duologue.score.profiles.humdial2026.emotion.submission import Fault, OfficialReply, Problem, Submission, Target
from duologue.score.profiles.humdial2026.layout import language_of, shown

# Bytes of one line; a longer one is no dialogue.
LARGEST_LINE = 16 * 2**20
NUMBERS: dict[Task, int] = {"trajectory": 1, "reasoning": 2, "empathy": 3}
# HD-Track1-T1.jsonl, HD-Track1-T1_zh.jsonl; the dev set counts from recognition, so its task2 is the trajectory.
_OFFICIAL = re.compile(r"hd-track1-t([123])(?!\d)", re.IGNORECASE)
_DEV = re.compile(r"task([234])(?:_\d)?", re.IGNORECASE)
_TASKS: dict[int, Task] = {n: t for t, n in NUMBERS.items()}
_REFERENCE = {"test", "reference", "references", "ref", "gold", "truth", "answers", "labels", "dev", "train", "set"}
_AUDIO = "_response.wav"


class _File(msgspec.Struct, frozen=True):
    path: Path
    name: str
    language: str
    reference: bool


class _Turn(msgspec.Struct, frozen=True):
    text: str
    emotion: str
    reply: str
    audio: str


class _Dialogue(msgspec.Struct, frozen=True):
    where: str
    file: Path
    turns: dict[int, _Turn]


_Found = dict[tuple[Task, str, str], _Dialogue]


def read(
    root: Path, reference: Path | None = None, *, target: Target = "second", language: str | None = None
) -> Submission:
    """The submission under ``root``, held against the files under ``reference``.

    Without ``reference``, files under ``root`` whose folders are named as a reference ("HD-Track1-Test", "reference",
    "gold"...) are it where the same task and language has two; where there is but one file, it is its own. ``language``
    keeps to one. UserError where a folder is missing, nothing has an official name, or several sets lie in it.
    """
    work = _Reading()
    mine, theirs = _files(root), []
    if reference is not None:
        theirs = _files(reference, "reference: ")
        inside = reference.resolve()
        mine = [(t, f) for t, f in mine if not f.path.resolve().is_relative_to(inside) or inside == root.resolve()]
    if not mine and not theirs:
        raise UserError("nothing with the official names found", where=str(root), allowed=str(__doc__).split("\n\n")[1])
    submitted: _Found = {}
    wanted: _Found = {}
    if reference is not None:
        work.load(_one_folder(mine, root), submitted)
        work.load(_one_folder(theirs, reference), wanted)
        own = False
    else:
        told, kept = _told(mine)
        work.load(_one_folder(kept, root), submitted)
        work.load(_one_folder(told, root), wanted)
        own = not told
        covered = {k[:2] for k in wanted}
        wanted |= {k: d for k, d in submitted.items() if k[:2] not in covered}
    if language:
        submitted = {k: d for k, d in submitted.items() if k[1] == language}
        wanted = {k: d for k, d in wanted.items() if k[1] == language}
    for task, spoken in sorted({k[:2] for k in wanted} - {k[:2] for k in submitted}):
        work.fault("missing file", f"{spoken}/HD-Track1-T{NUMBERS[task]}.jsonl", "none of its dialogues has a reply")
    replies, left_out = [], []
    for key in sorted(wanted):
        found = work.reply(key, wanted[key], submitted.get(key), target)
        if found is None:
            left_out.append("/".join(key))
        else:
            replies.append(found)
    for key in sorted(set(submitted) - set(wanted)):
        work.fault("extra dialogue", f"{submitted[key].where}: {shown(key[2])}", "not expected, not scored")
    work.extra_audio(submitted, replies)
    return Submission(
        replies=tuple(replies), problems=tuple(work.problems), left_out=tuple(left_out), own_reference=own
    )


def _files(root: Path, prefix: str = "") -> list[tuple[Task, _File]]:
    if not root.is_dir():
        raise UserError("no such folder", where=str(root))
    found = []
    for folder, below, names in os.walk(root):
        below[:] = sorted(n for n in below if not n.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix.casefold() != ".jsonl" or name.startswith("."):
                continue
            official, dev = _OFFICIAL.match(path.stem), _DEV.fullmatch(path.stem)
            if official is None and dev is None:
                continue
            task = _TASKS[int(official[1])] if official else _TASKS[int(dev[1]) - 1] if dev else "trajectory"
            place = path.relative_to(root)
            parts = [*reversed(place.parts[:-1]), root.resolve().name]
            own = path.stem[official.end() :] if official else ""
            spoken = next((x for n in (own, *parts) if (x := language_of(n)) is not None), "")
            words = {w for n in (own, *place.parts[:-1]) for w in re.split(r"[^a-z]+", n.casefold())}
            found.append((task, _File(path, prefix + shown(place.as_posix()), spoken, bool(words & _REFERENCE))))
    return found


def _told(files: list[tuple[Task, _File]]) -> tuple[list[tuple[Task, _File]], list[tuple[Task, _File]]]:
    """(reference, submission) among the files of one folder."""
    reference = [x for x in files if x[1].reference]
    rest = [x for x in files if not x[1].reference]
    return (reference, rest) if rest else ([], reference)


def _one_folder(files: list[tuple[Task, _File]], root: Path) -> list[tuple[Task, _File]]:
    """``files`` if those of a task and language lie in one folder (the dev set has one for each number of turns)."""
    seen: dict[tuple[Task, str], _File] = {}
    for task, f in files:
        first = seen.setdefault((task, f.language), f)
        if first.path.parent != f.path.parent:
            raise UserError(
                f"files of one task and language in two folders: {first.name} and {f.name}",
                where=str(root),
                mend="give the folder of one submission or split, and --reference DIR",
            )
    return files


class _Reading:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def fault(self, kind: Fault, where: str, what: str) -> None:
        self.problems.append(Problem(kind=kind, where=where, what=what))

    # -- files and lines

    def load(self, files: list[tuple[Task, _File]], into: _Found) -> None:
        for task, file in files:
            for where, record in self._records(file):
                name = record.get("dialogue_id")
                if not isinstance(name, (str, int)) or isinstance(name, bool) or not str(name).strip():
                    self.fault("wrong type", f"{where}: dialogue_id", "no name: the line is left out")
                    continue
                dialogue = str(name).strip()
                language = file.language or language_of(dialogue.split("_")[0]) or ""
                if not language:
                    self.fault("wrong type", f"{where}: {shown(dialogue)}", "neither folder nor id says zh or en")
                    continue
                key = task, language, dialogue
                if key in into:
                    self.fault(
                        "duplicate dialogue", f"{where}: {shown(dialogue)}", f"only the one at {into[key].where} counts"
                    )
                    continue
                into[key] = _Dialogue(where, file.path, self._turns(record, f"{where}: {shown(dialogue)}"))

    def _records(self, file: _File) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            with file.path.open("rb") as lines:
                number = 0
                while line := lines.readline(LARGEST_LINE + 1):
                    number += 1
                    where = f"{file.name}:{number}"
                    if len(line) > LARGEST_LINE:
                        self.fault("too long a line", where, f"over {LARGEST_LINE} bytes: left out")
                        while not line.endswith(b"\n") and (line := lines.readline(LARGEST_LINE)):
                            pass
                        continue
                    if number == 1 and line.startswith(b"\xef\xbb\xbf"):
                        self.fault("byte order mark", where, "taken away")
                        line = line[3:]
                    if not line.strip():
                        self.fault("blank line", where, "passed over")
                        continue
                    record = self._object(line, where)
                    if record is not None:
                        yield where, record
        except OSError as error:
            self.fault("missing file", file.name, f"cannot be read: {error.strerror}")

    def _object(self, line: bytes, where: str) -> dict[str, Any] | None:
        try:
            record = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            self.fault("not UTF-8", where, f"byte {error.start}: the line is left out")
        except (ValueError, RecursionError) as error:
            what = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            self.fault("broken JSON", where, f"{what}: the line is left out")
        else:
            if isinstance(record, dict):
                return record
            self.fault("wrong type", where, f"no JSON object but {type(record).__name__}: the line is left out")
        return None

    def _turns(self, record: dict[str, Any], where: str) -> dict[int, _Turn]:
        rows = record.get("turns")
        if not isinstance(rows, list):
            self.fault("wrong type", f"{where}: turns", "no list: the dialogue has no turns")
            return {}
        turns: dict[int, _Turn] = {}
        for i, row in enumerate(rows):
            number = _number(row.get("turn_id")) if isinstance(row, dict) else None
            if number is None:
                self.fault("wrong type", f"{where}: turns[{i}]", "no turn with a turn_id: left out")
                continue
            if number in turns:
                self.fault("duplicate turn", f"{where}: turn {number}", "only the first counts")
                continue
            field = f"{where}: turn {number}"
            reply = self._text(row, "response_text", field)
            if len(reply) > LONGEST:
                self.fault("huge reply", field, f"{len(reply):,} characters; a judge reads the first {LONGEST:,}")
            turns[number] = _Turn(
                text=self._text(row, "input_text", field) or self._text(row, "text", field),
                emotion=self._text(row, "input_emotion", field) or self._text(row, "emotion", field),
                # What a chat template left before the reply is cut off, as the scripts do.
                reply=reply.split("assistant\n")[-1].strip(),
                audio=self._text(row, "response_audio", field),
            )
        return dict(sorted(turns.items()))

    def _text(self, row: dict[str, Any], name: str, where: str) -> str:
        value = row.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.fault("wrong type", f"{where}: {name}", f"no text but {type(value).__name__}: taken for none")
        return ""

    # -- one dialogue

    def reply(
        self, key: tuple[Task, str, str], wanted: _Dialogue, given: _Dialogue | None, target: Target
    ) -> OfficialReply | None:
        task, language, dialogue = key
        id = "/".join(key)
        name = f"{wanted.where}: {shown(dialogue)}"
        self._labels(wanted, name)
        turn = _target(task, wanted.turns, target)
        if turn is None:
            self.fault("no target turn", name, f"no {target} turn that is not neutral: nothing to score")
            return None
        if given is None:
            self.fault("missing dialogue", shown(id), "counts as the lowest grade")
        elif given is not wanted:
            self._compare(wanted, given, f"{given.where}: {shown(dialogue)}")
        said = given.turns if given is not None else {}
        turns = tuple(
            EmotionTurn(user=t.text, emotion=t.emotion, reply=said[n].reply if n in said else "")
            for n, t in wanted.turns.items()
            if n <= turn
        )
        place = f"{given.where if given is not None else name}: {shown(dialogue)}: turn {turn}"
        state, detail = _state(turns[-1].reply, language)
        if given is not None and state != "ok":
            self.fault("missing reply" if state == "missing" else "wrong language", place, detail)
        audio = None
        if task == "empathy" and given is not None:
            audio, why = _audio(given, dialogue, turn, said.get(turn))
            if why:
                self.fault("missing audio" if audio is None else "unreadable audio", place, why)
                audio, detail = None, f"{detail}; {why}" if detail else why
        return OfficialReply(
            id=id,
            task=task,
            language=language,
            dialogue=dialogue,
            turn=turn,
            turns=turns,
            read=state,
            heard="ok" if audio is not None else "missing",
            audio=audio,
            detail=detail,
        )

    def _labels(self, wanted: _Dialogue, name: str) -> None:
        for number, t in wanted.turns.items():
            if not t.emotion:
                self.fault("no label", f"{name}: turn {number}", "counts as not neutral, as in the released code")
                continue
            try:
                DUOLOGUE.resolve(t.emotion)
            except UserError:
                what = f"{shown(t.emotion)!r:.60} is no known emotion; it counts as not neutral"
                self.fault("unknown label", f"{name}: turn {number}", what)

    def _compare(self, wanted: _Dialogue, given: _Dialogue, place: str) -> None:
        for number in wanted.turns.keys() - given.turns.keys():
            self.fault("missing turn", f"{place}: turn {number}", "it has no reply")
        for number in given.turns.keys() - wanted.turns.keys():
            self.fault("extra turn", f"{place}: turn {number}", "not in the reference, not read")
        for number in wanted.turns.keys() & given.turns.keys():
            a, b = wanted.turns[number], given.turns[number]
            changed = [f for f, x, y in (("text", a.text, b.text), ("emotion", a.emotion, b.emotion)) if y and x != y]
            if changed:
                what = f"{' and '.join(changed)} changed; the reference counts"
                self.fault("differs from the reference", f"{place}: turn {number}", what)

    def extra_audio(self, submitted: _Found, replies: list[OfficialReply]) -> None:
        """Audio under the official name that belongs to no turn of the submission or the reference."""
        folders = {d.file.parent for (task, *_), d in submitted.items() if task == "empathy"}
        known = {f"{k[2]}_{n}{_AUDIO}" for k, d in submitted.items() for n in d.turns}
        known |= {f"{r.dialogue}_{r.turn}{_AUDIO}" for r in replies}
        for folder in sorted(folders):
            for path in sorted(folder.rglob(f"*{_AUDIO}")):
                if path.name not in known:
                    self.fault("extra audio", shown(f"{folder.name}/{path.name}"), "belongs to no turn, not heard")


def _number(turn_id: Any) -> int | None:
    if isinstance(turn_id, float) and turn_id.is_integer():
        turn_id = int(turn_id)
    text = str(turn_id).strip() if isinstance(turn_id, (str, int)) and not isinstance(turn_id, bool) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _target(task: Task, turns: dict[int, _Turn], target: Target) -> int | None:
    """The turn whose reply is scored: the last, or for empathy one whose label is not neutral; None without one."""
    if task != "empathy":
        return max(turns, default=None)
    felt = [n for n, t in turns.items() if t.emotion.lower() != "neutral"]
    if target == "last":
        return felt[-1] if felt else None
    return felt[1] if len(felt) > 1 else None


def _state(reply: str, language: str) -> tuple[Any, str]:
    """Whether ``reply`` is there and in ``language``: by script, and for Latin script by English function words."""
    if not re.search(r"\w", reply):
        return "missing", "no reply"
    read = cut(reply)
    if not language_by_script(read):
        return "ok", ""
    found = identify(read)
    if found.share(language) < 0.5:
        return "wrong-language", f"the reply is {found.language}, not {language}"
    return "ok", ""


def _audio(given: _Dialogue, dialogue: str, turn: int, said: _Turn | None) -> tuple[Path | None, str]:
    """(file, "") or (file or None, why it cannot be heard). Files outside the submission are not opened."""
    folder = given.file.parent
    plain = f"{dialogue}_{turn}{_AUDIO}"
    names = [plain] if "/" not in plain and "\\" not in plain and "\0" not in plain else []
    tried = [folder / given.file.stem / n for n in names] + [folder / n for n in names]
    if said is not None and said.audio and "\0" not in said.audio:
        own = re.split(r"[/\\]", said.audio)[-1]
        tried = [folder / given.file.stem / own, folder / own, folder / said.audio, *tried]
    inside = folder.resolve()
    for path in tried:
        try:
            there = path.is_file() and path.resolve().is_relative_to(inside)
        except OSError:
            there = False
        if there:
            return path, _unreadable(path)
    return None, f"no {shown(plain)}"


def _unreadable(path: Path) -> str:
    import soundfile

    try:
        return "" if soundfile.info(path).frames else "the audio has no samples"
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        return f"the audio cannot be opened: {shown(str(error))[:120]}"
