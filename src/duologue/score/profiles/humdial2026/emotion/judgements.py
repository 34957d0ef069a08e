"""Judgements of a submission: by a judge behind an endpoint, or from a file of them."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from duologue.errors import UserError
from duologue.judge.emotion import EmotionJudge, EmotionReply
from duologue.judge.grades import DIMENSIONS, HEARD, Task, official_grade
from duologue.judge.verdict import STATUSES, Status
from duologue.remote.chat import Sound
from duologue.score.profiles.humdial2026.emotion.read import NUMBERS
from duologue.score.profiles.humdial2026.emotion.submission import OfficialReply, Problem, Submission
from duologue.score.profiles.humdial2026.layout import shown

# Of a reply's audio a judge hears so much, in seconds: it bounds what a hostile reply can make a judge cost.
LONGEST_SOUND = 60.0
_TASK_OF = {d: task for task, dimensions in DIMENSIONS.items() for d in dimensions}
_NAMES: dict[str, Task] = {n: t for t, i in NUMBERS.items() for n in (t, f"t{i}", str(i), f"task{i}")}


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found of a reply in one dimension: a grade 1-5 where ``status`` is "ok", else why there is none."""

    status: Status
    grade: float | None = None
    detail: str = ""


# Dimension -> reply -> judgement. A dimension that is not there was not judged.
Judgements = dict[str, dict[str, Judgement]]


