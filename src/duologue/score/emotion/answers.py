"""What a system answered: JSON Lines of ``{"id", "probe" or "turn", "answer"}``, however they are spoilt.

Nothing in such a file is fatal and nothing is passed over: blank lines, byte order marks, broken lines, strangers and
answers given twice are named with their line and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from duologue.errors import UserError

FILE = "answers.jsonl"
# A line of more bytes is not read; an answer of more characters is read up to here (extract.LONGEST) and named.
LONGEST_LINE = 1 << 24
HUGE = 20_000
# Findings beyond this many are counted, not listed.
LISTED = 200


class AnswerFinding(msgspec.Struct, frozen=True):
    line: int
    what: str


class Answers(msgspec.Struct):
    """Answers by (dialogue, probe or turn). ``twice`` are the keys that have two answers that differ: they have none.

    ``counts`` says how often each thing was wrong with a line; ``findings`` lists the first of them.
    """

    given: dict[tuple[str, str | int], Any] = {}
    twice: set[tuple[str, str | int]] = set()
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    findings: list[AnswerFinding] = []
    lines: dict[tuple[str, str | int], int] = {}

    def note(self, line: int, kind: str, what: str = "") -> None:
        self.counts[kind] += 1
        if len(self.findings) < LISTED:
            self.findings.append(AnswerFinding(line, what or kind))


def read_answers(run: Path) -> Answers:
    """The answers of ``run``: a file, or a folder that holds answers.jsonl; UserError where there is none."""
    path = run / FILE if run.is_dir() else run
    if not path.is_file():
        raise UserError(
            "no answers", where=str(path), mend=f'write {FILE}: {{"id": ..., "probe": ..., "answer": ...}} a line'
        )
    found = Answers()
    for number, record in _records(path, found):
        id, key = record.get("id"), record.get("probe", record.get("turn", ""))
        if not isinstance(id, str) or not id:
            found.note(number, "no id", "a line without an id")
            continue
        if isinstance(key, bool) or not isinstance(key, str | int):
            found.note(number, "no probe or turn", f"{id}: probe or turn is neither text nor number")
            continue
        if "answer" not in record:
            found.note(number, "no answer", f"{id}: a line without an answer")
            continue
        answer, at = record["answer"], (id, key)
        if at in found.given or at in found.twice:
            same = at in found.given and found.given[at] == answer
            found.note(
                number,
                "repeated" if same else "answered twice",
                f"{id} {key}: " + ("the same again" if same else "answered twice and differently: neither counts"),
            )
            if not same:
                found.given.pop(at, None)
                found.twice.add(at)
            continue
        if isinstance(answer, str) and len(answer) > HUGE:
            found.note(number, "huge answer", f"{id} {key}: {len(answer)} characters, read up to {HUGE}")
            answer = answer[:HUGE]
        found.given[at] = answer
        found.lines[at] = number
    return found


def _records(path: Path, found: Answers) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                found.note(number, "huge line", f"a line of more than {LONGEST_LINE} bytes")
                continue
            if line.startswith(b"\xef\xbb\xbf"):
                found.note(number, "byte order mark")
                line = line[3:]
            if not line.strip():
                found.note(number, "blank line")
                continue
            try:
                record = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                try:
                    # Python's reader also takes what JSON writers of other languages leave, such as NaN.
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    found.note(number, "broken JSON", f"not JSON: {error}"[:200])
                    continue
            if not isinstance(record, dict):
                found.note(number, "not an object", "a line that is no JSON object")
                continue
            yield number, record
