"""The text files of a submission, line by line: answers, the official dialogues, transcripts."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from duologue.challenge.submission.archive import BadArchive
from duologue.challenge.submission.expected import Expected, ExpectedAnswer, ExpectedDialogue
from duologue.challenge.submission.problem import Problems
from duologue.language.identify import identify

# A dialogue of a few turns is a few kilobytes.
LONGEST_LINE = 1 << 20
LONGEST_TEXT = 20_000
# Blank, broken and repeated lines that are named before the rest is left unread.
SPARE_LINES = 1_000
_DEEPEST = 8
# Lists and objects of a line (and a twentieth of its commas); making them costs far more than reading their bytes.
MOST_PARTS = 5_000
# Keys of an official line and of its turns; those read from the test set may stand there too.
_RECORD = ("dialogue_id", "turns")
_TURN = (
    "turn_id",
    "text",
    "emotion",
    "input_text",
    "input_emotion",
    "split_audio_file",
    "response_text",
    "response_audio",
)
_ANSWER = ("id", "probe", "turn", "answer")


def check_answers(pieces: Iterable[bytes], file: str, expected: Expected, problems: Problems) -> int:
    """Hold answers.jsonl against the questions; how many of them have an answer."""
    by_item: dict[str, list[ExpectedAnswer]] = {}
    for e in expected.answers:
        by_item.setdefault(e.item, []).append(e)
    given: set[tuple[str, str]] = set()
    for where, record in _records(pieces, file, len(expected.answers), problems):
        id = record.get("id")
        if not isinstance(id, str):
            problems.add("a missing field, or of the wrong type", file=where, field="id", allowed="text")
            continue
        _unknown(record, _ANSWER, where, id, problems)
        wanted = _asked(record, by_item.get(id, []))
        if wanted is None:
            problems.add("an answer to nothing that was asked", file=where, item=id, value=record.get("probe", ""))
            continue
        if (id, wanted.probe) in given:
            problems.add("answered twice", file=where, item=id, field="probe", value=wanted.probe)
            continue
        given.add((id, wanted.probe))
        answer = record.get("answer")
        if isinstance(answer, bool) or not isinstance(answer, str | list | dict):
            problems.add(
                "a missing field, or of the wrong type",
                file=where,
                item=id,
                field="answer",
                allowed="text, list, object",
            )
        elif not answer or (isinstance(answer, str) and not answer.strip()):
            problems.add("an empty answer", file=where, item=id, field="answer")
        elif not isinstance(answer, str):
            if _depth(answer) > _DEEPEST:
                problems.add("nested too deeply", file=where, item=id, field="answer", allowed=f"{_DEEPEST} levels")
        else:
            # A label in a language of its own is an answer; so is anything as short as one.
            _text(answer, "answer", where, id, wanted.language if len(answer) > 24 else "", problems)
    for e in expected.answers:
        if (e.item, e.probe) not in given:
            problems.add("a missing item", file=file, item=e.item, field="probe", value=e.probe)
    return len(given)


def _asked(record: dict[str, Any], rows: list[ExpectedAnswer]) -> ExpectedAnswer | None:
    for name in ("probe", "turn"):
        if name in record:
            value = record[name]
            if isinstance(value, bool):
                return None
            return next((e for e in rows if value in ((e.probe,) if name == "probe" else (e.turn,))), None)
    return rows[0] if len(rows) == 1 else None


def check_dialogues(
    pieces: Iterable[bytes], file: str, expected: Expected, members: set[str], problems: Problems
) -> int:
    """Hold an official JSON Lines file against its dialogues; how many of them are there."""
    wanted = {d.item: d for d in expected.dialogues if d.file == file}
    given: set[str] = set()
    for where, record in _records(pieces, file, len(wanted), problems):
        id = record.get("dialogue_id")
        if not isinstance(id, str):
            problems.add("a missing field, or of the wrong type", file=where, field="dialogue_id", allowed="text")
            continue
        if id not in wanted:
            problems.add("an extra dialogue", file=where, item=id)
            continue
        if id in given:
            problems.add("a dialogue comes twice", file=where, item=id)
            continue
        given.add(id)
        _unknown(record, _RECORD, where, id, problems)
        _turns(record.get("turns"), wanted[id], where, problems)
    for id in sorted(set(wanted) - given):
        problems.add("a missing item", file=file, item=id)
    return len(given)


def _turns(rows: Any, wanted: ExpectedDialogue, where: str, problems: Problems) -> None:
    id = wanted.item
    if not isinstance(rows, list):
        problems.add("a missing field, or of the wrong type", file=where, item=id, field="turns", allowed="a list")
        return
    seen: set[int] = set()
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            problems.add("a missing field, or of the wrong type", file=where, item=id, field=f"turns[{i}]")
            continue
        number = _number(row.get("turn_id"))
        if number is None:
            problems.add("a missing field, or of the wrong type", file=where, item=id, field=f"turns[{i}].turn_id")
            continue
        item = f"{id} turn {number}"
        if number not in wanted.turns or number in seen:
            problems.add("a turn comes twice" if number in seen else "an extra turn", file=where, item=item)
            continue
        seen.add(number)
        _unknown(row, _TURN, where, item, problems)
        _turn(row, number, wanted, where, item, problems)
    for number in wanted.replies:
        if number not in seen:
            problems.add("a missing turn", file=where, item=f"{id} turn {number}")


def _turn(
    row: dict[str, Any], number: int, wanted: ExpectedDialogue, where: str, item: str, problems: Problems
) -> None:
    for name in _TURN[1:]:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            problems.add("a missing field, or of the wrong type", file=where, item=item, field=name, allowed="text")
            return
        if value and name not in ("response_text", "response_audio"):
            _text(value, name, where, item, "", problems)
    reply, audio = row.get("response_text") or "", row.get("response_audio") or ""
    if number in wanted.replies and not reply.strip():
        problems.add("an empty reply", file=where, item=item, field="response_text")
    elif reply:
        _text(reply, "response_text", where, item, wanted.language, problems)
    if wanted.audio and number in wanted.replies:
        name = f"{wanted.item}_{number}_response.wav"
        if not audio:
            problems.add(
                "a missing field, or of the wrong type", file=where, item=item, field="response_audio", allowed=name
            )
        elif re.split(r"[/\\]", audio)[-1] != name:
            problems.add("names another file", file=where, item=item, field="response_audio", value=audio, allowed=name)


def check_transcript(data: bytes, file: str, problems: Problems) -> None:
    """A transcript {"text", "chunks": [{"text", "timestamp": [s, e]}]}; its times in seconds."""
    try:
        value = _json(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        problems.add("broken JSON", file=file, value=str(error)[:100])
        return
    chunks = value.get("chunks") if isinstance(value, dict) else None
    if not isinstance(chunks, list):
        problems.add("a missing field, or of the wrong type", file=file, field="chunks", allowed="a list")
        return
    for i, chunk in enumerate(chunks):
        text = chunk.get("text") if isinstance(chunk, dict) else None
        span = chunk.get("timestamp") if isinstance(chunk, dict) else None
        if not isinstance(text, str) or not _times(span):
            problems.add(
                "a missing field, or of the wrong type",
                file=file,
                field=f"chunks[{i}]",
                allowed="text, and timestamp: [start, end] in s",
            )
            return
        _text(text, f"chunks[{i}].text", file, "", "", problems)


def _times(span: Any) -> bool:
    if not isinstance(span, list) or len(span) != 2 or not all(type(t) in (int, float) for t in span):
        return False
    start, end = span
    return math.isfinite(start) and math.isfinite(end) and 0 <= start <= end < 1e5


def _depth(value: Any) -> int:
    """Levels of lists and objects, at most one more than :data:`_DEEPEST`."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        inside = [x for v in level for x in (v.values() if isinstance(v, dict) else v)]
        level, depth = [x for x in inside if isinstance(x, dict | list)], depth + 1
    return depth


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _text(text: str, field: str, where: str, item: str, language: str, problems: Problems) -> None:
    if any("\ud800" <= c <= "\udfff" for c in text):
        problems.add("characters that are no Unicode", file=where, item=item, field=field)
        return
    if len(text) > LONGEST_TEXT:
        problems.add(
            "too long a text", file=where, item=item, field=field, value=len(text), allowed=f"{LONGEST_TEXT:,}"
        )
        return
    found = identify(text) if language else None
    if found is not None and found.language != "none" and found.share(language) < 0.5:
        problems.add(
            "a reply in another language",
            level="warning",
            file=where,
            item=item,
            field=field,
            value=found.language,
            allowed=language,
        )