def judge(
    submission: Submission, judges: Sequence[EmotionJudge], progress: Callable[[int, int], None] | None = None
) -> Judgements:
    """Ask ``judges`` about the replies of their task, but for what the submission itself settles."""
    found: Judgements = {d: {} for j in judges for d in j.dimensions}
    all_of = [[r for r in submission.replies if r.task == j.task and _open(r, j.dimensions)] for j in judges]
    total, before = sum(map(len, all_of)), 0
    for j, replies in zip(judges, all_of, strict=True):
        sounds = {r.id: sound_of(r.audio) if j.voice and r.audio is not None else None for r in replies}
        items = [
            EmotionReply(id=r.id, task=r.task, language=r.language, turns=r.turns, sound=sounds[r.id]) for r in replies
        ]

        def told(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        for r, v in zip(replies, j.judge(items, told), strict=True):
            for d in j.dimensions:
                if d in HEARD and sounds[r.id] is None:
                    found[d][r.id] = Judgement(status="missing", detail="there is nothing to hear in the audio")
                else:
                    grade = v.scores.get(d) if v.status == "ok" else None
                    found[d][r.id] = Judgement(status=v.status, grade=grade, detail=v.detail)
        before += len(replies)
    return found


def sound_of(path: Path) -> bytes | None:
    """The audio of a reply as a mono wav file of up to a minute; None where there is nothing to hear in it."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(int(LONGEST_SOUND * file.samplerate), dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return None
    if not samples.size or not np.isfinite(samples).all() or not np.abs(samples).max() > 0:
        return None
    return Sound.of(samples, rate).wav


def read_judgements(path: Path, submission: Submission) -> tuple[Judgements, list[Problem]]:
    """Judgements of a JSON Lines file, {"dialogue_id", "scores": {dimension: grade}} a line, and what is wrong in it.

    The lines are those that the challenge's scripts write. Further fields: "task" (1-3 or its name) and "language"
    where the id does not tell them, "rater" where several graded one reply (their mean counts), "status" or "error"
    where there is no grade. Grades are taken by the official rule; of the dimensions that are heard, which people
    grade, any number from 1 to 5 counts. UserError where the file cannot be read; bad lines are problems.
    """
    work = _File(submission)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                work.take(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, f"{path.name}:{number}")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path), field="--judgements") from None
    return work.found(), work.problems


class _File:
    def __init__(self, submission: Submission) -> None:
        self.problems: list[Problem] = []
        self._replies: dict[str, list[OfficialReply]] = {}
        for r in submission.replies:
            self._replies.setdefault(r.dialogue, []).append(r)
        self._all = submission.replies
        # dimension -> reply -> rater -> judgement
        self._read: dict[str, dict[str, dict[str, Judgement]]] = {}

    def take(self, line: bytes, where: str) -> None:
        if not line.strip():
            return
        try:
            row = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            self._bad(where, f"no JSON: {error}")
            return
        if not isinstance(row, dict):
            self._bad(where, "no JSON object")
        elif "dialogue_id" in row:
            self._row(row, where)
        elif "final_scores" not in row:
            self._bad(where, "no dialogue_id")

    def _row(self, row: dict[str, Any], where: str) -> None:
        scores = row.get("scores")
        named = [d for d in scores if d in _TASK_OF] if isinstance(scores, dict) else []
        tasks = {_TASK_OF[d] for d in named}
        if (said := row.get("task")) is not None:
            task = _NAMES.get(str(said).strip().casefold())
            if task is None or tasks - {task}:
                self._bad(where, f"task {str(said)[:40]!r} is none, or not that of its scores")
                return
            tasks = {task}
        rows = [
            r
            for r in self._replies.get(str(row["dialogue_id"]).strip(), [])
            if (not tasks or r.task in tasks) and row.get("language") in (None, r.language)
        ]
        if not rows:
            self.problems.append(
                Problem(
                    kind="extra judgement", where=where, what=f"{shown(str(row['dialogue_id']))[:80]} is not expected"
                )
            )
            return
        if len(rows) > 1 and not tasks:
            self._bad(where, "the dialogue is in several tasks: give a task")
            return
        for r in rows:
            self._grades(r, row, named, where)

    def _grades(self, r: OfficialReply, row: dict[str, Any], named: list[str], where: str) -> None:
        status: Any = row.get("status")
        if status is not None and status not in STATUSES:
            self._bad(where, f"status {str(status)[:40]!r}; allowed: {', '.join(STATUSES)}")
            return
        if status is None:
            status = "unparsable" if row.get("error") or not isinstance(row.get("scores"), dict) else "ok"
        if status == "ok" and not named:
            self._bad(where, f"no score of {', '.join(DIMENSIONS[r.task])}")
            return
        dimensions = [d for d in DIMENSIONS[r.task] if d in named or (r.task != "empathy" and named)]
        detail = str(row.get("error") or row.get("detail") or row.get("reason") or "")[:300]
        rater = str(row.get("rater") or "")
        for d in dimensions or DIMENSIONS[r.task]:
            grade = self._grade(r.task, d, row["scores"].get(d), where) if status == "ok" else None
            judged = Judgement(status=status, grade=grade, detail=detail)
            if status == "ok" and grade is None:
                judged = Judgement(status="unparsable", detail="the file has no number from 1 to 5")
            raters = self._read.setdefault(d, {}).setdefault(r.id, {})
            if rater in raters:
                self._bad(where, f"{r.id}, {d}: judged before{f' by {rater}' if rater else ''}; the first counts")
            else:
                raters[rater] = judged

    def _grade(self, task: Task, dimension: str, value: Any, where: str) -> float | None:
        if dimension not in HEARD:
            return float(official_grade(task, value))
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if number and 1 <= value <= 5:
            return float(value)
        self._bad(where, f"{dimension}: {str(value)[:40]!r} is no number from 1 to 5")
        return None

    def found(self) -> Judgements:
        """Each reply's judgement by dimension; a reply that the file leaves out was not judged."""
        return {d: _of_raters(of_reply, self._of(d)) for d, of_reply in self._read.items()}

    def _of(self, dimension: str) -> list[str]:
        return [r.id for r in self._all if r.task == _TASK_OF[dimension]]

    def _bad(self, where: str, what: str) -> None:
        self.problems.append(Problem(kind="bad judgement", where=where, what=what))


def _of_raters(of_reply: Mapping[str, Mapping[str, Judgement]], ids: Sequence[str]) -> dict[str, Judgement]:
    found = {}
    for id in ids:
        raters = list(of_reply.get(id, {}).values())
        grades = [j.grade for j in raters if j.grade is not None]
        if grades:
            found[id] = Judgement(status="ok", grade=statistics.fmean(grades))
        elif raters:
            found[id] = raters[0]
        else:
            found[id] = Judgement(status="infrastructure", detail="the file holds no judgement of it")
    return found


def settled(r: OfficialReply, dimension: str) -> Judgement | None:
    """What the submission itself settles, whatever a judge or a file of judgements says; None for what is open."""
    if r.read == "wrong-language":
        return Judgement(status="wrong-language", detail=r.detail)
    state = r.heard if dimension in HEARD else r.read
    return Judgement(status="missing", detail=r.detail) if state == "missing" else None


def _open(r: OfficialReply, dimensions: Sequence[str]) -> bool:
    return any(settled(r, d) is None for d in dimensions)
