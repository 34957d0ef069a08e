"""Label Studio: a project a layer, its labelling interface and its tasks, and what its JSON export brings back.

Task format and results as its documentation gives them: ``[{"data": {...}, "predictions": [{"result": [...]}]}]`` out,
``[{"data": {...}, "annotations": [{"result": [...]}]}]`` back, a result being ``{"from_name", "to_name", "type",
"value"}`` with ``choices``, ``rating`` or ``labels`` in its value (labelstud.io/guide/tasks, /guide/export).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from duologue.annotate.answer import CAUSES, NONE, TURN, Answer, CauseSeen, Emotion, EventSeen, Known, Layer, TimeSeen
from duologue.annotate.answer import ShiftSeen as Shift
from duologue.annotate.item import letters
from duologue.annotate.task import Task
from duologue.corpus.dialogue import Dialogue
from duologue.errors import UserError


def config(layer: Layer, known: Known, *, sound: bool = True) -> str:
    """The labelling interface (XML) for the tasks of ``layer``; without ``sound`` for a corpus of text alone."""

    def choices(name: str, values: Sequence[str], to: str = "text", more: str = "") -> list[str]:
        rows = [f"    <Choice value={quoteattr(v)}/>" for v in values]
        head = f'  <Choices name="{name}" toName="{to}" choice="single" showInLine="true"{more}>'
        return [head, *rows, "  </Choices>"]

    body = ['  <Audio name="audio" value="$audio"/>'] if sound else []
    body.append('  <Text name="text" value="$context"/>')
    if layer == "emotion":
        body += choices("emotion", known.taxonomy.labels)
        body += choices("intensity", ("0", "1", "2", "3"))
    elif layer == "shift":
        body += choices("shift", ("yes", "no"))
    elif layer == "event":
        body += choices("event", (*known.scenarios, NONE))
    elif layer == "cause":
        body += ['  <Labels name="cause" toName="text">', *(f'    <Label value="{c}"/>' for c in CAUSES), "  </Labels>"]
        body += choices("explicit", ("yes", "no"), more=' perRegion="true"')
        body += choices("none", (NONE,))
    else:
        body += ['  <Labels name="time" toName="audio">', f'    <Label value="{TURN}"/>', "  </Labels>"]
    return "\n".join(["<View>", '  <Header value="$question"/>', *body, "</View>"]) + "\n"


def task(t: Task, answer: Answer | None, d: Dialogue) -> dict[str, Any]:
    """``t`` as a task, with ``answer`` as a prediction where there is one."""
    where = f"{t.turn} {t.speaker}"
    data = {
        "item": t.item,
        "rater": t.rater,
        "layer": t.layer,
        "language": t.language,
        "question": f"{t.layer}: {where}",
        "context": t.context,
        "audio": t.clip,
        "offset": t.offset,
    }
    found: dict[str, Any] = {"data": data}
    if answer is not None:
        found["predictions"] = [{"model_version": "duologue", "result": _results(answer, d, t)}]
    return found


def _results(answer: Answer, d: Dialogue, t: Task) -> list[dict[str, Any]]:
    def choice(name: str, value: str) -> dict[str, Any]:
        return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [value]}}

    match answer:
        case Emotion(label, intensity):
            return [choice("emotion", label), choice("intensity", str(intensity))]
        case Shift(changed):
            return [choice("shift", "yes" if changed else "no")]
        case EventSeen(kind):
            return [choice("event", kind)]
        case CauseSeen("none"):
            return [choice("none", NONE)]
        case CauseSeen(kind, evidence, (a, b), explicit):
            at = _offset(d, evidence)
            words = d.turns[evidence].text[a:b]
            start, end = (_units(t.context[: at + x]) for x in (a, b))
            place = {"start": start, "end": end, "text": words}
            linked = "yes" if explicit else "no"
            base = {"id": "r1", "to_name": "text"}
            return [
                base | {"from_name": "cause", "type": "labels", "value": place | {"labels": [kind]}},
                base | {"from_name": "explicit", "type": "choices", "value": place | {"choices": [linked]}},
            ]
        case TimeSeen(start, end):
            rate = d.audio[0].sample_rate
            value = {"start": start / rate - t.offset, "end": end / rate - t.offset, "channel": 0, "labels": [TURN]}
            return [{"id": "r1", "from_name": "time", "to_name": "audio", "type": "labels", "value": value}]


def line(layer: Layer, regions: Sequence[dict[str, Any]], d: Dialogue, turn: int, offset: float) -> str:
    """The answer in ``regions`` (the results of one annotation) as a line; "" where there is none."""
    said: dict[str, list[dict[str, Any]]] = {}
    for r in regions:
        if isinstance(r, dict) and isinstance(r.get("value"), dict):
            said.setdefault(str(r.get("from_name")), []).append(r)

    def one(name: str) -> str:
        values = [str(c) for r in said.get(name, []) for c in r["value"].get("choices", [])]
        if len(values) > 1:
            raise UserError("more than one answer", field=name, value=values, allowed="one")
        return values[0] if values else ""

    if layer == "emotion":
        return f"{one('emotion')} {one('intensity')}".strip()
    if layer in ("shift", "event"):
        return one(layer)
    marked = said.get(layer, [])
    if len(marked) > 1:
        raise UserError("more than one answer", field=layer, value=len(marked), allowed="one region")
    if layer == "time":
        if not marked:
            return ""
        a, b = (float(marked[0]["value"].get(k, "nan")) + offset for k in ("start", "end"))
        return f"{a:.7f} {b:.7f}"
    if not marked:
        return one("none")
    value = marked[0]["value"]
    kind = str(next(iter(value.get("labels", [])), ""))
    evidence, start, words = _words(d, value, turn)
    return f"{kind} | {evidence + 1} | {one('explicit') or 'no'} | @{start} {words}"


def _words(d: Dialogue, value: dict[str, Any], turn: int) -> tuple[int, int, str]:
    """The turn, the code point in it and the words of a region of the context, whose offsets are UTF-16 units."""
    who = letters(d)
    at = 0
    start, end = int(value.get("start", -1)), int(value.get("end", -1))
    for t in d.turns[: turn + 1]:
        head = f"{t.index + 1} {who[t.speaker]}: "
        own = at + _units(head)
        size = _units(t.text)
        if own <= start < end <= own + size:
            data = t.text.encode("utf-16-le")
            before = data[: 2 * (start - own)].decode("utf-16-le", "ignore")
            return t.index, len(before), data[2 * (start - own) : 2 * (end - own)].decode("utf-16-le", "ignore")
        at = own + size + 1
    raise UserError(
        "not the words of one turn", field="cause", value=value.get("text", [start, end]), allowed="words of one turn"
    )


def _offset(d: Dialogue, turn: int) -> int:
    """Where the words of ``turn`` begin in the context."""
    who = letters(d)
    return sum(len(f"{t.index + 1} {who[t.speaker]}: {t.text}\n") for t in d.turns[:turn]) + len(
        f"{turn + 1} {who[d.turns[turn].speaker]}: "
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