def _unknown(record: dict[str, Any], known: tuple[str, ...], where: str, item: str, problems: Problems) -> None:
    for name in record:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            if near and near[0] not in record:
                problems.add("an unknown field", file=where, item=item, field=name, allowed=f"did you mean {near[0]}?")
            else:
                problems.add("an unknown field", level="warning", file=where, item=item, field=name)


def _records(
    pieces: Iterable[bytes], file: str, expected: int, problems: Problems
) -> Iterator[tuple[str, dict[str, Any]]]:
    """("FILE:LINE", object) of a stream in which ``expected`` lines should be; what is no object is told."""
    for number, line in _lines(pieces):
        where = f"{file}:{number}"
        if number > 2 * expected + SPARE_LINES:
            raise BadArchive("far too many lines; the rest was not read")
        if line is None:
            problems.add("too long a line", file=where, allowed=f"up to {LONGEST_LINE:,} bytes")
            continue
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            problems.add("a byte order mark", level="warning", file=where)
            line = line[3:]
        if not line.strip():
            continue
        if line.count(b"[") + line.count(b"{") > MOST_PARTS or line.count(b",") > 20 * MOST_PARTS:
            problems.add("too many values in a line", file=where, allowed=f"up to {MOST_PARTS:,} lists and objects")
            continue
        try:
            record = _json(line.decode("utf-8"))
        except UnicodeDecodeError:
            problems.add("not UTF-8", file=where)
            continue
        except (ValueError, RecursionError) as error:
            problems.add("broken JSON", file=where, value=str(error)[:100])
            continue
        if isinstance(record, dict):
            yield where, record
        else:
            problems.add("not a JSON object", file=where)


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    number, held, over = 1, bytearray(), False
    for piece in pieces:
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            over = over or len(held) + end - at > LONGEST_LINE
            yield number, None if over else bytes(held) + piece[at:end]
            number, at, over = number + 1, end + 1, False
            held.clear()
        if len(held) + len(piece) - at > LONGEST_LINE:
            over = True
            held.clear()
        if not over:
            held += piece[at:]
    if held or over:
        yield number, None if over else bytes(held)


def _json(text: str) -> Any:
    """Strict JSON: no key twice, no NaN. ValueError or RecursionError where it is none."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
