"""Take raters' files back in: every row becomes an annotation or a finding."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from duologue.annotate import answer as answers
from duologue.annotate import labelstudio
from duologue.annotate.answer import LAYERS, OPEN
from duologue.annotate.guidelines import VERSION
from duologue.annotate.item import Item, items, known
from duologue.annotate.rewrite import fresh, rewrite, with_annotations
from duologue.annotate.send import ASSIGNMENT, Assignment, human
from duologue.annotate.task import Returned, Row
from duologue.corpus.annotation import Annotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.table import read_table
from duologue.errors import UserError
from duologue.formats.format import Problem

LARGEST = 256 * 2**20
_LABEL = re.compile(r"([0-9a-f]{12}):\s?(.*)", re.S)


class TakenIn(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` read = ``taken`` + ``open`` (left without an answer) + ``refused``; ``missing`` items of the assignment
    did not come back at all. ``written`` is false where findings kept it from writing."""

    written: bool
    rows: int
    taken: int
    open: int
    refused: int
    missing: int
    raters: dict[str, int]
    findings: tuple[Problem, ...]
    corpus_sha256: str = ""


def take_in(corpus: Corpus, files: Sequence[Path], out: Path, *, skip_bad: bool = False) -> TakenIn:
    """Make the corpus ``out``: ``corpus`` and the raters' answers in ``files``, as raw annotations by people.

    ``files`` are what :func:`duologue.annotate.send.send` wrote and raters filled in, or folders of it. Where an
    ``assignment.json`` lies in or above them, items that did not come back and raters that were not asked are found.
    Any finding keeps the corpus from being written, unless ``skip_bad``. Findings: unknown items, labels and columns
    that are missing, places outside the audio or text, a second answer by one rater (the first counts), no answer.
    """
    dialogues: dict[str, Dialogue] = {}
    asked: dict[str, Item] = {}
    for opened in corpus:
        dialogues[opened.id] = opened.dialogue
        asked |= {i.id: i for i in items(opened.dialogue, LAYERS)}
    paths, sheets = _paths(files)
    findings: list[Problem] = []
    returned: list[Returned] = []
    for path in paths:
        try:
            returned += _read(path, asked, dialogues)
        except UserError as error:
            findings.append(Problem(where=str(path), what=error.message))
    known_ = known(corpus.manifest)
    given = {(i.id, a.rater) for d in dialogues.values() for i, a in judged(d)}
    rows: list[Row] = []
    empty = refused = 0
    back: set[tuple[str, str]] = set()
    sent = {(i, r) for s in sheets for i, who in s.items.items() for r in who}
    for r in returned:
        item = asked.get(r.item)
        pair = (r.item, r.rater)
        problem = ""
        try:
            if item is None:
                raise UserError("an item that is not of this corpus", field="item", value=r.item)
            if not r.rater:
                raise UserError("no rater", field="rater", value=r.rater)
            if sheets and pair not in sent:
                raise UserError("this rater was not asked this item", field="rater", value=r.rater)
            if pair in back:
                raise UserError("a second answer by the same rater", field="item", value=r.item)
            back.add(pair)
            if not r.line and not r.regions:
                empty += 1
                findings.append(Problem(where=r.where, what=f"item {r.item} has no answer by {r.rater}"))
                continue
            if pair in given:
                raise UserError("the corpus has an answer of this rater already", field="item", value=r.item)
            d = dialogues[item.dialogue]
            answer = answers.read(item.layer, r.line, d, item.turn, known_)
            rows.append(Row(where=r.where, item=r.item, rater=r.rater, answer=answer))
        except UserError as error:
            problem = error.message
        if problem:
            refused += 1
            findings.append(Problem(where=r.where, what=problem))
    missing = sorted(sent - back)
    findings += [Problem(where=i, what=f"did not come back from {r}") for i, r in missing]
    report = TakenIn(
        written=False,
        rows=len(returned),
        taken=len(rows),
        open=empty,
        refused=refused,
        missing=len(missing),
        raters=dict(sorted(Counter(r.rater for r in rows).items())),
        findings=tuple(findings),
    )
    if not rows or (findings and not skip_bad):
        return report
    added: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        added[asked[row.item].dialogue].append(row)

    def change(d: Dialogue) -> Dialogue:
        return with_annotations(d, _annotations(d, added[d.id], asked, known_)) if d.id in added else d

    notes = {"raters": report.raters, "left_out": [f"{p.where}: {p.what}" for p in findings]}
    earlier = list(corpus.manifest.notes.get("annotated", []))
    manifest = rewrite(corpus, out, change, {"annotated": [*earlier, notes]})
    return msgspec.structs.replace(report, written=True, corpus_sha256=manifest.corpus_sha256)


def judged(d: Dialogue) -> Iterator[tuple[Item, Annotation]]:
    """Every raw judgement by a person, with the item that it answers."""
    of = {(i.layer, i.turn): i for i in items(d, LAYERS)}
    for a in d.annotations:
        found = answers.of(a) if human(a) else None
        if found is not None and (item := of.get((found[0], int(a.target.removeprefix("turn:"))))):
            yield item, a


def _annotations(d: Dialogue, rows: list[Row], asked: dict[str, Item], known: answers.Known) -> Iterator[Annotation]:
    taken = {a.id for a in d.annotations}
    for row in rows:
        item = asked[row.item]
        base = {
            "id": fresh(f"{row.rater}-{item.layer}-{item.turn}", taken),
            "rater": row.rater,
            "rater_type": "human",
            "instrument": VERSION,
        }
        yield answers.annotation(row.answer, d, item.turn, taxonomy=known.taxonomy, base=base)


def _paths(files: Sequence[Path]) -> tuple[list[Path], list[Assignment]]:
    """The files with answers, and the assignments in or above what was given."""
    kinds = {".csv", ".jsonl", ".json", ".textgrid"}
    paths: list[Path] = []
    sheets: dict[Path, None] = {}
    for f in files:
        if not f.exists():
            raise UserError("no such file", where=str(f))
        own = [f] if f.is_file() else sorted(p for p in f.rglob("*") if p.suffix.lower() in kinds)
        for p in own:
            if p.name == ASSIGNMENT:
                sheets.setdefault(p)
        paths += [p for p in own if p.name != ASSIGNMENT]
        for above in (f.absolute().parent, f.absolute().parent.parent):
            if (above / ASSIGNMENT).is_file():
                sheets.setdefault(above / ASSIGNMENT)
    if not paths:
        raise UserError("no answers here", where=", ".join(map(str, files)), allowed="CSV, JSONL, JSON, TextGrid")
    found = []
    for p in {p.resolve() for p in sheets}:
        try:
            found.append(msgspec.json.decode(p.read_bytes(), type=Assignment))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UserError(f"broken assignment: {error}", where=str(p)) from None
    return paths, found


def _read(path: Path, asked: dict[str, Item], dialogues: dict[str, Dialogue]) -> list[Returned]:
    kind = path.suffix.lower()
    if kind == ".textgrid":
        return list(_textgrid(path))
    if kind == ".json":
        return list(_labelstudio(path, asked, dialogues))
    if kind == ".jsonl":
        return list(_jsonl(path))
    return list(_csv(path))


def _csv(path: Path) -> Iterator[Returned]:
    lines = csv.DictReader(io.StringIO(read_table(path, LARGEST), newline=""))
    if lacking := [c for c in ("item", "rater", "answer") if c not in (lines.fieldnames or ())]:
        raise UserError("a column is missing", field=lacking[0], allowed="item, rater, answer")
    try:
        for row in lines:
            yield _returned(f"{path.name}:{lines.line_num}", row)
    except csv.Error as error:
        raise UserError(f"broken CSV: {error}", where=f"line {lines.line_num}") from None


def _jsonl(path: Path) -> Iterator[Returned]:
    for number, line in enumerate(read_table(path, LARGEST).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            row = msgspec.json.decode(line)
        except msgspec.MsgspecError as error:
            raise UserError(f"broken JSON: {error}", where=where) from None
        if not isinstance(row, dict):
            raise UserError("not an object", where=where, value=row)
        yield _returned(where, row)


def _returned(where: str, row: dict[str, Any]) -> Returned:
    item, rater, line = (str(row.get(k) or "").strip("\r\n") for k in ("item", "rater", "answer"))
    return Returned(
        where=where, item=item.strip(), rater=rater.strip(), line="" if line.strip() in ("", OPEN) else line
    )


def _textgrid(path: Path) -> Iterator[Returned]:
    """The rater is the name of the folder; an interval of a layer's tier is ``ITEM: answer``."""
    from duologue.formats.textgrid.grid import read

    rater = path.absolute().parent.name
    for tier in read(path).tiers:
        if tier.name.split(" ")[0] not in LAYERS:
            continue
        for n, i in enumerate(tier.intervals, 1):
            where = f"{rater}/{path.name}, tier {tier.name!r}, {n}"
            found = _LABEL.fullmatch(i.text)
            item, line = (found[1], found[2]) if found else ("", "")
            if found is None:
                item = i.text
            elif tier.name.split(" ")[0] == "time" and line.strip() not in ("", OPEN):
                line = f"{i.start:.7f} {i.end:.7f}"
            yield Returned(where=where, item=item, rater=rater, line="" if line.strip() in ("", OPEN) else line)


def _labelstudio(path: Path, asked: dict[str, Item], dialogues: dict[str, Dialogue]) -> Iterator[Returned]:
    try:
        tasks = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"not Label Studio's JSON: {error}") from None
    for n, task in enumerate(tasks):
        data = task.get("data") if isinstance(task.get("data"), dict) else {}
        assert isinstance(data, dict)
        item, rater = str(data.get("item", "")), str(data.get("rater", ""))
        where = f"{path.name}[{n}]"
        done = [a for a in task.get("annotations") or [] if isinstance(a, dict) and not a.get("was_cancelled")]
        if not done:
            yield Returned(where=where, item=item, rater=rater)
        for a in done:
            line = ""
            result = a.get("result")
            if (found := asked.get(item)) is not None and isinstance(result, list):
                try:
                    d = dialogues[found.dialogue]
                    line = labelstudio.line(found.layer, result, d, found.turn, float(data.get("offset") or 0.0))
                except (UserError, TypeError, ValueError) as error:
                    # Kept as an answer that cannot be understood: the row is counted, and says why.
                    line = f"!{error}"
            yield Returned(where=where, item=item, rater=rater, line=line)
